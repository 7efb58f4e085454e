"""Errors of rows as matrices `(seeds, people)`, overall and by activity, and their intervals.

A row's figure is the mean of all. Intervals are 90 % percentile intervals of people and seeds that
are drawn anew, the same draws for every row. A difference whose interval holds zero is within
noise. Within an activity only people who did it count, so they may be few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nas.bench.distillation.cells import Cell, Recipe
from nas.bench.distillation.records import CellRecord, PeopleErrors
from nas.bench.distillation.run import Finished
from nas.bench.interval import Interval

DRAWS = 2000
Errors = NDArray[np.float64]
Kind = Literal["raw", "smoothed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True)
class Difference:
    """A row less its control in BPM and in percent of the control, and what that says."""

    bpm: Interval
    percent: Interval

    @staticmethod
    def of(row: Errors, control: Errors) -> Difference:
        """Of errors `(seeds, people)`; the percentage is a ratio of means of the same draws."""
        drawn = resampled(row - control)
        return Difference(Interval.of(drawn), Interval.of(100 * drawn / resampled(control)))

    @property
    def verdict(self) -> Verdict:
        """Below zero is better."""
        if self.bpm.low <= 0 <= self.bpm.high:
            return "within noise"
        return "better" if self.bpm.high < 0 else "worse"


def errors_of(found: Finished, recipe: Recipe) -> tuple[int, Errors]:
    """Parameters of a row, and its raw errors `(seeds, people)`."""
    cells = cells_of(found, recipe)
    people = tuple(cells[0].errors.raw)
    return cells[0].parameters, matrix([cell.errors for cell in cells], people, "raw")


def interval(errors: Errors) -> Interval:
    """Mean of `(seeds, people)`, with its interval."""
    return Interval.of(resampled(errors))


def resampled(errors: Errors) -> Errors:
    """`(1 + DRAWS,)` means of `(seeds, people)`; the first is of all as they are."""
    seeds, people = draws(*errors.shape)
    found: Errors = errors[seeds[:, :, None], people[:, None, :]].mean(axis=(1, 2))
    return found


@lru_cache(maxsize=8)
def draws(seeds: int, people: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places that are drawn: `(1 + DRAWS, seeds)` and `(1 + DRAWS, people)`."""
    rng = np.random.default_rng(0)
    drawn = [
        np.vstack([np.arange(count), rng.integers(0, count, (DRAWS, count))])
        for count in (seeds, people)
    ]
    return drawn[0], drawn[1]


def cells_of(found: Finished, recipe: Recipe) -> list[CellRecord]:
    """The trainings of a row, one a seed."""
    return [found.cells[Cell(recipe, seed)] for seed in found.seeds]


def matrix(errors: Sequence[PeopleErrors], people: Sequence[str], kind: Kind) -> Errors:
    """`(seeds, people)` of the trainings of a row."""
    rows = [each.raw if kind == "raw" else each.smoothed for each in errors]
    return np.array([[row[person] for person in people] for row in rows], dtype=np.float64)


ALL = "all"


@dataclass(frozen=True)
class Change:
    """Errors of a row and of its control in BPM, and one less the other."""

    control: Interval
    row: Interval
    difference: Difference


@dataclass(frozen=True)
class Activity:
    """Changes within an activity, of the people who did it."""

    name: str
    people: int
    raw: Change
    smoothed: Change


@dataclass(frozen=True)
class Comparison:
    """A row with its control."""

    recipe: Recipe
    against: Recipe
    activities: tuple[Activity, ...]


def comparisons(found: Finished) -> tuple[Comparison, ...]:
    """Of all rows that have a control: over everything first, then by activity."""
    return tuple(
        Comparison(row.recipe, row.against, _activities(found, row.recipe, row.against))
        for row in found.config.rows
        if row.against is not None
    )


def by_activity(errors: Sequence[PeopleErrors]) -> dict[str, Interval]:
    """Raw errors within each activity, of one network a seed."""
    return {
        name: interval(matrix([each.activities[name] for each in errors], tuple(of.raw), "raw"))
        for name, of in errors[0].activities.items()
    }


def _activities(found: Finished, recipe: Recipe, base: Recipe) -> tuple[Activity, ...]:
    names = cells_of(found, recipe)[0].errors.activities
    return tuple(_activity(found, recipe, base, name) for name in (ALL, *names))


def _activity(found: Finished, recipe: Recipe, base: Recipe, name: str) -> Activity:
    of = {
        each: [
            cell.errors if name == ALL else cell.errors.activities[name]
            for cell in cells_of(found, each)
        ]
        for each in (recipe, base)
    }
    people = tuple(of[recipe][0].raw)

    def change(kind: Kind) -> Change:
        row, control = (matrix(of[each], people, kind) for each in (recipe, base))
        return Change(interval(control), interval(row), Difference.of(row, control))

    return Activity(name, len(people), change("raw"), change("smoothed"))
