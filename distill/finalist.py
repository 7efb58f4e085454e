"""Retraining finalists: float training on from a first rung, then quantisation-aware training.

Small networks gain little from a second thread, so two worker processes finish nearly twice as
much as one of two threads.
The job is plain values and paths, so that worker processes can take it: the pool is mapped into
memory, the initial weights lie in a file. A killed training goes on from its checkpoint, which
lies beside the initial weights, to the same result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from deploy.integers.reference import Rule
from distill.evaluation import Retrained, predict_windows
from distill.inputs import inputs_of
from distill.losses.adaptor import Adaptor, beside
from distill.losses.batch import View
from distill.losses.mix import AUTO, Mix, chosen_mix
from distill.pool import FACTS, Pool, open_pool
from distill.qat import QatNetwork
from distill.training.checkpoint import Checkpoint, load_checkpoint
from distill.training.device import CPU, mixed_precision, placed
from distill.training.effort import Effort
from distill.training.fit import ALONE, Schedule, fit, make_optimiser
from distill.training.jobs import run_jobs
from distill.training.norms import settle_norms
from distill.training.progress import Progress
from distill.training.team import Team, team
from ppg.people.metrics import mean_over_people
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.plan import plan

FINETUNE_RATE = 6e-3
QAT_RATE = 4e-4
OBSERVED_BATCHES = 16
CHECKPOINT_EVERY = 500
CHECKPOINT_NAME = "training"


@dataclass(frozen=True)
class FinalistJob:
    """What a worker needs.

    Attributes:
        arch: the architecture.
        weights: checkpoint of the network before, extracted or after its first rung.
        pool: folder of the pool, whose targets come from the teacher.
        effort, seed: see `Effort`.
        shards: of each batch of the float training; see `distill.training.team`.
        rule: the arithmetic of the error in the result, see `distill.evaluation`.
        seen: batches of the pool that the starting weights have learnt from.
        device: where it runs, which no checkpoint knows.
        distill: the mix, see `distill.losses.mix.chosen_mix`.
    """

    arch: Arch
    weights: Path
    pool: Path
    effort: Effort
    seed: int
    shards: int = 1
    rule: Rule = "tflm"
    seen: int = 0
    device: torch.device = CPU
    distill: str = AUTO

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


def retrain(
    job: FinalistJob, search: WindowSet, progress: Progress, *, processes: int = 1
) -> Retrained:
    """Fine-tune, quantise, and measure on `search` (windows at the rate of the arch).

    Raises:
        RunError: a checkpoint is damaged or of another network.
    """
    pool = open_pool(job.pool, device=job.device)
    int8_phase = checkpoint_of(job, "int8")
    network = placed(Network(job.arch), job.device)
    adaptor = job.adaptor(pool)
    quantising = int8_phase.steps() is not None
    if not quantising:
        load_checkpoint(job.weights, network)
        with team(processes, _take_part, job, shards=job.shards) as whole:
            fit_finalist(job, network, whole, progress, adaptor=adaptor)
        settle_norms(network, (inputs_of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)))
    qat = QatNetwork(network.eval())
    if not quantising:
        qat.observe(inputs_of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES))
        int8_phase.save(beside(qat, adaptor), 0)

    fit_finalist(job, qat, ALONE, progress, adaptor=adaptor)
    net = qat.cpu().quantized()
    error = predict_windows(net, search, rule=job.rule).raw.bpm - search.hr_bpm
    return Retrained(net, mean_over_people(abs(error), search.person))


def fit_finalist(
    job: FinalistJob,
    module: Network | QatNetwork,
    own: Team,
    progress: Progress,
    *,
    adaptor: Adaptor | None = None,
) -> None:
    """The float training of a network, or the second phase of one that simulates integers.

    `adaptor` is that of the phase before; where a mix needs one and there is none, a new one.
    """
    pool, effort = open_pool(job.pool, device=job.device), job.effort
    mix, adaptor = job.mix(pool), adaptor or job.adaptor(pool)
    if isinstance(module, QatNetwork):
        phase, first, steps, rate = "int8", effort.finetune_steps, effort.qat_steps, QAT_RATE
    else:
        phase, first, steps, rate = "float", 0, effort.finetune_steps, FINETUNE_RATE

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        if isinstance(module, QatNetwork):
            module.observing = step < steps // 2
        rows = own.rows(shard, pool.batch)
        batch = pool.batch_at(job.seen + first + step, seed=job.seed, rows=rows)
        student = _look(job, module, inputs_of(batch.x, job.arch), features=mix.features)
        if adaptor is not None and student.features is not None:
            student = replace(student, adapted=adaptor(student.features))
        yield mix.loss(student, batch)

    total = effort.finetune_steps + effort.qat_steps
    trained = beside(module, adaptor)
    fit(
        trained,
        losses,
        optimiser=make_optimiser(trained),
        schedule=Schedule(steps, rate, CHECKPOINT_EVERY),
        checkpoint=checkpoint_of(job, phase),
        progress=lambda done, _, note: progress(first + done, total, note),
        team=own,
    )


def _look(job: FinalistJob, module: Network | QatNetwork, x: Tensor, *, features: bool) -> View:
    """What the terms see of the student; features only where they are wanted."""
    # integers up to 255 times a scale: bfloat16 holds 8 bits
    device = CPU if isinstance(module, QatNetwork) else job.device
    if not features:
        return View(mixed_precision(device, module, x))
    return View(*mixed_precision(device, module.view, x))


def _take_part(own: Team, job: FinalistJob) -> None:
    network = Network(job.arch)
    load_checkpoint(job.weights, network)
    fit_finalist(job, network, own, lambda *_: None)


def checkpoint_of(job: FinalistJob, phase: str) -> Checkpoint:
    """One file for all phases: each replaces the one before."""
    return Checkpoint(
        job.weights.with_name(f"{CHECKPOINT_NAME}-{job.arch.id}.safetensors"),
        {
            "arch": job.arch.id,
            "effort": asdict(job.effort),
            "seed": job.seed,
            "pool": json.loads((job.pool / FACTS).read_text(encoding="utf-8")),
            "phase": phase,
            "shards": job.shards,
            "distill": job.mix(open_pool(job.pool)).text,
        },
    )


def retrain_all(
    jobs: Sequence[FinalistJob],
    search: Callable[[FinalistJob], WindowSet],
    *,
    processes: int,
    progress: Progress,
    on_done: Callable[[int, Retrained], None],
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Run all jobs, calling `on_done(index, result)` here as each one ends.

    Args:
        jobs: the finalists.
        search: windows of search people for a job's front end.
        processes: how many at once, at most.
        progress: sees steps summed over all jobs.
        on_done: called in this process.
        enough: see `run_jobs`.
    """
    run_jobs(
        retrain,
        [(job, search(job)) for job in jobs],
        steps=[job.effort.finetune_steps + job.effort.qat_steps for job in jobs],
        what="finalists",
        processes=processes,
        progress=progress,
        on_done=on_done,
        enough=enough,
    )
