"""Runs whose costs are known."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas.run.target
from hwmodels.boards import Board, load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from nas.run.folder import RunDir
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.run.made import candidates_document, run_document

BOARD, ENGINE = "stm32h743", "tflm-cmsis-nn"
FLASH_BUDGET_BYTES = 81920


def dominated(values: Sequence[tuple[float, ...]], mine: tuple[float, ...]) -> bool:
    return any(
        all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in values
    )


def candidates(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Random architectures, costed on the run's board, with made-up errors where they fit."""
    rng, space = random.Random(seed), SearchSpace.preset("default")
    board, engine = load_board(BOARD), load_engine(ENGINE)
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < count:
        arch = space.sample(rng)
        if arch.id in rows:
            continue
        found = costing(board, engine)(lower(arch))
        fits = found.flash_bytes <= FLASH_BUDGET_BYTES
        rows[arch.id] = {
            "number": len(rows),
            "id": arch.id,
            "arch": arch.to_json(),
            "feasible": fits,
            "mae_bpm": 3 + rng.expovariate(1) + 2e5 / found.macs if fits else None,
            "latency_ms": found.latency_ms,
            "flash_bytes": round(found.flash_bytes),
            "sram_bytes": round(found.sram_bytes),
            "power_mw": found.power_mw,
            "energy_mj": found.energy_mj,
            "weight_bytes": found.weight_bytes,
            "macs": found.macs,
            "hypervolume": 0.5,
            "on_front": False,
            "finalist": None,
        }
    listed = list(rows.values())
    judged = [row for row in listed if row["mae_bpm"] is not None]
    values = [(row["mae_bpm"], row["latency_ms"], row["sram_bytes"]) for row in judged]
    for row, mine in zip(judged, values, strict=True):
        row["on_front"] = not dominated(values, mine)
    front = [row for row in judged if row["on_front"]]
    for finalist, row in enumerate(front[:2], start=1):
        row["finalist"] = finalist
    return listed


def write_run(path: Path, listed: list[dict[str, Any]], **changes: Any) -> RunDir:
    document = candidates_document(listed, **{"budget_scope": "total", **changes})
    path.mkdir(parents=True)
    run = RunDir(path)
    run.write_document(run_document(finished="2026-11-21T02:53:45+00:00"))
    run.candidates_json.write_text(json.dumps(document))
    return run


def change_board(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Boards that are loaded for a rescore differ in these figures."""

    def load(name: str) -> Board:
        found = load_board(name)
        return found if name == BOARD else replace(found, **changes)

    monkeypatch.setattr(nas.run.target, "load_board", load)
