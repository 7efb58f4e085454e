"""What the contest keeps: one JSON file a network, one a side that is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hwmodels.costs import Costs
from nas.run.documents import read_kept
from search_spaces.arch import Arch

Side = Literal["found", "random", "sizes", "hand-made"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, kw_only=True)
class NetworkRecord:
    """One trained network, in int8; errors are MAE in BPM.

    Attributes:
        side, seed: who offers it, and the seed of its side.
        name: of a hand-made network, or the number of a finalist; empty otherwise.
        fits: whether it keeps every budget.
        seconds: of one core for the training; None for a found one, whose search paid for it.
        search_bpm: mean over search people, of raw readings; the only error that chooses.
        report_bpm, report_smoothed_bpm: by report person.
    """

    side: Side
    seed: int
    name: str
    arch: Arch
    costs: Costs
    fits: bool
    seconds: float | None
    search_bpm: float
    report_bpm: Mapping[str, float]
    report_smoothed_bpm: Mapping[str, float]


def read_records(folder: Path) -> list[NetworkRecord]:
    """All records of a side; none where there is no folder yet.

    Raises:
        RunError: a file is damaged.
    """
    found = [read_kept(path, NetworkRecord) for path in sorted(folder.glob("[!.]*.json"))]
    return [record for record in found if record]


@dataclass(frozen=True)
class Complete:
    """A side that is complete: core-seconds that it was allowed (None: any) and that it took."""

    allowed_s: float | None
    spent_s: float


def mark_of(folder: Path) -> Path:
    """Where it stands that a side is complete: beside its folder."""
    return folder.with_name(f"{folder.name}.json")
