"""The page of a rescored run: what changes, a slope chart per cost, the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nas.report.page import (
    COSTS,
    GREY,
    INK,
    RED,
    SERIES,
    Menu,
    Section,
    cost,
    figure,
    label,
    render_page,
    section,
)
from nas.report.rescore_text import change, limit_name, margin, summary, tightest

if TYPE_CHECKING:
    import plotly.graph_objects as go

CHARTED = ("latency_ms", "power_mw", "flash_bytes", "sram_bytes")
MOST_LINES = 80
_PLOT_PX = 380  # from the top of the chart to its bottom
_LABEL_PX = 17
_LOG_ABOVE = 4.0  # ratio of largest to smallest value from which the axis is logarithmic


def _slope_info(document: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of the charts: per cost its lines, budget and scale; finalists come last."""
    finalists = document["finalists"]
    numbers = {row["number"] for row in finalists}
    front = document["front"]
    others = [
        (row, kind)
        for kind in ("stays", "enters", "leaves")
        for row in front[kind]
        if row["number"] not in numbers
    ]
    step = max(1, math.ceil(len(others) / MOST_LINES))
    charts = {}
    for key in CHARTED:
        lines = [
            {
                "number": row["number"],
                "finalist": finalist,
                "kind": kind,
                "before": row["before"][key],
                "after": after,
            }
            for row, kind, finalist in (
                *((row, kind, None) for row, kind in others[::step]),
                *((row, "finalist", row["finalist"]) for row in finalists),
            )
            if row["before"][key] is not None and (after := row["after"][key]) is not None
        ]
        values = [line[side] for line in lines for side in ("before", "after") if line[side] > 0]
        budget = document["budgets"].get(key)
        if key == "flash_bytes" and document["budget_scope"] == "model":
            budget = None
        charts[key] = {
            "lines": lines,
            "budget": budget,
            "log": bool(values) and max(values) / min(values) > _LOG_ABOVE,
        }
    same = document["before"]["board"] == document["after"]["board"]
    side = "engine" if same else "board"
    return {
        "left": document["before"][side],
        "right": document["after"][side],
        "charts": {key: chart for key, chart in charts.items() if chart["lines"]},
        "synthetic": document["synthetic"],
    }


def _spread(wanted: Sequence[float]) -> list[float]:
    """Positions of labels in pixels, moved apart as little as keeps them readable, in order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + _LABEL_PX)
    over = max(0.0, placed[order[-1]] - _PLOT_PX) if order else 0.0
    return [y - over for y in placed]


def _draw_slope(info: Mapping[str, Any], key: str) -> go.Figure:
    chart = info["charts"][key]
    lines, budget = chart["lines"], chart["budget"]
    title, unit, divisor, _ = COSTS[key]
    values = [line[side] for line in lines for side in ("before", "after")]
    # A budget far away would squeeze the lines.
    shown_budget = budget is not None and budget <= 3 * max(values)
    values += [budget] if shown_budget else []
    log = chart["log"] and min(values) > 0

    def level(value: float) -> float:
        """Where a value stands; Plotly counts along a logarithmic axis in exponents."""
        return math.log10(value / divisor) if log else value / divisor

    low, high = level(min(values)), level(max(values))
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 1e-9)
    top, span = high + pad, high - low + 2 * pad
    margin = {"l": 190, "r": 190, "t": 46, "b": 24}
    height_px = _PLOT_PX + margin["t"] + margin["b"]
    drawn = figure(height_px, synthetic=info["synthetic"], margin=margin, showlegend=False)
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

    for x, side in ((0, "left"), (1, "right")):
        drawn.add_vline(x=x, line={"color": GREY, "width": 1})
        write(f"<b>{label(info[side])}</b>", x, -30)
    write(f"{title} ({unit}), {'logarithmic' if log else 'linear'}", 0.5, -30)
    if shown_budget:
        drawn.add_hline(y=budget / divisor, line={"color": RED, "width": 2, "dash": "dash"})
        y_px = (top - level(budget)) / span * _PLOT_PX - 10
        write(f"budget {cost(key, budget)}", 0.5, y_px, RED)
    for line in lines:
        look, name = _look(line)
        drawn.add_scatter(
            **look,
            x=[0, 1],
            y=[line["before"] / divisor, line["after"] / divisor],
            hovertemplate=f"%{{y:.4g}} {unit}<extra>{name}</extra>",
            cliponaxis=False,
        )
    named = [line for line in lines if line["finalist"] is not None]
    for x, side in ((0, "before"), (1, "after")):
        wanted = [(top - level(line[side])) / span * _PLOT_PX for line in named]
        for line, y_px in zip(named, _spread(wanted), strict=True):
            write(f"finalist {line['finalist']}: {cost(key, line[side])}", x, y_px)
    return drawn


def _look(line: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """How a line is drawn, and its name."""
    if line["finalist"] is not None:
        color = SERIES[(line["finalist"] - 1) % len(SERIES)]
        look = {"mode": "lines+markers", "line": {"color": color, "width": 2.5}, "marker_size": 9}
        return look, f"finalist {line['finalist']}"
    color = INK if line["kind"] == "enters" else GREY
    dash = "dot" if line["kind"] == "leaves" else "solid"
    thin = {"color": color, "width": 1, "dash": dash}
    return {"mode": "lines", "line": thin, "opacity": 0.7}, f"candidate {line['number']}"


def _changes_section(document: Mapping[str, Any]) -> Section:
    notes, words = document["notes"], summary(document)
    return section("rescore/changes.html", "What changes", notes=notes, summary=words)


def _slope_section(document: Mapping[str, Any]) -> Section | None:
    """One slope chart a cost, with a selector; left out without a front and finalists."""
    info = _slope_info(document)
    charts = info["charts"]
    if not charts:
        return None
    options = {key: COSTS[key][0] for key in charts}
    return section(
        "rescore/slope.html",
        "From one to the other",
        left=info["left"],
        right=info["right"],
        menu=Menu("slope", "Cost", options, next(iter(charts))),
        figures={key: _draw_slope(info, key) for key in charts},
    )


def _finalists_section(document: Mapping[str, Any]) -> Section | None:
    if not document["finalists"]:
        return None
    costs = [(COSTS[key][0], "low to high after") for key in CHARTED]
    return section(
        "rescore/finalists.html",
        "Finalists",
        head=["Finalist", ("MAE", "report people, BPM"), *costs, "Room", "Fits"],
        rows=document["finalists"],
        charted=CHARTED,
        change=change,
        limit_name=limit_name,
        margin=margin,
    )


def _front_section(document: Mapping[str, Any]) -> Section | None:
    front = document["front"]
    if not any(front.values()):
        return None
    costs = [COSTS[key][0] for key in CHARTED]
    return section(
        "rescore/front.html",
        "The front by inherited error",
        head=["Candidate", ("MAE", "inherited, BPM"), *costs, "Least room", "Because"],
        front=front,
        charted=CHARTED,
        change=change,
        tightest=tightest,
    )


def rescore_page(document: Mapping[str, Any]) -> str:
    """The result as one self-contained HTML document."""
    before, after = document["before"], document["after"]
    title = f"{document['run']} on {after['board']}"
    return render_page(
        f"ppgnas: {title}",
        title,
        [
            _changes_section(document),
            _slope_section(document),
            _finalists_section(document),
            _front_section(document),
        ],
        chips=[
            f"{before['board']}, {before['engine']}",
            f"→ {after['board']}, {after['engine']}",
        ],
        synthetic=document["synthetic"],
    )
