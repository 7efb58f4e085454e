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
from nas.models.backend import Trainer
from nas.run.documents import read_document
from ppgnas.files import write_json_atomic
from search_spaces.arch import Arch
from search_spaces.plan import plan

Stage = Literal["all", "first rungs", "finalists"]

TEACHER, POOL, SUPERNET, RESERVE = 0.11, 0.05, 0.07, 0.12
"""Shares of the time; the networks share what is left. The reserve is for proposals and files."""

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
        team: processes of a teacher or a supernet; two at most are used.
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
            supernet = _steps(SUPERNET * self.time_s * pair / pace.supernet)
            effort = replace(
                trainer.effort,
                teacher_steps=_steps(TEACHER * self.time_s * pair / pace.teacher),
                pool_batches=_steps(POOL * self.time_s / pace.pool),
                warmup_steps=supernet // 6,
                supernet_steps=supernet - supernet // 6,
            )
            left_s -= (TEACHER + POOL + SUPERNET) * self.time_s
            return self._networks(effort, pace.network, rungs=amount.most, left_s=left_s)

        return self._decided("all", trainer, decide)

    def before_first_rungs(self, trainer: Trainer, amount: Amount) -> Trainer:
        """With steps of networks that fill the time which is left."""

        def decide(left_s: float) -> Effort:
            step_s = trainer.pace().network
            return self._networks(trainer.effort, step_s, rungs=amount.most, left_s=left_s)

        return self._decided("first rungs", trainer, decide)

    def before_finalists(self, trainer: Trainer, archs: Sequence[Arch]) -> Trainer:
        """The same, at the seconds a step that the first rungs of these finalists took."""

        def decide(left_s: float) -> Effort:
            begun = trainer.begin_many(archs, lambda *_: None)
            shares = [share_of(plan(arch).values) for arch in archs]
            step_s = sum(b.step_s * part for b, part in zip(begun, shares, strict=True)) / len(
                begun
            )
            fewer = replace(self, finalists=len(archs))  # a front may have few networks
            return fewer._networks(trainer.effort, step_s, rungs=0, left_s=left_s)

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

    def _networks(self, effort: Effort, step_s: float, *, rungs: int, left_s: float) -> Effort:
        room = max(left_s, LEAST * self.time_s) * self.cores / step_s  # float steps of all
        each = self.recipe.float_steps + (QAT_SHARE * QAT_COST if self.recipe.simulates else 0.0)
        further = self.finalists * each
        steps = _steps(room / (rungs / FIRST_RUNG + further))
        if steps // FIRST_RUNG > MOST_FIRST_STEPS:
            steps = _steps((room - rungs * MOST_FIRST_STEPS) / further)
        return replace(effort, finetune_steps=steps, qat_steps=_steps(QAT_SHARE * steps))


def _steps(count: float) -> int:
    return max(1, round(count))


_DECIDED = TypeAdapter(dict[Stage, Effort])
