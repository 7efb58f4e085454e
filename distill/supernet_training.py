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
from torch import nn

from distill.inputs import front_end
from distill.losses import distillation_loss, label_loss, soft_target_loss
from distill.pool import Pool
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.effort import Effort
from distill.training.optim import GRADIENT_NORM, make_optimiser, set_rate
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
    facts = read_facts(path)
    optimiser = make_optimiser(supernet, lr=PEAK_RATE)
    first = 0
    if facts.get("identity") == identity:
        if facts["step"] == steps:
            load_checkpoint(path, supernet)
            return
        first = load_checkpoint(path, supernet, optimiser=optimiser)["step"]
    largest, smallest = supernet.space.largest(), supernet.space.smallest()
    supernet.train()
    for step in range(first, steps):
        if step == effort.warmup_steps:
            supernet.sort_channels()
            # the moments belong to the channels' former places
            optimiser = make_optimiser(supernet, lr=PEAK_RATE)
        x, labels, teacher = pool.batch_at(step, seed=seed)
        set_rate(optimiser, peak=PEAK_RATE, step=step, steps=steps)
        optimiser.zero_grad(set_to_none=True)
        logits = supernet(front_end(x, largest), largest)
        if teacher is None:
            loss = label_loss(logits, labels)
        else:
            loss = distillation_loss(logits, labels, teacher)
        loss.backward()
        if step >= effort.warmup_steps:
            target = logits.detach()
            rng = random.Random(f"{seed} sandwich {step}")
            drawn = draw_networks(supernet.space, rng, accept=accept)
            # the smallest takes turns through the front ends: each has a stem of its own
            front = supernet.space.sample(rng)
            least = replace(smallest, acceleration=front.acceleration, rate_hz=front.rate_hz)
            for arch in [supernet.space.canonical(least), *drawn]:
                soft_target_loss(supernet(front_end(x, arch), arch), target).backward()
        nn.utils.clip_grad_norm_(supernet.parameters(), GRADIENT_NORM)
        optimiser.step()
        progress(step + 1, steps, f"loss of the largest network {loss.item():.2f}")
        if (step + 1) % CHECKPOINT_EVERY == 0 and step + 1 < steps:
            save_checkpoint(path, supernet, optimiser=optimiser, identity=identity, step=step + 1)
    supernet.eval()
    save_checkpoint(path, supernet, identity=identity, step=steps)


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


def largest_logits(
    supernet: Supernet, pool: Pool, *, progress: Progress
) -> Iterator[torch.Tensor]:
    """Logits of the largest network on every batch of the pool, in stored order."""
    largest = supernet.space.largest()
    statistics = supernet.recalibrate(
        largest, [front_end(x, largest) for _, x in zip(range(16), pool.inputs(), strict=False)]
    )
    for index, x in enumerate(pool.inputs()):
        with torch.no_grad():
            logits = supernet(front_end(x, largest), largest, statistics=statistics)
        yield logits
        progress(index + 1, pool.batches, "asking the largest network")
