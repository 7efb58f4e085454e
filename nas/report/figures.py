"""Colours, labels and the look of every figure.

Strings in a figure pass `label`, as Plotly's labels are a small HTML of their own.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito (2008): distinguishable with every common colour vision.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#007A5A", "#C44F00"
PURPLE, SKY, GREY, INK = "#A5518A", "#56B4E9", "#A9B2BD", "#1B2430"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, "#8A6D00", INK)
LONGEST_LABEL = 26


def label(value: object) -> str:
    """For Plotly: one line, shortened in the middle, its pseudo-HTML escaped."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    if len(line) > LONGEST_LABEL:
        line = f"{line[: LONGEST_LABEL - 10]}…{line[-9:]}"
    return html.escape(line, quote=False) or "(no name)"


def figure(
    height_px: int, x: str = "", y: str = "", *, synthetic: bool, **layout: Any
) -> go.Figure:
    """An empty figure in the report's look.

    Args:
        synthetic: True stamps the figure, so that a saved picture says so, too.
        **layout: Plotly layout, laid over the common one; lines across the plot are `shapes`.
    """
    import plotly.graph_objects as go

    axis = {"gridcolor": "#E6E9ED", "linecolor": "#C3CAD2", "zeroline": False, "automargin": True}
    # All at once: each update takes as long again.
    look: dict[str, Any] = {
        "template": go.layout.Template(),
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 8, "r": 12, "t": 24, "b": 8},
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": INK}},
        "legend": {
            "orientation": "h",
            "itemwidth": 30,
            "x": 0,
            "xref": "container",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
        },
        "colorway": list(SERIES),
        "height": height_px,
        "xaxis": {**axis, "title": {"standoff": 8, "text": x or None}},
        "yaxis": {**axis, "title": {"standoff": 8, "text": y or None}},
    }
    for key, value in layout.items():
        look[key] = {**look[key], **value} if isinstance(look.get(key), dict) else value
    if synthetic:
        paper = {"xref": "paper", "yref": "paper", "x": 1, "y": 1, "xanchor": "right"}
        words = {"text": "synthetic data", "font": {"color": RED, "size": 12}}
        stamp = {**paper, **words, "yanchor": "bottom", "showarrow": False}
        look["annotations"] = [*look.get("annotations", []), stamp]
    return go.Figure(layout=look)


UPRIGHT = {"xref": "x", "yref": "y domain"}
LEVEL = {"xref": "x domain", "yref": "y"}
"""Where lines across the plot and the words beside them stand."""


def upright(x: float, **line: Any) -> dict[str, Any]:
    """A shape: a line from end to end of the plot; `add_vline` takes five times as long."""
    return {"type": "line", **UPRIGHT, "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def level(y: float, **line: Any) -> dict[str, Any]:
    """The same from side to side."""
    return {"type": "line", **LEVEL, "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}
