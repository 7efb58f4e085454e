"""Accuracy against each cost: candidates, front, budgets, and what retraining did to finalists.

The accuracies are on the search people: inherited from the supernet for candidates, after
retraining in int8 for finalists. Diamonds: finalists on report people, as in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.pareto import nondominated
from nas.report.figures import BLUE, GREY, INK, RED, SKY, evenly, figure
from nas.report.loading import Finalist, RunData
from nas.report.page import COSTS, Menu, Section, section
from nas.run.candidates import Candidate

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_POINTS = 4000
_LOG_ABOVE = 30.0  # ratio of largest to smallest cost from which the axis is logarithmic
_HOVER = (
    "candidate %{customdata[0]:.0f}<br>MAE %{customdata[1]:.2f} BPM (inherited)<br>"
    "%{customdata[2]:.2f} ms · %{customdata[5]:.3f} mJ a reading<br>"
    "flash %{customdata[3]:.1f} KB · SRAM %{customdata[4]:.1f} KB · "
    "weights %{customdata[7]:.1f} KB<extra></extra>"
)


@dataclass(frozen=True)
class Axis:
    """A cost: its column in the groups, budget and front in shown units."""

    title: str
    column: int
    budget: float | None
    front: list[list[float]]
    log: bool


@dataclass(frozen=True)
class Pareto:
    """Plain data of the scatter.

    Attributes:
        groups: name -> `(points, 8)` of number, mae_bpm, then the costs in the order of `COSTS`
            in shown units (NaN unknown); `counts` before they were thinned.
        axes: by cost; `first_axis` is shown first.
        mae_range_bpm: shown.
    """

    groups: dict[str, NDArray[np.float64]]
    counts: dict[str, int]
    axes: dict[str, Axis]
    first_axis: str
    finalists: tuple[Finalist, ...]
    mae_range_bpm: list[float] | None


def _group(candidate: Candidate) -> str:
    if candidate.mae_bpm is None:
        return "not evaluated"
    if not candidate.feasible:
        return "infeasible"
    return "front" if candidate.on_front else "feasible"


def _pareto_info(run: RunData) -> Pareto:
    rows: dict[str, list[list[float]]] = {group: [] for group in reversed(_LOOKS)}
    for candidate in run.candidates:
        mae_bpm = np.nan if candidate.mae_bpm is None else candidate.mae_bpm
        costs = (getattr(candidate.costs, key) / entry[2] for key, entry in COSTS.items())
        rows[_group(candidate)].append([candidate.number, mae_bpm, *costs])
    groups = {key: np.array(found).reshape(-1, 2 + len(COSTS)) for key, found in rows.items()}
    evaluated = np.concatenate([groups["front"], groups["feasible"]])
    axes = {}
    for column, (key, (title, unit, divisor, _)) in enumerate(COSTS.items(), start=2):
        pairs = evaluated[:, [column, 1]]
        seen = np.concatenate([found[:, column] for found in groups.values()])
        seen = seen[seen > 0]
        limit = run.budgets.get(key)
        axes[key] = Axis(
            title=f"{title} ({unit})",
            column=column,
            budget=None if limit is None else limit / divisor,
            front=np.unique(pairs[nondominated(pairs)], axis=0).tolist(),
            log=bool(len(seen) and seen.max() / seen.min() > _LOG_ABOVE),
        )
    return Pareto(
        groups={key: found[evenly(len(found), MOST_POINTS)] for key, found in groups.items()},
        counts={key: len(found) for key, found in groups.items()},
        axes=axes,
        # A cost with a limit is the most telling one.
        first_axis=next(key for key in COSTS if key in run.budgets),
        finalists=run.finalists,
        mae_range_bpm=_mae_range(evaluated[:, 1], run.finalists),
    )


def _mae_range(mae: NDArray[np.float64], finalists: Sequence[Finalist]) -> list[float] | None:
    """Shown range: everything of interest; a few hopeless candidates must not squeeze the rest."""
    errors = [f.card.search_mae_bpm for f in finalists]
    marks = [e.retrained_int8 for e in errors] + [f.card.report.mae_bpm for f in finalists]
    marks += [e.inherited for e in errors if e.inherited is not None]
    if len(mae) == 0 and not marks:
        return None
    low = min([*mae.tolist(), *marks])
    high = max([float(np.quantile(mae, 0.9)) if len(mae) else low, *marks])
    pad = max(0.06 * (high - low), 0.05)
    return [max(0.0, low - pad), high + pad]


def _arrows(drawn: go.Figure, finalists: Sequence[Finalist], key: str) -> None:
    """What retraining did to each finalist, its number where it ended, and report people."""
    errors = [f.card.search_mae_bpm for f in finalists]
    costs = [f.cost(key) / COSTS[key][2] for f in finalists]
    known = [(x, e) for x, e in zip(costs, errors, strict=True) if e.inherited is not None]
    if known:
        drawn.add_scatter(
            mode="lines+markers",
            name="inherited → retrained",
            hoverinfo="skip",
            line={"color": INK, "width": 1.5},
            marker={
                "symbol": ["circle-open", "arrow", "circle"] * len(known),
                "size": [7, 11, 0] * len(known),
                "angleref": "previous",
                "standoff": [0, 8, 0] * len(known),
                "color": INK,
            },
            x=[x for cost, _ in known for x in (cost, cost, None)],
            y=[y for _, e in known for y in (e.inherited, e.retrained_int8, None)],
        )
    if finalists:
        reported = [f.card.report.mae_bpm for f in finalists]
        drawn.add_scatter(
            mode="markers",
            name="the same on report people",
            x=costs,
            y=reported,
            text=[f"<b>{f.number}</b>" for f in finalists],
            marker={"size": 11, "symbol": "diamond-open", "color": RED, "line": {"width": 2}},
            hovertemplate="finalist %{text}<br>MAE %{y:.2f} BPM on report people<extra></extra>",
        )
        drawn.add_scatter(
            mode="markers+text",
            name="finalist (retrained, int8, search people)",
            x=costs,
            y=[e.retrained_int8 for e in errors],
            text=[f"<b>{f.number}</b>" for f in finalists],
            textposition="middle center",
            textfont={"color": "white", "size": 11},
            marker={"size": 19, "color": RED, "line": {"color": "white", "width": 1}},
            customdata=reported,
            hovertemplate="finalist %{text}<br>retrained: MAE %{y:.2f} BPM on search people<br>"
            "%{customdata:.2f} BPM on report people<extra></extra>",
        )


_LOOKS: dict[str, tuple[str, dict[str, object]]] = {
    "not evaluated": (
        "does not fit (accuracy not computed)",
        {"color": GREY, "size": 9, "symbol": "line-ns-open", "line": {"width": 1}},
    ),
    "infeasible": (
        "over budget",
        {"color": GREY, "size": 6, "symbol": "x-thin", "line": {"width": 1, "color": GREY}},
    ),
    "feasible": ("evaluated (inherited)", {"color": SKY, "size": 6, "opacity": 0.75}),
    "front": (
        "on the front of the search",
        {"color": BLUE, "size": 8, "line": {"color": "white", "width": 1}},
    ),
}


def _draw_pareto(info: Pareto, key: str, *, synthetic: bool) -> go.Figure:
    axis = info.axes[key]
    errors = "MAE on search people (BPM); diamonds: report people"
    drawn = figure(520, axis.title, errors, synthetic=synthetic)
    drawn.update_layout(
        xaxis_type="log" if axis.log else "linear",
        yaxis={"domain": [0, 0.91], "range": info.mae_range_bpm},
        yaxis2={"domain": [0.94, 1], "visible": False, "fixedrange": True, "range": [-1, 1]},
    )
    for group, (name, marker) in _LOOKS.items():
        rows = info.groups[group].astype(np.float32)
        if not len(rows):
            continue
        drawn.add_scatter(
            mode="markers",
            name=name,
            x=rows[:, axis.column],
            y=rows[:, 1],
            customdata=rows,
            hovertemplate=_HOVER,
            marker=marker,
        )
        if group == "not evaluated":  # a row of ticks above
            hover = _HOVER.replace("MAE %{customdata[1]:.2f} BPM (inherited)<br>", "")
            drawn.data[-1].update(y=0 * rows[:, 0], yaxis="y2", hovertemplate=hover)
    if len(axis.front) > 1:
        stairs = np.array(axis.front)
        drawn.add_scatter(
            mode="lines",
            x=stairs[:, 0],
            y=stairs[:, 1],
            line={"shape": "hv", "color": BLUE, "width": 1.5, "dash": "dot"},
            name="best for this cost",
            hoverinfo="skip",
        )
    _arrows(drawn, info.finalists, key)
    if axis.budget is not None:
        drawn.add_vline(x=axis.budget, line={"color": RED, "width": 2, "dash": "dash"})
        drawn.update_shapes(yref="paper")  # through the ticks above, too
        drawn.add_annotation(
            # annotations on a logarithmic axis are placed by exponent
            x=float(np.log10(axis.budget)) if axis.log else axis.budget,
            y=0.9,
            xref="x",
            yref="paper",
            text="budget",
            textangle=-90,
            xanchor="right",
            yanchor="top",
            showarrow=False,
            font={"color": RED},
        )
    return drawn


def pareto_section(run: RunData) -> Section | None:
    """Scatter with a selector of the cost; left out before there are candidates."""
    if not run.candidates:
        return None
    info = _pareto_info(run)
    options = {key: entry[0] for key, entry in COSTS.items()}
    return section(
        "report/pareto.html",
        "Accuracy against cost",
        counts=info.counts,
        drawn=sum(len(rows) for rows in info.groups.values()),
        finalists=run.finalists,
        menu=Menu("cost", "Cost", options, info.first_axis),
        figures={key: _draw_pareto(info, key, synthetic=run.synthetic) for key in COSTS},
    )
