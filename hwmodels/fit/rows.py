"""Lines of the error table: one regime of one model, judged on points that it never saw.

A regime is what an interval must know: the engine and its version, the core, the size of the
network, whether its board and its build are among those of the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwmodels.fit.regression import HeldOut, half_width, share_inside

Evidence = Literal["timed", "counted", "published"]
"""`timed` on boards by others, `counted` in emulation, `published` sizes and powers."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        data: the file of `hwmodels/data` that holds the measurements.
        points, groups: measurements, and groups of them that were left out in turn.
        goal, measured: in `unit`; the measured figure must not be above the goal. None where the
            project set none.
        unit: `%` of the measured value, or `B`.
        inside: share of held-out points inside the 90 % interval.
        note: which rows count, and how.
    """

    what: str
    data: str
    points: int
    groups: int
    goal: float | None
    measured: float
    unit: str
    inside: float
    note: str
    evidence: Evidence = "timed"

    @property
    def met(self) -> bool:
        """The goal is reached."""
        return self.goal is None or self.measured <= self.goal


def percent(
    what: str,
    data: str,
    held_out: HeldOut,
    goal: float | None,
    note: str,
    *,
    inside: float | None = None,
    evidence: Evidence = "timed",
) -> Row:
    """A line of relative errors; the share inside is nested unless it is given."""
    return Row(
        what,
        data,
        len(held_out.measured),
        len(set(held_out.groups)),
        goal,
        100 * held_out.mape,
        "%",
        share_inside(held_out) if inside is None else inside,
        note,
        evidence,
    )


def share_by_group(held_out: HeldOut) -> float:
    """Share inside the interval of the other groups; a network on six boards is one."""
    shares = []
    for group in dict.fromkeys(held_out.groups):
        own = np.array([key == group for key in held_out.groups])
        reach = half_width(held_out.residuals[~own]) * (1 + 1e-9)
        shares.append(np.mean(np.abs(held_out.residuals[own]) <= reach))
    return float(np.mean(shares))


def kernels(
    what: str,
    data: str,
    parts: Mapping[str, HeldOut],
    goal: float,
    note: str,
    *,
    evidence: Evidence = "timed",
) -> Row:
    """A line of all points of several kernels, each of which has a law and an interval."""
    held_out = HeldOut(
        np.concatenate([part.measured for part in parts.values()]),
        np.concatenate([part.predicted for part in parts.values()]),
        tuple((name, key) for name, part in parts.items() for key in part.groups),
    )
    inside = np.average(
        [share_inside(part) for part in parts.values()],
        weights=[len(part.groups) for part in parts.values()],
    )
    return percent(what, data, held_out, goal, note, inside=float(inside), evidence=evidence)
