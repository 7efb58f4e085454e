"""Recordings as shards on disk: written once, one recording at a time, read through memory maps.

A folder holds one `NUMBER.npy` a recording, `(samples, channels + 3)` float16, so that segments
which overlap are stored once; `segments.npz`, where each segment begins and what is known of it;
and `index.json`, whose each recording is. Nothing but the index is ever whole in memory.

Whole people, some of each data set, are kept away from every training of encoders.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import FRONT_END
from ppg.identity import united
from ppg.npz.folder import UNREADABLE, fingerprint
from ppg.recording import Recording, data_set_of
from ppg.segments.cut import HOP_S, HZ, SAMPLES, SEGMENT_S, cut
from ppgnas.errors import DataError
from ppgnas.files import text_of, write_bytes_atomic, write_json_atomic
from ppgnas.parsing import parse_json
from ppgnas.tables import counted

FORMAT = "ppgnas-segments"
LARGEST_INDEX_BYTES = 1 << 30
COMPARED_S = 60  # of the PPG, by which one person under two names is found


@dataclass(frozen=True)
class Sitting:
    """One recording among the shards.

    Attributes:
        channels: of the PPG.
        duration_s: that it lasts.
    """

    person: str
    name: str
    also_in: tuple[str, ...]
    channels: int
    duration_s: float
    synthetic: bool

    @property
    def samples(self) -> int:
        """That are stored of each channel."""
        return round(self.duration_s * HZ)


@dataclass(frozen=True, eq=False)
class Shards:
    """A folder of shards; arrays have one row a segment.

    Attributes:
        sitting, start: which recording each segment is of, and its first sample.
        hr_bpm, sdnn_ms, rmssd_ms, activity: see `ppg.segments.cut.Cut`.
    """

    folder: Path
    sittings: tuple[Sitting, ...]
    fingerprint: str
    activity_names: tuple[str, ...]
    sitting: NDArray[np.int64]
    start: NDArray[np.int64]
    hr_bpm: NDArray[np.float32]
    sdnn_ms: NDArray[np.float32]
    rmssd_ms: NDArray[np.float32]
    activity: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def people(self) -> tuple[str, ...]:
        """`dataset/subject`, sorted."""
        return tuple(sorted({each.person for each in self.sittings}))

    @property
    def person(self) -> NDArray[np.int64]:
        """`(segments,)` index into `people`."""
        place = {person: index for index, person in enumerate(self.people)}
        return np.array([place[each.person] for each in self.sittings], np.int64)[self.sitting]

    @property
    def synthetic(self) -> bool:
        """Whether any recording was generated."""
        return any(each.synthetic for each in self.sittings)

    def hours_of(self, people: Iterable[str]) -> float:
        """That the recordings of some people last."""
        wanted = set(people)
        return sum(each.duration_s for each in self.sittings if each.person in wanted) / 3600

    def rows_of(self, people: Iterable[str]) -> NDArray[np.int64]:
        """The segments of some people."""
        wanted = set(people)
        known = np.array([each.person in wanted for each in self.sittings], np.bool_)
        return np.flatnonzero(known[self.sitting])

    def signals(self, sitting: int) -> NDArray[np.float16]:
        """`(samples, channels + 3)` of one recording, mapped, not read."""
        own = self.sittings[sitting]
        return _mapped(self.folder / f"{sitting:05d}.npy", (own.samples, own.channels + 3))


@lru_cache(maxsize=256)  # below the open files that systems allow
def _mapped(path: Path, shape: tuple[int, int]) -> NDArray[np.float16]:
    try:
        mapped: NDArray[np.float16] = np.lib.format.open_memmap(path, mode="r")
        if mapped.shape != shape or mapped.dtype != np.float16:
            raise ValueError(f"{mapped.dtype} of shape {mapped.shape}, not {shape}")
    except UNREADABLE as error:
        raise DataError(
            f"{path}: the shard cannot be read ({error}); remove {path.parent} and run the "
            "same command again, which writes it anew"
        ) from error
    return mapped


def write_shards(
    recordings: Iterable[Recording], folder: Path, *, say: Callable[[str], None] = lambda _: None
) -> Shards:
    """Write a folder; the index comes last, so that a folder with one is whole.

    Args:
        recordings: taken one by one; those without acceleration or shorter than a segment are left
            out.
        folder: it holds nothing yet, or what a killed call left.
        say: is told what is left out, and who is one person.

    Raises:
        DataError: nothing is left.
        OSError: the disk is full.
    """
    _mapped.cache_clear()  # of what lay there before
    folder.mkdir(parents=True, exist_ok=True)
    light: list[Recording] = []
    digests, columns = [], []
    lost = {"no acceleration": 0, f"no segment of {SEGMENT_S} s without a hole": 0}
    bare, short = lost
    for recording in recordings:
        found = cut(recording) if recording.acc is not None else None
        if found is None or not len(found.start):
            lost[bare if found is None else short] += 1
            continue
        number = len(light)
        content = io.BytesIO()
        np.save(content, found.signals, allow_pickle=False)
        write_bytes_atomic(folder / f"{number:05d}.npy", content.getvalue())
        digests.append(fingerprint([recording]))
        light.append(_light(recording))
        columns.append((np.full(len(found.start), number), found))
    for what, count in lost.items():
        if count:
            said = counted(count, "recording has", "recordings have")
            say(f"{said} {what}, which an encoder learns from; left out.")
    if not light:
        raise DataError(
            f"`data` has no recording with acceleration and a segment of {SEGMENT_S} s without a "
            "hole; pairs of both signals are what an encoder learns from"
        )
    merged = united(light)
    for group in merged.groups:
        say(group.note)
    names = tuple(sorted({name for each in light for name in each.activity_names}))
    lookup = [np.array([*map(names.index, r.activity_names), -1]) for r in light]
    arrays = {
        "sitting": np.concatenate([number for number, _ in columns]),
        "activity": np.concatenate(
            [lookup[index][found.activity] for index, (_, found) in enumerate(columns)]
        ),
        **{
            name: np.concatenate([getattr(found, name) for _, found in columns])
            for name in ("start", "hr_bpm", "sdnn_ms", "rmssd_ms")
        },
    }
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_bytes_atomic(folder / "segments.npz", content.getvalue())
    sittings = [
        Sitting(
            person=after.person,
            name=f"{before.dataset}/{before.name}",
            also_in=after.also_in,
            channels=before.ppg.shape[1],
            duration_s=duration_s,
            synthetic=before.synthetic,
        )
        for before, after, duration_s in zip(
            light,
            merged.recordings,
            [len(np.load(folder / f"{n:05d}.npy", mmap_mode="r")) / HZ for n in range(len(light))],
            strict=True,
        )
    ]
    write_json_atomic(
        folder / "index.json",
        {
            "format": FORMAT,
            **_made_by(),
            "fingerprint": hashlib.sha256("".join(sorted(digests)).encode()).hexdigest(),
            "activity_names": names,
            "sittings": [asdict(each) for each in sittings],
        },
    )
    return open_shards(folder)


def _light(recording: Recording) -> Recording:
    """What tells a person, without the long signals: names, references, the first minute."""
    kept = max(1, round(COMPARED_S * recording.ppg_hz))
    return replace(recording, ppg=recording.ppg[:kept].copy(), acc=None, acc_hz=None)


def _made_by() -> dict[str, object]:
    return {"front_end": FRONT_END, "hz": HZ, "segment_s": SEGMENT_S, "hop_s": HOP_S}


def open_shards(folder: Path) -> Shards:
    """Open what `write_shards` wrote.

    Raises:
        DataError: there is no index, it is damaged, or another version made it.
    """
    path = folder / "index.json"
    try:
        document = parse_json(text_of(path))
        made_by = {key: document[key] for key in _made_by()}
        if document["format"] != FORMAT or made_by != _made_by():
            raise ValueError(f"it was made by {made_by}, this version makes {_made_by()}")
        sittings = tuple(
            Sitting(**{**each, "also_in": tuple(each["also_in"])}) for each in document["sittings"]
        )
        arrays = _columns(folder / "segments.npz", sittings)
        return Shards(
            folder=folder,
            sittings=sittings,
            fingerprint=str(document["fingerprint"]),
            activity_names=tuple(document["activity_names"]),
            **arrays,
        )
    except (*UNREADABLE, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: no index of segments ({error}); remove {folder} and run the same command "
            "again, which writes it anew"
        ) from error


def _columns(path: Path, sittings: Sequence[Sitting]) -> dict[str, NDArray[Any]]:
    """Of the segments, one row each."""
    with np.load(path, allow_pickle=False) as stored:
        if sum(each.file_size for each in stored.zip.infolist()) > LARGEST_INDEX_BYTES:
            raise ValueError(f"{path.name} unpacks to more than {LARGEST_INDEX_BYTES} bytes")
        arrays = {name: stored[name] for name in stored.files}
    lengths = {values.shape for values in arrays.values()}
    if len(lengths) != 1 or any(values.dtype.kind not in "if" for values in arrays.values()):
        raise ValueError(f"the columns of {path.name} are no numbers, or of different lengths")
    sitting, start = arrays["sitting"], arrays["start"]
    if sitting.ndim != 1 or {sitting.dtype.kind, start.dtype.kind} != {"i"}:
        raise ValueError(f"{path.name} holds no rows")
    if ((sitting < 0) | (sitting >= len(sittings))).any():
        raise ValueError(f"{path.name} has segments of no recording")
    ends = np.array([each.samples - SAMPLES for each in sittings])
    if len(sitting) and ((start < 0) | (start > ends[sitting])).any():
        raise ValueError(f"{path.name} has segments outside of their recordings")
    return arrays


HELD_OUT_SHARE = 0.2
FEWEST_HOURS = 1.5


def draw_held_out(shards: Shards, *, seed: int, fewest_h: float = FEWEST_HOURS) -> tuple[str, ...]:
    """Draw a fifth of the people of each data set; a data set of one person trains.

    Args:
        fewest_h: hours of whole people that must be held out.

    Raises:
        DataError: they last less, or nobody is left to train on.
    """
    groups: dict[str, list[str]] = {}
    for person in shards.people:
        groups.setdefault(data_set_of(person), []).append(person)
    drawn: list[str] = []
    for name, group in groups.items():
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        count = min(len(group) - 1, max(1, round(HELD_OUT_SHARE * len(group))))
        drawn += [group[int(index)] for index in rng.permutation(len(group))[:count]]
    hours = shards.hours_of(drawn)
    if hours < fewest_h or not drawn:
        raise DataError(
            f"of {counted(len(shards.people), 'person', 'people')}, {len(drawn)} held out last "
            f"{hours:.3g} h; at least {fewest_h:g} h of whole people must be, or a retrieval says "
            "nothing. Add recordings, or ask for less with `held_out_hours`"
        )
    return tuple(sorted(drawn))
