"""All candidates of a finished run under another board or engine, without training.

Accuracies are those of the run: what is foretold (in a run of an older version inherited) orders
the candidates, the cards give the finalists'.
Costs are estimated anew from each architecture, and the limits are the run's budgets and what the
new board holds. A candidate that did not fit the run's own budgets has no accuracy: it is counted
where it would fit now, but it cannot stand on the front.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hwmodels.costs import Costs
from hwmodels.path import Surroundings
from nas.explore.problem import FIELDS, Problem, field_of, limits_of
from nas.explore.rescored import SHOWN, Change, FinalistRow, Front, Names, Rescored, Row
from nas.pareto import nondominated
from nas.run.candidates import Candidate, Candidates
from nas.run.config import SCOPES, Budgets, check_choice
from nas.run.folder import RunDir
from nas.run.run_toml import RunDocument
from nas.run.target import Target, load_target
from ppgnas.errors import PpgnasError
from ppgnas.task import TASK, Task
from search_spaces.lower import lower

# Recorded and recomputed costs that differ by more come from different cost models.
_SAME = 0.005


@dataclass(frozen=True, eq=False)
class _Costed:
    """A candidate, its costs now, and the share by which each limit is exceeded."""

    candidate: Candidate
    costs: Costs
    excess: dict[str, float]

    @property
    def fits(self) -> bool:
        return max(self.excess.values()) <= 0

    def row(self, why: str | None = None) -> Row:
        candidate = self.candidate
        return Row(
            number=candidate.number,
            id=candidate.arch.id,
            finalist=candidate.finalist,
            mae_bpm=candidate.mae_bpm,
            before={key: float(getattr(candidate.costs, key)) for key in SHOWN},
            after=_shown(self.costs),
            margins={name: -excess for name, excess in self.excess.items()},
            fits=self.fits,
            why=why,
        )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the cyclic collector back: there are no cycles, and it would walk over everything."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_no_collection()
def rescore(
    run: RunDir,
    *,
    board: str,
    engine: str | None = None,
    period_s: float | None = None,
    scope: str | None = None,
    around: Surroundings | None = None,
) -> Rescored:
    """Cost every candidate of a run anew.

    Args:
        engine: by name or path; the run's own unless given.
        period_s: seconds from one reading to the next; the run's own unless given.
        scope: what the budgets limit; as in the run unless given.
        around: sensors and smoothing; the run's own unless given.

    Raises:
        RunError: no run, without candidates, or damaged.
        BoardError: unknown board or engine, or the engine does not run on the board.
        ConfigError, BudgetError: no such scope, or a period that is not above 0.
        GraphError: the engine has no cost for an operator.
    """
    document, recorded = run.document(), run.candidates()
    budgets = recorded.budgets
    if scope is not None:
        budgets = replace(budgets, scope=check_choice("budget_scope", scope, SCOPES))
    target = load_target(
        board,
        engine or recorded.engine,
        period_s=document.config.period_s if period_s is None else period_s,
        mode=document.config.mode,
        around=around or document.config.around,
        path_counts=budgets.count_path,
        task=_task_of(recorded),
    )
    limits = limits_of(budgets, target.board, target.period_s)
    problem = Problem(recorded.objectives, limits, budgets.scope, {})
    found = [target.costs(candidate.arch) for candidate in recorded.candidates]
    costed = [
        _Costed(candidate, costs, problem.constraints(candidate.arch, costs))
        for candidate, costs in zip(recorded.candidates, found, strict=True)
    ]
    judged = [one for one in costed if one.candidate.mae_bpm is not None]
    fitting = [one for one in judged if one.fits]

    def now(one: _Costed) -> tuple[float, ...]:
        return problem.objective_values(one.candidate.mae_bpm or 0.0, one.costs)

    def then(one: _Costed) -> tuple[float, ...]:
        return problem.objective_values(one.candidate.mae_bpm or 0.0, one.candidate.costs)

    kept = nondominated([now(one) for one in fitting]) if fitting else ()
    front = [one for one, keep in zip(fitting, kept, strict=True) if keep]
    before = [one for one in judged if one.candidate.on_front]
    finalists = [one for one in costed if one.candidate.finalist is not None]
    return Rescored(
        run=str(run.path),
        synthetic=recorded.synthetic,
        before=Names(recorded.board, recorded.engine),
        after=Names(target.board.name, target.engine.name),
        period_s=target.period_s,
        objectives=recorded.objectives,
        budgets={FIELDS[name]: limit for name, limit in budgets.limits.items()},
        budget_scope=budgets.scope,
        board_limits={
            "flash_bytes": target.board.flash_bytes,
            "sram_bytes": target.board.sram_bytes,
        },
        candidates=len(costed),
        evaluated=len(judged),
        judged_by=recorded.judged_by,
        feasible=Change(len(judged), len(fitting)),
        fit_without_accuracy=sum(one.fits for one in costed) - len(fitting),
        front=Front(
            before=len(before),
            after=len(front),
            stays=tuple(one.row() for one in front if one in before),
            enters=tuple(
                one.row(_why_enters(_better(one, before, then)))
                for one in front
                if one not in before
            ),
            leaves=tuple(
                one.row(_why_leaves(one, _better(one, front, now)))
                for one in before
                if one not in front
            ),
        ),
        finalists=tuple(
            _finalist(run, one, problem, target)
            for one in sorted(finalists, key=lambda one: one.candidate.finalist or 0)
        ),
        notes=(
            *target.engine.caution(target.board),
            *_notes(document, recorded, budgets),
        ),
    )


def _shown(costs: Costs) -> dict[str, float]:
    values = {key: getattr(costs, key) for key in SHOWN}
    return {
        key: round(value) if key.endswith("_bytes") else float(value)
        for key, value in values.items()
    }


def _finalist(run: RunDir, one: _Costed, problem: Problem, target: Target) -> FinalistRow:
    """A row with the bounds of every cost and the accuracies of the card."""
    place = one.candidate.finalist or 0
    card = run.card(place) if place in run.finalists() else None
    errors = {} if card is None else card.report_mae_bpm
    file = target.file if target.file in errors else next(iter(errors), None)
    others = [raw for name, (raw, _) in errors.items() if name != file]
    full = target.score(lower(one.candidate.arch))
    estimates = full.to_json()
    del estimates["layers"]
    estimated = {
        name: getattr(full, field_of(name))
        for name in problem.limits
        if name != "flash" or problem.flash_scope != "model"  # counted, not estimated
    }
    return FinalistRow(
        **vars(one.row()),
        retrained_mae_bpm=None if card is None or file is None else card.search_mae_of(file),
        report_mae_bpm=None if file is None else errors[file][0],
        file=file,
        other_file_mae_bpm=others[0] if others else None,
        estimates=estimates,
        high_end_exceeds=tuple(
            name for name, cost in estimated.items() if cost.high > problem.limits[name]
        ),
    )


def _better(
    one: _Costed, others: Sequence[_Costed], values: Callable[[_Costed], tuple[float, ...]]
) -> list[_Costed]:
    """Those that are at most equal in everything and better in something."""
    mine = values(one)
    return [
        other
        for other in others
        if (its := values(other)) != mine and all(a <= b for a, b in zip(its, mine, strict=True))
    ]


def _why_leaves(one: _Costed, better: Sequence[_Costed]) -> str:
    if not one.fits:
        name, excess = max(one.excess.items(), key=lambda item: item[1])
        shown = name.replace("sram", "SRAM")
        whose = f"the {shown}" if name.startswith("board ") else f"the {shown} budget"
        if name == "period":
            whose = "the time from one reading to the next"
        percent = 100 * excess  # never 0: it is exceeded
        return f"exceeds {whose} by {max(percent, 0.1):.{int(percent < 0.5)}f} %"
    if better:
        return f"candidate {better[0].candidate.number} is better in everything"
    return "is beaten"


def _why_enters(better: Sequence[_Costed]) -> str:
    """Args: `better`: those of the recorded front that were better than it."""
    gone = [one.candidate.number for one in better if not one.fits]
    if gone:
        return f"candidate {gone[0]}, which was better in everything, does not fit"
    if better:
        return f"candidate {better[0].candidate.number} is no longer better in everything"
    return "was not on the recorded front"


def _notes(document: RunDocument, recorded: Candidates, budgets: Budgets) -> Iterator[str]:
    """Whether the run recorded the same costs, by the cost models of today."""
    if budgets.count_path != recorded.budgets.count_path:
        was, now = ("hold", "do not") if recorded.budgets.count_path else ("do not hold", "do")
        yield (
            f"Costs recorded in the run {was} what stands around a network, those of the new "
            f"board {now}: part of the change is that."
        )
    if document.finished is None:
        yield "The run is not finished: its front may still change."
    try:
        asked = document.config
        own = load_target(
            recorded.board,
            recorded.engine,
            period_s=asked.period_s,
            mode=asked.mode,
            around=asked.around,
            path_counts=recorded.budgets.count_path,
            task=_task_of(recorded),
        )
    except (PpgnasError, OSError):
        yield (
            f"The run's own board {recorded.board} or engine {recorded.engine} cannot be read "
            "now, so the recorded costs could not be checked against today's cost models."
        )
        return
    sample = [candidate for candidate in recorded.candidates if candidate.on_front][:20]
    apart = 0.0
    for candidate in sample:
        found = own.costs(candidate.arch)
        for key, value in _shown(found).items():
            then = getattr(candidate.costs, key)
            if then and key != "weight_bytes":
                apart = max(apart, abs(value / then - 1))
    if apart > _SAME:
        yield (
            f"Costs recorded in the run are up to {100 * apart:.0f} % off what today's cost "
            "models give for its own board: part of the change is theirs, not the board's."
        )


def report_path(run: RunDir, before: Names, after: Names) -> Path:
    """Where the page of a rescored run lies unless `--out` says otherwise."""
    parts = [after.board]
    if after.engine != before.engine:
        parts.append(after.engine)
    name = "-".join(re.sub(r"[^A-Za-z0-9._]", "_", part) for part in parts)
    return run.path / f"rescore-{name}.html"


def _task_of(recorded: Candidates) -> Task:
    """Of all candidates, but for the length of their windows."""
    return recorded.candidates[0].arch.task if recorded.candidates else TASK
