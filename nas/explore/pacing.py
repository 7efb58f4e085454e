"""A search that ends in time: how many steps each training gets, from what a step takes.

Shares of the time are fixed, steps are not: they follow from the pace that is measured before the
teacher, and again before the first rungs and before the finalists, so that each phase makes up for
those before it. What was decided lies in the run directory: a run that goes on keeps to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from distill.training.effort import FIRST_RUNG, MOST_FIRST_STEPS, Effort, share_of
from distill.training.recipe import Recipe, direct
from nas.explore.evidence import Amount
from nas.explore.finalists import ENTRANTS
from nas.models.backend import Trainer
from nas.run.documents import read_document
from ppgnas.files import write_json_atomic
from search_spaces.arch import Arch
from search_spaces.plan import plan

Stage = Literal["all", "first rungs", "finalists"]

TEACHER, POOL, RESERVE = 0.11, 0.05, 0.12
"""Shares of the time; the networks share what is left. The reserve is for proposals and files."""

DECISIONS = "effort.json"
LEAST = 0.05
"""The share of the time that the networks get however late it is."""

QAT_SHARE, QAT_COST = 0.2, 2.0
"""Quantisation-aware steps to a float step, and the time of one in that of a float step."""


@dataclass(frozen=True)
class Pacing:
    """The time of one search.

    Attributes:
        path: where decisions are kept.
        time_s: of the whole search.
        ends_s: when the search is to be over, by `clock`.
        cores: that train networks side by side, or the processes that share a GPU.
        finalists: that will be retrained.
        clock: seconds from any origin.
        team: processes of a teacher; two at most are used.
        recipe: of the finalists' training.
    """

    path: Path
    time_s: float
    ends_s: float
    cores: int
    finalists: int
    clock: Callable[[], float] = time.monotonic
    team: int = 2
    recipe: Recipe = field(default_factory=direct)

    def over(self) -> bool:
        """Whether only the reserve is left: no further finalist begins."""
        return self.clock() > self.ends_s - RESERVE * self.time_s

    def from_the_start(self, trainer: Trainer, amount: Amount) -> Trainer:
        """With steps of every training that fill the time."""

        def decide(left_s: float) -> Effort:
            pace, pair = trainer.pace(), min(2, self.team, self.cores)
            teacher_steps = _steps(TEACHER * self.time_s * pair / pace.teacher)
            part = teacher_steps / trainer.effort.teacher_steps
            effort = replace(
                trainer.effort,
                teacher_steps=teacher_steps,
                pool_batches=_steps(POOL * self.time_s / pace.pool),
                # of a supernet as many as of the teacher; networks get what is left after it
                warmup_steps=_steps(part * trainer.effort.warmup_steps),
                supernet_steps=_steps(part * trainer.effort.supernet_steps),
            )
            left_s -= (TEACHER + POOL) * self.time_s
            return self._networks(
                effort, pace.network, rungs=amount.most, half_way=self._entrants, left_s=left_s
            )

        return self._decided("all", trainer, decide)

    def before_first_rungs(self, trainer: Trainer, amount: Amount) -> Trainer:
        """With steps of networks that fill the time which is left."""

        def decide(left_s: float) -> Effort:
            step_s = trainer.pace().network
            return self._networks(
                trainer.effort,
                step_s,
                rungs=amount.most,
                half_way=self._entrants,
                left_s=left_s,
            )

        return self._decided("first rungs", trainer, decide)

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
            fewer = replace(self, finalists=min(self.finalists, len(archs)))
            done_s = step_s * len(archs) / self.cores * trainer.effort.first_rung
            found = fewer._networks(
                trainer.effort, step_s, rungs=0, half_way=len(archs), left_s=left_s + done_s
            )
            least = max(1, trainer.effort.finetune_steps // 2)
            return found if found.finetune_steps >= least else _with(found, least)

        return self._decided("finalists", trainer, decide)

    def _decided(
        self, stage: Stage, trainer: Trainer, decide: Callable[[float], Effort]
    ) -> Trainer:
        """What was decided once, or what follows from the seconds left without the reserve."""
        known = read_document(self.path, _DECIDED.validate_python) if self.path.exists() else {}
        if stage not in known:
            left_s = self.ends_s - self.clock() - RESERVE * self.time_s
            known = {**known, stage: decide(max(left_s, LEAST * self.time_s))}
            write_json_atomic(self.path, {name: asdict(each) for name, each in known.items()})
        return trainer.at(known[stage])

    @property
    def _entrants(self) -> int:
        return round(ENTRANTS * self.finalists)

    def _networks(
        self, effort: Effort, step_s: float, *, rungs: int, half_way: int, left_s: float
    ) -> Effort:
        """Steps that fill the time of so many first rungs, second rungs and finalists in all."""
        room = max(left_s, LEAST * self.time_s) * self.cores / step_s  # float steps of all
        each = self.recipe.float_steps + (QAT_SHARE * QAT_COST if self.recipe.simulates else 0.0)
        # steps of a rung are the first ones of the next
        whole = self.finalists * each + (half_way - self.finalists) / 2
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
    path = run / DECISIONS
    decided = read_document(path, _DECIDED.validate_python) if path.exists() else {}
    return decided["finalists"].finetune_steps if "finalists" in decided else None


def _with(effort: Effort, steps: int) -> Effort:
    return replace(effort, finetune_steps=steps, qat_steps=_steps(QAT_SHARE * steps))


def _steps(count: float) -> int:
    return max(1, round(count))


_DECIDED = TypeAdapter(dict[Stage, Effort])
