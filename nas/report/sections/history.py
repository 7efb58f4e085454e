"""How the hypervolume grew with the trials of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.report.figures import BLUE, figure
from nas.report.loading import RunData
from nas.report.page import COSTS, Section, cost, fixed, section
from nas.run.candidates import Candidate

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _nearly_final(candidates: Sequence[Candidate]) -> int | None:
    """The trial at which 99 % of the final hypervolume was reached."""
    final = candidates[-1].hypervolume
    return next((c.number for c in candidates if final and c.hypervolume >= 0.99 * final), None)


def _draw_history(run: RunData) -> go.Figure:
    axes, share = ("trial", "hypervolume (share of the box)"), {"minallowed": 0, "maxallowed": 1}
    drawn = figure(340, *axes, synthetic=run.synthetic, yaxis=share)
    return drawn.add_scatter(
        mode="lines",
        x=np.array([candidate.number for candidate in run.candidates], np.int32),
        y=np.array([candidate.hypervolume for candidate in run.candidates], np.float32),
        line={"shape": "hv", "color": BLUE, "width": 2},
        hovertemplate="trial %{x}: %{y:.4f}<extra></extra>",
    )


def _corner_words(reference: Mapping[str, float]) -> str:
    words = []
    for key, value in reference.items():
        if key in COSTS:
            words.append(f"{COSTS[key][0]} {cost(key, value)}")
        else:
            unit = "BPM" if key.endswith("_bpm") else ""
            words.append(f"{key.removesuffix('_bpm').upper()} {fixed(value, unit=unit)}")
    return ", ".join(words)


def history_section(run: RunData) -> Section | None:
    """Hypervolume against trials; left out before there are any."""
    if run.search is None:
        return None
    return section(
        "report/history.html",
        "Progress of the search",
        judged_by=run.judged_by,
        final=run.candidates[-1].hypervolume,
        nearly_final_at=_nearly_final(run.candidates),
        corner=_corner_words(run.search.reference_point),
        drawn=_draw_history(run),
    )
