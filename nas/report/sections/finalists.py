"""The table of finalists, and the command that exports each."""

from __future__ import annotations

import shlex
from typing import Any

from nas.report.loading import Finalist, RunData, number, table
from nas.report.page import BLUE, COSTS, GREY, ORANGE, Section, section
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


def finalists_section(run: RunData) -> Section | None:
    """Table of finalists; left out before there are any."""
    rows = _table_info(run)
    return section("report/finalists.html", "Finalists", rows=rows, split=SPLIT) if rows else None
