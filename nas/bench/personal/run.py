"""Running `ppgnas bench personalize`: every person whom a network never saw, every kind.

Of a person with several recordings the longest is taken. One JSON file a person and network is
kept, and a cell whose file is there is not computed again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nas.models.evaluate import knows_people, roles_of
from nas.models.names import Model, ModelError
from nas.personal.adapt import ADAPTING, adapt
from nas.personal.calibration import Errors, PersonalKind, wearer_of_model
from nas.run.documents import read_kept, write_kept
from nas.run.job import interrupt
from nas.run.job.machine import versions
from nas.run.job.progress import Tick
from ppg.frontend import FRONT_END
from ppg.npz.folder import fingerprint
from ppg.recording import Recording, with_channels
from ppgnas.errors import DataError, ExportError
from ppgnas.files import sha256_of


@dataclass(frozen=True)
class Cell:
    """What must be equal for a file to be taken as done.

    Attributes:
        person, recording: who, and in which of their recordings.
        made_by: front end and rule of adapting; empty in files of before, which are not done.
    """

    model: str
    model_sha256: str
    person: str
    recording: str
    fingerprint: str
    minutes: tuple[float, ...]
    kinds: tuple[PersonalKind, ...]
    made_by: str = ""


@dataclass(frozen=True)
class Tried:
    """One kind after some minutes, see `nas.personal.adapt.Adaptation`; bytes of SRAM or None."""

    kind: PersonalKind
    minutes: float
    kept: bool
    memory_bytes: int | None
    before: Errors
    after: Errors
    unguarded: Errors


@dataclass(frozen=True)
class PersonRecord:
    """A cell that is done.

    Attributes:
        tried: all of it; minutes after which too little of the recording was left are missing.
        refused: why a kind could not be tried, by kind.
    """

    cell: Cell
    synthetic: bool
    tried: tuple[Tried, ...]
    refused: Mapping[str, str]
    versions: Mapping[str, str]


LEAST_REST = 60  # windows that must be left to judge on: two minutes


def unseen(model: Model, recordings: Sequence[Recording]) -> dict[str, Recording]:
    """The longest recording of each report person of a network that reads it.

    Whom a network was adapted to is none of them.

    Raises:
        ModelError: it is not known who trained the network.
        DataError: no report person is in the recordings.
    """
    readable = [
        r
        for r in with_channels(recordings, model.channels)
        if r.acc is not None or not model.inputs.acceleration
    ]
    roles = roles_of(model, readable)
    if not knows_people(model):
        raise ModelError(
            f"{model.name}: who trained it is not known, so nobody is surely new to it; name a "
            "finalist as RUN:ID, or the folder that `ppgnas train` wrote"
        )
    longest: dict[str, Recording] = {}
    for recording in readable:
        known = longest.get(recording.person)
        if roles[recording.person] == "report" and (
            known is None or recording.usable.sum() > known.usable.sum()
        ):
            longest[recording.person] = recording
    if not longest:
        raise DataError(
            f"{model.name}: none of its report people is in the recordings; give the `data` that "
            "it was trained with"
        )
    return dict(sorted(longest.items()))


def run_bench(
    models: Sequence[Model],
    recordings: Sequence[Recording],
    out: Path,
    *,
    minutes: Sequence[float],
    kinds: Sequence[PersonalKind],
    progress: Tick,
) -> list[PersonRecord]:
    """Compute what is not there yet; all records. What is named twice counts once.

    Raises:
        PpgnasError: a network or a recording cannot be used.
    """
    minutes, kinds = tuple(dict.fromkeys(minutes)), tuple(dict.fromkeys(kinds))
    work = [
        (model, recording)
        for model in {model.name: model for model in models}.values()
        for recording in unseen(model, recordings).values()
    ]
    found = []
    for number, (model, recording) in enumerate(work):
        interrupt.check()
        progress(number, len(work), f"{model.name}, {recording.person}")
        beside = model.folder and model.folder / "weights.safetensors"
        weights = beside or Path(model.name)  # of a TFLite file, its own
        cell = Cell(
            model.name,
            sha256_of(weights),
            recording.person,
            f"{recording.dataset}/{recording.name}",
            fingerprint([recording]),
            minutes,
            kinds,
            f"{FRONT_END}, {ADAPTING}",
        )
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{model.name}-{recording.person}")
        short = hashlib.sha256(str(asdict(cell)).encode()).hexdigest()[:8]
        path = out / "people" / f"{plain[-60:]}-{short}.json"
        known = read_kept(path, PersonRecord, anew=True, cell=cell)
        record = known or _tried(model, recording, cell)
        write_kept(path, record)
        found.append(record)
    progress(len(work), len(work), "done")
    return found


def _tried(model: Model, recording: Recording, cell: Cell) -> PersonRecord:
    wearer = wearer_of_model(model, recording)
    rows: list[Tried] = []
    refused: dict[str, str] = {}
    for length in cell.minutes:
        if wearer.rest(length).sum() < LEAST_REST:
            continue
        for kind in cell.kinds:
            try:
                done = adapt(wearer, minutes=length, kind=kind)
            except (DataError, ExportError) as error:
                refused[f"{kind} after {length:g} min"] = str(error)
                continue
            if done.before is not None and done.after is not None and done.unguarded is not None:
                size = None if done.memory is None else done.memory.total
                rows.append(
                    Tried(kind, length, done.kept, size, done.before, done.after, done.unguarded)
                )
    return PersonRecord(cell, recording.synthetic, tuple(rows), refused, versions())
