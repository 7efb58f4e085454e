"""Where a finalist is worst: readings, PPG and movement of its worst stretches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.models.stretches import LENGTH_S, MOST, Stretch
from nas.report.figures import BLUE, GREY, INK, ORANGE, figure, label
from nas.report.loading import RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT_PX = 360


def stretches_section(run: RunData) -> Section | None:
    """One figure a stretch, the worst first; left out where a finalist has none."""
    known = {f.key: f.stretches for f in run.finalists}
    if not run.finalists or not all(known.values()):
        return None
    first, second, third = (
        {
            key: _draw(stretches[place], synthetic=run.synthetic)
            for key, stretches in known.items()
            if place < len(stretches)
        }
        for place in range(MOST)
    )
    return section(
        "report/stretches.html",
        "Worst stretches",
        length_s=LENGTH_S,
        menu=finalist_menu(run),
        first=first,
        second=second,
        third=third,
    )


def _draw(stretch: Stretch, *, synthetic: bool) -> go.Figure:
    words = f"{label(stretch.person)}: {stretch.mae_bpm:.1f} BPM"
    movement = {"domain": [0, 0.22], "title": {"text": "mg"}, "rangemode": "tozero"}
    drawn = figure(
        HEIGHT_PX,
        f"seconds after {stretch.start_s:.0f} s",
        "BPM",
        synthetic=synthetic,
        title={"text": words, "font": {"size": 13}, "x": 0},
        margin={"t": 34},
        xaxis={"range": [0, LENGTH_S + 0.5], "anchor": "y3" if stretch.motion_g else "y2"},
        yaxis={"domain": [0.62, 1]},
        yaxis2={"domain": [0.28, 0.56], "title": {"text": "PPG"}, "showticklabels": False},
        **({} if stretch.motion_g is None else {"yaxis3": movement}),
    )
    for name, values, color in (
        ("reference", stretch.reference_bpm, INK),
        ("raw", stretch.bpm, GREY),
        ("smoothed", stretch.bpm_smoothed, BLUE),
    ):
        drawn.add_scatter(
            name=name,
            mode="markers" if name == "raw" else "lines+markers",
            x=stretch.time_s,
            y=values,
            line={"color": color, "width": 2, "dash": "dot" if name == "reference" else "solid"},
            marker={"color": color, "size": 6},
            hovertemplate=f"{name} %{{y:.1f}} BPM<extra></extra>",
        )
    # Small integers: Plotly writes an array in the width of its type.
    ppg = np.round(25 * np.array(stretch.ppg)).astype(np.int8)
    signals: list[tuple[str, NDArray[np.integer], str, str]] = [("PPG", ppg, "y2", INK)]
    if stretch.motion_g is not None:
        motion_mg = np.round(1000 * np.array(stretch.motion_g)).clip(0, 32767).astype(np.int16)
        signals.append(("movement", motion_mg, "y3", ORANGE))
    for name, signal, axis, color in signals:
        drawn.add_scatter(
            name=name,
            x0=0,
            dx=1 / stretch.hz,
            y=signal,
            yaxis=axis,
            line={"color": color, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    return drawn
