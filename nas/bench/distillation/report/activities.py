"""What a teacher brings by what people do: within each activity, paired as all rows are.

Only people who did an activity count in it, so its people may be few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.bench.distillation.cells import Recipe
from nas.bench.distillation.records import PeopleErrors
from nas.bench.distillation.report.errors import (
    Difference,
    Kind,
    cells_of,
    interval,
    matrix,
)
from nas.bench.distillation.run import Finished
from nas.bench.interval import Interval

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
