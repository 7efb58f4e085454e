"""The table of finalists, and the command that exports each."""

from __future__ import annotations

import shlex

from nas.report.choice import choose, floor_words, search_mae_bpm
from nas.report.figures import BLUE, GREY, ORANGE
from nas.report.loading import Finalist, RunData
from nas.report.page import Section, section

SPLIT = {"weights": BLUE, "code": ORANGE, "runtime": GREY}


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
    return section(
        "report/finalists.html",
        "Finalists",
        run=run,
        rows=best_first(run),
        recommended=None if choice is None else choice.finalist,
        floor=floor_words(run),
        split=SPLIT,
        command=export_command,
    )
