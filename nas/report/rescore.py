"""The page of a rescored run: what changes, a slope chart per cost, the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from nas.explore.rescored import Rescored, Row
from nas.report.figures import GREY, INK, RED, SERIES, figure, label
from nas.report.page import COSTS, Menu, Section, cost, render_page, section
from nas.report.rescore_text import (
    change,
    floor,
    limit_name,
    margin,
    path_words,
    summary,
    tightest,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

CHARTED = ("latency_ms", "energy_mj", "power_mw", "flash_bytes", "sram_bytes")
MOST_LINES = 80
_PLOT_PX = 380  # from the top of the chart to its bottom
_LABEL_PX = 17
_LOG_ABOVE = 4.0  # ratio of largest to smallest value from which the axis is logarithmic


_Kind = Literal["stays", "enters", "leaves", "finalist"]


@dataclass(frozen=True)
class _SlopeInfo:
    """What the two sides are called, candidates with finalists last, and budgets by cost."""

    left: str
    right: str
    lines: tuple[tuple[Row, _Kind], ...]
    budgets: dict[str, float]
    synthetic: bool


def _slope_info(found: Rescored) -> _SlopeInfo:
    numbers = {row.number for row in found.finalists}
    front = found.front
    kinds: dict[_Kind, tuple[Row, ...]] = {
        "stays": front.stays,
        "enters": front.enters,
        "leaves": front.leaves,
    }
    others = [(r, kind) for kind, rows in kinds.items() for r in rows if r.number not in numbers]
    step = max(1, math.ceil(len(others) / MOST_LINES))
    finalists: list[tuple[Row, _Kind]] = [(row, "finalist") for row in found.finalists]
    budgets = dict(found.budgets)
    if found.budget_scope == "model":
        budgets.pop("flash_bytes", None)
    left, right = (found.before.board, found.after.board)
    if left == right:
        left, right = (found.before.engine, found.after.engine)
    return _SlopeInfo(left, right, (*others[::step], *finalists), budgets, found.synthetic)


def _spread(wanted: Sequence[float]) -> list[float]:
    """Positions of labels in pixels, moved apart as little as keeps them readable, in order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + _LABEL_PX)
    over = max(0.0, placed[order[-1]] - _PLOT_PX) if order else 0.0
    return [y - over for y in placed]


def _draw_slope(info: _SlopeInfo, key: str) -> go.Figure:
    title, unit, divisor, _ = COSTS[key]
    budget = info.budgets.get(key)
    values = [value for row, _ in info.lines for value in (row.before[key], row.after[key])]
    log = min(values) > 0 and max(values) / min(values) > _LOG_ABOVE
    # A budget far away would squeeze the lines.
    if budget is not None and budget > 3 * max(values):
        budget = None
    values += [] if budget is None else [budget]

    def level(value: float) -> float:
        """Where a value stands; Plotly counts along a logarithmic axis in exponents."""
        return math.log10(value / divisor) if log else value / divisor

    low, high = level(min(values)), level(max(values))
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 1e-9)
    top, span = high + pad, high - low + 2 * pad
    margin = {"l": 190, "r": 190, "t": 46, "b": 24}
    height_px = _PLOT_PX + margin["t"] + margin["b"]
    drawn = figure(height_px, synthetic=info.synthetic, margin=margin, showlegend=False)
    drawn.update_xaxes(visible=False, fixedrange=True, range=[0, 1])
    drawn.update_yaxes(visible=False, type="log" if log else "linear", range=[top - span, top])

    def write(words: str, x: float, y_px: float, color: str = INK) -> None:
        """A label beside x or between both, its middle so far below the top."""
        drawn.add_annotation(
            text=words,
            x=x,
            xref="paper",
            xanchor=("right", "center", "left")[round(2 * x)],
            xshift=(-8, 0, 8)[round(2 * x)],
            y=1 - y_px / _PLOT_PX,
            yref="paper",
            yanchor="middle",
            font={"color": color, "size": 13},
            showarrow=False,
        )

    for x, words in ((0, info.left), (1, info.right)):
        drawn.add_vline(x=x, line={"color": GREY, "width": 1})
        write(f"<b>{label(words)}</b>", x, -30)
    write(f"{title} ({unit}), {'logarithmic' if log else 'linear'}", 0.5, -30)
    if budget is not None:
        drawn.add_hline(y=budget / divisor, line={"color": RED, "width": 2, "dash": "dash"})
        y_px = (top - level(budget)) / span * _PLOT_PX - 10
        write(f"budget {cost(key, budget)}", 0.5, y_px, RED)
    for row, kind in info.lines:
        look, name = _look(row, kind)
        drawn.add_scatter(
            **look,
            x=[0, 1],
            y=[row.before[key] / divisor, row.after[key] / divisor],
            hovertemplate=f"%{{y:.4g}} {unit}<extra>{name}</extra>",
            cliponaxis=False,
        )
    named = [row for row, kind in info.lines if kind == "finalist"]
    for x, values in ((0, [r.before[key] for r in named]), (1, [r.after[key] for r in named])):
        wanted = [(top - level(value)) / span * _PLOT_PX for value in values]
        for row, value, y_px in zip(named, values, _spread(wanted), strict=True):
            write(f"finalist {row.finalist}: {cost(key, value)}", x, y_px)
    return drawn


def _look(row: Row, kind: _Kind) -> tuple[dict[str, object], str]:
    """How a line is drawn, and its name."""
    if kind == "finalist" and row.finalist is not None:
        color = SERIES[(row.finalist - 1) % len(SERIES)]
        look = {"mode": "lines+markers", "line": {"color": color, "width": 2.5}, "marker_size": 9}
        return look, f"finalist {row.finalist}"
    color = INK if kind == "enters" else GREY
    dash = "dot" if kind == "leaves" else "solid"
    thin = {"color": color, "width": 1, "dash": dash}
    return {"mode": "lines", "line": thin, "opacity": 0.7}, f"candidate {row.number}"


def _slope_section(found: Rescored) -> Section | None:
    """One slope chart a cost, with a selector; left out without a front and finalists."""
    info = _slope_info(found)
    if not info.lines:
        return None
    options = {key: COSTS[key][0] for key in CHARTED}
    return section(
        "rescore/slope.html",
        "From one to the other",
        judged_by=found.judged_by,
        left=info.left,
        right=info.right,
        menu=Menu("slope", "Cost", options, CHARTED[0]),
        figures={key: _draw_slope(info, key) for key in CHARTED},
    )


def _finalists_section(found: Rescored) -> Section | None:
    if not found.finalists:
        return None
    errors = [("Finalist", "and its file"), ("MAE", "report people"), ("Other file", "MAE")]
    costs = [(COSTS[key][0], "low to high after") for key in CHARTED]
    return section(
        "rescore/finalists.html",
        "Finalists",
        head=[*errors, *costs, ("Path", "part of these"), "Room", "Fits"],
        rows=found.finalists,
        floor=floor(found),
        charted=CHARTED,
        change=change,
        limit_name=limit_name,
        margin=margin,
        path_words=path_words,
    )


def _front_section(found: Rescored) -> Section | None:
    front = found.front
    if not (front.stays or front.enters or front.leaves):
        return None
    costs = [COSTS[key][0] for key in CHARTED]
    return section(
        "rescore/front.html",
        f"The front by {found.judged_by} error",
        head=["Candidate", ("MAE", f"{found.judged_by}, BPM"), *costs, "Least room", "Because"],
        front=front,
        charted=CHARTED,
        change=change,
        tightest=tightest,
    )


def rescore_page(found: Rescored) -> str:
    """The result as one self-contained HTML document."""
    before, after, words = found.before, found.after, summary(found)
    title = f"{found.run} on {after.board}"
    return render_page(
        f"ppgnas: {title}",
        title,
        [
            section("rescore/changes.html", "What changes", notes=found.notes, summary=words),
            _slope_section(found),
            _finalists_section(found),
            _front_section(found),
        ],
        chips=[f"{before.board}, {before.engine}", f"→ {after.board}, {after.engine}"],
        synthetic=found.synthetic,
    )
