"""Attainment: the error that each side reaches within a latency, as bands over the seeds.

Within a latency search people choose the network, and its error on report people counts: a step
may go up. References: Fonseca, Grunert da Fonseca, Paquete (2005), "Exploring the performance of
stochastic multiobjective optimisers with the second-order attainment function", EMO.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from nas.bench.search.contest import Contest
from nas.bench.search.figures import front, reached
from nas.bench.search.sides import SIDES, Side
from nas.report.figures import BLUE, GREEN, ORANGE, PURPLE, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLOURS: dict[Side, str] = {"found": BLUE, "random": ORANGE, "sizes": GREEN, "hand-made": PURPLE}


@dataclass(frozen=True)
class Band:
    """Report MAE in BPM of a side over the seeds, at latencies where any seed takes a step.

    It begins where every seed has a network.
    """

    side: Side
    latency_ms: tuple[float, ...]
    best_bpm: tuple[float, ...]
    median_bpm: tuple[float, ...]
    worst_bpm: tuple[float, ...]


def bands(contest: Contest) -> list[Band]:
    """The bands of all sides that have a network in every seed."""
    found = []
    for side in SIDES:
        fronts = [front(seed.records, side) for seed in contest.seeds]
        if not all(fronts):
            continue
        start_ms = max(each[0].costs.latency_ms for each in fronts)
        steps = sorted({r.costs.latency_ms for each in fronts for r in each} | {start_ms})
        steps = [latency_ms for latency_ms in steps if latency_ms >= start_ms]
        errors = [
            [fmean(reached(each, latency_ms).report_bpm.values()) for each in fronts]
            for latency_ms in steps
        ]
        found.append(
            Band(
                side,
                tuple(steps),
                best_bpm=tuple(map(min, errors)),
                median_bpm=tuple(map(median, errors)),
                worst_bpm=tuple(map(max, errors)),
            )
        )
    return found


def draw_bands(drawn: list[Band], *, synthetic: bool) -> go.Figure:
    """Step curves: the median over seeds, and the area from the best seed to the worst."""
    error = "MAE on report people (BPM): median, best and worst seed"
    out = figure(560, "Latency (ms)", error, synthetic=synthetic)
    from plotly.colors import hex_to_rgb

    out.update_layout(xaxis_type="log", yaxis_domain=[0.08, 1])
    if not drawn:
        return out
    end_ms = max(band.latency_ms[-1] for band in drawn)
    for band in drawn:
        # The last step goes on: more time than the slowest network needs helps no side.
        x = [*band.latency_ms, end_ms]
        low, middle, high = (
            [*each, each[-1]] for each in (band.best_bpm, band.median_bpm, band.worst_bpm)
        )
        line = {"shape": "hv", "color": _COLOURS[band.side]}
        of_area = {"mode": "lines", "hoverinfo": "skip", "showlegend": False, "opacity": 0.5}
        out.add_scatter(x=x, y=low, line={**line, "width": 0.5}, **of_area)
        shade = f"rgba{(*hex_to_rgb(_COLOURS[band.side]), 0.12)}"  # four areas lie on each other
        edge = {**line, "width": 0.5}
        out.add_scatter(x=x, y=high, line=edge, fill="tonexty", fillcolor=shade, **of_area)
        out.add_scatter(x=x, y=middle, mode="lines", line={**line, "width": 2.5}, name=band.side)
    return out
