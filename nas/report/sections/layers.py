"""What each layer of a finalist costs."""

from __future__ import annotations

from typing import Any

from nas.report.loading import Finalist, RunData, look, number, table
from nas.report.page import BLUE, GREEN, ORANGE, Section, fixed, panels, scroll_table, text
from nas.report.sections.people import finalist_menu, first_finalist

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
        for layer in (listed if isinstance(listed, list) else [])
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


def _cell(info: dict[str, Any], layer: dict[str, Any], key: str) -> str:
    value, largest = layer[key], info["largest"][key]
    color = _COLUMNS[key][1]
    shown = fixed(value, 0)
    if key == "cycles" and value is not None and info["total"][key] > 0:
        shown += f" · {100 * value / info['total'][key]:.0f} %"
    if not color or not value or largest <= 0:
        return shown
    width = f"width:{100 * value / largest:.1f}%;background:{color}"
    return f'{shown}<div class="bar"><i style="{width}"></i></div>'


def _draw_layers(info: dict[str, Any]) -> str:
    rows = []
    for layer in info["layers"]:
        peak = layer["name"] == info["peak_layer"]
        mark = '<small class="over">sets the SRAM peak</small>' if peak else ""
        cells = [_cell(info, layer, key) for key in _COLUMNS]
        parts = text(layer["name"]).replace(".", ".<wbr>")
        rows.append([f"{parts}<small>{text(layer['op'])}</small>{mark}", *cells])
    total = [fixed(info["total"][key], 0) for key in _COLUMNS][:-1]
    rows.append(["total", *total, f"peak {fixed(info['largest']['live_bytes'], 0)}"])
    head = ["Layer", *(title for title, _ in _COLUMNS.values())]
    return f'<div class="wide">{scroll_table(head, rows, about="Costs of each layer")}</div>'


def layers_section(run: RunData) -> Section:
    """Layer table of the selected finalist."""
    infos = {f.key: _layers_info(f) for f in run.finalists}
    if not any(info["layers"] for info in infos.values()):
        return Section("layers", "Cost of each layer", "")
    contents = {
        key: _draw_layers(info)
        if info["layers"]
        else '<p class="note">No layers in this card.</p>'
        for key, info in infos.items()
    }
    note = (
        f'<p class="note">Estimated for {text(run.board)} with {text(run.engine)}; one row is one '
        "operator in order of execution.</p>"
    )
    body = note + finalist_menu(run) + panels("finalist", contents, chosen=first_finalist(run))
    return Section("layers", "Cost of each layer", body, results=False)
