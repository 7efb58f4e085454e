"""A bench as a Markdown page, as text and as a plot; every figure is computed from the records.

The plot shows differences to the controls with intervals, or error against size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distill.teachers.names import NONE, members_of
from nas.bench.distillation.cells import LABELS_ALONE, Recipe
from nas.bench.distillation.figures import BenchFigures, Difference, RowFigures, Verdict
from nas.bench.distillation.laws import ALONE, Fitted
from nas.bench.distillation.run import Finished
from nas.bench.interval import Interval
from nas.report.figures import BLUE, GREY, ORANGE, RED, figure, label, upright
from nas.run.units import format_bytes
from ppgnas.tables import counted, markdown_table, text_table

if TYPE_CHECKING:
    import plotly.graph_objects as go


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # head and rows

ERRORS = (
    "Errors are MAE in BPM on report people, each finished network read them once; int8 with the "
    "arithmetic of the file unless the row is float. Mean over people and seeds; in brackets 90 % "
    "intervals of people and seeds drawn anew. A difference is to the row that the column "
    "*against* names, on the same people and seeds, in percent of its error, too; where its "
    "interval holds zero it is within noise. Flash, SRAM, ms and mJ are estimates of the cost "
    "model."
)
MINUTES = (
    "Minutes of one core. Every row may spend the same: teacher, pool (drawing windows, asking "
    "the teacher) and its own training together. A row without a teacher trains as much longer as "
    "others pay for theirs: measured seconds a step give the steps. The teacher is trained once "
    "for all rows that share it and counted in each of them."
)
GAP = (
    "Gap closed: (labels alone - this row) / (labels alone - teacher), raw errors; undefined "
    "where labels alone are within noise of the teacher."
)

ACTIVITIES = (
    "Within each activity, of the report people who did it; windows whose activity is not known "
    "count in *all* alone. In percent: the difference over the error of the control, means of "
    "people and seeds each; below zero is less error. Intervals as above."
)


def bench_page(finished: Finished, found: BenchFigures, fitted: Fitted | None, plot: str) -> str:
    """The page.

    Args:
        fitted: laws of error against size, of a bench that has them.
        plot: file name of the plot beside the page.
    """
    document, table = finished.document, finished.config.table
    counts = ", ".join(f"{len(who)} {part}" for part, who in document.people.items())
    versions = ", ".join(f"{name} {value}" for name, value in document.versions.items())
    parts = [
        f"# {table.title}",
        f"    {document.command}",
        f"{'**Synthetic recordings.** ' if found.synthetic else ''}{table.question} Seeds "
        f"{', '.join(map(str, found.seeds))}; {counts} people; {finished.config.minutes:g} "
        "minutes for the training of the row with the costliest teacher.",
        ERRORS,
        markdown_table(*error_table(found)),
        f"Drawn in [{plot}]({plot}). {GAP}",
        "## What it takes",
        MINUTES,
        markdown_table(*cost_table(found)),
    ]
    if found.teachers:
        parts += [
            "## Teachers",
            "Not rounded, on report people:",
            markdown_table(*_teachers(found)),
        ]
    if found.comparisons:
        parts += comparison_parts(found)
    if fitted is not None:
        parts += scaling_parts(fitted)
    parts.append(f"Versions: {versions}. Page: the same command with `--page FILE`.")
    return "\n\n".join(parts) + "\n"


def bench_text(found: BenchFigures) -> str:
    """The first table for a terminal."""
    synthetic = " (SYNTHETIC recordings)" if found.synthetic else ""
    return f"Report people, MAE in BPM{synthetic}:\n\n{text_table(*error_table(found))}"


def error_table(found: BenchFigures) -> Table:
    """Errors and differences, one row a recipe."""
    names = row_names(found)
    head = (
        "row",
        "parameters",
        "raw",
        "smoothed",
        "against",
        "difference, raw",
        "raw, %",
        "difference, smoothed",
    )
    return (*head, "gap closed"), [
        (
            names[row.recipe],
            str(row.parameters),
            str(row.raw),
            str(row.smoothed),
            "-" if row.against is None else names[row.against],
            _difference(row.raw_difference),
            _percent(row.raw_difference),
            _difference(row.smoothed_difference),
            _gap(row),
        )
        for row in found.rows
    ]


def cost_table(found: BenchFigures) -> Table:
    """Minutes, steps and what the chip pays."""
    names = row_names(found)
    head = ("row", "minutes", "teacher", "pool", "training", "float steps", "int8 steps")
    return (*head, "search people, raw", "flash", "SRAM", "ms", "mJ"), [
        (
            names[row.recipe],
            *(
                f"{minutes:.1f}"
                for minutes in (row.minutes, row.teacher_min, row.pool_min, row.student_min)
            ),
            str(row.float_steps),
            str(row.int8_steps),
            f"{row.search_bpm:.2f}",
            *_on_chip(row),
        )
        for row in {each.recipe: each for each in found.rows}.values()
    ]


def row_names(found: BenchFigures) -> dict[Recipe, str]:
    """Each recipe by what tells it from the others, the student first."""
    recipes = [row.recipe for row in found.rows]
    several = [part for part in _PARTS if len({part(recipe) for recipe in recipes}) > 1]
    teachers = {recipe.teacher for recipe in recipes} - {NONE}
    mixes = {recipe.mix for recipe in recipes} - {LABELS_ALONE}

    def learnt(recipe: Recipe) -> list[str]:
        if recipe.mix == LABELS_ALONE:
            return ["labels alone"] if mixes else []
        many = [recipe.mix] if len(mixes) > 1 else []
        named = recipe.teacher != NONE and (len(teachers) > 1 or not many)
        return [teacher_name(recipe.teacher), *many] if named else many

    return {
        recipe: ", ".join(
            [recipe.student, *learnt(recipe), *filter(None, (part(recipe) for part in several))]
        )
        for recipe in recipes
    }


def teacher_name(name: str) -> str:
    """A teacher by the names of its members; of a file its stem."""
    return " + ".join(Path(member).stem for member in members_of(name))


_PARTS: tuple[Callable[[Recipe], str | None], ...] = (
    lambda recipe: (
        "all people" if recipe.people is None else counted(recipe.people, "person", "people")
    ),
    lambda recipe: "unlabelled people" if recipe.unlabelled else None,
    lambda recipe: None if recipe.calibrated else "no temperature",
    lambda recipe: recipe.stages,
    lambda recipe: recipe.quantisation,
)


def _difference(found: Difference | None) -> str:
    return "-" if found is None else f"{found.bpm:+.2f}, {found.verdict}"


def _gap(row: RowFigures) -> str:
    if row.gap_known is None:
        return "-"
    return "undefined: within noise" if row.gap_closed is None else str(row.gap_closed)


def _on_chip(row: RowFigures) -> Sequence[str]:
    costs = row.costs
    if costs is None or row.recipe.quantisation == "float":
        return ("-", "-", "-", "-")
    return (
        format_bytes(costs.flash_bytes),
        format_bytes(costs.sram_bytes),
        f"{costs.latency_ms:.2f}",
        f"{costs.energy_mj:.3g}",
    )


def _teachers(found: BenchFigures) -> Table:
    head = ("teacher", "people", "parameters", "minutes", "raw", "smoothed")
    return (*head, "ECE before", "ECE after"), [
        (
            teacher_name(row.name) + ("" if row.calibrated else ", no temperature"),
            "all" if row.people is None else str(row.people),
            str(row.parameters),
            f"{row.minutes:.1f}",
            str(row.raw),
            str(row.smoothed),
            *("-" if e is None else f"{e:.3f}" for e in (row.ece_before, row.ece_after)),
        )
        for row in found.teachers
    ]


def comparison_parts(found: BenchFigures) -> list[str]:
    """The section by activity: a table for each row and its control."""
    names = row_names(found)
    head = ("activity", "people", "control, raw", "row, raw", "difference, raw")
    parts = ["## By activity", ACTIVITIES]
    for each in found.comparisons:
        rows = [
            (
                of.name,
                str(of.people),
                str(of.raw.control),
                str(of.raw.row),
                _difference(of.raw.difference),
                *(_percent(change.difference) for change in (of.raw, of.smoothed)),
            )
            for of in each.activities
        ]
        parts += [
            f"### {names[each.recipe]} against {names[each.against]}",
            markdown_table((*head, "raw, %", "smoothed, %"), rows),
        ]
    names_of = {teacher_name(each.name): each.activities for each in found.teachers}
    done = [*dict.fromkeys(name for of in names_of.values() for name in of)]
    rows = [(name, *(str(of[name]) for of in names_of.values())) for name in done]
    if rows:  # recordings may not say what people did
        parts += ["### Teachers, raw", markdown_table(("activity", *names_of), rows)]
    return parts


def _percent(found: Difference | None) -> str:
    return "-" if found is None else f"{found.percent:+.0f}"


def scaling_parts(fitted: Fitted) -> list[str]:
    """The section on laws."""
    rows = [
        (
            series,
            law.law.name,
            "-" if law.floor_bpm is None else str(law.floor_bpm),
            str(law.rate),
            str(law.left_out_bpm),
            "yes" if law is min(laws, key=lambda each: each.left_out_bpm.value) else "",
        )
        for series, laws in fitted.laws.items()
        for law in laws
    ]
    return [
        "## Laws",
        "Error against parameters N, fitted on the means of people and seeds. The published law "
        "c + a exp(-b log10 N) is a power law with a floor under another name, as exp(-b log10 N) "
        "= N^(-b / ln 10): no data tell the two apart. *power* is both of them, c + a N^-b; "
        "*exponential* is c + a exp(-b N / M) with M the geometric mean of the sizes; *no floor* "
        "is a N^-b. Left out: the mean error in BPM on a size of a law that was fitted on the "
        "others. Intervals as above.",
        markdown_table(
            ("rows", "law", "floor c, BPM", "rate b", "left out, BPM", "best on a left-out size"),
            rows,
        ),
    ]


_COLOURS: Mapping[Verdict, str] = {"better": BLUE, "worse": RED, "within noise": GREY}
ROW_PX, FRAME_PX, SIZES_PX = 26, 120, 520
POINTS = 100


@dataclass(frozen=True)
class Bar:
    """A row with a control: its difference, raw."""

    name: str
    bpm: Interval
    verdict: Verdict


def bars(found: BenchFigures) -> list[Bar]:
    """All differences, in the order of the table; by activity where the bench compares so."""
    names = row_names(found)
    if found.comparisons:
        return [
            Bar(
                f"{names[each.recipe]} - {names[each.against]}: {of.name}",
                of.raw.difference.bpm,
                of.raw.difference.verdict,
            )
            for each in found.comparisons
            for of in each.activities
        ]
    return [
        Bar(names[row.recipe], row.raw_difference.bpm, row.raw_difference.verdict)
        for row in found.rows
        if row.raw_difference is not None
    ]


def draw_bars(drawn: list[Bar], *, synthetic: bool) -> go.Figure:
    """One line a row; zero is the control."""
    height = FRAME_PX + ROW_PX * len(drawn)
    out = figure(
        height,
        "BPM to the control, raw; below zero is better",
        synthetic=synthetic,
        yaxis={
            "categoryorder": "array",
            "categoryarray": [label(bar.name) for bar in reversed(drawn)],
        },
        shapes=[upright(0, width=1)],
    )
    for verdict, colour in _COLOURS.items():
        own = [bar for bar in drawn if bar.verdict == verdict]
        if own:
            out.add_scatter(
                x=[bar.bpm.value for bar in own],
                y=[label(bar.name) for bar in own],
                mode="markers",
                name=verdict,
                marker={"color": colour, "size": 9},
                error_x={
                    "array": [bar.bpm.high - bar.bpm.value for bar in own],
                    "arrayminus": [bar.bpm.value - bar.bpm.low for bar in own],
                },
            )
    return out


def draw_sizes(fitted: Fitted, *, synthetic: bool) -> go.Figure:
    """Errors over parameters with the law that foretells a left-out size best."""
    out = figure(SIZES_PX, "Parameters", "MAE on report people (BPM)", synthetic=synthetic)
    out.update_layout(xaxis_type="log")
    for series, points in fitted.points.items():
        colour = ORANGE if series == ALONE else BLUE
        sizes, errors = zip(*points, strict=True)
        out.add_scatter(x=sizes, y=errors, mode="markers", name=series, marker={"color": colour})
        law = min(fitted.laws[series], key=lambda each: each.left_out_bpm.value).law
        x = np.geomspace(min(sizes), max(sizes), POINTS)
        name = f"{series}: {law.name}"
        out.add_scatter(x=x, y=law.bpm(x), mode="lines", name=name, line={"color": colour})
    return out
