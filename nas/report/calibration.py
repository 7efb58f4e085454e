"""Measured against predicted cycles, as one HTML file that needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.fit.calibrate import Calibration
from nas.report.figures import BLUE, GREY, figure, label
from nas.report.page import render_page, section

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _draw_parity(found: Calibration) -> go.Figure:
    before, held_out, band = found.before, found.held_out, found.network
    axes, log = ("predicted cycles", "measured cycles"), {"type": "log"}
    drawn = figure(640, *axes, synthetic=False, xaxis=log, yaxis=log)
    ends = [min(before.measured) / 1.5, max(before.measured) * 1.5]
    for factor, name in ((1.0, "equal"), (band.low, "90 % low"), (band.high, "90 % high")):
        drawn.add_scatter(
            x=ends,
            y=[end * factor for end in ends],
            mode="lines",
            name=name,
            line={"color": GREY, "dash": "solid" if factor == 1.0 else "dot"},
            hoverinfo="skip",
        )
    for points, name, color in ((before, "before", GREY), (held_out, "held out", BLUE)):
        if points is not None:
            drawn.add_scatter(
                x=[*map(float, points.predicted)],
                y=[*map(float, before.measured)],
                mode="markers",
                name=name,
                marker_color=color,
                text=[label(name) for name in found.names],
                hovertemplate="%{text}<br>predicted %{x:.4g}<br>measured %{y:.4g}<extra></extra>",
            )
    return drawn


def calibration_page(found: Calibration, title: str) -> str:
    """The page; plotly is inlined."""
    drawn = _draw_parity(found)
    shown = section("calibration.html", "Measured against predicted cycles", drawn=drawn)
    return render_page(title, title, [shown], synthetic=False)
