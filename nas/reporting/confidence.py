"""Whether a reading knows how wrong it is: risk against coverage, and expected against true error.

The expected error of a reading comes from the spread of its class probabilities, by a map that was
fitted on search people (`ppg.confidence`); here it meets report people. Each person weighs the
same. Runs without calibrated predictions have no such section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.reporting.loading import Finalist, RunData
from nas.reporting.page import (
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
from nas.reporting.people import finalist_menu, first_finalist
from ppg.confidence import reliability, risk_coverage

if TYPE_CHECKING:
    import plotly.graph_objects as go

COVERAGE = np.round(np.arange(0.02, 1.001, 0.02), 2)
SHOWN = (1.0, 0.9, 0.8, 0.5)
_TITLE = "Confidence"
_COLORS = {"raw": BLUE, "smoothed": ORANGE}


def _confidence_info(finalist: Finalist) -> dict[str, Any] | None:
    """Plain data, or None without calibrated predictions.

    Returns:
        For `raw` and `smoothed`, where known: `coverage` and `risk_bpm` of the surest readings,
        `parts` (see `ppg.confidence.reliability`), `mean_expected_bpm` and `mae_bpm` over all
        readings, each person weighing the same.
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
        "xaxis": {"title": {"text": "expected error (BPM), tenths of the readings"}},
        "yaxis": {"title": {"text": "true mean error (BPM)"}, "rangemode": "tozero"},
    }
    return figure(traces, layout, synthetic=synthetic)


def _confidence_table(info: dict[str, Any]) -> str:
    rows = []
    for name, row in info.items():
        at = dict(zip(row["coverage"], row["risk_bpm"], strict=True))
        kept = [fixed(at[share]) for share in SHOWN]
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
        "this is how it holds on report people, each weighing the same. Left out the least sure "
        "readings, the error of the others falls (first plot); on the dashed line an expected "
        f'error is a true one (second plot).</p><p class="note" style="color:{MUTED}">A device '
        "needs the table of about twelve knots in the card, under confidence.</p>"
    )
    risk, true = (
        {key: draw(info, synthetic=run.synthetic) for key, info in infos.items()}
        for draw in (_draw_risk, _draw_reliability)
    )
    tables = panels(
        "finalist",
        {f.key: _confidence_table(infos[f.key]) if f.key in infos else "" for f in run.finalists},
        chosen=first_finalist(run),
    )
    body = (
        note
        + finalist_menu(run)
        + plot("plot-risk", risk, about="Error of the surest readings", group="finalist")
        + plot("plot-reliability", true, about="Expected and true error", group="finalist")
        + tables
    )
    return Section("confidence", _TITLE, body)
