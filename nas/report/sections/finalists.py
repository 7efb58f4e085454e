"""The table to choose from: limits to move, columns to sort by, and the command of each export.

What the sliders and headings do stands in `templates/choose.js`, which reads the row's figures.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from nas.report.choice import choose, search_mae_bpm
from nas.report.figures import BLUE, GREEN, GREY, ORANGE
from nas.report.loading import Finalist, RunData
from nas.report.page import COSTS, Section, left_words, section
from nas.report.sections.people import worst_first

SPLIT = {"weights": BLUE, "code": ORANGE, "runtime": GREY, "path": GREEN}


SLIDERS = ("flash_bytes", "sram_bytes", "latency_ms", "energy_mj")
_STEPS = 200  # of a slider, from the least to the most, evenly in the logarithm


@dataclass(frozen=True)
class Slider:
    """A limit that the reader moves, in shown units.

    Attributes:
        key: of the figure that it limits.
        title, unit, decimals: how it is said.
        stops: values from the least that leaves one finalist to the most that any has.
    """

    key: str
    title: str
    unit: str
    decimals: int
    stops: list[float]


def row_figures(finalist: Finalist) -> dict[str, float]:
    """What sorting and limits read of a row, in shown units."""
    report = finalist.card.report
    costs = {key: finalist.cost(key) / entry[2] for key, entry in COSTS.items()}
    return {
        "number": finalist.number,
        "mae_bpm": report.mae_bpm,
        "mae_bpm_smoothed": report.mae_bpm_smoothed,
        "search_mae_bpm": search_mae_bpm(finalist),
        "median_bpm": report.median_person_mae_bpm,
        "worst_bpm": worst_first(report)[0][1].mae_bpm,
        "within_5_bpm": report.within_5_bpm,
        **costs,
    }


def sliders(rows: list[dict[str, float]]) -> list[Slider]:
    """A limit on the error on report people and on each cost that differs between finalists."""
    shown = [("mae_bpm", "MAE, report people", "BPM", 2)]
    shown += [(key, COSTS[key][0], COSTS[key][1], COSTS[key][3]) for key in SLIDERS]
    found = []
    for key, title, unit, decimals in shown:
        values = [row[key] for row in rows]
        if min(values) < max(values):
            found.append(Slider(key, title, unit, decimals, _stops(values, decimals)))
    return found


def _stops(values: list[float], decimals: int) -> list[float]:
    """Rounded up, so that a finalist at a stop is within it."""
    least, most = max(min(values), 10**-decimals), max(values)
    steps = [least * (most / least) ** (step / _STEPS) for step in range(_STEPS + 1)]
    scale = 10**decimals
    return sorted({math.ceil(value * scale - 1e-6) / scale for value in steps})


def room(run: RunData, finalist: Finalist, key: str) -> str:
    """What a cost leaves of its budget, in words; empty without a budget."""
    limit = run.budgets.get(key)
    return "" if limit is None else left_words(1 - finalist.cost(key) / limit)


def export_command(run: RunData, finalist: Finalist) -> str:
    """What writes the files of a finalist, quoted for a shell."""
    return (
        f"ppgnas export {shlex.quote(f'{run.path}:{finalist.number}')} "
        f"--format tflite,onnx,c --out finalist_{finalist.number}"
    )


def best_first(run: RunData) -> list[Finalist]:
    """Finalists by their raw MAE on search people, who chose."""
    return sorted(run.finalists, key=search_mae_bpm)


def finalists_section(run: RunData) -> Section | None:
    """Table of finalists; left out before there are any."""
    if not run.finalists:
        return None
    choice = choose(run)
    rows = best_first(run)
    figures = [row_figures(row) for row in rows]
    return section(
        "report/finalists.html",
        "Choose",
        run=run,
        rows=rows,
        figures=figures,
        sliders=sliders(figures),
        room=room,
        worst=lambda report: worst_first(report)[0],
        recommended=None if choice is None else choice.finalist,
        split=SPLIT,
        command=export_command,
    )
