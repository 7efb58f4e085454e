"""Both embeddings of held-out people in two dimensions, coloured by person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.bench.crossmodal.cells import EncoderRecord
from nas.report.figures import SERIES, figure, label

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT_PX = 640
SYMBOLS = ("circle", "diamond", "cross", "square", "triangle-up", "x")
"""After all colours once: more people than colours are told apart by both."""


@dataclass(frozen=True)
class Places:
    """Segments of one person in one embedding.

    Attributes:
        side: 0 for PPG, 1 for acceleration.
    """

    person: str
    side: int
    x: list[float]
    y: list[float]


def places(record: EncoderRecord) -> list[Places]:
    """By person, first of PPG."""
    found = []
    for side, points in enumerate((record.ppg_xy, record.acc_xy)):
        for person in sorted(set(record.who)):
            own = [xy for xy, who in zip(points, record.who, strict=True) if who == person]
            found.append(Places(person, side, [x for x, _ in own], [y for _, y in own]))
    return found


def draw_places(drawn: list[Places], *, how: str, synthetic: bool) -> go.Figure:
    """Two panels, one colour and symbol a person."""
    from plotly.subplots import make_subplots

    out = make_subplots(
        cols=2,
        subplot_titles=tuple(
            f"{sensor} encoder, {label(how)}" for sensor in ("PPG", "acceleration")
        ),
    )
    people = sorted({each.person for each in drawn})
    for each in drawn:
        number = people.index(each.person)
        out.add_scatter(
            x=each.x,
            y=each.y,
            mode="markers",
            name=label(each.person),
            legendgroup=each.person,
            showlegend=each.side == 0,
            marker={
                "size": 6,
                "color": SERIES[number % len(SERIES)],
                "symbol": SYMBOLS[number // len(SERIES) % len(SYMBOLS)],
            },
            row=1,
            col=each.side + 1,
        )
    look = figure(HEIGHT_PX, synthetic=synthetic).layout
    out.update_layout(look, height=HEIGHT_PX)
    for axes in (out.update_xaxes, out.update_yaxes):  # places have no unit
        axes(showticklabels=False, zeroline=False, showgrid=False, showline=False)
    return out
