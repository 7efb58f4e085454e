"""What each layer of a finalist costs, and how its memory fills and empties over a reading."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from nas.report.figures import BLUE, GREEN, ORANGE, RED, figure, label
from nas.report.loading import RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu
from nas.run.card import CardCosts

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLUMNS = {
    "cycles": ("Cycles", BLUE),
    "macs": ("MACs", ""),
    "weight_bytes": ("Weights (B)", GREEN),
    "live_bytes": ("Live activations (B)", ORANGE),
}


def _draw_memory(costs: CardCosts, *, synthetic: bool) -> go.Figure:
    """Live activations over the cycles of the network, a bar as wide as its layer takes."""
    layers, peak_name = costs.layers, costs.sram_bytes.peak_layer
    total = sum(layer.cycles for layer in layers) or 1
    widths = [100 * layer.cycles / total for layer in layers]
    middles = [end - width / 2 for end, width in zip(accumulate(widths), widths, strict=True)]
    kilobytes = [layer.live_bytes / 1024 for layer in layers]
    drawn = figure(
        260,
        "Share of the cycles so far (%)",
        "Live activations (KB)",
        synthetic=synthetic,
        xaxis={"range": [0, 100]},
        yaxis={"range": [0, 1.25 * max(kilobytes, default=1)]},
    )
    drawn.add_bar(
        x=middles,
        y=kilobytes,
        width=widths,
        name="live activations",
        text=[label(layer.name) for layer in layers],
        textposition="none",
        marker={"color": [RED if layer.name == peak_name else ORANGE for layer in layers]},
        hovertemplate="%{text}<br>%{y:.2f} KB<extra></extra>",
    )
    for layer, x, y in zip(layers, middles, kilobytes, strict=True):
        if layer.name == peak_name:
            words = f"peak: {label(peak_name)}, {y:.1f} KB"
            side = "left" if x < 50 else "right"
            drawn.add_annotation(
                x=x, y=y, text=words, font={"color": RED}, ax=0, ay=-18, xanchor=side, yshift=2
            )
    return drawn


def layers_section(run: RunData) -> Section | None:
    """Layer table of the selected finalist."""
    if not run.finalists:
        return None
    return section(
        "report/layers.html",
        "Cost of each layer",
        results=False,
        costs={f.key: f.card.costs for f in run.finalists},
        columns=_COLUMNS,
        menu=finalist_menu(run),
        drawn={f.key: _draw_memory(f.card.costs, synthetic=run.synthetic) for f in run.finalists},
        board=run.board,
        engine=run.engine,
    )
