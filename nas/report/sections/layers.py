"""What each layer of a finalist costs."""

from __future__ import annotations

from nas.report.figures import BLUE, GREEN, ORANGE
from nas.report.loading import RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu

_COLUMNS = {
    "cycles": ("Cycles", BLUE),
    "macs": ("MACs", ""),
    "weight_bytes": ("Weights (B)", GREEN),
    "live_bytes": ("Live activations (B)", ORANGE),
}


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
        board=run.board,
        engine=run.engine,
    )
