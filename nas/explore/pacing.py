"""A search that ends in time: how many steps each training gets, from what a step takes.

First the pace of the machine is measured, and the share of a core that one process gets. What no
step less would save (`Scale.fixed_s`) then says how many networks are begun, considered and
retrained, and how long a search takes at the least: with less time than that it says so, and takes
that long. Shares of the time are fixed, steps are not: they follow from the pace, which is
measured again before the first rungs and before the finalists, so that each phase makes up for
those before it. What was decided lies in the run directory: a run that goes on keeps to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from distill.training.effort import FIRST_RUNG, MOST_FIRST_STEPS, Effort, share_of
from distill.training.recipe import Recipe, direct
from nas.explore.evidence import AMOUNTS, Amount
from nas.explore.finalists import ENTRANTS
from nas.run.documents import read_document
from nas.run.job.machine import core_seconds
from nas.run.units import format_duration
from ppgnas.files import write_json_atomic
from ppgnas.tables import counted
from search_spaces.arch import Arch
from search_spaces.plan import plan

if TYPE_CHECKING:
    from distill.pace import Pace
    from distill.trainer import Trainer

Stage = Literal["all", "first_rungs", "finalists"]

TEACHER, POOL, RESERVE = 0.11, 0.05, 0.03
"""Shares of the time; the networks share what is left by these and by `Scale.fixed_s`."""

TEACHER_S, WORKER_S, TRIAL_S, FINALIST_S, REPORT_S = 5.0, 4.0, 0.006, 1.0, 8.0
"""Core-seconds of what no step less would save: starting a second process for the teacher, one
that trains networks, considering a network, writing a finalist and the report. Measured on a
search of `smoke` (two cores of a shared virtual machine, November 2026)."""

MOST_FIXED, LEAST_TRAINED = 0.4, 0.3
"""The share of its time that a search may take for that, if it could do with less of it; and the
share that is left to train in the shortest search."""

DECISIONS = "effort.json"
LEAST_SHARE, TELLING_S = 0.02, 0.2
"""Of a core; and how long must be measured, in the ticks of 10 ms in which work is counted."""

LEAST = 0.05  # the share of the time that the networks get however late it is

QAT_SHARE, QAT_COST = 0.2, 2.0
"""Quantisation-aware steps to a float step, and the time of one in that of a float step."""


@dataclass(frozen=True)
class Scale:
    """How much a search does, however few its steps are.

    Attributes:
        amount: networks that are begun.
    """

    amount: Amount
    finalists: int
    trials: int

    def fixed_s(self, stage: Stage) -> float:
        """Core-seconds, from a stage to the end, that no step less would save."""
        found = REPORT_S + self.finalists * FINALIST_S
        if stage != "finalists":
            found += WORKER_S + (2 + self.amount.rounds) * self.trials * TRIAL_S / 2
        return found + TEACHER_S if stage == "all" else found

    def at_most(self, amount: Amount, *, finalists: int, trials: int) -> Scale:
        """With no more than this."""
        return Scale(amount, min(self.finalists, finalists), min(self.trials, trials))


@dataclass(frozen=True)
class Plan:
    """What the pace of the machine allows.

    Attributes:
        time_s: of the whole search: what was asked, or the least.
        share: of a core, that one process gets.
    """

    time_s: float
    share: float
    scale: Scale


@dataclass(frozen=True)
class _Decided:
    """What the run directory keeps: the plan, and the effort from each stage on."""

    plan: Plan | None = None
    all: Effort | None = None
    first_rungs: Effort | None = None
    finalists: Effort | None = None


@dataclass(frozen=True)
class Pacing:
    """The time of one search.

    Attributes:
        ends_s: when the search is to be over, by `clock`.
        cores: that train networks side by side, or the processes that share a GPU.
        scale: what the search would do with time enough.
        clock: seconds from any origin.
        worked: core-seconds from any origin.
        team: processes of a teacher; two at most are used.
        share: of a core, that one process gets.
    """

    path: Path
    time_s: float
    ends_s: float
    cores: int
    scale: Scale
    clock: Callable[[], float] = time.monotonic
    worked: Callable[[], float] = core_seconds
    team: int = 2
    recipe: Recipe = field(default_factory=direct)
    share: float = 1.0

    def from_the_start(
        self, trainer: Trainer, say: Callable[[str], None]
    ) -> tuple[Pacing, Trainer]:
        """This as far as the machine allows, and steps of every training that fill the time.

        A time that is too short is told by `say`.
        """
        known = _read(self.path)
        if known.plan is None:
            began_s, before_s = self.clock(), self.worked()
            pace = trainer.pace()
            took_s, worked_s = self.clock() - began_s, self.worked() - before_s
            told = took_s > TELLING_S
            plan = self._plan(min(1.0, max(LEAST_SHARE, worked_s / took_s)) if told else 1.0)
            paced = self._by(plan)
            known = replace(known, plan=plan, all=known.all or paced._whole(trainer.effort, pace))
            write_json_atomic(self.path, asdict(known))
            if plan.time_s > self.time_s:
                say(self._too_slow(plan))
        assert known.plan is not None and known.all is not None
        return self._by(known.plan), trainer.at(known.all)

    def _by(self, plan: Plan) -> Pacing:
        ends_s = self.ends_s + plan.time_s - self.time_s
        return replace(self, time_s=plan.time_s, ends_s=ends_s, scale=plan.scale, share=plan.share)

    def _plan(self, share: float) -> Plan:
        usual, left_s = self.scale, self.ends_s - self.clock()
        least = usual.at_most(Amount(4, 0, 0, 2), finalists=2, trials=200)
        for scale in (usual, usual.at_most(AMOUNTS["smoke"], finalists=4, trials=500), least):
            if scale.fixed_s("all") / share <= MOST_FIXED * left_s:
                return Plan(self.time_s, share, scale)
        lacking_s = least.fixed_s("all") / share / (1 - LEAST_TRAINED) - left_s
        return Plan(self.time_s + max(0.0, lacking_s), share, least)

    def _whole(self, effort: Effort, pace: Pace) -> Effort:
        """With steps of every training that fill the time."""
        pair = min(2, self.team, self.cores)
        teacher_steps = _steps(TEACHER * self.time_s * pair / pace.teacher)
        part = teacher_steps / effort.teacher_steps
        taught = replace(
            effort,
            teacher_steps=teacher_steps,
            pool_batches=_steps(POOL * self.time_s / pace.pool),
            # of a supernet as many as of the teacher; networks get what is left after it
            warmup_steps=_steps(part * effort.warmup_steps),
            supernet_steps=_steps(part * effort.supernet_steps),
        )
        left_s = self._left_s("all") - (TEACHER + POOL) * self.time_s
        return self._networks(taught, pace.network, left_s=left_s)

    def _too_slow(self, plan: Plan) -> str:
        alone_s = plan.scale.fixed_s("all") / plan.share
        return (
            f"{format_duration(self.time_s)} are not enough here: a process gets "
            f"{100 * plan.share:.0f} % of a core, and reading, proposals and report alone take "
            f"{format_duration(alone_s)}. The search will end after about "
            f"{format_duration(plan.time_s)}, with {counted(plan.scale.finalists, 'finalist')}, "
            "hardly trained; --time can give it longer."
        )

    def over(self) -> Callable[[], bool]:
        """Whether a further finalist would end too late, asked from when the first has ended."""
        began_s, took_s = self.clock(), 0.0

        def enough() -> bool:
            nonlocal took_s
            took_s = took_s or self.clock() - began_s
            return self._left_s("finalists") < took_s / 2

        return enough

    def before_first_rungs(self, trainer: Trainer) -> Trainer:
        """With steps of networks that fill the time which is left."""

        def decide(left_s: float) -> Effort:
            return self._networks(trainer.effort, trainer.pace().network, left_s=left_s)

        return self._decided("first_rungs", trainer, decide)

    def before_finalists(self, trainer: Trainer, archs: Sequence[Arch]) -> Trainer:
        """The same for who is trained half way, at the seconds a step that first rungs took.

        Half the steps that they began with is the least: the highest rate must not be their last.
        """

        def decide(left_s: float) -> Effort:
            begun = trainer.begin_many(archs, lambda *_: None)
            shares = [share_of(plan(arch).values) for arch in archs]
            step_s = sum(b.step_s * part for b, part in zip(begun, shares, strict=True)) / len(
                begun
            )
            # a front may have few networks
            finalists = min(self.scale.finalists, len(archs))
            fewer = replace(self, scale=replace(self.scale, finalists=finalists))
            done_s = step_s * len(archs) / self.cores * trainer.effort.first_rung
            found = fewer._networks(
                trainer.effort, step_s, half_way=len(archs), left_s=left_s + done_s
            )
            least = max(1, trainer.effort.finetune_steps // 2)
            return found if found.finetune_steps >= least else _with(found, least)

        return self._decided("finalists", trainer, decide)

    def _decided(
        self, stage: Stage, trainer: Trainer, decide: Callable[[float], Effort]
    ) -> Trainer:
        """What was decided once, or what follows from the seconds left to train."""
        known = _read(self.path)
        effort: Effort | None = getattr(known, stage)
        if effort is None:
            effort = decide(max(self._left_s(stage), LEAST * self.time_s))
            write_json_atomic(self.path, {**asdict(known), stage: asdict(effort)})
        return trainer.at(effort)

    def _left_s(self, stage: Stage) -> float:
        fixed_s = self.scale.fixed_s(stage) / self.share
        return self.ends_s - self.clock() - RESERVE * self.time_s - fixed_s

    def _networks(
        self, effort: Effort, step_s: float, *, left_s: float, half_way: int | None = None
    ) -> Effort:
        """Steps that fill the time of first rungs, second rungs and finalists in all.

        Once `half_way` networks are chosen to be trained that far, the first rungs are over.
        """
        room = max(left_s, LEAST * self.time_s) * self.cores / step_s  # float steps of all
        each = self.recipe.float_steps + (QAT_SHARE * QAT_COST if self.recipe.simulates else 0.0)
        finalists, rungs = self.scale.finalists, self.scale.amount.most
        if half_way is None:
            half_way = round(ENTRANTS * finalists)
        else:
            rungs = 0
        # steps of a rung are the first ones of the next
        whole = finalists * each + (half_way - finalists) / 2
        only = max(0, rungs - half_way)
        steps = _steps(room / (only / FIRST_RUNG + whole))
        if steps // FIRST_RUNG > MOST_FIRST_STEPS:
            steps = _steps((room - only * MOST_FIRST_STEPS) / whole)
        return _with(effort, steps)


def steps_in_time(run: Path) -> int | None:
    """Float steps that each finalist of a search with `time` got; None of other searches.

    Raises:
        RunError: what was decided is damaged.
    """
    decided = _read(run / DECISIONS).finalists
    return None if decided is None else decided.finetune_steps


def _with(effort: Effort, steps: int) -> Effort:
    return replace(effort, finetune_steps=steps, qat_steps=_steps(QAT_SHARE * steps))


def _steps(count: float) -> int:
    return max(1, round(count))


_DECIDED = TypeAdapter(_Decided)


def _read(path: Path) -> _Decided:
    return read_document(path, _DECIDED.validate_python) if path.exists() else _Decided()
