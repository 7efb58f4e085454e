"""The table of finalists, and the command that exports each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import get_args

from nas.report.figures import BLUE, GREY, ORANGE
from nas.report.loading import Finalist, RunData
from nas.report.page import COSTS, Section, section
from nas.report.sections.verdict import Bound, broken_budgets, cost_of
from nas.run.card import Card

BOUNDS: tuple[Bound, ...] = get_args(Bound)
SPLIT = {"weights": BLUE, "code": ORANGE, "runtime": GREY}


@dataclass(frozen=True)
class Line:
    """A finalist in the table: its card, costs by bound, budgets that it exceeds, its command."""

    finalist: int
    card: Card
    costs: dict[str, dict[str, float | None]]
    flash_split: dict[str, int]
    over: list[str]
    command: str


def _line(run: RunData, finalist: Finalist) -> Line:
    flash = finalist.card.costs.flash_bytes
    return Line(
        finalist=finalist.number,
        card=finalist.card,
        costs={key: {bound: cost_of(finalist, key, bound) for bound in BOUNDS} for key in COSTS},
        flash_split={"weights": flash.weights, "code": flash.code, "runtime": flash.runtime},
        over=broken_budgets(run, finalist),
        command=(
            f"ppgnas export {shlex.quote(f'{run.path}:{finalist.number}')} "
            f"--format tflite,onnx,c --out finalist_{finalist.number}"
        ),
    )


def _table_info(run: RunData) -> list[Line]:
    """Plain data of the table, best raw MAE first."""
    lines = [_line(run, finalist) for finalist in run.finalists]
    return sorted(lines, key=lambda line: line.card.report.mae_bpm)


def finalists_section(run: RunData) -> Section | None:
    """Table of finalists; left out before there are any."""
    rows = _table_info(run)
    return section("report/finalists.html", "Finalists", rows=rows, split=SPLIT) if rows else None
