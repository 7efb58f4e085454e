"""The loop of every training, with its optimiser and its schedule, and the statistics after it.

A training is what its losses say: a function of step and shard alone, whose draws are seeded by
(seed, phase, step). So one that was killed goes on from its checkpoint to the same weights.

Every step takes the same tensors. By its defaults glibc hands those of a megabyte back when they
are freed, and the system clears each page anew at the next step: 1,400 to 10,000 page faults, a
fifth to two fifths of the time of a small network on one core. So a training keeps its memory.
"""

from __future__ import annotations

import ctypes
import math
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distill.training.adamw import AdamW
from distill.training.checkpoint import Checkpoint
from distill.training.effort import Progress
from distill.training.metrics import metrics
from distill.training.team import Team

GRADIENT_NORM = 1.0
WARMUP_SHARE, MOST_WARMUP_STEPS = 0.03, 300
WEIGHT_DECAY = 1e-2
ALONE = Team()

Losses = Callable[[int, int], Iterable[Tensor | Mapping[str, Tensor]]]
"""The losses of a step on a shard of its batch. Each goes back through its graph before the next
is made, so that one graph is held at a time; their gradients add up. The first is shown, and where
a loss comes as terms by name, whose sum it is, so are they."""


@dataclass(frozen=True)
class Schedule:
    """How many steps a training takes, its highest rate, and the steps between checkpoints.

    Attributes:
        pause: steps after which it stops for now, with a checkpoint to go on from; None for none.
        before, course: where it is one of several trainings on one fall of the rate: steps before
            it, and of all.
    """

    steps: int
    peak_rate: float
    save_every: int
    pause: int | None = None
    before: int = 0
    course: int | None = None

    @property
    def last(self) -> int:
        """Steps that are done when it stops."""
        return self.steps if self.pause is None else min(self.pause, self.steps)

    def rate(self, step: int) -> float:
        """Learning rate: linear warm-up, then half a cosine to zero."""
        warmup = min(WARMUP_SHARE * self.steps, MOST_WARMUP_STEPS)
        rate = self.peak_rate * min(1.0, (step + 1) / (warmup + 1)) * 0.5
        done = (self.before + step) / (self.course or self.steps)
        return rate * (1 + math.cos(math.pi * done))


def make_optimiser(module: nn.Module) -> AdamW:
    """AdamW; gains, shifts and biases do not decay."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, betas=(0.9, 0.98))


def fit(
    module: nn.Module,
    losses: Losses,
    *,
    optimiser: AdamW,
    schedule: Schedule,
    checkpoint: Checkpoint,
    progress: Progress,
    team: Team = ALONE,
) -> None:
    """Train `module` in place, from the checkpoint on where there is one.

    The state after the last step is the caller's to save: a finished file holds no optimiser.

    Args:
        optimiser: of `make_optimiser`.
        progress: sees every step; what it raises ends the training.
        team: the processes that share it; the first alone keeps the checkpoint.

    Raises:
        RunError: the checkpoint is damaged or of another network.
    """
    keep_freed_memory()
    module.train()
    first = checkpoint.restore(module, optimiser)
    log = checkpoint.log if team.rank == 0 else None
    with metrics(log, done=first, steps=schedule.steps) as note:
        for step in range(first, schedule.last):
            seen: list[Tensor] = []
            terms: Mapping[str, Tensor] = {}
            gradients: list[list[Tensor]] = []
            for shard in team.own:
                optimiser.zero_grad()
                for found in losses(step, shard):
                    if isinstance(found, Tensor):
                        loss = found
                    else:
                        part, *others = found.values()
                        loss = sum(others, part)
                        terms = terms or {name: term.detach() for name, term in found.items()}
                    torch.autograd.backward(loss)
                    seen.append(loss.detach())
                gradients.append([p.grad for p in module.parameters() if p.grad is not None])
            if team.shards > 1:
                team.average(module, gradients)
            nn.utils.clip_grad_norm_(module.parameters(), GRADIENT_NORM)
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            optimiser.step()
            done = step + 1
            shown = seen[0].item()
            note(done, loss=shown, rate=schedule.rate(step), terms=terms)
            progress(done, schedule.steps, f"loss {shown:.2f}")
            kept = done % schedule.save_every == 0 or done == schedule.last
            if team.rank == 0 and kept and done < schedule.steps:
                checkpoint.save(module, done, optimiser=optimiser)


@torch.no_grad()
def settle_norms(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Cumulative statistics over fixed batches, so that no moving average lags behind.

    Args:
        network: what `batches` are read by; it is in evaluation mode afterwards.
    """
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None
    network.train()
    for x in batches:
        network(x)
    network.eval()


# Of malloc.h; the largest threshold that glibc takes is 32 MiB.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_BYTES = 1 << 30, 32 << 20


def keep_freed_memory() -> None:
    """Keep up to 1 GiB of freed memory in this process; without glibc nothing happens."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
