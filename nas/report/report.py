"""report.html: one self-contained page from which an engineer picks a model in a minute.

It is built from what a run directory holds, at any moment of a run; nothing is computed that the
cards do not say, save what predictions.csv and stretches.json show: limits of agreement, how the
confidence holds, the worst stretches. The page needs no network. The sections live in
`nas.report.sections`.
"""

from __future__ import annotations

from pathlib import Path

from nas.report.boards import boards_section
from nas.report.loading import RunData, load_run
from nas.report.page import COSTS, Section, cost, render_page
from nas.report.sections.bland_altman import bland_altman_section
from nas.report.sections.conditions import conditions_section
from nas.report.sections.confidence import confidence_section
from nas.report.sections.finalists import finalists_section
from nas.report.sections.history import history_section
from nas.report.sections.layers import layers_section
from nas.report.sections.parallel import parallel_section
from nas.report.sections.pareto import pareto_section
from nas.report.sections.people import datasets_section, people_section
from nas.report.sections.provenance import provenance_section
from nas.report.sections.stretches import stretches_section
from nas.report.sections.verdict import verdict_section
from ppgnas.files import write_text_atomic

_SECTIONS = (
    verdict_section,
    finalists_section,
    boards_section,
    pareto_section,
    parallel_section,
    people_section,
    stretches_section,
    conditions_section,
    bland_altman_section,
    confidence_section,
    datasets_section,
    layers_section,
    history_section,
    provenance_section,
)


def build_report(run: Path) -> str:
    """The report of a run as one HTML document.

    Args:
        run: run directory; the search may be unfinished.

    Raises:
        RunError: `run` is no run directory, or a file in it is foreign or damaged.
    """
    data = load_run(run)
    limits = [f"{COSTS[k][0]} ≤ {cost(k, v)}" for k, v in data.budgets.items() if k in COSTS]
    streams = ["streaming"] if data.document.config.mode == "streaming" else []
    title = f"ppgnas: {data.board}, {run.name}" + (" (synthetic data)" if data.synthetic else "")
    return render_page(
        title,
        f"Heart-rate networks for {data.board}",
        sections_of(data),
        chips=[data.board, data.engine, *streams, *limits],
        synthetic=data.synthetic,
    )


def sections_of(data: RunData) -> list[Section]:
    """The parts of the page that this run has something for, in order."""
    return [part for part in (build(data) for build in _SECTIONS) if part is not None]


def write_report(run: Path) -> Path:
    """Write `report.html` into the run directory, atomically.

    Raises:
        RunError: as `build_report`.
        OSError: the disk is full; an older report is then still there.
    """
    path = run / "report.html"
    write_text_atomic(path, build_report(run))
    return path
