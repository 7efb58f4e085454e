"""Which budgets of a search never acted, and how much room the largest network leaves."""

from __future__ import annotations

from nas.explore.problem import cost_of_limit
from nas.run.candidates import Candidates
from ppgnas.counts import counted

LEAST_ROOM = 1.1  # times the largest network; with less the budget is about what the space holds


def room_left(candidates: Candidates) -> dict[str, float]:
    """Budgets that every considered network keeps: the limit over the largest cost met."""
    budgets = candidates.budgets
    largest = {
        name: max(cost_of_limit(c.costs, name, budgets.scope) for c in candidates.candidates)
        for name in (budgets.limits if candidates.candidates else ())
    }
    return {
        name: budgets.limits[name] / cost
        for name, cost in largest.items()
        if 0 < LEAST_ROOM * cost <= budgets.limits[name]
    }


def room_words(candidates: Candidates) -> str:
    """The same in a sentence; empty where every budget acted."""
    room = room_left(candidates)
    if not room:
        return ""
    networks = counted(len(candidates.candidates), "network")
    listed = ", ".join(f"{name} {times:.2g}x" for name, times in room.items())
    which = "budget" if len(room) == 1 else "budgets"
    return (
        f"The {which} of {' and '.join(room)} never acted: the largest of "
        f"{networks} keeps {'it' if len(room) == 1 else 'them'} (room left: {listed}). A "
        "tighter one, or a search space of larger networks, would use it."
    )
