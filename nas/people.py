"""The recordings of a search and who of them trains, searches and is reported on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    """

    split: Split
    train: list[Recording]
    search: list[Recording]
    report: list[Recording]
    fingerprint: str

    @property
    def recordings(self) -> list[Recording]:
        """Of all three parts."""
        return [*self.train, *self.search, *self.report]

    @property
    def synthetic(self) -> bool:
        """Whether any recording is generated."""
        return any(recording.synthetic for recording in self.recordings)


def gather(config: SearchConfig) -> People:
    """Read or generate the recordings, and split their people.

    Raises:
        DataError: a folder or file cannot be used, or there are too few people.
    """
    recordings = read_source(config.data, seed=config.seed)
    further: list[Recording] = []
    if config.report_data is not None:
        further = read_source(config.report_data, seed=config.seed)
        split = split_before_report(recordings, further, seed=config.seed)
    elif config.split is not None:
        split = read_split(Path(config.split), recordings)
    else:
        split = draw_split(recordings, seed=config.seed, report_from=config.report_from)
    everything = [*recordings, *further]
    return People(
        split=split,
        train=split.select(everything, "train"),
        search=split.select(everything, "search"),
        report=split.select(everything, "report"),
        fingerprint=npz.fingerprint(everything),
    )


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
