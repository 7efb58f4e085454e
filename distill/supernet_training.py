"""Training the supernet: a warm-up of the largest network, then the sandwich rule.

Each sandwich step trains the largest, the smallest and two random networks on one batch. The
largest learns from labels and the teacher; the others learn from the largest's soft output of the
same step (in-place distillation; Yu and Huang 2019, arXiv 1903.05134). Random networks are drawn
among those that fit the budgets, since no other will ever be used.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from distill.inputs import inputs_of
from distill.losses import distillation_loss, soft_target_loss
from distill.pool import Pool
from distill.training.checkpoint import Checkpoint, load_checkpoint
from distill.training.effort import Effort
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.progress import Progress
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet

PEAK_RATE = 12e-3
RANDOM_NETWORKS = 2
PPG_ONLY_SHARE = 0.15
CHECKPOINT_EVERY = 100
TRIES = 200

Accept = Callable[[Arch], bool]


def train_supernet(
    supernet: Supernet,
    pool: Pool,
    *,
    effort: Effort,
    seed: int,
    path: Path,
    accept: Accept,
    progress: Progress,
) -> None:
    """Train `supernet` in place, keeping checkpoints in `path`; continues an unfinished one."""
    steps = effort.warmup_steps + effort.supernet_steps
    identity = {
        "seed": seed,
        "steps": steps,
        "pool": [len(pool.hr_bpm), pool.teacher is not None],
        "space": str(supernet.space),
    }
    checkpoint = Checkpoint(path, identity)
    if checkpoint.steps() == steps:
        load_checkpoint(path, supernet)
        return
    optimiser = make_optimiser(supernet)
    largest, smallest = supernet.space.largest(), supernet.space.smallest()

    def losses(step: int) -> Iterator[Tensor]:
        if step == effort.warmup_steps:
            supernet.sort_channels()
            optimiser.state.clear()  # the moments belong to the channels' former places
        x, labels, teacher = pool.batch_at(step, seed=seed)
        logits = supernet(inputs_of(x, largest), largest)
        yield distillation_loss(logits, labels, teacher)
        if step < effort.warmup_steps:
            return
        target = logits.detach()
        rng = random.Random(f"{seed} sandwich {step}")
        drawn = draw_networks(supernet.space, rng, accept=accept)
        # the smallest takes turns through the front ends: each has a stem of its own
        front = supernet.space.sample(rng)
        least = replace(smallest, acceleration=front.acceleration, rate_hz=front.rate_hz)
        for arch in [supernet.space.canonical(least), *drawn]:
            yield soft_target_loss(supernet(inputs_of(x, arch), arch), target)

    fit(
        supernet,
        losses,
        optimiser=optimiser,
        schedule=Schedule(steps, PEAK_RATE, CHECKPOINT_EVERY),
        checkpoint=checkpoint,
        progress=progress,
    )
    supernet.eval()
    checkpoint.save(supernet, steps)


def draw_networks(
    space: SearchSpace, rng: random.Random, *, accept: Accept, count: int = RANDOM_NETWORKS
) -> list[Arch]:
    """Random acceptable networks, most of them with acceleration where the space has both."""
    drawn: list[Arch] = []
    for _ in range(count):
        plain = rng.random() < PPG_ONLY_SHARE
        for _ in range(TRIES):
            arch = space.sample(rng)
            if len(space.acceleration) > 1 and arch.acceleration == plain:
                continue
            if accept(arch):
                break
        drawn.append(arch)  # after TRIES misses the last one serves: training must go on
    return drawn


def largest_logits(supernet: Supernet, pool: Pool, *, progress: Progress) -> Iterator[Tensor]:
    """Logits of the largest network on every batch of the pool, in stored order."""
    largest = supernet.space.largest()
    statistics = supernet.recalibrate(largest, [inputs_of(x, largest) for x in pool.inputs(16)])
    for index, x in enumerate(pool.inputs()):
        with torch.no_grad():
            logits = supernet(inputs_of(x, largest), largest, statistics=statistics)
        yield logits
        progress(index + 1, pool.batches, "asking the largest network")
