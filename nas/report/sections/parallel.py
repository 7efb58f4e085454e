"""Parallel coordinates: which choices give which costs and accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.explore.spread import evenly
from nas.report.figures import figure
from nas.report.loading import RunData
from nas.report.page import COSTS, Menu, Section, section
from nas.run.candidates import Candidate
from search_spaces.arch import Arch

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LINES = 3000
# MAE from best to worst; the light end of viridis is left out, it vanishes on white.
_COLORS = [[0, "#440154"], [0.35, "#31688e"], [0.7, "#35b779"], [1, "#b5c933"]]
_MAE = "MAE<br>(BPM)"
_WINDOW, _POOLED = "window<br>(s)", "pooled<br>(s)"
LOGARITHM = "log10"  # names an axis whose values are logarithms
_MAE_TICKS_BPM = (0.2, 0.5, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)
_TICK_ROOM = 0.06  # of the axis, for one label
_KINDS = {"front": "candidates on the front", "all": "all with an error", "finalists": "finalists"}


@dataclass(frozen=True)
class Parallel:
    """Names of the axes, and per kind of candidate a `(lines, axes)` array and their numbers."""

    axes: list[str]
    kinds: dict[str, NDArray[np.float64]]
    numbers: dict[str, NDArray[np.int64]]


def _choices(arch: Arch) -> dict[str, float]:
    """An arch in a few numbers."""
    active = [stage for stage in arch.stages if stage.depth]
    return {
        _WINDOW: arch.window_s,
        "rate<br>(Hz)": arch.rate_hz,
        "input<br>channels": arch.channels,
        "stem<br>width": arch.stem_width,
        "blocks": sum(stage.depth for stage in active),
        "widest<br>stage": max((stage.width for stage in active), default=0),
        "largest<br>kernel": max((stage.kernel for stage in active), default=0),
        "largest<br>dilation": max((stage.dilation for stage in active), default=0),
        "largest<br>expansion": max((stage.expansion for stage in active), default=0),
        "head<br>width": arch.head_width,
        "head<br>spacing": arch.head_spacing,
        _POOLED: arch.pool_s,
    }


def _values(candidate: Candidate) -> dict[str, float]:
    """By axis; the MAE is the last one."""
    costs = {
        f"{title}<br>({unit})": getattr(candidate.costs, key) / divisor
        for key, (title, unit, divisor, _) in COSTS.items()
        if key != "power_mw"  # the board's sleep, and the energy
    }
    return {**_choices(candidate.arch), **costs, _MAE: candidate.mae_bpm or 0.0}


def _parallel_info(run: RunData) -> Parallel | None:
    """Plain data, or None without a candidate that has an error."""
    judged = [candidate for candidate in run.candidates if candidate.mae_bpm]
    if not judged:
        return None
    axes = list(_values(judged[0]))
    matrix = np.array([list(_values(candidate).values()) for candidate in judged])
    # most searches have one window, and a pool over all of it
    varied = np.ptp(matrix, axis=0) > 0
    varied |= ~np.isin(axes, (_WINDOW, _POOLED))
    axes = [axis for axis, kept in zip(axes, varied, strict=True) if kept]
    matrix = matrix[:, varied]
    numbers = np.array([candidate.number for candidate in judged])
    places = {
        "front": np.flatnonzero([candidate.on_front for candidate in judged]),
        "all": np.asarray(evenly(len(judged), MOST_LINES)),
        "finalists": np.flatnonzero([candidate.finalist is not None for candidate in judged]),
    }
    kinds = {kind: found for kind, found in places.items() if len(found)}
    return Parallel(
        axes,
        {kind: matrix[found] for kind, found in kinds.items()},
        {kind: numbers[found] for kind, found in kinds.items()},
    )


def _mae_ticks_bpm(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: both ends, as Plotly draws none beyond, and round ones between.

    Round ones whose label would run into that of an end are left out.
    """
    room = (high / low) ** _TICK_ROOM
    between = [tick for tick in _MAE_TICKS_BPM if low * room < tick < high / room]
    return sorted({low, *between, high})


def _draw_parallel(info: Parallel, kind: str, *, synthetic: bool) -> go.Figure:
    lines, everything = info.kinds[kind], info.kinds["all"]
    dimensions = []
    for column, axis in enumerate(info.axes):
        values = np.unique(everything[:, column])
        low, high = float(values[0]), float(values[-1])
        dimension: dict[str, object] = {
            "label": axis,
            "values": lines[:, column].astype(np.float32),
            # One range for every kind, so that switching does not move the axes.
            "range": [low, high] if high > low else [low - 1, high + 1],
        }
        if axis == _MAE:  # logarithmic: the differences that matter are at the low end
            dimension["name"] = LOGARITHM
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
    drawn = figure(430, synthetic=synthetic, margin=margin)
    drawn.update_annotations(yshift=46)  # above the names of the axes
    return drawn.add_parcoords(
        dimensions=dimensions,
        customdata=info.numbers[kind],
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
    """Parallel coordinates; left out before a candidate has an error."""
    info = _parallel_info(run)
    if info is None:
        return None
    kinds = info.kinds
    first = "front" if "front" in kinds else "all"
    return section(
        "report/parallel.html",
        "Choices and costs",
        judged_by=run.judged_by,
        menu=Menu("lines", "Lines", {kind: _KINDS[kind] for kind in kinds}, first),
        figures={kind: _draw_parallel(info, kind, synthetic=run.synthetic) for kind in kinds},
    )
