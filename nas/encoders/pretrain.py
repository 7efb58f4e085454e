"""Pre-training an encoder into a file, or a compact one into a folder.

Segments of the folders of recordings lie in shards, which are written once and found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.models.backend import site_of
from nas.run.config import SYNTHETIC, ConfigError
from nas.run.folder import check_free, held
from nas.run.job.progress import Progress, Silent
from ppg.loaders.registry import each_recording
from ppg.npz.folder import files_below
from ppg.recording import Recording
from ppg.segments.shards import FEWEST_HOURS, Shards, draw_held_out, open_shards, write_shards
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError
from ppgnas.parsing import one_of
from ppgnas.tables import counted

if TYPE_CHECKING:
    from distill.encoders.files import StoredEncoder
    from distill.encoders.job import Job, Method
    from distill.encoders.training import Ground
    from distill.encoders.transformer import TransformerEncoder


@dataclass(frozen=True, eq=False)
class Corpus:
    """Segments of everybody, who trains, and who is held out."""

    shards: Shards
    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def ground(self, teacher: TransformerEncoder | None = None) -> Ground:
        """What a training on all who train stands on; brings torch."""
        from distill.encoders.training import Ground

        shards, rows = self.shards, self.shards.rows_of(self.train)
        return Ground(shards.folder, rows, self.train, self.held_out, teacher)


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
        f"{len(shards)} segments; {counted(len(train), 'person trains', 'people train')} "
        f"({shards.hours_of(train):.1f} h), {counted(len(held_out), 'is', 'are')} held out "
        f"({shards.hours_of(held_out):.1f} h)."
    )
    return Corpus(shards, train, held_out)


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


DEFAULT_SHARDS = "results/segments"


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """What is asked.

    Attributes:
        sensor: what the encoder reads, `ppg` or `acc`.
        shards: folder for their segments.
        method: `masked` or `contrast`; None with a teacher.
        teacher: file of the PPG encoder that an acceleration encoder is aligned with.
        effort, steps: how long; `steps` counts where it is given.
        batch, seed: of the training; the seed also decides who is held out.
        held_out_hours: that whole people must last who are held out.
    """

    sensor: str
    data: tuple[str, ...]
    shards: str = DEFAULT_SHARDS
    method: str | None = None
    teacher: str | None = None
    net: str = "small"
    effort: str = "standard"
    steps: int | None = None
    batch: int = 128
    seed: int = 0
    held_out_hours: float = FEWEST_HOURS
    device: str = "auto"


def chosen_job(config: PretrainConfig) -> Job:
    """The training that is asked for.

    Raises:
        ConfigError: something that cannot be.
    """
    from distill.encoders.job import CHANNELS, STEPS, Job
    from distill.encoders.transformer import SIZES, EncoderShape

    if config.teacher is not None and config.method is not None:
        raise ConfigError(
            f"`method` {config.method} is for an encoder alone; with a `teacher` it is aligned. "
            "Leave one of them out"
        )
    if config.teacher is not None and config.sensor == "ppg":
        raise ConfigError(
            f"`teacher` {config.teacher} teaches an encoder of acceleration; one of PPG has none"
        )
    sensor = one_of("sensor", config.sensor, tuple(CHANNELS), ConfigError)
    alone: tuple[Method, ...] = ("masked", "contrast")
    method = one_of("method", config.method or alone[0], alone, ConfigError)
    for name, value, allowed in (
        ("net", config.net, tuple(SIZES)),
        ("effort", config.effort, tuple(STEPS)),
    ):
        one_of(name, value, allowed, ConfigError)
    steps = STEPS[config.effort] if config.steps is None else config.steps
    for name, number, least in (("steps", steps, 1), ("batch", config.batch, 4)):
        if number < least:
            raise ConfigError(f"`{name}` is {number}; allowed: {least} or more")
    return Job(
        sensor=sensor,
        method=method if config.teacher is None else "aligned",
        shape=EncoderShape(CHANNELS[sensor], **SIZES[config.net]),
        steps=steps,
        batch=config.batch,
        seed=config.seed,
    )


def pretrain_encoder(config: PretrainConfig, out: Path, *, progress: Progress) -> StoredEncoder:
    """Train, or go on where the same command was stopped.

    Under `torchrun` every process calls this, and they share the training; the first one writes.

    Args:
        out: the file to write; it must not exist.

    Raises:
        ConfigError: something that cannot be.
        RunError: `out` exists, or another training writes it.
        DataError: recordings or people cannot be used.
    """
    from distill.encoders.files import load_encoder
    from distill.encoders.training import pretrain
    from distill.training.team import launched

    job, teacher = chosen_job(config), teacher_of(config)
    if out.suffix != ".safetensors":
        raise ConfigError(f"`out` is {out}; the file of an encoder ends in .safetensors")
    check_free(out)
    site = site_of(config.device)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    with launched(site.device) as launch:
        rank = 0 if launch is None else launch.rank
        if launch is not None and rank > 0:
            progress = Silent()
            launch.share(lambda: True)  # until the first one has written the shards
        corpus = corpus_of(config, progress)
        if launch is not None and rank == 0:
            launch.share(lambda: True)
        ground = ground_of(config, corpus, teacher)
        lock = out.with_name(f".{out.name}.{rank}.lock")
        with held(lock, out), progress.phase(f"{job.sensor} encoder, {job.method}") as tick:
            pretrain(job, ground, part, progress=tick, device=site.device, launched=launch)
            stored = load_encoder(part)
            if launch is not None:
                launch.share(lambda: True)  # nobody reads it any more
            if rank == 0:
                part.replace(out)
        lock.unlink(missing_ok=True)
    return stored


def corpus_of(config: PretrainConfig, progress: Progress) -> Corpus:
    """The recordings that a training is asked to stand on."""
    return gather(
        config.data,
        Path(config.shards),
        seed=config.seed,
        held_out_hours=config.held_out_hours,
        say=progress.say,
    )


def teacher_of(config: PretrainConfig) -> StoredEncoder | None:
    """The PPG encoder that is asked for, before recordings are cut for minutes.

    Raises:
        RunError: it is no encoder.
        ConfigError: it reads another sensor.
    """
    from distill.encoders.files import load_encoder

    if config.teacher is None:
        return None
    stored = load_encoder(Path(config.teacher))
    if stored.facts.sensor != "ppg":
        raise ConfigError(
            f"`teacher` {config.teacher} reads acceleration; allowed: a PPG encoder, of "
            "`ppgnas pretrain ppg`"
        )
    return stored


def ground_of(config: PretrainConfig, corpus: Corpus, teacher: StoredEncoder | None) -> Ground:
    """What the training stands on, with its teacher.

    Raises:
        DataError: the teacher knows people who are held out.
    """
    if teacher is None:
        return corpus.ground()
    seen = set(corpus.held_out) & {*teacher.facts.people, *teacher.facts.also_in}
    if seen:
        raise DataError(
            f"{config.teacher} has learnt from {', '.join(sorted(seen)[:3])} ({len(seen)} such "
            "people), who are held out here; use the `data` and `seed` that it was made with"
        )
    return corpus.ground(teacher.encoder)
