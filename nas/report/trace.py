"""The page of `predict`: heart rate along one recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.models.predict import Trace
from nas.report.page import BLUE, GREY, INK, Section, figure, plot, render_page, text

if TYPE_CHECKING:
    import plotly.graph_objects as go


def trace_page(trace: Trace) -> str:
    """The plot as one self-contained HTML document."""
    drawn = plot("plot-trace", {"": _draw_trace(trace)}, about="Heart rate along the recording")
    note = '<p class="note">Each reading stands at the end of its 8 s window.'
    if trace.expected_error_smoothed_bpm is not None:
        note += " The band is the smoothed reading plus and minus its expected error."
    section = Section("trace", trace.name, f"{note}</p>{drawn}")
    return render_page(
        f"ppgnas: {trace.name}",
        f"<h1>{text(trace.name)}</h1>",
        [section],
        synthetic=trace.synthetic,
    )


def _draw_trace(trace: Trace) -> go.Figure:
    time_s = trace.time_s.tolist()
    traces: list[dict[str, Any]] = []
    expected = trace.expected_error_smoothed_bpm
    if expected is not None:
        edges = [trace.bpm_smoothed + expected, (trace.bpm_smoothed - expected)[::-1]]
        traces.append(
            {
                "type": "scatter",
                "name": "expected error",
                "x": time_s + time_s[::-1],
                "y": np.concatenate(edges).round(2).tolist(),
                "fill": "toself",
                "fillcolor": "rgba(0,114,178,0.18)",
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "raw",
            "x": time_s,
            "y": trace.bpm.round(2).tolist(),
            "marker": {"color": GREY, "size": 5},
        }
    )
    if np.isfinite(trace.reference_bpm).any():
        known = np.isfinite(trace.reference_bpm)
        shown = [float(v) if k else None for v, k in zip(trace.reference_bpm, known, strict=True)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "reference",
                "x": time_s,
                "y": shown,
                "line": {"color": INK, "width": 1.5, "dash": "dot"},
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "smoothed",
            "x": time_s,
            "y": trace.bpm_smoothed.round(2).tolist(),
            "line": {"color": BLUE, "width": 2},
        }
    )
    layout = {
        "height": 480,
        "hovermode": "x unified",
        "xaxis": {"title": {"text": "time (s)"}},
        "yaxis": {"title": {"text": "heart rate (BPM)"}},
    }
    return figure(traces, layout, synthetic=trace.synthetic)
