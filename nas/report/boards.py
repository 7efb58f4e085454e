"""One run on several boards, as one table, and the finalist that suits all of them."""

from __future__ import annotations

from collections.abc import Sequence

from nas.explore.rescore import rescore
from nas.explore.rescored import FinalistRow, Rescored
from nas.report.loading import RunData
from nas.report.page import Section, cost, fixed, section
from nas.report.rescore import error_words, tightest
from nas.run.folder import RunDir
from ppgnas.tables import markdown_table


def best_over_all(found: Sequence[Rescored]) -> FinalistRow | None:
    """The finalist of lowest error on search people among those that fit every board.

    Args:
        found: one run under several boards.

    Returns:
        Its row on the first board; None where no finalist fits them all.
    """
    first, *others = (each.finalists for each in found)
    fitting = [
        row
        for place, row in enumerate(first)
        if row.fits and all(finalists[place].fits for finalists in others)
    ]
    return min(fitting, key=_search_bpm, default=None)


def _search_bpm(row: FinalistRow) -> float:
    """Its error on search people, who choose; of an unfinished one the foretold error."""
    known = (row.retrained_mae_bpm, row.mae_bpm)
    return next((bpm for bpm in known if bpm is not None), float("inf"))


def boards_of(run: RunDir) -> list[Rescored]:
    """A run on each of the boards that it was searched for; empty where that is one."""
    config = run.document().config
    return [rescore(run, board=board) for board in (config.board, *config.also) if config.also]


def table_of(found: Sequence[Rescored]) -> tuple[list[str], list[list[str]]]:
    """Heads, and a row a finalist.

    A column a board holds latency, energy of a reading, the tightest limit, and whether the
    finalist is on the front there.
    """
    heads = ["finalist", "MAE search", "MAE report", *(each.after.board for each in found)]
    rows = []
    fronts = [{row.id for row in (*f.front.stays, *f.front.enters)} for f in found]
    for on_boards in zip(*(each.finalists for each in found), strict=True):
        first = on_boards[0]
        errors = (fixed(_search_bpm(first)), fixed(first.report_mae_bpm))
        cells = [_cell(row, front) for row, front in zip(on_boards, fronts, strict=True)]
        rows.append([str(first.finalist), *errors, *cells])
    return heads, rows


def sentences_of(found: Sequence[Rescored]) -> list[str]:
    """Which finalist suits all boards, and how many candidates fit and stand on each front."""
    fronts = ", ".join(f"{each.after.board} {each.front.after:,}" for each in found)
    fits = ", ".join(f"{each.after.board} {each.feasible.after:,}" for each in found)
    best = best_over_all(found)
    chosen = (
        "No finalist fits every board."
        if best is None
        else f"Best over all boards: finalist {best.finalist}, {fixed(_search_bpm(best))} BPM on "
        "search people, the lowest of those that fit every board."
    )
    judged = f"{found[0].evaluated:,} candidates with {error_words(found[0])}"
    counts = f"Of {judged} fit: {fits}. On the front: {fronts}."
    return [chosen, counts]


def markdown_boards(found: Sequence[Rescored]) -> str:
    """Table and sentences as Markdown."""
    return f"{markdown_table(*table_of(found))}\n\n" + "\n".join(sentences_of(found))


def _cell(row: FinalistRow, front: set[str]) -> str:
    costs = ", ".join(cost(key, row.after[key]) for key in ("latency_ms", "energy_mj"))
    return f"{costs}; {tightest(row)}{'; front' if row.id in front else ''}"


def boards_section(run: RunData) -> Section | None:
    """A table of all boards; left out of a search for one."""
    if not (run.document.config.also and run.finalists):
        return None
    found = boards_of(RunDir(run.path))
    heads, rows = table_of(found)
    return section(
        "report/boards.html",
        "All boards",
        heads=heads,
        rows=rows,
        sentences=sentences_of(found),
        first=run.board,
    )
