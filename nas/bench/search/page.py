"""A contest as a Markdown page, as text and as a plot; every figure is computed from the records.

The plot shows the error that each side reaches within a latency, as bands over the seeds: search
people choose the network, and its error on report people counts, so that a step may go up.
References: Fonseca, Grunert da Fonseca, Paquete (2005), "Exploring the performance of stochastic
multiobjective optimisers with the second-order attainment function", EMO.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from nas.bench.interval import Interval
from nas.bench.search.contest import Contest
from nas.bench.search.figures import Figures, HandMade, front, reached
from nas.bench.search.sides import SIDES, Side
from nas.report.figures import BLUE, GREEN, ORANGE, PURPLE, figure
from nas.run.units import format_bytes
from ppgnas.tables import markdown_table, text_table

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


LATENCIES = 8
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # head and rows

SIDE_HEAD = (
    *("side", "networks by seed", "on the front", "core-minutes"),
    *("best on search people: MAE", "smoothed"),
)
HAND_MADE_HEAD = (
    *("hand-made", "weights", "flash", "latency", "MAE", "smoothed", "seeds"),
    *("found: MAE", "smoothed", "difference BPM", "difference %"),
)


def _percent(found: Interval | None) -> str:
    if found is None:
        return "-"
    return f"{found.value:+.1f} % ({found.low:+.1f} to {found.high:+.1f})"


def side_table(found: Figures) -> Table:
    """One row a side."""
    head = (*SIDE_HEAD, *(f"hypervolume, {name}" for name in found.corners))
    return head, [
        (
            row.side,
            ", ".join(map(str, row.networks)),
            ", ".join(map(str, row.on_front)),
            ", ".join(f"{seconds / 60:.1f}" for seconds in row.core_s),
            f"{row.best_bpm:.2f}",
            f"{row.best_smoothed_bpm:.2f}",
            *(f"{volume:.4f}" for volume in row.volumes.values()),
        )
        for row in found.sides
    ]


def against_table(found: Figures) -> Table:
    """Found against each other side."""
    volumes = (f"hypervolume, {name}" for name in found.corners)
    return ("found against", *volumes, "MAE at equal latency"), [
        (row.side, *map(_percent, row.volumes.values()), _percent(row.error))
        for row in found.against
    ]


def hand_made_table(found: Figures) -> Table:
    """One row a hand-made network."""
    return HAND_MADE_HEAD, [
        (
            row.name + ("" if row.fits else " (over budget)"),
            format_bytes(row.weight_bytes),
            format_bytes(row.flash_bytes),
            f"{row.latency_ms:.2f} ms",
            f"{row.report_bpm:.2f}",
            f"{row.report_smoothed_bpm:.2f}",
            f"{row.seeds} of {len(found.seeds)}",
            *_difference(row),
        )
        for row in found.hand_made
    ]


def _difference(row: HandMade) -> tuple[str, ...]:
    found = row.difference_bpm
    if found is None or row.found_bpm is None or row.found_smoothed_bpm is None:
        return "none found that is as small", "-", "-", "-"
    return (
        f"{row.found_bpm:.2f}",
        f"{row.found_smoothed_bpm:.2f}",
        f"{found:+.2f}",
        _percent(row.difference_percent),
    )


def band_table(drawn: Sequence[Band]) -> Table:
    """Median, best and worst seed of each side at some latencies."""
    first = min(band.latency_ms[0] for band in drawn)
    last = max(band.latency_ms[-1] for band in drawn)
    grid = [*np.geomspace(first, last, LATENCIES)[:-1].tolist(), last]
    return ("within", *(band.side for band in drawn)), [
        (f"{latency_ms:.2f} ms", *(_within(band, latency_ms) for band in drawn))
        for latency_ms in grid
    ]


def _within(band: Band, latency_ms: float) -> str:
    step = bisect_right(band.latency_ms, latency_ms) - 1
    if step < 0:
        return "-"
    middle, low, high = (row[step] for row in (band.median_bpm, band.best_bpm, band.worst_bpm))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def contest_page(found: Figures, drawn: Sequence[Band], *, command: str, plot: str) -> str:
    """The page.

    Args:
        plot: file name of the plot beside the page.
    """
    synthetic = "**Synthetic recordings.** " if found.synthetic else ""
    corners = "; ".join(
        f"{name}: " + ", ".join(f"{field} {value:.4g}" for field, value in corner.items())
        for name, corner in found.corners.items()
    )
    parts = [
        "# Does searching pay?",
        f"    {command}",
        f"{synthetic}Seeds {', '.join(map(str, found.seeds))}; {len(found.report_people)} report "
        "people. For each seed a whole search (found), then as many core-seconds as its "
        "search and finalists took for random networks under the same budgets, and for networks "
        "that are spread over the sizes, largest first; a training that had begun when they were "
        "spent counts. Hand-made networks are trained without a limit. Teacher, windows, steps "
        "by size and quantisation are the same, and all begin from random weights. A search knows "
        "hand-made networks, which it trains among the first.",
        "Errors are int8 MAE in BPM, mean over people. The front of a side is chosen on search "
        "people (error, latency), and then read on report people. Hypervolumes are shares of the "
        f"box from zero to a fixed corner ({corners}). Brackets: 90 % of the Bayesian bootstrap "
        "over report people and seeds.",
        markdown_table(*side_table(found)),
        "Found against the others. A larger hypervolume is better, a lower error is better; "
        "errors at equal latency are compared by their geometric mean:",
        markdown_table(*against_table(found)),
        "Against each hand-made network the found one with the lowest error on search people "
        "among those with at most its flash and at most its latency. Differences are found less "
        "hand-made:",
        markdown_table(*hand_made_table(found)),
        "## Error within a latency",
        "What the network that search people choose within a latency errs on report people: the "
        f"median over seeds, and the best and the worst of them. Drawn in [{plot}]({plot}).",
        *([markdown_table(*band_table(drawn))] if drawn else []),
    ]
    return "\n\n".join(parts) + "\n"


def contest_text(found: Figures) -> str:
    """The tables for a terminal."""
    synthetic = " (SYNTHETIC recordings)" if found.synthetic else ""
    return "\n\n".join(
        (
            f"Report people, int8 MAE in BPM{synthetic}:",
            text_table(*side_table(found)),
            text_table(*against_table(found)),
            text_table(*hand_made_table(found)),
        )
    )
