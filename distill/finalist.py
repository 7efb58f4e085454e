"""Training of one network on the pool, in float and with simulated integers.

Small networks gain little from a second thread, so two worker processes finish nearly twice as
much as one of two threads.
The job is plain values and paths, so that worker processes can take it: the pool is mapped into
memory, the initial weights lie in a file. A killed training goes on from its checkpoint, which
lies beside the initial weights, to the same result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from deploy.integers.reference import Rule
from distill.losses.batch import View, Viewed
from distill.losses.features import Adaptor, beside, shortened
from distill.losses.mix import Mix, chosen_mix
from distill.pool import FACTS, Pool, open_pool
from distill.qat import QatNetwork
from distill.training.checkpoint import Checkpoint, load_checkpoint
from distill.training.device import CPU, mixed_precision, placed
from distill.training.effort import AUTO, Effort, Progress
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.recipe import Recipe, direct
from distill.training.team import Team
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.plan import plan

FINETUNE_RATE, OF_STEPS, LEAST_RATE = 3e-2, 1800, 6e-3
"""Highest rate of a float training of so many steps, and the lowest that one of more falls to.

Of what was tried these err least, up to 10,000 steps (docs/distillation.md)."""
QAT_RATE = 4e-4
OBSERVED_BATCHES = 16
CHECKPOINT_EVERY = 500
STEPS_A_BATCH = 2
"""A step learns from half a batch of the pool: at equal time `tiny` then errs less than with whole
ones and fewer steps, and `large` the same (docs/distillation.md)."""
CHECKPOINT_NAME = "training"


@dataclass(frozen=True)
class FinalistJob:
    """What a worker needs.

    Attributes:
        weights: checkpoint of the network before: extracted, random, or after another stage.
        pool: folder of the pool, whose targets come from the teacher.
        effort, seed: see `Effort`.
        shards: of each batch of the float training; see `distill.training.team`.
        rule: the arithmetic of the error in the result, see `distill.evaluation`.
        seen: steps that the starting weights have learnt from.
        pause: float steps after which it stops for now; the same job without goes on from there.
        before, course: see `distill.training.fit.Schedule`, of the float steps.
        device: where it runs, which no checkpoint knows.
        distill: the mix, see `distill.losses.mix.chosen_mix`.
        recipe: the stages of a whole training, see `distill.compression.retrain`.
        log: how the CSV files of its trainings begin; phase and `seen` follow. None writes none.
    """

    arch: Arch
    weights: Path
    pool: Path
    effort: Effort
    seed: int
    shards: int = 1
    rule: Rule = "tflm"
    seen: int = 0
    pause: int | None = None
    before: int = 0
    course: int | None = None
    device: torch.device = CPU
    distill: str = AUTO
    recipe: Recipe = field(default_factory=direct)
    log: Path | None = None

    @property
    def float_steps(self) -> int:
        """Of the float training, up to its pause."""
        return self.effort.finetune_steps if self.pause is None else self.pause

    @property
    def float_steps_done(self) -> int:
        """Of these, by the checkpoint."""
        return checkpoint_of(self, "float").steps() or 0

    def mix(self, pool: Pool) -> Mix:
        """What the network learns from."""
        return chosen_mix(self.distill, effort=self.effort, taught=pool.teacher is not None)

    def adaptor(self, pool: Pool) -> Adaptor | None:
        """What the training learns beside the network, before its first step."""
        if not self.mix(pool).adapted:
            return None
        assert pool.features is not None
        channels = plan(self.arch).features
        return placed(Adaptor(channels, pool.features.shape[1], seed=self.seed), self.device)


def finetune_rate(steps: int) -> float:
    """The highest learning rate of a float training of so many steps."""
    return float(max(LEAST_RATE, FINETUNE_RATE * min(1.0, OF_STEPS / steps) ** 0.5))


def fit_finalist(
    job: FinalistJob,
    module: nn.Module,
    own: Team,
    progress: Progress,
    *,
    adaptor: Adaptor | None = None,
) -> None:
    """The float training of a network that reads what `job.arch` does, or the second phase of one
    that simulates integers.

    `adaptor` is that of the phase before; where a mix needs one and there is none, a new one.
    """
    pool, effort = open_pool(job.pool, device=job.device), job.effort
    pool = replace(pool, batch=pool.batch // STEPS_A_BATCH)
    mix, adaptor = job.mix(pool), adaptor or job.adaptor(pool)
    if isinstance(module, QatNetwork):
        phase, first = "int8", effort.finetune_steps
        schedule = Schedule(effort.qat_steps, QAT_RATE, CHECKPOINT_EVERY)
    else:
        phase, first, shape = "float", 0, (job.pause, job.before, job.course)
        rate = finetune_rate(job.course or effort.finetune_steps)
        schedule = Schedule(effort.finetune_steps, rate, CHECKPOINT_EVERY, *shape)

    def losses(step: int, shard: int) -> Iterator[Mapping[str, Tensor]]:
        if isinstance(module, QatNetwork):
            module.observing = step < schedule.steps // 2
        rows = own.rows(shard, pool.batch)
        batch = pool.batch_at(job.seen + first + step, seed=job.seed, rows=rows)
        student = _look(job, module, pool.of(batch.x, job.arch), features=mix.features)
        if adaptor is not None and student.features is not None:
            student = replace(student, adapted=adaptor(student.features))
        yield mix.terms(student, batch)

    total = effort.finetune_steps + effort.qat_steps
    trained = beside(module, adaptor)
    fit(
        trained,
        losses,
        optimiser=make_optimiser(trained),
        schedule=schedule,
        checkpoint=checkpoint_of(job, phase),
        progress=lambda done, _, note: progress(first + done, total, note),
        team=own,
    )


def _look(job: FinalistJob, module: nn.Module, x: Tensor, *, features: bool) -> View:
    """What the terms see of the student; features only where they are wanted."""
    # integers up to 255 times a scale: bfloat16 holds 8 bits
    device = CPU if isinstance(module, QatNetwork) else job.device
    if not features:
        return View(mixed_precision(device, module, x))
    assert isinstance(module, Viewed)
    logits, seen = mixed_precision(device, module.view, x)
    return View(logits, shortened(seen))


def take_part(own: Team, job: FinalistJob) -> None:
    """What the other processes of a team do in a float training."""
    network = Network(job.arch)
    load_checkpoint(job.weights, network)
    fit_finalist(job, network, own, lambda *_: None)


def checkpoint_of(job: FinalistJob, phase: str) -> Checkpoint:
    """One file for all phases: each replaces the one before.

    How many steps there are is not asked: a search in a hurry goes on with fewer.
    """
    effort = {k: v for k, v in asdict(job.effort).items() if not k.endswith("_steps")}
    return Checkpoint(
        job.weights.with_name(f"{CHECKPOINT_NAME}-{job.arch.id}.safetensors"),
        {
            "arch": job.arch.id,
            "effort": effort,
            "seed": job.seed,
            "seen": job.seen,
            "pool": json.loads((job.pool / FACTS).read_text(encoding="utf-8")),
            "phase": phase,
            "shards": job.shards,
            "distill": job.mix(open_pool(job.pool)).text,
        },
        log=job.log and job.log.with_name(f"{job.log.name}-{phase}-{job.seen}.csv"),
    )
