"""The shards of folders of recordings, written once and found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.run.config import SYNTHETIC
from ppg.loaders.registry import each_recording
from ppg.npz.folder import files_below
from ppg.recording import Recording
from ppg.segments.held_out import FEWEST_HOURS, draw_held_out
from ppg.segments.shards import Shards, open_shards, write_shards
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError


@dataclass(frozen=True, eq=False)
class Corpus:
    """Segments of everybody, who trains, and who is held out."""

    shards: Shards
    train: tuple[str, ...]
    held_out: tuple[str, ...]


def gather(
    data: Sequence[str],
    folder: Path,
    *,
    seed: int,
    held_out_hours: float = FEWEST_HOURS,
    say: Callable[[str], None],
) -> Corpus:
    """Open the shards of some folders, and write them where they are not there yet.

    Args:
        folder: that holds shards, each set in a folder of its own.
        seed: decides who is held out.
        held_out_hours: that whole people must last who are held out.
        say: is told what is read and left out.

    Raises:
        DataError: a folder cannot be used, or too few people are left.
    """
    if not data:
        raise DataError("`data` names nothing; give one folder of recordings at least")
    if not held_out_hours > 0:
        raise DataError(f"`held_out_hours` is {held_out_hours:g}; allowed: more than 0")
    own = folder / _key(data, seed)
    if not (own / "index.json").is_file():
        say(f"Cutting segments of {', '.join(data)} into {own}")
        write_shards(_recordings(data, seed), own, say=say)
    shards = open_shards(own)
    held_out = draw_held_out(shards, seed=seed, fewest_h=held_out_hours)
    train = tuple(person for person in shards.people if person not in held_out)
    say(
        f"{len(shards)} segments; {len(train)} people train ({shards.hours_of(train):.1f} h), "
        f"{len(held_out)} are held out ({shards.hours_of(held_out):.1f} h)."
    )
    return Corpus(shards, train, held_out)


def check_apart(
    corpus: Corpus, people: Sequence[str], also_in: Sequence[str], *, what: str
) -> None:
    """Refuse an encoder that has learnt from people who are held out here.

    Raises:
        DataError: it has.
    """
    seen = set(corpus.held_out) & {*people, *also_in}
    if seen:
        raise DataError(
            f"{what} has learnt from {', '.join(sorted(seen)[:3])} ({len(seen)} such people), who "
            "are held out here; use the `data` and `seed` that it was made with"
        )


def _recordings(data: Sequence[str], seed: int) -> Iterator[Recording]:
    for source in data:
        if source == SYNTHETIC:
            yield from synthesize(seed=seed)
        else:
            yield from each_recording(Path(source))


def _key(data: Sequence[str], seed: int) -> str:
    """A name for what the folders hold now: files with their sizes and times."""
    found: list[object] = []
    for source in data:
        if source == SYNTHETIC:
            found.append([SYNTHETIC, seed])
            continue
        root = Path(source)
        files = [root] if root.is_file() else files_below(root) or files_below(root, ending="")
        files = [file for file in files if file.is_file()]
        found += [
            [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files
        ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]
