"""One run on several boards, as one table, and the finalist that suits all of them."""

from __future__ import annotations

from collections.abc import Sequence

from nas.explore.rescored import FinalistRow, Rescored
from nas.report.page import cost, fixed
from nas.report.rescore_text import tightest
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


def markdown_boards(found: Sequence[Rescored]) -> str:
    """A row a finalist, a column a board: latency, energy of a reading and the tightest limit."""
    heads = ["finalist", "MAE search", "MAE report", *(each.after.board for each in found)]
    rows = []
    for on_boards in zip(*(each.finalists for each in found), strict=True):
        first = on_boards[0]
        errors = (fixed(_search_bpm(first)), fixed(first.report_mae_bpm))
        rows.append([first.finalist, *errors, *(_cell(row) for row in on_boards)])
    fronts = ", ".join(f"{each.after.board} {each.front.after}" for each in found)
    fits = ", ".join(f"{each.after.board} {each.feasible.after}" for each in found)
    best = best_over_all(found)
    chosen = (
        "No finalist fits every board."
        if best is None
        else f"Best over all boards: finalist {best.finalist}, {fixed(_search_bpm(best))} BPM on "
        "search people, the lowest of those that fit every board."
    )
    return (
        f"{markdown_table(heads, rows)}\n\n{chosen}\n"
        f"Of {found[0].evaluated:,} evaluated candidates fit: {fits}. On the front: {fronts}."
    )


def _cell(row: FinalistRow) -> str:
    costs = ", ".join(cost(key, row.after[key]) for key in ("latency_ms", "energy_mj"))
    return f"{costs}; {tightest(row)}"
