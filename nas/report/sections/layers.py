"""What each layer of a finalist costs."""

from __future__ import annotations

from dataclasses import dataclass

from nas.report.figures import BLUE, GREEN, ORANGE
from nas.report.loading import Finalist, RunData
from nas.report.page import Section, section
from nas.report.sections.people import finalist_menu
from nas.run.card import Layer

_COLUMNS = {
    "cycles": ("Cycles", BLUE),
    "macs": ("MACs", ""),
    "weight_bytes": ("Weights (B)", GREEN),
    "live_bytes": ("Live activations (B)", ORANGE),
}


@dataclass(frozen=True)
class Columns:
    """Layers in order, and total and largest of each column."""

    layers: tuple[Layer, ...]
    total: dict[str, int]
    largest: dict[str, int]
    peak_layer: str


def _layers_info(finalist: Finalist) -> Columns:
    costs = finalist.card.costs
    columns = {key: [getattr(layer, key) for layer in costs.layers] for key in _COLUMNS}
    return Columns(
        costs.layers,
        {key: sum(values) for key, values in columns.items()},
        {key: max(values, default=0) for key, values in columns.items()},
        costs.sram_bytes.peak_layer,
    )


def layers_section(run: RunData) -> Section | None:
    """Layer table of the selected finalist."""
    if not run.finalists:
        return None
    return section(
        "report/layers.html",
        "Cost of each layer",
        results=False,
        infos={f.key: _layers_info(f) for f in run.finalists},
        columns=_COLUMNS,
        menu=finalist_menu(run),
        board=run.board,
        engine=run.engine,
    )
