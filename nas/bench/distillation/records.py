"""What is kept of a bench, one JSON file a cell, and what worker processes take: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.integers.reference import Rule
from distill.teachers.names import TeacherFacts
from distill.training.effort import Effort
from hwmodels.costs import Costs
from nas.bench.distillation.cells import Cell, Ground, RecipePace, Steps
from nas.run.target import Target
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from search_spaces.arch import Arch


@dataclass(frozen=True)
class PeopleErrors:
    """MAE in BPM by report person, of raw and of smoothed readings.

    Attributes:
        activities: the same within each activity, of the people who did it; see
            `nas.bench.distillation.work.errors_of`. Empty in records of before.
    """

    raw: Mapping[str, float]
    smoothed: Mapping[str, float]
    activities: Mapping[str, PeopleErrors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.raw or set(self.raw) != set(self.smoothed):
            raise ValueError("raw and smoothed errors are of no report person, or of others")


@dataclass(frozen=True, kw_only=True)
class GroundRecord:
    """A ground that is ready, or was.

    Attributes:
        teacher_s, pool_s: seconds of one core for the teacher, and for drawing and asking.
        teacher_parameters, teacher_errors: None without a teacher.
        teacher_facts: None also of a teacher's file that has none.
    """

    ground: Ground
    teacher_s: float
    pool_s: float
    teacher_parameters: int | None = None
    teacher_facts: TeacherFacts | None = None
    teacher_errors: PeopleErrors | None = None

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.teacher_s + self.pool_s


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """A cell that is done.

    Attributes:
        arch: of the network; None of a plain one.
        costs: of the int8 network on the target; None of a plain one.
        errors: on report people, whom the finished network read once.
    """

    cell: Cell
    arch: Arch | None
    parameters: int
    costs: Costs | None
    steps: Steps
    seconds: float
    search_bpm: float
    errors: PeopleErrors


@dataclass(frozen=True, kw_only=True)
class BenchDocument:
    """`bench.json`.

    Attributes:
        asked: everything that changes a cell, by name.
        pace, steps: of each row, by its id; the steps are planned once.
    """

    asked: dict[str, Any]
    command: str
    synthetic: bool
    people: dict[str, list[str]]
    versions: dict[str, str]
    pace: dict[str, RecipePace] = field(default_factory=dict)
    steps: dict[str, Steps] = field(default_factory=dict)


def file_of(folder: Path, of: Cell | Ground | None = None) -> Path:
    """Where the record of a cell or of a ground lies, or the document of the bench."""
    if of is None:
        return folder / "bench.json"
    return folder / ("cells" if isinstance(of, Cell) else "grounds") / f"{of.id}.json"


@dataclass(frozen=True)
class Judges:
    """Who judges, and how readings are smoothed; `rule` is the arithmetic of the file."""

    search: Sequence[Recording]
    report: Sequence[Recording]
    transitions: Transitions
    rule: Rule


@dataclass(frozen=True)
class GroundJob:
    """A teacher and a pool to be made, or opened.

    Attributes:
        unlabelled: recordings that the teacher alone labels.
        judges: search people fit the temperature; report people are read by a finished teacher.
        acceleration: whether any student reads it.
        features: whether any learns from the teacher's features.
        teachers: of the teachers of its people and seed; members of an ensemble are shared.
    """

    ground: Ground
    train: Sequence[Recording]
    unlabelled: Sequence[Recording]
    judges: Judges
    effort: Effort
    rate_hz: int
    acceleration: bool
    features: bool
    folder: Path
    teachers: Path


@dataclass(frozen=True)
class CellJob:
    """A cell to be trained.

    Attributes:
        folder: for what can be made again.
    """

    cell: Cell
    arch: Arch
    target: Target
    steps: Steps
    judges: Judges
    effort: Effort
    pool: Path
    folder: Path
