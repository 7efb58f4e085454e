"""When a network errs: by heart rate, by activity, and how often by how much.

Each person weighs the same, in all of it and within each range of heart rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.report.figures import BLUE, GREY, INK, ORANGE, figure, upright
from nas.report.loading import Predictions, RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu
from ppg.people.metrics import person_weights
from ppgnas.tables import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

BIN_BPM = 20
CONSTANT = "always the median"
_SHARES_AT_BPM = np.concatenate([np.arange(0, 10, 0.25), np.arange(10, 40.5, 1)])


@dataclass(frozen=True)
class RateBin:
    """Errors within a range of heart rates.

    Attributes:
        low_bpm: where it begins; it is `BIN_BPM` wide.
        mae_bpm: by kind of reading, `raw` and `smoothed` where it is there.
    """

    low_bpm: int
    windows: int
    people: int
    mae_bpm: dict[str, float]


def errors_of(seen: Predictions) -> dict[str, NDArray[np.float64]]:
    """Kind of reading -> `(windows,)` absolute errors in BPM; NaN where there is no reading."""
    kinds = {"raw": seen.bpm}
    if seen.bpm_smoothed is not None and np.isfinite(seen.bpm_smoothed).any():
        kinds["smoothed"] = seen.bpm_smoothed
    return {kind: np.abs(bpm - seen.reference_bpm) for kind, bpm in kinds.items()}


def rate_bins(seen: Predictions) -> list[RateBin]:
    """Errors by the reference's heart rate, in rising order; empty ranges are left out."""
    bins = (seen.reference_bpm // BIN_BPM * BIN_BPM).astype(int)
    errors = errors_of(seen)
    found = []
    for low in np.unique(bins):
        inside = bins == low
        mae = {kind: _mean(error[inside], seen.person[inside]) for kind, error in errors.items()}
        people = len(np.unique(seen.person[inside]))
        found.append(RateBin(int(low), int(inside.sum()), people, mae))
    return found


def _mean(error: NDArray[np.float64], person: NDArray[np.str_]) -> float:
    known = np.isfinite(error)
    if not known.any():
        return float("nan")
    return float(person_weights(person[known]) @ error[known])


def shares_within(error_bpm: NDArray[np.float64], person: NDArray[np.str_]) -> NDArray[np.float64]:
    """Share of readings within each of `_SHARES_AT_BPM`, people weighing the same."""
    known = np.isfinite(error_bpm)
    weights, error = person_weights(person[known]), error_bpm[known]
    order = np.argsort(error)
    total = np.concatenate([[0.0], np.cumsum(weights[order])])
    return np.asarray(total[np.searchsorted(error[order], _SHARES_AT_BPM, side="right")])


def _draw_rates(bins: list[RateBin], *, synthetic: bool) -> go.Figure:
    axes = "heart rate of the reference (BPM)", "MAE (BPM)"
    x, y = {"type": "category"}, {"rangemode": "tozero"}
    drawn = figure(330, *axes, synthetic=synthetic, bargap=0.25, xaxis=x, yaxis=y)
    kinds = list(bins[0].mae_bpm) if bins else []
    for kind, color in zip(kinds, (BLUE, ORANGE), strict=False):
        drawn.add_bar(
            name=kind,
            x=[f"{each.low_bpm}-{each.low_bpm + BIN_BPM}" for each in bins],
            y=[each.mae_bpm[kind] for each in bins],
            customdata=[
                [counted(each.windows, "window"), counted(each.people, "person", "people")]
                for each in bins
            ],
            hovertemplate=f"{kind} %{{y:.2f}} BPM<br>%{{customdata[0]}} of "
            "%{customdata[1]}<extra></extra>",
            marker_color=color,
        )
    return drawn


def _draw_shares(seen: Predictions, *, synthetic: bool) -> go.Figure:
    axes = "error at most (BPM)", "share of readings"
    drawn = figure(
        330,
        *axes,
        synthetic=synthetic,
        yaxis={"range": [0, 1.02], "tickformat": ".0%"},
        shapes=[upright(5, color=INK, width=1, dash="dash")],
    )
    middle = np.median(seen.reference_bpm) if len(seen.reference_bpm) else np.nan
    constant = {CONSTANT: np.abs(seen.reference_bpm - middle)}
    colors = {"raw": BLUE, "smoothed": ORANGE, CONSTANT: GREY}
    for kind, error in (errors_of(seen) | constant).items():
        drawn.add_scatter(
            mode="lines",
            name=kind,
            x=_SHARES_AT_BPM,
            y=shares_within(error, seen.person).round(4),
            line={"color": colors[kind], "dash": "dot" if kind == CONSTANT else "solid"},
            hovertemplate=f"{kind}: %{{y:.1%}} within %{{x}} BPM<extra></extra>",
        )
    return drawn


def conditions_section(run: RunData) -> Section | None:
    """Left out without predictions."""
    seen = {
        f.key: f.predictions
        for f in run.finalists
        if f.predictions is not None and len(f.predictions.bpm)
    }
    if not seen:
        return None
    synthetic = run.synthetic
    return section(
        "report/conditions.html",
        "When it errs",
        menu=finalist_menu(run),
        rates={k: _draw_rates(rate_bins(each), synthetic=synthetic) for k, each in seen.items()},
        shares={k: _draw_shares(each, synthetic=synthetic) for k, each in seen.items()},
        activities={
            f.key: {
                name: errors
                for name, errors in f.card.report.activities.items()
                if name != "unknown" or len(f.card.report.activities) > 1
            }
            for f in run.finalists
        },
    )
