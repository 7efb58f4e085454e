"""The table of finalists, and the command that exports each."""

from __future__ import annotations

import shlex
from typing import Any

from nas.report.loading import Finalist, RunData, number, table
from nas.report.page import (
    BLUE,
    COSTS,
    GREY,
    ORANGE,
    Section,
    cost,
    fixed,
    scroll_table,
    text,
)
from nas.report.sections.verdict import broken_budgets, cost_of

SPLIT = {"weights": BLUE, "code": ORANGE, "runtime": GREY}


def _finalist_info(run: RunData, finalist: Finalist) -> dict[str, Any]:
    card = finalist.card
    report, costs = table(card, "report"), table(card, "costs")
    return {
        "finalist": finalist.number,
        "id": str(card.get("id", "")),
        "arithmetic": str(card.get("arithmetic", "")),
        **{
            key: number(report, key)
            for key in (
                "mae_bpm",
                "mae_bpm_low",
                "mae_bpm_high",
                "mae_bpm_smoothed",
                "mae_bpm_smoothed_low",
                "mae_bpm_smoothed_high",
                "median_person_mae_bpm",
                "within_5_bpm",
                "windows",
            )
        },
        "people": len(table(report, "people")),
        "costs": {
            key: {bound: cost_of(finalist, key, bound) for bound in ("value", "low", "high")}
            for key in COSTS
        },
        "flash_split": {key: number(costs, "flash_bytes", key) for key in SPLIT},
        "peak_layer": str(table(costs, "sram_bytes").get("peak_layer") or ""),
        "tflite_max_lsb": number(card, "parity", "tflite_max_lsb"),
        "tflite_rule_max_lsb": number(card, "parity", "tflite_rule_max_lsb"),
        "tflite_equal_share": number(card, "parity", "tflite_equal_share"),
        "parity_windows": number(card, "parity", "windows"),
        "over": broken_budgets(run, finalist),
        "command": (
            f"ppgnas export {shlex.quote(f'{run.path}:{finalist.number}')} "
            f"--format tflite,onnx,c --out finalist_{finalist.number}"
        ),
    }


def _table_info(run: RunData) -> list[dict[str, Any]]:
    """Plain data of the table, best raw MAE first, unknown MAE last."""
    rows = [_finalist_info(run, finalist) for finalist in run.finalists]
    return sorted(rows, key=lambda row: (row["mae_bpm"] is None, row["mae_bpm"] or 0.0))


def _span(low: float | None, high: float | None, shown: list[str]) -> str:
    if low is None or high is None:
        return ""
    return f"<small>{shown[0]} to {shown[1]}</small>"


def _mae_cell(row: dict[str, Any], key: str) -> str:
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return f"<strong>{fixed(row[key])}</strong>{_span(low, high, [fixed(low), fixed(high)])}"


def _cost_cell(row: dict[str, Any], key: str) -> str:
    seen = row["costs"][key]
    value = cost(key, seen["value"])
    if key in row["over"]:
        value = f'<span class="over">{value} over</span>'
    low, high = seen["low"], seen["high"]
    bare = cost(key, low).removesuffix(COSTS[key][1]).strip()
    return f"{value}{_span(low, high, [bare, cost(key, high)])}"


def _flash_cell(row: dict[str, Any]) -> str:
    parts = {key: value for key, value in row["flash_split"].items() if value is not None}
    total = sum(parts.values())
    whole = _cost_cell(row, "flash_bytes")
    if total <= 0:
        return whole
    bars = "".join(
        f'<i style="width:{100 * value / total:.1f}%;background:{SPLIT[key]}"></i>'
        for key, value in parts.items()
    )
    shown = " + ".join(fixed(value / 1024, 1) for value in parts.values())
    return f'{whole}<div class="bar">{bars}</div><small>{shown}</small>'


def _parity_cell(row: dict[str, Any]) -> str:
    lsb, share, windows = row["tflite_max_lsb"], row["tflite_equal_share"], row["parity_windows"]
    if lsb is None:
        return "not checked"
    shown = "equal" if lsb == 0 else f"within {lsb:.0f} LSB"
    if row["tflite_rule_max_lsb"]:
        shown = f'<span class="over">{shown}</span>'
    detail = [] if share is None else [f"{100 * share:.1f} % equal"]
    detail += [] if windows is None else [f"{windows:,.0f} windows"]
    return f"{shown}<small>{'<br>'.join(detail)}</small>"


def _draw_table(rows: list[dict[str, Any]]) -> str:
    head = [
        "Finalist",
        "MAE raw<small>BPM, 90 % interval</small>",
        "MAE smoothed<small>BPM</small>",
        "Median person<small>BPM</small>",
        "Within<small>5 BPM</small>",
        "Weights",
        "Flash<small>weights + code + runtime</small>",
        "SRAM<small>peak layer</small>",
        "Latency<small>a window</small>",
        "Power<small>average</small>",
        "TFLite<small>against reference</small>",
    ]
    body = []
    for row in rows:
        within = row["within_5_bpm"]
        peak = f"<small>at {text(row['peak_layer'])}</small>" if row["peak_layer"] else ""
        body.append(
            [
                f"{row['finalist']}<small><code>{text(row['id'])}</code></small>",
                _mae_cell(row, "mae_bpm"),
                _mae_cell(row, "mae_bpm_smoothed"),
                fixed(row["median_person_mae_bpm"]),
                fixed(None if within is None else 100 * within, 1, unit="%"),
                _cost_cell(row, "weight_bytes"),
                _flash_cell(row),
                _cost_cell(row, "sram_bytes") + peak,
                _cost_cell(row, "latency_ms"),
                _cost_cell(row, "power_mw"),
                _parity_cell(row),
            ]
        )
    commands = "".join(
        f'<div class="command"><strong>{row["finalist"]}</strong> '
        f'<code>{text(row["command"])}</code><button type="button" data-copy '
        f'aria-label="Copy the command for finalist {row["finalist"]}">Copy</button></div>'
        for row in rows
    )
    key = "".join(f'<i style="background:{color}"></i>{part}' for part, color in SPLIT.items())
    return (
        '<p class="note">MAE: mean over report people of each person\'s mean absolute error, by '
        "integer arithmetic. Small figures: intervals of the MAE (people resampled) and low to "
        "high of the estimated costs.</p>"
        f'<div class="wide numbered">{scroll_table(head, body, about="Finalists")}</div>'
        f'<p class="note key">Flash:{key}</p><h3>Export</h3>{commands}'
    )


def finalists_section(run: RunData) -> Section:
    """Table of finalists; left out before there are any."""
    rows = _table_info(run)
    return Section("finalists", "Finalists", _draw_table(rows) if rows else "")
