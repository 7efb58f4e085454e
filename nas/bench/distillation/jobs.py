"""What worker processes take: plain values, recordings and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.integers.reference import Rule
from distill.training.effort import Effort
from nas.bench.distillation.cells import Cell, Ground, Steps
from nas.run.target import Target
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from search_spaces.arch import Arch


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
