"""What a bench says: errors of rows, and differences paired over people and seeds.

Errors of a row are matrices `(seeds, people)`, overall and by activity; its figure is the mean of
all. Intervals are 90 % percentile intervals of people and seeds that are drawn anew, the same
draws for every row. A difference whose interval holds zero is within noise. Within an activity
only people who did it count, so they may be few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hwmodels.costs import Costs
from nas.bench.distillation.cells import Cell, Recipe, Source
from nas.bench.distillation.records import CellRecord, GroundRecord, PeopleErrors
from nas.bench.distillation.run import Finished
from nas.bench.interval import DRAWS, Interval
from nas.run.card import Reading

Errors = NDArray[np.float64]
KINDS: tuple[Reading, ...] = get_args(Reading)
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


def matrix(errors: Sequence[PeopleErrors], people: Sequence[str], kind: Reading) -> Errors:
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
    compared = []
    for row in found.config.rows:
        if (base := row.against) is not None:
            names = ALL, *cells_of(found, row.recipe)[0].errors.activities
            of = tuple(_activity(found, row.recipe, base, name) for name in names)
            compared.append(Comparison(row.recipe, base, of))
    return tuple(compared)


def by_activity(errors: Sequence[PeopleErrors]) -> dict[str, Interval]:
    """Raw errors within each activity, of one network a seed."""
    return {
        name: interval(matrix([each.activities[name] for each in errors], tuple(of.raw), "raw"))
        for name, of in errors[0].activities.items()
    }


def _activity(found: Finished, recipe: Recipe, base: Recipe, name: str) -> Activity:
    of = {
        each: [
            cell.errors if name == ALL else cell.errors.activities[name]
            for cell in cells_of(found, each)
        ]
        for each in (recipe, base)
    }
    people = tuple(of[recipe][0].raw)

    def change(kind: Reading) -> Change:
        row, control = (matrix(of[each], people, kind) for each in (recipe, base))
        return Change(interval(control), interval(row), Difference.of(row, control))

    return Activity(name, len(people), change("raw"), change("smoothed"))


@dataclass(frozen=True, kw_only=True)
class RowFigures:
    """One row; errors are MAE on report people in BPM, everything is the mean over seeds.

    Attributes:
        against: its control, or None.
        teacher_min, pool_min, student_min: minutes of one core.
        raw_difference, smoothed_difference: to the control; None without one.
        gap_closed: share of the distance from labels alone to the teacher, raw; None without a
            teacher, or where labels alone are within noise of the teacher.
        gap_known: whether that distance is clear of zero; None without a teacher.
    """

    recipe: Recipe
    against: Recipe | None
    parameters: int
    costs: Costs | None
    float_steps: int
    int8_steps: int
    teacher_min: float
    pool_min: float
    student_min: float
    raw: Interval
    smoothed: Interval
    search_bpm: float
    raw_difference: Difference | None = None
    smoothed_difference: Difference | None = None
    gap_closed: Interval | None = None
    gap_known: bool | None = None

    @property
    def minutes(self) -> float:
        """Of all."""
        return self.teacher_min + self.pool_min + self.student_min


@dataclass(frozen=True, kw_only=True)
class TeacherFigures:
    """A teacher, unrounded, on report people; means over seeds.

    Attributes:
        ece_before, ece_after: expected calibration error on search people without and with its
            temperature; None where its file does not say.
        activities: raw errors within each activity, where the bench compares so.
    """

    name: str
    calibrated: bool
    people: int | None
    parameters: int
    minutes: float
    ece_before: float | None
    ece_after: float | None
    raw: Interval
    smoothed: Interval
    activities: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchFigures:
    """Everything that is printed; comparisons by activity where the bench has them."""

    bench: str
    seeds: tuple[int, ...]
    report_people: tuple[str, ...]
    synthetic: bool
    rows: tuple[RowFigures, ...]
    teachers: tuple[TeacherFigures, ...]
    comparisons: tuple[Comparison, ...] = ()


def bench_figures(found: Finished) -> BenchFigures:
    """Compute them."""
    of = {row.recipe: cells_of(found, row.recipe) for row in found.config.rows}
    people = tuple(next(iter(found.cells.values())).errors.raw)
    raw, smoothed = (
        {
            recipe: matrix([cell.errors for cell in cells], people, kind)
            for recipe, cells in of.items()
        }
        for kind in KINDS
    )
    rows = []
    for row in found.config.rows:
        recipe, base, cells = row.recipe, row.against, of[row.recipe]
        grounds = [found.grounds[cell.cell.ground] for cell in cells]
        known, closed = None, None
        taught = [each.teacher_errors for each in grounds if each.teacher_errors is not None]
        if taught and base is not None and base.teacher != recipe.teacher:
            teacher = matrix(taught, people, "raw")
            known, closed = gap(raw[base], raw[recipe], teacher)
        rows.append(
            RowFigures(
                recipe=recipe,
                against=base,
                parameters=cells[0].parameters,
                costs=cells[0].costs,
                float_steps=cells[0].steps.float_steps,
                int8_steps=cells[0].steps.int8_steps,
                teacher_min=fmean(each.teacher_s for each in grounds) / 60,
                pool_min=fmean(each.pool_s for each in grounds) / 60,
                student_min=fmean(cell.seconds for cell in cells) / 60,
                raw=interval(raw[recipe]),
                smoothed=interval(smoothed[recipe]),
                search_bpm=fmean(cell.search_bpm for cell in cells),
                raw_difference=_difference(raw, recipe, base),
                smoothed_difference=_difference(smoothed, recipe, base),
                gap_closed=closed,
                gap_known=known,
            )
        )
    return BenchFigures(
        found.config.bench,
        found.seeds,
        people,
        found.document.synthetic,
        tuple(rows),
        tuple(_teachers(found, people)),
        comparisons(found) if found.config.table.activities else (),
    )


def gap(alone: Errors, taught: Errors, teacher: Errors) -> tuple[bool, Interval | None]:
    """Share of the distance from a student alone to its teacher that the teacher closes.

    Returns:
        Whether the distance is clear of zero, and the share; None where it is not, as a share of
        a distance within noise says nothing.
    """
    distance = resampled(alone - teacher)
    if Interval.of(distance).low <= 0 <= Interval.of(distance).high:
        return False, None
    return True, Interval.of(resampled(alone - taught) / distance)


def _difference(
    errors: Mapping[Recipe, Errors], recipe: Recipe, base: Recipe | None
) -> Difference | None:
    return None if base is None else Difference.of(errors[recipe], errors[base])


def _teachers(found: Finished, people: Sequence[str]) -> list[TeacherFigures]:
    by_source: dict[Source, dict[int, GroundRecord]] = {}
    for ground, record in found.grounds.items():  # one teacher labels with and without others
        source = replace(ground.source, unlabelled=False)
        by_source.setdefault(source, {})[ground.seed] = record
    rows = []
    for source, by_seed in by_source.items():
        records = [*by_seed.values()]
        errors = [each.teacher_errors for each in records if each.teacher_errors is not None]
        if not errors:
            continue
        raw, smoothed = (matrix(errors, people, kind) for kind in KINDS)
        facts = [each.teacher_facts for each in records if each.teacher_facts is not None]
        rows.append(
            TeacherFigures(
                name=source.teacher,
                calibrated=source.calibrated,
                people=source.people,
                parameters=records[0].teacher_parameters or 0,
                minutes=fmean(each.teacher_s for each in records) / 60,
                ece_before=fmean(each.ece_before for each in facts) if facts else None,
                ece_after=fmean(each.ece_after for each in facts) if facts else None,
                raw=interval(raw),
                smoothed=interval(smoothed),
                activities=by_activity(errors) if found.config.table.activities else {},
            )
        )
    return rows
