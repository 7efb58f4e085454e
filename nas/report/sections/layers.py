"""What each layer of a finalist costs."""

from __future__ import annotations

from typing import Any

from nas.report.loading import Finalist, RunData, look, number, table
from nas.report.page import BLUE, GREEN, ORANGE, Section, section
from nas.report.sections.people import finalist_menu

_COLUMNS = {
    "cycles": ("Cycles", BLUE),
    "macs": ("MACs", ""),
    "weight_bytes": ("Weights (B)", GREEN),
    "live_bytes": ("Live activations (B)", ORANGE),
}


def _layers_info(finalist: Finalist) -> dict[str, Any]:
    """Plain data: layers in order, totals and largest of each column, and the peak layer."""
    listed = look(finalist.card, "costs", "layers")
    layers = [
        {
            "name": str(layer.get("name", "")),
            "op": str(layer.get("op", "")),
            **{key: number(layer, key) for key in _COLUMNS},
        }
        for layer in (listed or [])
        if isinstance(layer, dict)
    ]
    return {
        "layers": layers,
        "total": {key: sum(layer[key] or 0.0 for layer in layers) for key in _COLUMNS},
        "largest": {
            key: max((layer[key] or 0.0 for layer in layers), default=0.0) for key in _COLUMNS
        },
        "peak_layer": table(finalist.card, "costs", "sram_bytes").get("peak_layer"),
    }


def layers_section(run: RunData) -> Section | None:
    """Layer table of the selected finalist."""
    infos = {f.key: _layers_info(f) for f in run.finalists}
    if not any(info["layers"] for info in infos.values()):
        return None
    return section(
        "report/layers.html",
        "Cost of each layer",
        results=False,
        infos=infos,
        columns=_COLUMNS,
        menu=finalist_menu(run),
        board=run.board,
        engine=run.engine,
    )
