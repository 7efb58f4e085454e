"""Measured against predicted cycles, as one HTML file that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwmodels.fit.calibrate import Calibration
from nas.report.figures import BLUE, GREY, figure, label
from nas.report.page import render_page, section

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class _ParityInfo:
    """What the plot shows: cycles of every point, and the band of 90 %."""

    names: tuple[str, ...]
    measured: tuple[float, ...]
    before: tuple[float, ...]
    held_out: tuple[float, ...] | None
    low: float
    high: float


def _parity_info(found: Calibration) -> _ParityInfo:
    held_out = found.held_out
    return _ParityInfo(
        names=found.names,
        measured=tuple(map(float, found.before.measured)),
        before=tuple(map(float, found.before.predicted)),
        held_out=None if held_out is None else tuple(map(float, held_out.predicted)),
        low=found.network.low,
        high=found.network.high,
    )


def _draw_parity(info: _ParityInfo) -> go.Figure:
    drawn = figure(640, "predicted cycles", "measured cycles", synthetic=False)
    drawn.update_layout(xaxis_type="log", yaxis_type="log")
    ends = [min(info.measured) / 1.5, max(info.measured) * 1.5]
    for factor, name in ((1.0, "equal"), (info.low, "90 % low"), (info.high, "90 % high")):
        drawn.add_scatter(
            x=ends,
            y=[end * factor for end in ends],
            mode="lines",
            name=name,
            line={"color": GREY, "dash": "solid" if factor == 1.0 else "dot"},
            hoverinfo="skip",
        )
    for values, name, color in (
        (info.before, "before", GREY),
        (info.held_out, "held out", BLUE),
    ):
        if values is not None:
            drawn.add_scatter(
                x=values,
                y=info.measured,
                mode="markers",
                name=name,
                marker_color=color,
                text=[label(name) for name in info.names],
                hovertemplate="%{text}<br>predicted %{x:.4g}<br>measured %{y:.4g}<extra></extra>",
            )
    return drawn


def calibration_page(found: Calibration, title: str) -> str:
    """The page; plotly is inlined."""
    drawn = _draw_parity(_parity_info(found))
    shown = section("calibration.html", "Measured against predicted cycles", drawn=drawn)
    return render_page(title, title, [shown], synthetic=False)
