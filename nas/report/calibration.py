"""Measured against predicted cycles, as one HTML file that needs no network."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwmodels.fit.calibrate import Calibration

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


def _plot_parity(info: _ParityInfo) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    ends = [min(info.measured) / 1.5, max(info.measured) * 1.5]
    for factor, name in ((1.0, "equal"), (info.low, "90 % low"), (info.high, "90 % high")):
        figure.add_scatter(
            x=ends,
            y=[end * factor for end in ends],
            mode="lines",
            name=name,
            line={"color": "#888", "dash": "solid" if factor == 1.0 else "dot"},
            hoverinfo="skip",
        )
    for values, name, colour in (
        (info.before, "before", "#bbbbbb"),
        (info.held_out, "held out", "#0b6bcb"),
    ):
        if values is not None:
            figure.add_scatter(
                x=values,
                y=info.measured,
                mode="markers",
                name=name,
                marker={"color": colour},
                text=info.names,
                hovertemplate="%{text}<br>predicted %{x:.4g}<br>measured %{y:.4g}<extra></extra>",
            )
    figure.update_layout(
        xaxis={"title": "predicted cycles", "type": "log"},
        yaxis={"title": "measured cycles", "type": "log"},
        template="plotly_white",
        width=760,
        height=640,
    )
    return figure


def parity_html(found: Calibration, title: str) -> str:
    """The page; plotly is inlined."""
    body = _plot_parity(_parity_info(found)).to_html(full_html=False, include_plotlyjs=True)
    heading = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        '</head><body style="font-family: sans-serif; margin: 2em">'
        f"<h1>{heading}</h1><p>Grey: the engine as it was. Blue: points that the fit did not see. "
        f"Dotted: the interval of 90 %.</p>{body}</body></html>\n"
    )
