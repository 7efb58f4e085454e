"""Parallel coordinates: which choices give which costs and accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.report.loading import RunData, look, number
from nas.report.page import COSTS, Menu, Section, evenly, figure, section

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LINES = 3000
# MAE from best to worst; the light end of viridis is left out, it vanishes on white.
_COLORS = [[0, "#440154"], [0.35, "#31688e"], [0.7, "#35b779"], [1, "#b5c933"]]
_MAE = "MAE<br>(BPM)"
_MAE_TICKS_BPM = (0.2, 0.5, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)
_TICK_ROOM = 0.06  # of the axis, for one label
_KINDS = {"front": "candidates on the front", "all": "all evaluated", "finalists": "finalists"}


def _choices(arch: Any) -> dict[str, float | None]:
    """An arch in a few numbers; None where the document lacks one."""
    stages = look(arch, "stages")
    active = [s for s in stages if number(s, "depth")] if isinstance(stages, list) else []

    def most(key: str) -> float | None:
        known = [value for s in active if (value := number(s, key)) is not None]
        return max(known) if known else None

    acceleration = look(arch, "acceleration")
    return {
        "rate<br>(Hz)": number(arch, "rate_hz"),
        "input<br>channels": None if acceleration is None else (4.0 if acceleration else 1.0),
        "stem<br>width": number(arch, "stem_width"),
        "blocks": sum(number(s, "depth") or 0.0 for s in active) if active else None,
        "widest<br>stage": most("width"),
        "largest<br>kernel": most("kernel"),
        "largest<br>dilation": most("dilation"),
        "largest<br>expansion": most("expansion"),
        "head<br>width": number(arch, "head_width"),
        "head<br>spacing": number(arch, "head_spacing") or 1.0,  # left out where it is 1
    }


def _parallel_info(run: RunData) -> dict[str, Any]:
    """Plain data: `axes` names, and per kind of candidate a `(lines, axes)` array.

    Candidates without an accuracy are left out, and axes that no line has a value for.
    """
    names: list[str] = []
    rows: list[list[float]] = []
    front: list[bool] = []
    final: list[bool] = []
    for candidate in run.candidates:
        mae = number(candidate, "mae_bpm")
        if mae is None or mae <= 0:
            continue
        values = _choices(candidate.get("arch"))
        for key, (title, unit, divisor, _) in COSTS.items():
            seen = number(candidate, key)
            values[f"{title}<br>({unit})"] = None if seen is None else seen / divisor
        values[_MAE] = mae
        names = list(values)
        rows.append([np.nan if value is None else value for value in values.values()])
        front.append(bool(candidate.get("on_front")))
        final.append(candidate.get("finalist") is not None)
    matrix = np.array(rows).reshape(len(rows), len(names))
    complete = np.isfinite(matrix).any(axis=0) if len(rows) else np.zeros(0, dtype=bool)
    matrix = matrix[:, complete]
    good = np.isfinite(matrix).all(axis=1)
    keep = np.flatnonzero(good)
    kinds = {
        "front": matrix[good & np.array(front, dtype=bool)],
        "all": matrix[keep[evenly(len(keep), MOST_LINES)]],
        "finalists": matrix[good & np.array(final, dtype=bool)],
    }
    return {
        "synthetic": run.synthetic,
        "axes": [name for name, known in zip(names, complete, strict=True) if known],
        "kinds": {kind: lines for kind, lines in kinds.items() if len(lines)},
    }


def _mae_ticks_bpm(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: both ends, as Plotly draws none beyond, and round ones between.

    Round ones whose label would run into that of an end are left out.
    """
    room = (high / low) ** _TICK_ROOM
    between = [tick for tick in _MAE_TICKS_BPM if low * room < tick < high / room]
    return sorted({low, *between, high})


def _draw_parallel(info: dict[str, Any], kind: str) -> go.Figure:
    lines, everything = info["kinds"][kind], info["kinds"]["all"]
    dimensions = []
    for column, axis in enumerate(info["axes"]):
        values = np.unique(everything[:, column])
        low, high = float(values[0]), float(values[-1])
        dimension: dict[str, Any] = {
            "label": axis,
            "values": lines[:, column].astype(np.float32),
            # One range for every kind, so that switching does not move the axes.
            "range": [low, high] if high > low else [low - 1, high + 1],
        }
        if axis == _MAE:  # logarithmic: the differences that matter are at the low end
            dimension["values"] = np.log10(lines[:, column]).astype(np.float32)
            dimension["range"] = [np.log10(low), np.log10(max(high, 1.01 * low))]
            ticks = _mae_ticks_bpm(low, high)
            dimension["tickvals"] = np.log10(ticks).tolist()
            dimension["ticktext"] = [f"{tick:.3g}" for tick in ticks]
        elif len(values) <= 8 and (values == values.round()).all():
            dimension["tickvals"] = values.tolist()
        dimensions.append(dimension)
    shades = np.log10(everything[:, -1])
    margin = {"l": 50, "r": 40, "t": 70, "b": 20}
    drawn = figure(430, synthetic=info["synthetic"], margin=margin)
    return drawn.add_parcoords(
        dimensions=dimensions,
        line={
            "color": np.log10(lines[:, -1]).astype(np.float32),
            "colorscale": _COLORS,
            "cmin": float(shades.min()),
            "cmax": float(np.quantile(shades, 0.9)),
        },
        labelfont_size=12,
        rangefont_color="rgba(0,0,0,0)",  # it would cover the labels
        unselected={"line": {"color": "#d5dae0", "opacity": 0.25}},
    )


def parallel_section(run: RunData) -> Section | None:
    """Parallel coordinates; left out before a candidate was evaluated."""
    info = _parallel_info(run)
    kinds = info["kinds"]
    if "all" not in kinds:
        return None
    first = "front" if "front" in kinds else "all"
    return section(
        "report/parallel.html",
        "Choices and costs",
        menu=Menu("lines", "Lines", {kind: _KINDS[kind] for kind in kinds}, first),
        figures={kind: _draw_parallel(info, kind) for kind in kinds},
    )
