"""How the hypervolume grew with the trials of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.report.loading import RunData, number
from nas.report.page import BLUE, COSTS, Section, cost, figure, fixed, section

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _history_info(run: RunData) -> dict[str, Any]:
    """Plain data: trial numbers, hypervolume after each, and when 99 % of it was reached."""
    steps = [
        (int(trial), volume)
        for candidate in run.candidates
        if (trial := number(candidate, "number")) is not None
        and (volume := number(candidate, "hypervolume")) is not None
    ]
    final = steps[-1][1] if steps else None
    nearly = next((t for t, v in steps if final and v >= 0.99 * final), None)
    reference = run.search.get("reference_point")
    return {
        "trial": [trial for trial, _ in steps],
        "hypervolume": [volume for _, volume in steps],
        "final": final,
        "nearly_final_at": nearly,
        "reference_point": reference if isinstance(reference, dict) else {},
        "synthetic": run.synthetic,
    }


def _draw_history(info: dict[str, Any]) -> go.Figure:
    drawn = figure(340, "trial", "hypervolume (share of the box)", synthetic=info["synthetic"])
    drawn.update_yaxes(minallowed=0, maxallowed=1)
    return drawn.add_scatter(
        mode="lines",
        x=info["trial"],
        y=info["hypervolume"],
        line={"shape": "hv", "color": BLUE, "width": 2},
        hovertemplate="trial %{x}: %{y:.4f}<extra></extra>",
    )


def _corner_words(reference: dict[str, Any]) -> str:
    words = []
    for key in reference:
        value = number(reference, key)
        if key in COSTS:
            words.append(f"{COSTS[key][0]} {cost(key, value)}")
        else:
            unit = "BPM" if key.endswith("_bpm") else ""
            words.append(f"{key.removesuffix('_bpm').upper()} {fixed(value, unit=unit)}")
    return ", ".join(words)


def history_section(run: RunData) -> Section | None:
    """Hypervolume against trials; left out before there are any."""
    info = _history_info(run)
    if not info["trial"]:
        return None
    corner = _corner_words(info["reference_point"])
    drawn = _draw_history(info)
    return section(
        "report/history.html", "Progress of the search", **info, corner=corner, drawn=drawn
    )
