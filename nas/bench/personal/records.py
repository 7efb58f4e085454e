"""What is kept of a bench: one JSON file for each person and network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.personal.calibration import Errors
from nas.personal.kinds import PersonalKind
from nas.run.documents import read_kept


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


def read_record(path: Path, cell: Cell) -> PersonRecord | None:
    """The record of a cell; None where there is none yet, or one of something else.

    Raises:
        RunError: the file is damaged.
    """
    record = read_kept(path, PersonRecord)
    return record if record is not None and record.cell == cell else None
