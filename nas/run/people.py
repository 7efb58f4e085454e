"""The recordings of a search and who of them trains, searches and is reported on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.run.config import SYNTHETIC, TrainConfig
from nas.run.unlabelled import LEFT_OUT, Unlabelled, gather_unlabelled
from ppg.identity import United, shared_people, united
from ppg.inspection.notes import faults
from ppg.loaders.registry import read_folder, unread_beside
from ppg.npz import folder as npz
from ppg.people.split import Split, draw_split, read_split, split_before_report
from ppg.recording import Recording, with_channels, with_reference
from ppg.synthetic import recordings as synthetic
from ppgnas.errors import DataError
from ppgnas.tables import counted
from search_spaces.space import SearchSpace


@dataclass(frozen=True)
class People:
    """Recordings of the three parts of a split.

    Attributes:
        fingerprint: of all recordings, split or not.
        notes: what a user should know about who is used, in sentences.
        one_person: other names that people have in the data, by the name that they are used by.
        unlabelled: recordings that the teacher alone labels.
        channels: PPG channels that were asked for, None for all.
    """

    split: Split
    train: list[Recording]
    search: list[Recording]
    report: list[Recording]
    fingerprint: str
    notes: tuple[str, ...] = ()
    one_person: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unlabelled: Unlabelled | None = None
    channels: str | None = None

    @property
    def recordings(self) -> list[Recording]:
        """Of all three parts."""
        return [*self.train, *self.search, *self.report]

    @property
    def synthetic(self) -> bool:
        """Whether any recording is generated."""
        return any(recording.synthetic for recording in self.recordings)


def gather_for(config: TrainConfig, *, acceleration: bool) -> People:
    """People for networks of one kind.

    Recordings without an acceleration that networks read are left out; one that only the teacher
    reads must be there to train and to search, and who is reported on may lack it.

    Raises:
        DataError: as `gather`.
    """
    return _gathered(config, *_read(config), acceleration=acceleration)


def _gathered(
    config: TrainConfig,
    recordings: list[Recording],
    further: list[Recording],
    notes: list[str],
    *,
    acceleration: bool,
) -> People:
    if not (acceleration or config.taught_with_acceleration):
        people = _divided(config, recordings, further, notes)
        return _with_unlabelled(config, people, acceleration=False)
    who = "the network" if acceleration else "the teacher (`teacher_inputs` ppg+acc)"
    read = [("`data`", config.data, recordings)]
    if acceleration and further:
        read.append(("`report_data`", config.report_data or "", further))
    for option, source, found in read:
        if all(recording.acc is None for recording in found):
            raise DataError(
                f"{option} {source}: no recording of it has acceleration, and {who} reads it; "
                "choose one that reads PPG alone, or other data"
            )

    def stays(recording: Recording, asked: bool) -> bool:
        """Whom the user asked to report on stays where the network can read them."""
        return recording.acc is not None or (asked and not acceleration)

    by_name = config.split is not None
    kept = [r for r in recordings if stays(r, by_name or r.dataset == config.report_from)]
    kept_further = [r for r in further if stays(r, True)]
    people = _divided(config, kept, kept_further, notes)
    if not acceleration:
        people = _taught(people)
    bare = sum(recording.acc is None for recording in (*recordings, *further))
    lost = bare - len(without_acceleration(people))
    if lost:
        note = counted(lost, *LEFT_OUT)
        people = replace(people, notes=(*people.notes, note))
    return _with_unlabelled(config, people, acceleration=True)


def _taught(people: People) -> People:
    """Without those who have nothing to show a teacher that reads acceleration."""
    train, search = (
        [recording for recording in part if recording.acc is not None]
        for part in (people.train, people.search)
    )
    for name, left in (("train", train), ("search", search)):
        if not left:
            raise DataError(
                f"nobody in {name} has acceleration, and the teacher (`teacher_inputs` ppg+acc) "
                "reads it; put people with acceleration there by a `split`"
            )
    seen = {recording.person for recording in (*train, *search)}
    split = replace(
        people.split,
        train=tuple(name for name in people.split.train if name in seen),
        search=tuple(name for name in people.split.search if name in seen),
    )
    return replace(people, split=split, train=train, search=search)


def gather(config: TrainConfig, space: SearchSpace) -> People:
    """Read or generate the recordings, and split their people.

    Where most recordings have acceleration and the space has networks that read it, the others
    are left out, so that a phone recording among fifty watches does not decide the front end.
    Report people decide first: where most of them have none, the search is for sensors without
    acceleration, and everybody is used. A split that names people is taken as it stands.

    Raises:
        DataError: a folder or file cannot be used, there are too few people, somebody is in
            both `data` and `report_data`, or a search or report person is in `unlabelled`.
    """
    if True not in space.acceleration:
        return gather_for(config, acceleration=False)
    recordings, further, notes = _read(config)
    taught, named = config.taught_with_acceleration, config.split is not None
    who, asked = ("", []) if named else _asked(config, recordings, further)
    bare = [recording for recording in asked if recording.acc is None]
    plain = bool(bare) and not _with_acceleration(asked)[1]
    if plain:
        notes.append(
            f"{len(bare)} of {len(asked)} recordings of the report people ({who}) have no "
            "acceleration, so only networks that read PPG alone can be reported on: the "
            f"acceleration of all others {'is for the teacher' if taught else 'goes unused'}."
        )
    if taught:
        return _gathered(config, recordings, further, notes, acceleration=not (plain or named))
    if not (plain or named):
        recordings, left_out = _with_acceleration(recordings)
        further, dropped = _with_acceleration(further) if further else ([], [])
        if left_out or dropped:
            notes.append(
                f"{counted(len(left_out) + len(dropped), *LEFT_OUT)} Most have it; to use them "
                "too, choose a space that reads PPG alone."
            )
    people = _divided(config, recordings, further, notes)
    acceleration = not without_acceleration(people)
    return _with_unlabelled(config, people, acceleration=acceleration)


def _read(config: TrainConfig) -> tuple[list[Recording], list[Recording], list[str]]:
    """Recordings of `data` and of `report_data`, and notes on files that are not read."""
    if config.split is not None:
        read_split(Path(config.split))  # recordings take minutes to read
    recordings, lost = read_labelled(config.data, seed=config.seed)
    recordings = with_channels(recordings, config.channels)
    further: list[Recording] = []
    lost_further = ""
    if config.report_data is not None:
        further, lost_further = read_labelled(config.report_data, seed=config.seed)
        further = with_channels(further, config.channels)
        _check_apart(config, recordings, further)
    folders = (config.data, config.report_data)
    unread = [unread_beside(Path(folder)) for folder in folders if folder not in (None, SYNTHETIC)]
    return recordings, further, [note for note in (lost, lost_further, *unread) if note]


def _divided(
    config: TrainConfig, recordings: list[Recording], further: list[Recording], notes: list[str]
) -> People:
    # Nobody is in both folders (`_check_apart`).
    (recordings, groups), (further, others) = united(recordings), united(further)
    everything = United([*recordings, *further], [*groups, *others])
    if config.report_data is not None:
        split = split_before_report(recordings, further, seed=config.seed)
    elif config.split is not None:
        split = read_split(Path(config.split), recordings, also=everything.also)
    else:
        split = draw_split(recordings, seed=config.seed, report_from=config.report_from)
    return People(
        split=split,
        train=split.select(everything.recordings, "train"),
        search=split.select(everything.recordings, "search"),
        report=split.select(everything.recordings, "report"),
        fingerprint=npz.fingerprint(everything.recordings),
        notes=(
            *notes,
            *(group.note for group in everything.groups),
            *faults(everything.recordings),
        ),
        one_person=everything.also,
        channels=config.channels,
    )


def _with_unlabelled(config: TrainConfig, people: People, *, acceleration: bool) -> People:
    if config.unlabelled is None:
        return people
    judges = [*people.search, *people.report]
    found, notes = gather_unlabelled(
        config.unlabelled, judges, acceleration=acceleration, channels=config.channels
    )
    return replace(people, unlabelled=found, notes=(*people.notes, *notes))


def _asked(
    config: TrainConfig, recordings: list[Recording], further: list[Recording]
) -> tuple[str, list[Recording]]:
    """The recordings that the user chose to be reported on, and which they are; may be none."""
    if config.report_data is not None:
        return f"all of {config.report_data}", further
    if config.report_from is not None:
        chosen = [r for r in recordings if r.dataset == config.report_from]
        return f"data set {config.report_from}", chosen
    return "", []


def _check_apart(
    config: TrainConfig, recordings: list[Recording], further: list[Recording]
) -> None:
    if SYNTHETIC in (config.data, config.report_data):
        return
    shared = shared_people(recordings, further)
    if not shared:
        return
    listed = "; ".join(
        f"{pair.left.dataset}/{pair.left.name} and {pair.right.dataset}/{pair.right.name} "
        f"({pair.why})"
        for pair in shared[:3]
    )
    raise DataError(
        f"`data` {config.data} and `report_data` {config.report_data} share {len(shared)} "
        f"person(s): {listed}{'; ...' if len(shared) > 3 else ''}. Nobody may train and be "
        f"reported on: take these recordings out of one of the folders."
    )


def _with_acceleration(recordings: list[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Recordings to use and to leave out; all are used where those with acceleration are few."""
    having = [recording for recording in recordings if recording.acc is not None]
    lacking = [recording for recording in recordings if recording.acc is None]
    windows = [sum(int(r.usable.sum()) for r in part) for part in (having, lacking)]
    return (having, lacking) if windows[0] > windows[1] else (recordings, [])


def read_source(
    source: str,
    *,
    seed: int,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Recording]:
    """The recordings of a folder, or generated ones for `synthetic`.

    Args:
        source: `synthetic`, a folder of .npz recordings, a folder of the files of data sets
            that `ppg.loaders.registry` knows, or a file of one of `ppg.loaders.forms`.
        seed: of generated ones.
        options: as the command line takes them for a file: `lag_s`, `drift_ppm`, and keys of a
            mapping file.
        say: is told what was found in a file and not stated.

    Raises:
        DataError: the folder or a file in it cannot be used, or the seed is below 0.
    """
    if seed < 0:
        raise DataError(f"`seed` is {seed}; allowed: 0 or more.")
    if source == SYNTHETIC:
        if options:
            named = ", ".join(f"`{name}`" for name in options)
            raise DataError(f"{named} is for files, and {SYNTHETIC} has none; leave it out.")
        return synthetic.synthesize(seed=seed)
    rest = dict(options or {})
    lag_s, drift_ppm = rest.pop("lag_s", None), rest.pop("drift_ppm", 0.0)
    return read_folder(Path(source), lag_s=lag_s, drift_ppm=drift_ppm, options=rest, say=say)


def read_labelled(source: str, *, seed: int) -> tuple[list[Recording], str]:
    """The recordings of `read_source` that have a reference, and a sentence on the others.

    Raises:
        DataError: as `read_source`, or none has a reference.
    """
    recordings = read_source(source, seed=seed)
    kept, note = with_reference(recordings)
    if not kept:
        raise DataError(
            f"{source}: no recording of it has a usable reference heart rate; allowed: one at "
            "least. Read them with ppgnas predict, or add hr_bpm, hr_start_s and hr_valid "
            "(ppgnas data inspect says what is there)."
        )
    return kept, note and f"{source}: {note}."


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
        f"{counted(len(lacking), 'recording has', 'recordings have')} no acceleration (the first "
        f"is {first}), and every network of the space {space.name!r} that was asked for reads it; "
        "leave those recordings out, or search networks that read PPG alone: `student_inputs` "
        "ppg, `space` default"
    )
