"""The recordings of a search and who of them trains, searches and is reported on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nas.config import SYNTHETIC, SearchConfig
from ppg import npz, synthetic
from ppg.protocol import Split, draw_split, read_split, split_before_report
from ppg.recording import Recording
from ppgnas.errors import DataError
from search_spaces.space import SearchSpace


@dataclass(frozen=True)
class People:
    """Recordings of the three parts of a split.

    Attributes:
        split: who is where.
        train, search, report: their recordings.
        fingerprint: of all recordings, split or not.
        left_out: recordings without acceleration that were set aside, because most have it.
    """

    split: Split
    train: list[Recording]
    search: list[Recording]
    report: list[Recording]
    fingerprint: str
    left_out: list[Recording] = field(default_factory=list)

    @property
    def recordings(self) -> list[Recording]:
        """Of all three parts."""
        return [*self.train, *self.search, *self.report]

    @property
    def synthetic(self) -> bool:
        """Whether any recording is generated."""
        return any(recording.synthetic for recording in self.recordings)


class Source(Protocol):
    """Where recordings come from and how their people are split; see `SearchConfig`."""

    @property
    def data(self) -> str: ...
    @property
    def report_data(self) -> str | None: ...
    @property
    def report_from(self) -> str | None: ...
    @property
    def split(self) -> str | None: ...
    @property
    def seed(self) -> int: ...


def gather_for(source: Source, *, acceleration: bool) -> People:
    """People for one network: recordings without an acceleration that it reads are left out.

    Raises:
        DataError: as `gather`.
    """
    recordings = read_source(source.data, seed=source.seed)
    further: list[Recording] = []
    left_out: list[Recording] = []
    if source.report_data is not None:
        further = read_source(source.report_data, seed=source.seed)
    if acceleration:
        left_out = [r for r in (*recordings, *further) if r.acc is None]
        recordings = [r for r in recordings if r.acc is not None]
        further = [r for r in further if r.acc is not None]
    return _divided(source, recordings, further, left_out)


def gather(config: SearchConfig, space: SearchSpace) -> People:
    """Read or generate the recordings, and split their people.

    Where most recordings have acceleration and the space has networks that read it, the others
    are left out, so that a phone recording among fifty watches does not decide the front end. A
    split that names people is taken as it stands.

    Raises:
        DataError: a folder or file cannot be used, or there are too few people.
    """
    recordings = read_source(config.data, seed=config.seed)
    further: list[Recording] = []
    left_out: list[Recording] = []
    if config.split is None and True in space.acceleration:
        recordings, left_out = _with_acceleration(recordings)
    if config.report_data is not None:
        further = read_source(config.report_data, seed=config.seed)
    return _divided(config, recordings, further, left_out)


def _divided(
    source: Source,
    recordings: list[Recording],
    further: list[Recording],
    left_out: list[Recording],
) -> People:
    if source.report_data is not None:
        split = split_before_report(recordings, further, seed=source.seed)
    elif source.split is not None:
        split = read_split(Path(source.split), recordings)
    else:
        split = draw_split(recordings, seed=source.seed, report_from=source.report_from)
    everything = [*recordings, *further]
    return People(
        split=split,
        train=split.select(everything, "train"),
        search=split.select(everything, "search"),
        report=split.select(everything, "report"),
        fingerprint=npz.fingerprint(everything),
        left_out=left_out,
    )


def _with_acceleration(
    recordings: list[Recording],
) -> tuple[list[Recording], list[Recording]]:
    """Recordings to use and to leave out; all are used where those with acceleration are few."""
    having = [recording for recording in recordings if recording.acc is not None]
    lacking = [recording for recording in recordings if recording.acc is None]
    windows = [sum(int(r.usable.sum()) for r in part) for part in (having, lacking)]
    return (having, lacking) if windows[0] > windows[1] else (recordings, [])


def read_source(source: str, *, seed: int) -> list[Recording]:
    """The recordings of a folder, or generated ones for `synthetic`."""
    if source == SYNTHETIC:
        return synthetic.synthesize(seed=seed)
    return npz.read_folder(Path(source))


def without_acceleration(people: People) -> list[Recording]:
    """The recordings that have no acceleration."""
    return [recording for recording in people.recordings if recording.acc is None]


def fitting_space(space: SearchSpace, people: People) -> SearchSpace:
    """The space, without networks that read an acceleration which not all recordings have.

    Raises:
        DataError: nothing is left.
    """
    lacking = without_acceleration(people)
    if not lacking or True not in space.acceleration:
        return space
    if False in space.acceleration:
        return space.restricted(acceleration=False)
    first = f"{lacking[0].dataset}/{lacking[0].name}"
    raise DataError(
        f"{len(lacking)} recordings have no acceleration (the first is {first}), and every "
        f"network of the space {space.name!r} reads it; leave those recordings out, or choose a "
        "--space with networks that read PPG alone, such as default"
    )
