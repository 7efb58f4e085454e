"""Who does the work of a bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from distill.teachers.names import is_preset, members_of
from nas.bench.distillation.cells import RecipePace
from nas.bench.distillation.records import CellJob, CellRecord, GroundJob, GroundRecord
from nas.run.job.progress import Tick

Result = TypeVar("Result")
Job = TypeVar("Job")


@dataclass(frozen=True)
class Processes:
    """Jobs side by side, each in a process of one thread; what is in a job's folder is taken.

    Each method calls `keep(index, result)` in this process as a job ends.
    """

    count: int

    def prepare(
        self, jobs: Sequence[GroundJob], tick: Tick, keep: Callable[[int, GroundRecord], None]
    ) -> None:
        """Members first, each once, then what asks them: see `work.prepare_ground`."""
        from distill.teachers.choice import steps_of
        from nas.bench.distillation.work import prepare_ground, train_member

        members = {
            ground: replace(job, ground=ground)
            for job in jobs
            for name in members_of(job.ground.teacher)
            if is_preset(name)
            for ground in [replace(job.ground, teacher=name, calibrated=True, unlabelled=False)]
        }
        single = [*members.values()]
        steps = [steps_of(job.ground.teacher, job.effort) for job in single]
        self._run(train_member, single, steps, "teachers", self.count, tick, lambda *_: None)
        batches = [job.effort.pool_batches for job in jobs]
        self._run(prepare_ground, jobs, batches, "pools", self.count, tick, keep)

    def pace(
        self, jobs: Sequence[CellJob], tick: Tick, keep: Callable[[int, RecipePace], None]
    ) -> None:
        """See `work.measure_pace`."""
        from nas.bench.distillation.work import measure_pace

        self._run(measure_pace, jobs, [1 for _ in jobs], "paces", 1, tick, keep)

    def train(
        self, jobs: Sequence[CellJob], tick: Tick, keep: Callable[[int, CellRecord], None]
    ) -> None:
        """See `work.train_cell`."""
        from nas.bench.distillation.work import train_cell

        steps = [job.steps.float_steps + job.steps.int8_steps for job in jobs]
        self._run(train_cell, jobs, steps, "networks", self.count, tick, keep)

    def _run(
        self,
        work: Callable[[Job, Tick], Result],
        jobs: Sequence[Job],
        steps: Sequence[int],
        what: str,
        count: int,
        tick: Tick,
        keep: Callable[[int, Result], None],
    ) -> None:
        from distill.training.jobs import run_jobs

        run_jobs(
            work,
            [(job,) for job in jobs],
            steps=steps,
            what=what,
            processes=count,
            progress=tick,
            on_done=keep,
        )
