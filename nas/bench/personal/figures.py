"""Figures of the bench: means over people, with 90 % intervals from people drawn again.

A person is a unit, whatever the network: people of several networks are pooled. Differences are
those of each person to themselves without adapting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.bench.interval import Interval, drawn_anew
from nas.bench.personal.run import PersonRecord, Tried
from nas.personal.calibration import PersonalKind


@dataclass(frozen=True)
class Effect:
    """Of one kind on one sort of readings.

    Attributes:
        before_bpm, after_bpm: mean over people of their mean absolute errors.
        percent: change of that mean; below zero is less error.
        worst_bpm: by how much the person with the largest rise is worse.
        worse: people whose error rises by more than 0.1 BPM.
    """

    before_bpm: float
    after_bpm: float
    percent: Interval
    worst_bpm: float
    worse: int


@dataclass(frozen=True)
class RowFigures:
    """One kind after some minutes.

    Attributes:
        people: how many were judged.
        kept: how many of them the guard let adapt.
        raw, smoothed: as the guard decides.
        raw_unguarded: if it always said yes.
        memory_bytes: the most; None where nothing is learnt on the device.
    """

    kind: PersonalKind
    minutes: float
    people: int
    kept: int
    raw: Effect
    smoothed: Effect
    raw_unguarded: Effect
    memory_bytes: int | None


def rows_of(records: Sequence[PersonRecord]) -> list[RowFigures]:
    """A row for each minutes and kind, in the order in which they were asked."""
    tried: dict[tuple[float, PersonalKind], list[Tried]] = {}
    for record in records:
        for row in record.tried:
            tried.setdefault((row.minutes, row.kind), []).append(row)
    found = []
    for (minutes, kind), rows in sorted(tried.items(), key=lambda item: item[0][0]):
        sizes = [row.memory_bytes for row in rows if row.memory_bytes is not None]
        raw, smoothed = (
            np.array(
                [
                    [getattr(part, name) for part in (row.before, row.after, row.unguarded)]
                    for row in rows
                ]
            )
            for name in ("mae_bpm", "mae_bpm_smoothed")
        )
        # (people, 3): before, after, unguarded
        found.append(
            RowFigures(
                kind,
                minutes,
                len(rows),
                sum(row.kept for row in rows),
                effect(raw[:, 0], raw[:, 1]),
                effect(smoothed[:, 0], smoothed[:, 1]),
                effect(raw[:, 0], raw[:, 2]),
                max(sizes) if sizes else None,
            )
        )
    return found


def effect(before: NDArray[np.float64], after: NDArray[np.float64]) -> Effect:
    """Of errors `(people,)` before and after."""
    drawn = drawn_anew(len(before))
    percent = 100 * (after[drawn].mean(axis=1) / before[drawn].mean(axis=1) - 1)
    rise = after - before
    return Effect(
        float(before.mean()),
        float(after.mean()),
        Interval.of(percent),
        float(rise.max()),
        int((rise > 0.1).sum()),
    )
