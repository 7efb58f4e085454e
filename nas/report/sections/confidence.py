"""Whether a reading knows how wrong it is: risk against coverage, and expected against true error.

The expected error of a reading comes from the spread of its class probabilities, by a map that was
fitted on search people (`ppg.readout.confidence`); here it meets report people. Each person weighs
the same. Runs without calibrated predictions have no such section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nas.report.figures import BLUE, GREY, ORANGE, figure
from nas.report.loading import Finalist, RunData
from nas.report.page import Section, fixed, section
from nas.report.sections.people import finalist_menu
from ppg.readout.confidence import reliability, risk_coverage

if TYPE_CHECKING:
    import plotly.graph_objects as go

COVERAGE = np.round(np.arange(0.02, 1.001, 0.02), 2)
SHOWN = (1.0, 0.9, 0.8, 0.5)
HARDLY = 0.05  # a smaller fall, as a share of the error of all readings, is none to rely on
_COLORS = {"raw": BLUE, "smoothed": ORANGE}


@dataclass(frozen=True)
class Sureness:
    """Of raw or of smoothed readings; each person weighs the same.

    Attributes:
        risk_bpm: error of the surest readings, at each share of `COVERAGE`.
        parts: see `ppg.readout.confidence.reliability`.
        mean_expected_bpm: over all readings.
    """

    risk_bpm: list[float]
    parts: list[dict[str, float]]
    mean_expected_bpm: float

    @property
    def shown_bpm(self) -> list[float]:
        """Error of the surest readings, at each share of `SHOWN`."""
        at = dict(zip(COVERAGE.tolist(), self.risk_bpm, strict=True))
        return [at[share] for share in SHOWN]


def _confidence_info(finalist: Finalist) -> dict[str, Sureness]:
    """Plain data of `raw` and `smoothed`, where known: neither without calibrated predictions."""
    seen = finalist.predictions
    if seen is None or len(seen.bpm) == 0:
        return {}
    columns = {
        "raw": (seen.bpm, seen.expected_error_bpm),
        "smoothed": (seen.bpm_smoothed, seen.expected_error_smoothed_bpm),
    }
    info = {}
    for name, (bpm, expected) in columns.items():
        if bpm is None or expected is None:
            continue
        known = np.isfinite(bpm) & np.isfinite(expected)
        if not known.any():
            continue
        error = (bpm - seen.reference_bpm)[known]
        person = seen.person[known]
        parts = reliability(expected[known], error, person)
        info[name] = Sureness(
            risk_coverage(expected[known], error, person, COVERAGE).tolist(),
            parts,
            mean_expected_bpm=sum(p["expected_bpm"] * p["share"] for p in parts),
        )
    return info


def _draw_risk(info: dict[str, Sureness], *, synthetic: bool) -> go.Figure:
    axes = ("readings kept, surest first (%)", "MAE of those kept (BPM)")
    x, y = {"range": [0, 101]}, {"rangemode": "tozero"}
    drawn = figure(400, *axes, synthetic=synthetic, xaxis=x, yaxis=y)
    for name, row in info.items():
        drawn.add_scatter(
            mode="lines",
            name=name,
            x=[100 * share for share in COVERAGE],
            y=[round(value, 3) for value in row.risk_bpm],
            line={"color": _COLORS[name], "width": 2},
            hovertemplate=f"the surest %{{x:.0f}} %: %{{y:.2f}} BPM<extra>{name}</extra>",
        )
    return drawn


def _draw_reliability(info: dict[str, Sureness], *, synthetic: bool) -> go.Figure:
    parts = [part for row in info.values() for part in row.parts]
    top = 1.05 * max(max(part["expected_bpm"], part["error_bpm"]) for part in parts)
    axes = ("expected error (BPM)", "true mean error (BPM)")
    drawn = figure(400, *axes, synthetic=synthetic, yaxis={"rangemode": "tozero"})
    drawn.add_scatter(
        mode="lines",
        name="as expected",
        x=[0, top],
        y=[0, top],
        line={"color": GREY, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
    )
    for name, row in info.items():
        drawn.add_scatter(
            mode="lines+markers",
            name=name,
            x=[round(part["expected_bpm"], 3) for part in row.parts],
            y=[round(part["error_bpm"], 3) for part in row.parts],
            line={"color": _COLORS[name], "width": 1.5},
            marker_size=8,
            hovertemplate=f"expected %{{x:.2f}}, true %{{y:.2f}} BPM<extra>{name}</extra>",
        )
    return drawn


def _order_words(risks: Sequence[float]) -> str:
    """What leaving out the least sure readings does to the error of the others.

    Args:
        risks: `Sureness.shown_bpm`.
    """
    rounded = [round(risk, 6) for risk in risks]  # equal ones differ in their last digits
    whole, half = rounded[0], rounded[-1]
    if half < (1 - HARDLY) * whole:
        steady = all(after <= before for before, after in pairwise(rounded))
        verdict = "falls" if steady else "falls in the end, though not at every step"
    else:
        verdict = (
            f"{'does not fall' if half >= whole else 'hardly falls'}, as the expected errors do "
            "not order the readings of these people"
        )
    return (
        "with the least sure half of the readings left out, the error of the others "
        f"{verdict}: {fixed(half)} BPM instead of {fixed(whole)}."
    )


def confidence_section(run: RunData) -> Section | None:
    """Risk against coverage, and reliability, of each finalist."""
    infos = {f.key: info for f in run.finalists if (info := _confidence_info(f))}
    if not infos:
        return None
    return section(
        "report/confidence.html",
        "Confidence",
        menu=finalist_menu(run),
        risk={k: _draw_risk(info, synthetic=run.synthetic) for k, info in infos.items()},
        reliability={
            k: _draw_reliability(info, synthetic=run.synthetic) for k, info in infos.items()
        },
        infos=infos,
        held_out={f.key: f.card.confidence_held_out or {} for f in run.finalists},
        order=_order_words,
        cells=lambda row: [fixed(row.mean_expected_bpm), *map(fixed, row.shown_bpm)],
        head=["Reading", "Expected error (BPM)", *(f"MAE of {s:.0%} (BPM)" for s in SHOWN)],
    )
