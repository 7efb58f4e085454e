"""Whether a reading knows how wrong it is: risk against coverage, and expected against true error.

The expected error of a reading comes from the spread of its class probabilities, by a map that was
fitted on search people (`ppg.readout.confidence`); here it meets report people. Each person weighs
the same. Runs without calibrated predictions have no such section.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.report.loading import Finalist, RunData
from nas.report.page import (
    BLUE,
    GREY,
    MUTED,
    ORANGE,
    Section,
    figure,
    fixed,
    panels,
    plot,
    scroll_table,
)
from nas.report.sections.people import finalist_menu, first_finalist
from ppg.readout.confidence import reliability, risk_coverage

if TYPE_CHECKING:
    import plotly.graph_objects as go

COVERAGE = np.round(np.arange(0.02, 1.001, 0.02), 2)
SHOWN = (1.0, 0.9, 0.8, 0.5)
HARDLY = 0.05  # a smaller fall, as a share of the error of all readings, is none to rely on
_TITLE = "Confidence"
_COLORS = {"raw": BLUE, "smoothed": ORANGE}


def _confidence_info(finalist: Finalist) -> dict[str, Any] | None:
    """Plain data, or None without calibrated predictions.

    Returns:
        For `raw` and `smoothed`, where known: `coverage` and `risk_bpm` of the surest readings,
        `parts` (see `ppg.readout.confidence.reliability`), `mean_expected_bpm` and `mae_bpm` over
        all readings, each person weighing the same.
    """
    seen = finalist.predictions
    if seen is None or len(seen.bpm) == 0:
        return None
    columns = {
        "raw": (seen.bpm, seen.expected_error_bpm),
        "smoothed": (seen.bpm_smoothed, seen.expected_error_smoothed_bpm),
    }
    info: dict[str, Any] = {}
    for name, (bpm, expected) in columns.items():
        if bpm is None or expected is None:
            continue
        known = np.isfinite(bpm) & np.isfinite(expected)
        if not known.any():
            continue
        error = (bpm - seen.reference_bpm)[known]
        person = seen.person[known]
        parts = reliability(expected[known], error, person)
        info[name] = {
            "coverage": COVERAGE.tolist(),
            "risk_bpm": risk_coverage(expected[known], error, person, COVERAGE).tolist(),
            "parts": parts,
            "mean_expected_bpm": sum(p["expected_bpm"] * p["share"] for p in parts),
            "mae_bpm": sum(p["error_bpm"] * p["share"] for p in parts),
        }
    return info or None


def _draw_risk(info: dict[str, Any], *, synthetic: bool) -> go.Figure:
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [100 * share for share in row["coverage"]],
            "y": [round(value, 3) for value in row["risk_bpm"]],
            "line": {"color": _COLORS[name], "width": 2},
            "hovertemplate": "the surest %{x:.0f} %: %{y:.2f} BPM<extra>" + name + "</extra>",
        }
        for name, row in info.items()
    ]
    layout = {
        "height": 400,
        "xaxis": {"title": {"text": "readings kept, surest first (%)"}, "range": [0, 101]},
        "yaxis": {"title": {"text": "MAE of those kept (BPM)"}, "rangemode": "tozero"},
    }
    return figure(traces, layout, synthetic=synthetic)


def _draw_reliability(info: dict[str, Any], *, synthetic: bool) -> go.Figure:
    top = 1.05 * max(
        max(part["expected_bpm"], part["error_bpm"])
        for row in info.values()
        for part in row["parts"]
    )
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "as expected",
            "x": [0, top],
            "y": [0, top],
            "line": {"color": GREY, "dash": "dash", "width": 1.5},
            "hoverinfo": "skip",
        }
    ]
    traces += [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [round(part["expected_bpm"], 3) for part in row["parts"]],
            "y": [round(part["error_bpm"], 3) for part in row["parts"]],
            "line": {"color": _COLORS[name], "width": 1.5},
            "marker": {"size": 8},
            "hovertemplate": "expected %{x:.2f}, true %{y:.2f} BPM<extra>" + name + "</extra>",
        }
        for name, row in info.items()
    ]
    layout = {
        "height": 400,
        "xaxis": {"title": {"text": "expected error (BPM), up to ten parts of the readings"}},
        "yaxis": {"title": {"text": "true mean error (BPM)"}, "rangemode": "tozero"},
    }
    return figure(traces, layout, synthetic=synthetic)


def _shown_risks(row: dict[str, Any]) -> list[float]:
    """Error of the surest readings, at each share of `SHOWN`."""
    at = dict(zip(row["coverage"], row["risk_bpm"], strict=True))
    return [at[share] for share in SHOWN]


def _order_words(risks: Sequence[float]) -> str:
    """What leaving out the least sure readings does to the error of the others.

    Args:
        risks: as `_shown_risks` gives them.
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


def _confidence_words(info: dict[str, Any]) -> str:
    lines = [f"{name}: {_order_words(_shown_risks(row))}" for name, row in info.items()]
    return "".join(f"<p>{line[0].upper()}{line[1:]}</p>" for line in lines)


def _confidence_table(info: dict[str, Any]) -> str:
    rows = []
    for name, row in info.items():
        kept = map(fixed, _shown_risks(row))
        rows.append([name, fixed(row["mean_expected_bpm"]), *kept])
    head = ["Reading", "Expected error (BPM)"]
    head += [f"MAE of {share:.0%} (BPM)" for share in SHOWN]
    return scroll_table(head, rows, about="Error of the surest readings")


def confidence_section(run: RunData) -> Section:
    """Risk against coverage, and reliability, of each finalist."""
    found = {f.key: _confidence_info(f) for f in run.finalists}
    infos = {key: info for key, info in found.items() if info is not None}
    if not infos:
        return Section("confidence", _TITLE, "")
    note = (
        '<p class="note">Each reading comes with an expected error, calibrated on search people; '
        "this is how it holds on report people, each weighing the same. The first plot is the "
        "error of those that are kept when the least sure are left out; on the dashed line of the "
        "second an expected error is a true one.</p>"
        f'<p class="note" style="color:{MUTED}">A device needs the table of about twelve knots in '
        "the card, under confidence.</p>"
    )
    risk, true = (
        {key: draw(info, synthetic=run.synthetic) for key, info in infos.items()}
        for draw in (_draw_risk, _draw_reliability)
    )
    words, tables = (
        panels(
            "finalist",
            {f.key: tell(infos[f.key]) if f.key in infos else "" for f in run.finalists},
            chosen=first_finalist(run),
        )
        for tell in (_confidence_words, _confidence_table)
    )
    body = (
        note
        + finalist_menu(run)
        + words
        + plot("plot-risk", risk, about="Error of the surest readings", group="finalist")
        + plot("plot-reliability", true, about="Expected and true error", group="finalist")
        + tables
    )
    return Section("confidence", _TITLE, body)
