"""The page of `predict`: heart rate along one recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.models.predict import Trace
from nas.report.figures import BLUE, GREY, INK, figure
from nas.report.page import render_page, section

if TYPE_CHECKING:
    import plotly.graph_objects as go


def trace_page(trace: Trace) -> str:
    """The plot as one self-contained HTML document."""
    shown = section(
        "trace.html",
        trace.name,
        drawn=_draw_trace(trace),
        gaps=bool(trace.gaps),
        window_s=trace.window_s,
        calibrated=trace.expected_error_smoothed_bpm is not None,
    )
    return render_page(f"ppgnas: {trace.name}", trace.name, [shown], synthetic=trace.synthetic)


def _draw_trace(trace: Trace) -> go.Figure:
    axes = ("time (s)", "heart rate (BPM)")
    drawn = figure(480, *axes, synthetic=trace.synthetic, hovermode="x unified")
    time_s = trace.time_s.tolist()
    for begin, end in trace.gaps:  # until no window reaches back into it
        begin_and_end = {"x0": begin, "x1": end + trace.window_s}
        drawn.add_vrect(**begin_and_end, fillcolor=GREY, opacity=0.3, line_width=0)
    expected = trace.expected_error_smoothed_bpm
    if expected is not None:
        expected = np.nan_to_num(expected)
        edges = [trace.bpm_smoothed + expected, (trace.bpm_smoothed - expected)[::-1]]
        drawn.add_scatter(
            name="expected error",
            x=time_s + time_s[::-1],
            y=np.concatenate(edges).round(2).tolist(),
            fill="toself",
            fillcolor="rgba(0,114,178,0.18)",
            line_width=0,
            hoverinfo="skip",
        )
    drawn.add_scatter(
        mode="markers",
        name="raw",
        x=time_s,
        y=trace.bpm.round(2).tolist(),
        marker={"color": GREY, "size": 5},
    )
    known = np.isfinite(trace.reference_bpm)
    if known.any():
        drawn.add_scatter(
            mode="lines",
            name="reference",
            x=time_s,
            y=[v if k else None for v, k in zip(trace.reference_bpm.tolist(), known, strict=True)],
            line={"color": INK, "width": 1.5, "dash": "dot"},
        )
    drawn.add_scatter(
        mode="lines",
        name="smoothed",
        x=time_s,
        y=trace.bpm_smoothed.round(2).tolist(),
        line={"color": BLUE, "width": 2},
    )
    return drawn
