"""Accuracy against each cost: candidates, front, budgets, and what retraining did to finalists.

The accuracies are on the search people: foretold for candidates (in a run of an older version
inherited from the supernet), after retraining in int8 for finalists. Diamonds: finalists on report
people, as in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.explore.spread import evenly
from nas.pareto import nondominated
from nas.report.figures import BLUE, GREY, INK, RED, SKY, figure, upright
from nas.report.loading import Finalist, RunData
from nas.report.page import COSTS, Menu, Section, cost, section
from nas.run.candidates import Candidate, JudgedBy

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_POINTS = 4000
_FAR = 1.3  # of the largest cost: a budget beyond it would squeeze the plot
_LOG_ABOVE = 30.0  # ratio of largest to smallest cost from which the axis is logarithmic
_MAE_HOVER = {
    "foretold": "MAE %{customdata[1]:.2f} BPM (foretold; 90 %: "
    "%{customdata[8]:.2f} to %{customdata[9]:.2f})<br>",
    "inherited": "MAE %{customdata[1]:.2f} BPM (inherited)<br>",
}
AGAINST = {"mae": "MAE", **{key: entry[0] for key, entry in COSTS.items()}}
_COST_HOVER = (
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
        groups: name -> `(points, 10)` of number, mae_bpm, the costs in the order of `COSTS` in
            shown units, and the ends of the interval of the MAE (NaN unknown); `counts` before
            they were thinned.
        axes: by cost; `first_axis` is shown first.
    """

    groups: dict[str, NDArray[np.float64]]
    counts: dict[str, int]
    axes: dict[str, Axis]
    first_axis: str
    finalists: tuple[Finalist, ...]
    mae_range_bpm: list[float] | None
    judged_by: JudgedBy

    def most(self, axis: Axis) -> float:
        """The largest cost on an axis."""
        return max(float(rows[:, axis.column].max()) for rows in self.groups.values() if len(rows))


def _group(candidate: Candidate) -> str:
    if candidate.mae_bpm is None:
        return "unjudged"
    if not candidate.feasible:
        return "infeasible"
    return "front" if candidate.on_front else "feasible"


def _pareto_info(run: RunData) -> Pareto:
    rows: dict[str, list[list[float]]] = {group: [] for group in reversed(_LOOKS)}
    for candidate in run.candidates:
        mae = (candidate.mae_bpm, candidate.mae_low_bpm, candidate.mae_high_bpm)
        mae_bpm, *ends = (np.nan if bpm is None else bpm for bpm in mae)
        costs = (getattr(candidate.costs, key) / entry[2] for key, entry in COSTS.items())
        rows[_group(candidate)].append([candidate.number, mae_bpm, *costs, *ends])
    groups = {key: np.array(found).reshape(-1, 4 + len(COSTS)) for key, found in rows.items()}
    judged = np.concatenate([groups["front"], groups["feasible"]])
    axes = {}
    for column, (key, (title, unit, divisor, _)) in enumerate(COSTS.items(), start=2):
        pairs = judged[:, [column, 1]]
        seen = np.concatenate([found[:, column] for found in groups.values()])
        seen = seen[seen > 0]
        limit = run.budgets.get(key)
        axes[key] = Axis(
            title=f"{title} ({unit})",
            column=column,
            budget=None if limit is None else limit / divisor,
            front=_front(pairs[:, 0], pairs[:, 1]),
            log=bool(len(seen) and seen.max() / seen.min() > _LOG_ABOVE),
        )
    return Pareto(
        groups={key: found[evenly(len(found), MOST_POINTS)] for key, found in groups.items()},
        counts={key: len(found) for key, found in groups.items()},
        axes=axes,
        # A cost with a limit is the most telling one.
        first_axis=next(key for key in COSTS if key in run.budgets),
        finalists=run.finalists,
        mae_range_bpm=_mae_range(judged[:, 1], run.finalists),
        judged_by=run.judged_by,
    )


def _front(costs: ArrayLike, mae_bpm: ArrayLike) -> list[list[float]]:
    """Cost and error of what no other beats in both, the cheapest first."""
    pairs = np.column_stack([costs, mae_bpm])
    found: list[list[float]] = np.unique(pairs[nondominated(pairs)], axis=0).tolist()
    return found


def _mae_range(mae: NDArray[np.float64], finalists: Sequence[Finalist]) -> list[float] | None:
    """Shown range: everything of interest; a few hopeless candidates must not squeeze the rest."""
    errors = [f.card.search_mae_bpm for f in finalists]
    marks = [e.retrained_int8 for e in errors] + [f.card.report.mae_bpm for f in finalists]
    marks += [e.before for e in errors if e.before is not None]
    if len(mae) == 0 and not marks:
        return None
    low = min([*mae.tolist(), *marks])
    high = max([float(np.quantile(mae, 0.9)) if len(mae) else low, *marks])
    pad = max(0.06 * (high - low), 0.05)
    return [max(0.0, low - pad), high + pad]


def _stairs(drawn: go.Figure, front: list[list[float]], color: str, what: str) -> None:
    if len(front) > 1:
        drawn.add_scatter(
            mode="lines",
            x=[cost for cost, _ in front],
            y=[mae for _, mae in front],
            line={"shape": "hv", "color": color, "width": 1.5, "dash": "dot"},
            name=f"best for this cost, {what}",
            hoverinfo="skip",
        )


def _arrows(drawn: go.Figure, info: Pareto, key: str) -> None:
    """What retraining did to each finalist, its number where it ended, and report people."""
    finalists = info.finalists
    errors = [f.card.search_mae_bpm for f in finalists]
    costs = [f.cost(key) / COSTS[key][2] for f in finalists]
    known = [(x, e) for x, e in zip(costs, errors, strict=True) if e.before is not None]
    if known:
        drawn.add_scatter(
            mode="lines+markers",
            name=f"{info.judged_by} → retrained",
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
            y=[y for _, e in known for y in (e.before, e.retrained_int8, None)],
        )
    if finalists:
        retrained = [e.retrained_int8 for e in errors]
        _stairs(drawn, _front(costs, retrained), RED, "retrained")
        reported = [f.card.report.mae_bpm for f in finalists]
        facts = [
            [f.number, mine, *(f.cost(k) / entry[2] for k, entry in COSTS.items()), its]
            for f, mine, its in zip(finalists, retrained, reported, strict=True)
        ]
        names = [f"<b>{f.number}</b>" for f in finalists]
        hover = (
            "finalist %{customdata[0]:.0f}<br>retrained: MAE %{customdata[1]:.2f} BPM on search "
            "people<br>%{customdata[8]:.2f} BPM on report people<br>" + _COST_HOVER
        )
        drawn.add_scatter(
            mode="markers",
            name="the same on report people",
            meta="reported",
            x=costs,
            y=reported,
            text=names,
            marker={"size": 11, "symbol": "diamond-open", "color": RED, "line": {"width": 2}},
            customdata=facts,
            hovertemplate=hover,
        )
        drawn.add_scatter(
            mode="markers+text",
            name="finalist (retrained, int8, search people)",
            meta="finalists",
            x=costs,
            y=retrained,
            text=names,
            textposition="middle center",
            textfont={"color": "white", "size": 11},
            marker={"size": 19, "color": RED, "line": {"color": "white", "width": 1}},
            customdata=facts,
            hovertemplate=hover,
        )


def knee(costs: Sequence[float], mae_bpm: Sequence[float]) -> int | None:
    """The place where a front bends most: what lies farthest below the line between its ends.

    Both in logarithms, from 0 to 1; None with fewer than three networks on the front, or where it
    bends nowhere.
    """
    front = _front(costs, mae_bpm)
    if len(front) < 3 or front[0][0] <= 0 or front[-1][1] <= 0:
        return None
    x, y = np.log(np.array(front)).T
    x, y = (x - x[0]) / (x[-1] - x[0]), (y - y[-1]) / (y[0] - y[-1])
    below = 1 - x - y
    best = front[int(below.argmax())]
    if below.max() <= 1e-9:
        return None
    return next(i for i, pair in enumerate(zip(costs, mae_bpm, strict=True)) if [*pair] == best)


_LOOKS: dict[str, tuple[str, dict[str, object]]] = {
    "unjudged": (
        "does not fit (accuracy not computed)",
        {"color": GREY, "size": 9, "symbol": "line-ns-open", "line": {"width": 1}},
    ),
    "infeasible": (
        "over budget",
        {"color": GREY, "size": 6, "symbol": "x-thin", "line": {"width": 1, "color": GREY}},
    ),
    "feasible": ("", {"color": SKY, "size": 6, "opacity": 0.75}),
    "front": (
        "on the front of the search",
        {"color": BLUE, "size": 8, "line": {"color": "white", "width": 1}},
    ),
}


def _draw_pareto(info: Pareto, key: str, *, synthetic: bool) -> go.Figure:
    axis = info.axes[key]
    errors = "MAE on search people (BPM)"
    drawn = figure(
        520,
        axis.title,
        errors,
        synthetic=synthetic,
        xaxis={"type": "log" if axis.log else "linear"},
        yaxis={"domain": [0, 0.91], "range": info.mae_range_bpm},
        yaxis2={"domain": [0.94, 1], "visible": False, "fixedrange": True, "range": [-1, 1]},
    )
    head = "candidate %{customdata[0]:.0f}<br>"
    for group, (name, marker) in _LOOKS.items():
        rows = info.groups[group].astype(np.float32)
        if not len(rows):
            continue
        drawn.add_scatter(
            mode="markers",
            name=name or info.judged_by,
            x=rows[:, axis.column],
            y=rows[:, 1],
            meta="unjudged" if group == "unjudged" else "candidates",
            customdata=rows,
            hovertemplate=head + _MAE_HOVER[info.judged_by] + _COST_HOVER,
            marker=marker,
        )
        if group == "unjudged":  # a row of ticks above
            hover = head + _COST_HOVER
            drawn.data[-1].update(y=0 * rows[:, 0], yaxis="y2", hovertemplate=hover)
    _stairs(drawn, axis.front, BLUE, info.judged_by)
    _arrows(drawn, info, key)
    finalists = info.finalists
    costs = [f.cost(key) / COSTS[key][2] for f in finalists]
    errors_bpm = [f.card.search_mae_bpm.retrained_int8 for f in finalists]
    bend = knee(costs, errors_bpm)
    if bend is not None:
        x = float(np.log10(costs[bend])) if axis.log else costs[bend]
        words = {"text": "knee", "font": {"color": RED}, "arrowcolor": RED}
        drawn.add_annotation(x=x, y=errors_bpm[bend], ax=-28, ay=32, standoff=10, **words)
    if axis.budget is not None and axis.budget > _FAR * info.most(axis):
        # the axis ends where the data do
        beyond = f"budget {cost(key, axis.budget * COSTS[key][2])} →"
        place = {"x": 1, "y": 0.91, "xref": "paper", "yref": "paper", "xanchor": "right"}
        drawn.add_annotation(
            text=beyond, yanchor="top", showarrow=False, font={"color": RED}, **place
        )
    elif axis.budget is not None:
        line = upright(axis.budget, color=RED, width=2, dash="dash")
        drawn.add_shape({**line, "yref": "paper"})  # through the ticks above, too
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


def _figures(info: Pareto, *, synthetic: bool) -> dict[str, go.Figure]:
    """One a cost. Figures of a candidate stand in the first alone, and the page copies them."""
    figures = {key: _draw_pareto(info, key, synthetic=synthetic) for key in COSTS}
    for drawn in [*figures.values()][1:]:
        drawn.for_each_trace(
            lambda trace: trace.update(customdata=None),
            selector=lambda trace: trace.meta in ("candidates", "unjudged"),
        )
    return figures


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
        judged_by=run.judged_by,
        begun=sum(candidate.first_bpm is not None for candidate in run.candidates),
        drawn=sum(len(rows) for rows in info.groups.values()),
        finalists=run.finalists,
        menu=Menu("cost", "Across", options, info.first_axis),
        against=Menu("against", "Up", AGAINST, "mae"),
        colour=Menu("colour", "Colour", {"": "kind", **AGAINST}, ""),
        depth=Menu("depth", "Third axis", {"": "none", **AGAINST}, ""),
        figures=_figures(info, synthetic=run.synthetic),
    )
