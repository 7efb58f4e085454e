"""The plot of a bench: differences to the controls with intervals, or error against size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.bench.distillation.report.errors import Verdict
from nas.bench.distillation.report.figures import BenchFigures
from nas.bench.distillation.report.laws import ALONE, Fitted
from nas.bench.distillation.report.page import row_names
from nas.bench.interval import Interval
from nas.report.figures import BLUE, GREY, ORANGE, RED, figure, label

if TYPE_CHECKING:
    import plotly.graph_objects as go

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
    out = figure(height, "BPM to the control, raw; below zero is better", synthetic=synthetic)
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
    out.add_vline(x=0, line={"width": 1})
    order = [label(bar.name) for bar in reversed(drawn)]
    out.update_yaxes(categoryorder="array", categoryarray=order)
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
