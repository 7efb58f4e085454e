"""Accuracy against each cost: candidates, front, budgets, and what retraining did to finalists.

The accuracies are on the search people: inherited from the supernet for candidates, after
retraining in int8 for finalists. (The report people's are in the table.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.pareto import nondominated
from nas.report.loading import RunData, number
from nas.report.page import (
    BLUE,
    COSTS,
    GREY,
    INK,
    RED,
    SKY,
    Menu,
    Section,
    evenly,
    figure,
    section,
)
from nas.report.sections.verdict import cost_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_POINTS = 4000
_LOG_ABOVE = 30.0  # ratio of largest to smallest cost from which the axis is logarithmic
_OBJECTIVES = {
    "latency": "latency_ms",
    "flash": "flash_bytes",
    "sram": "sram_bytes",
    "power": "power_mw",
    "weights": "weight_bytes",
}
_HOVER = (
    "candidate %{customdata[0]:.0f}<br>MAE %{customdata[1]:.2f} BPM (inherited)<br>"
    "%{customdata[2]:.2f} ms · %{customdata[5]:.2f} mW<br>flash %{customdata[3]:.1f} KB · SRAM "
    "%{customdata[4]:.1f} KB · weights %{customdata[6]:.1f} KB<extra></extra>"
)


def _pareto_info(run: RunData) -> dict[str, Any]:
    """Plain data of the scatter.

    Returns:
        `groups`: name -> `(points, 7)` of number, mae_bpm, then the costs in the order of `COSTS`
        in shown units (NaN unknown); `axes`: budget and front of each cost; `finalists`.
    """
    groups: dict[str, list[list[float]]] = {
        "front": [],
        "feasible": [],
        "infeasible": [],
        "not evaluated": [],
    }
    for candidate in run.candidates:
        values = [number(candidate, key) for key in ("number", "mae_bpm", *COSTS)]
        divisors = [1.0, 1.0, *(entry[2] for entry in COSTS.values())]
        row = [np.nan if v is None else v / d for v, d in zip(values, divisors, strict=True)]
        if values[1] is None:
            groups["not evaluated"].append(row)
        elif not candidate.get("feasible"):
            groups["infeasible"].append(row)
        else:
            groups["front" if candidate.get("on_front") else "feasible"].append(row)
    arrays = {
        key: np.array(rows).reshape(len(rows), 2 + len(COSTS)) for key, rows in groups.items()
    }
    evaluated = np.concatenate([arrays["front"], arrays["feasible"]])
    axes = {}
    for column, (key, (title, unit, divisor, _)) in enumerate(COSTS.items(), start=2):
        pairs = evaluated[:, [column, 1]]
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        front = np.unique(pairs[nondominated(pairs)], axis=0)
        seen = np.concatenate([rows[:, column] for rows in arrays.values()])
        seen = seen[np.isfinite(seen) & (seen > 0)]
        limit = run.budgets.get(key)
        axes[key] = {
            "title": f"{title} ({unit})",
            "column": column,
            "budget": None if limit is None else limit / divisor,
            "front": front.tolist(),
            "log": bool(len(seen) and seen.max() / seen.min() > _LOG_ABOVE),
        }
    finalists = [
        {
            "finalist": f.number,
            "inherited_bpm": number(f.card, "search_mae_bpm", "inherited"),
            "retrained_bpm": number(f.card, "search_mae_bpm", "retrained_int8"),
            **{
                key: None if (value := cost_of(f, key)) is None else value / entry[2]
                for key, entry in COSTS.items()
            },
        }
        for f in run.finalists
    ]
    # A cost with a limit is the most telling one, then the search's own objectives.
    wanted: list[str | None] = [key for key in COSTS if key in run.budgets]
    wanted += [_OBJECTIVES.get(str(o)) for o in run.search.get("objectives") or ()]
    return {
        "synthetic": run.synthetic,
        "groups": {key: rows[evenly(len(rows), MOST_POINTS)] for key, rows in arrays.items()},
        "counts": {key: len(rows) for key, rows in arrays.items()},
        "axes": axes,
        "finalists": finalists,
        "first_axis": next((key for key in wanted if key), "latency_ms"),
        "mae_range_bpm": _mae_range(evaluated[:, 1], finalists),
    }


def _mae_range(mae: NDArray[np.float64], finalists: list[dict[str, Any]]) -> list[float] | None:
    """Shown range: everything of interest; a few hopeless candidates must not squeeze the rest."""
    marks = [f[key] for f in finalists for key in ("inherited_bpm", "retrained_bpm")]
    marks = [mark for mark in marks if mark is not None]
    if len(mae) == 0 and not marks:
        return None
    low = min([*mae.tolist(), *marks])
    high = max([float(np.quantile(mae, 0.9)) if len(mae) else low, *marks])
    pad = max(0.06 * (high - low), 0.05)
    return [max(0.0, low - pad), high + pad]


def _points(
    drawn: go.Figure, rows: NDArray[np.float64], column: int, *, name: str, marker: dict[str, Any]
) -> None:
    drawn.add_scatter(
        mode="markers",
        name=name,
        x=rows[:, column].astype(np.float32),
        y=rows[:, 1].astype(np.float32),
        customdata=rows.astype(np.float32),
        hovertemplate=_HOVER,
        marker=marker,
    )


def _arrows(drawn: go.Figure, finalists: list[dict[str, Any]], key: str) -> None:
    """What retraining did to each finalist, and its number where it ended."""
    marked = [f for f in finalists if None not in (f[key], f["retrained_bpm"])]
    known = [f for f in marked if f["inherited_bpm"] is not None]
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
            x=[x for f in known for x in (f[key], f[key], None)],
            y=[y for f in known for y in (f["inherited_bpm"], f["retrained_bpm"], None)],
        )
    if marked:
        drawn.add_scatter(
            mode="markers+text",
            name="finalist (retrained, int8)",
            x=[f[key] for f in marked],
            y=[f["retrained_bpm"] for f in marked],
            text=[f"<b>{f['finalist']}</b>" for f in marked],
            textposition="middle center",
            textfont={"color": "white", "size": 11},
            marker={"size": 19, "color": RED, "line": {"color": "white", "width": 1}},
            hovertemplate="finalist %{text}<br>MAE %{y:.2f} BPM after retraining<extra></extra>",
        )


_LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
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


def _draw_pareto(info: dict[str, Any], key: str) -> go.Figure:
    axis = info["axes"][key]
    drawn = figure(520, axis["title"], "MAE on search people (BPM)", synthetic=info["synthetic"])
    drawn.update_layout(
        xaxis_type="log" if axis["log"] else "linear",
        yaxis={"domain": [0, 0.91], "range": info["mae_range_bpm"]},
        yaxis2={"domain": [0.94, 1], "visible": False, "fixedrange": True, "range": [-1, 1]},
    )
    for group, (name, marker) in _LOOKS.items():
        rows = info["groups"][group]
        if len(rows):
            _points(drawn, rows, axis["column"], name=name, marker=marker)
            if group == "not evaluated":  # a row of ticks above
                hover = _HOVER.replace("MAE %{customdata[1]:.2f} BPM (inherited)<br>", "")
                level = np.zeros(len(rows), dtype=np.float32)
                drawn.data[-1].update(y=level, yaxis="y2", hovertemplate=hover)
    if len(axis["front"]) > 1:
        stairs = np.array(axis["front"])
        drawn.add_scatter(
            mode="lines",
            x=stairs[:, 0],
            y=stairs[:, 1],
            line={"shape": "hv", "color": BLUE, "width": 1.5, "dash": "dot"},
            name="best for this cost",
            hoverinfo="skip",
        )
    _arrows(drawn, info["finalists"], key)
    if axis["budget"] is not None:
        drawn.add_shape(
            type="line",
            xref="x",
            yref="paper",
            x0=axis["budget"],
            x1=axis["budget"],
            y0=0,
            y1=1,
            line={"color": RED, "width": 2, "dash": "dash"},
        )
        drawn.add_annotation(
            # annotations on a logarithmic axis are placed by exponent
            x=float(np.log10(axis["budget"])) if axis["log"] else axis["budget"],
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
        counts=info["counts"],
        drawn=sum(len(rows) for rows in info["groups"].values()),
        finalists=run.finalists,
        menu=Menu("cost", "Cost", options, info["first_axis"]),
        figures={key: _draw_pareto(info, key) for key in COSTS},
    )
