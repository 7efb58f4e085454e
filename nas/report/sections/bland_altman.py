"""Agreement of estimate and reference: Bland and Altman (1986), per window and per person.

Difference = estimate - reference; limits of agreement = bias +- 1.96 standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.explore.spread import evenly
from nas.report.figures import (
    BLUE,
    GREY,
    INK,
    LEVEL,
    ORANGE,
    PURPLE,
    RED,
    figure,
    label,
    level,
    upright,
)
from nas.report.loading import Finalist, RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu, places

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_POINTS = 2500
MOST_PEOPLE = 30
_FARTHEST = 100  # largest differences, always drawn
_NAMED = (RED, ORANGE, PURPLE)


@dataclass(frozen=True)
class PersonAgreement:
    """Of one person's windows."""

    person: str
    windows: int
    bias_bpm: float
    limits_bpm: tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """Plain data of both figures.

    Attributes:
        people: widest limits first.
        bias_bpm, limits_bpm: of all, from the card.
        mean_bpm, difference_bpm, person: of the windows drawn: every n-th and the farthest ones;
            `person` is an index into `people`.
    """

    people: list[PersonAgreement]
    bias_bpm: float
    limits_bpm: tuple[float, float]
    mean_bpm: NDArray[np.float64]
    difference_bpm: NDArray[np.float64]
    person: NDArray[np.int64]
    windows: int


def _agreement(difference: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Bias and limits of agreement."""
    bias = float(difference.mean())
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return bias, (bias - 1.96 * spread, bias + 1.96 * spread)


def _bland_altman_info(finalist: Finalist) -> Agreement | None:
    """Plain data, or None without predictions."""
    seen = finalist.predictions
    if seen is None or len(seen.bpm) == 0:
        return None
    difference = seen.bpm - seen.reference_bpm
    mean = (seen.bpm + seen.reference_bpm) / 2
    names, person = np.unique(seen.person, return_inverse=True)
    people = []
    for index, name in enumerate(names):
        own = difference[person == index]
        people.append(PersonAgreement(str(name), len(own), *_agreement(own)))
    order = sorted(range(len(people)), key=lambda i: -max(map(abs, people[i].limits_bpm)))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    chosen = np.arange(len(difference))
    if len(chosen) > MOST_POINTS:
        even = evenly(len(chosen), MOST_POINTS - _FARTHEST)
        farthest = np.argsort(-np.abs(difference), kind="stable")[:_FARTHEST]
        chosen = np.union1d(even, farthest)
    return Agreement(
        people=[people[i] for i in order],
        bias_bpm=finalist.card.report.bias_bpm,
        limits_bpm=finalist.card.report.limits_bpm,
        mean_bpm=mean[chosen],
        difference_bpm=difference[chosen],
        person=rank[person[chosen]],
        windows=len(difference),
    )


def _draw_windows(info: Agreement, *, synthetic: bool) -> go.Figure:
    named = min(len(_NAMED), len(info.people))
    axes = ("mean of estimate and reference (BPM)", "estimate \u2212 reference (BPM)")
    low, high = info.limits_bpm
    lines, words = [], []
    for value, dash in ((low, "dash"), (info.bias_bpm, "solid"), (high, "dash")):
        lines.append(level(value, color=INK, width=1.5, dash=dash))
        word = {"text": f"{value:+.1f}", "x": 1, "xanchor": "right", "y": value}
        word |= {"yanchor": "top" if value == low else "bottom", "showarrow": False}
        words.append({**LEVEL, **word, "bgcolor": "rgba(255,255,255,0.7)"})
    drawn = figure(
        470,
        *axes,
        synthetic=synthetic,
        showlegend=True,
        legend={"traceorder": "reversed"},
        shapes=lines,
        annotations=words,
    )
    for index in [named, *reversed(range(named))]:
        rest = index == named
        mask = info.person >= named if rest else info.person == index
        if not mask.any():
            continue
        drawn.add_scatter(
            mode="markers",
            name="others" if rest else label(info.people[index].person),
            x=info.mean_bpm[mask].astype(np.float32),
            y=info.difference_bpm[mask].astype(np.float32),
            marker={"color": BLUE, "size": 5, "opacity": 0.4}
            if rest
            else {"color": _NAMED[index], "size": 6, "opacity": 0.75},
            hovertemplate="%{y:+.1f} BPM at %{x:.0f}",
        )
    return drawn


def _draw_limits(info: Agreement, *, synthetic: bool) -> go.Figure:
    people = info.people[:MOST_PEOPLE]
    names = [label(p.person) for p in people]
    drawn = figure(
        max(300, 90 + 24 * len(people)),
        "bias and limits (BPM)",
        synthetic=synthetic,
        xaxis={"zeroline": True},
        yaxis=places(names, pad=0.6),
        shapes=[upright(0, color=INK, width=1)],
    )
    return drawn.add_scatter(
        mode="markers",
        x=[p.bias_bpm for p in people],
        y=list(range(len(people))),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [p.limits_bpm[1] - p.bias_bpm for p in people],
            "arrayminus": [p.bias_bpm - p.limits_bpm[0] for p in people],
            "color": GREY,
            "thickness": 3,
            "width": 0,
        },
        marker={"size": 9, "color": [*_NAMED, *[BLUE] * len(people)][: len(people)]},
        customdata=[
            [name, p.windows, *p.limits_bpm] for name, p in zip(names, people, strict=True)
        ],
        hovertemplate="%{customdata[0]}<br>bias %{x:+.2f} BPM, limits "
        "%{customdata[2]:+.1f} to %{customdata[3]:+.1f}, %{customdata[1]} windows<extra></extra>",
    )


def bland_altman_section(run: RunData) -> Section | None:
    """Windows and people side by side, with the shared selector of finalists."""
    infos = {f.key: info for f in run.finalists if (info := _bland_altman_info(f)) is not None}
    if not infos:
        return None
    return section(
        "report/agreement.html",
        "Agreement (Bland-Altman)",
        menu=finalist_menu(run),
        windows={k: _draw_windows(info, synthetic=run.synthetic) for k, info in infos.items()},
        limits={k: _draw_limits(info, synthetic=run.synthetic) for k, info in infos.items()},
        most=max(info.windows for info in infos.values()),
        most_points=MOST_POINTS,
        farthest=_FARTHEST,
        many=any(len(info.people) > MOST_PEOPLE for info in infos.values()),
        most_people=MOST_PEOPLE,
    )
