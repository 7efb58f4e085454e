"""What is measured of the networks: one JSON file each, so that a killed bench goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distill.training.effort import first_score, rung_score
from nas.run.documents import read_kept
from search_spaces.arch import Arch

SEEDS = (0, 1)
"""Of the whole trainings."""


@dataclass(frozen=True)
class FullTraining:
    """Int8 MAE in BPM by person after a whole training."""

    search: Mapping[str, float]
    report: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.search or not self.report:
            raise ValueError("a training has errors of no search person, or of no report person")


@dataclass(frozen=True)
class NetworkRecord:
    """One network of the bench; every error in BPM.

    Attributes:
        macs, weights: multiply-accumulates; weights in bytes.
        latency_ms: on the default board.
        inherited_bpm: raw error on search people with the supernet's weights.
        jacobian: covariance score at random weights; higher is better.
        first_expected_bpm, first_mae_bpm, first_train_mae_bpm: see `distill.first_rung.Begun`.
    """

    arch: Arch
    macs: int
    weights: int
    latency_ms: float
    inherited_bpm: float
    jacobian: float
    first_expected_bpm: float
    first_mae_bpm: float
    first_train_mae_bpm: float
    full: Mapping[int, FullTraining] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it was trained with every seed."""
        return set(SEEDS) <= set(self.full)

    @property
    def first_score_bpm(self) -> float:
        """See `distill.first_rung.Begun.first_score_bpm`."""
        score_bpm = rung_score(self.first_expected_bpm, self.first_mae_bpm)
        return first_score(score_bpm, self.first_train_mae_bpm)


def file_of(folder: Path, arch: Arch) -> Path:
    """Where the record of a network lies."""
    return folder / f"{arch.id}.json"


def read_record(folder: Path, arch: Arch) -> NetworkRecord | None:
    """The record of a network, or None where there is none yet.

    Raises:
        RunError: the file is damaged, or of another network.
    """
    return read_kept(file_of(folder, arch), NetworkRecord, arch=arch)
