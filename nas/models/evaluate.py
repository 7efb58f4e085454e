"""Heart-rate errors of a model on recordings, and who of these people it has seen before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from nas.models.names import Model, ModelError
from nas.models.readout import RULES, decoding_of
from nas.run.card import ModelFile
from ppg.identity import known_people, united
from ppg.people import metrics
from ppg.people.split import UNMAPPED
from ppg.readout.smoothing import Smoothing
from ppg.recording import Recording, data_set_of, with_channels
from ppg.windows import windows_of
from ppgnas.errors import DataError
from ppgnas.notebook import Shown
from ppgnas.parsing import one_of
from ppgnas.task import Mode

FILES: dict[str, ModelFile] = {"tflite": "model.tflite", "c": "model.c"}


@dataclass(frozen=True)
class PersonErrors(metrics.PersonErrors):
    """Errors on one person; `role` is the part of the network's split that they are in."""

    role: str | None

    @property
    def seen(self) -> bool:
        """Whether the person trained or ranked the network."""
        return self.role in ("train", "search")


@dataclass(frozen=True)
class Unseen:
    """Mean errors over the people who neither trained nor ranked the network."""

    people: int
    windows: int
    mae_bpm: float
    mae_bpm_smoothed: float


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """Errors of a model on recordings; figures are those of `ppg.people.metrics.summary`.

    Attributes:
        unseen: None where nobody is left, or where the split is not known, as of a bare file.
        activities: see `ppg.people.metrics.by_activity`.
        expected_error_bpm, expected_error_smoothed_bpm: what the network itself expects, mean over
            people; None for a network that was never calibrated.
        one_person: other names that people have in the recordings, by the name they count under.
    """

    windows: int
    mae_bpm: float
    mae_bpm_smoothed: float
    median_person_mae_bpm: float
    rmse_bpm: float
    mape_percent: float
    within_5_bpm: float
    people: dict[str, PersonErrors]
    unseen: Unseen | None
    mode: Mode
    arithmetic: str
    file: str
    smoothing: Smoothing
    activities: dict[str, metrics.ActivityErrors]
    expected_error_bpm: float | None
    expected_error_smoothed_bpm: float | None
    synthetic: bool
    one_person: dict[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas evaluate --json`."""
        return asdict(self)

    @property
    def caption(self) -> str:
        """The means over people."""
        synthetic = " (SYNTHETIC recordings)" if self.synthetic else ""
        return (
            f"MAE {self.mae_bpm:.2f} BPM raw, {self.mae_bpm_smoothed:.2f} smoothed by "
            f"{self.smoothing}, {self.arithmetic}{synthetic}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a person."""
        return [{"person": name, **asdict(row)} for name, row in self.people.items()]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the errors must know about the people, in sentences."""
        notes = []
        met = sum(person.seen for person in self.people.values())
        if met:
            notes.append(
                f"{met} of these people trained or ranked this network; an error on them says "
                "nothing about others. Their role is shown with them, and `unseen` leaves them "
                "out."
            )
        notes += [
            f"{' and '.join((name, *also))} are one person by their recordings, and count as one."
            for name, also in self.one_person.items()
        ]
        unmapped = sorted({data_set_of(person) for person in self.people} & UNMAPPED)
        if unmapped:
            notes.append(
                f"{', '.join(unmapped)}: who is who is unknown, so every recording counts as a "
                "person."
            )
        return tuple(notes)


def file_of(model: Model, file: str | None) -> ModelFile:
    """The file whose rounding is asked for: of `FILES`, or the model's own where None is.

    Raises:
        ModelError: it is none of them.
    """
    return model.runs if file is None else FILES[one_of("file", file, (*FILES,), ModelError)]


def readable(model: Model, recordings: Sequence[Recording]) -> Sequence[Recording]:
    """The recordings that the network can read; all of them where it can read none.

    Raises:
        DataError: there are none.
    """
    plain = not model.inputs.acceleration
    if not recordings:
        raise DataError("there are no recordings to read")
    kept = [r for r in recordings if plain or r.acc is not None]
    return kept or recordings  # reading the windows then says what is missing


def evaluate(
    model: Model,
    recordings: Sequence[Recording],
    *,
    smoothing: Smoothing = "hmm",
    file: str | None = None,
) -> Evaluation:
    """Measure a model in the integer arithmetic of the device.

    Args:
        model: from `find_model`, with weights.
        recordings: that it can read, see `readable`.
        smoothing: of `ppg.readout.smoothing.SMOOTHINGS`.
        file: whose rounding, see `file_of`.

    Raises:
        ModelError: an unknown file, no weights, or a model that reads no heart rates.
        DataError: no window can be read.
    """
    from distill.evaluation import predict_windows

    runs = file_of(model, file)
    one = united(with_channels(recordings, model.channels))
    recordings = one.recordings
    decoding = decoding_of(model.card())
    read = predict_windows(
        model.net(),
        windows_of(recordings, model.inputs, mode=model.mode),
        smoothing=smoothing,
        transitions=decoding.transitions,
        rule=RULES[runs],
    )
    measured = read.summary()
    roles = roles_of(model, recordings)
    people = {
        name: PersonErrors(**asdict(row), role=roles[name])
        for name, row in measured.people.items()
    }
    raw, smoothed = (
        None if row is None else metrics.mean_over_people(row, read.windows.person)
        for row in (
            decoding.expected_error_bpm(read),
            decoding.expected_error_smoothed_bpm(read, smoothing=smoothing),
        )
    )
    return Evaluation(
        windows=measured.windows,
        mae_bpm=measured.mae_bpm,
        mae_bpm_smoothed=measured.mae_bpm_smoothed,
        median_person_mae_bpm=measured.median_person_mae_bpm,
        rmse_bpm=measured.rmse_bpm,
        mape_percent=measured.mape_percent,
        within_5_bpm=measured.within_5_bpm,
        people=people,
        unseen=_unseen(people) if knows_people(model) else None,
        mode=model.mode,
        arithmetic="int8",
        file=runs.removeprefix("model."),
        smoothing=smoothing,
        activities=read.by_activity(),
        expected_error_bpm=raw,
        expected_error_smoothed_bpm=smoothed,
        synthetic=any(recording.synthetic for recording in recordings),
        one_person=one.also,
    )


def _split_of(model: Model) -> Mapping[str, Sequence[str]]:
    """Who trained, ranked and was reported on, under all of their names.

    Whom a head was adapted to trained it, too. Empty where nobody knows, as of a bare file.
    """
    card = model.card()
    document = card if model.run is None else model.run.document()
    if document is None or document.split is None:
        return {}
    also = document.one_person or {}
    wearers = card.personal.people if card is not None and card.personal is not None else ()
    return {
        part: [name for person in people for name in (person, *also.get(person, ()))]
        for part, people in {
            **document.split.to_json(),
            "train": (*document.split.train, *wearers),
        }.items()
    }


def knows_people(model: Model) -> bool:
    """Whether it is known who trained a network."""
    return bool(_split_of(model))


def roles_of(model: Model, recordings: Sequence[Recording]) -> dict[str, str | None]:
    """For each person what they were to a network: train, search or report; None if nothing."""
    split = _split_of(model)
    roles: dict[str, str | None] = dict.fromkeys(recording.person for recording in recordings)
    for part in ("report", "search", "train"):  # the last one counts
        roles |= dict.fromkeys(known_people(recordings, split.get(part, ())), part)
    return roles


def _unseen(people: Mapping[str, PersonErrors]) -> Unseen | None:
    rows = [row for row in people.values() if not row.seen]
    if not rows:
        return None
    return Unseen(
        len(rows),
        sum(row.windows for row in rows),
        fmean(row.mae_bpm for row in rows),
        fmean(row.mae_bpm_smoothed for row in rows),
    )
