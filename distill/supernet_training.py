"""Training the supernet: a warm-up of the largest network, then the sandwich rule.

Each step trains the smallest and two random networks on one batch, and every few steps the
largest (Yu and Huang 2019, arXiv 1903.05134, who train it in each): a step of the largest takes as
long as all the others together, and what it hands down is there in the teacher's targets, from
which all learn. Random networks are drawn among those that fit the budgets, since no other will
ever be used. A subnetwork with inherited weights is measured on search people.

A mix of losses is used less its terms that need features (`Mix.without_features`): subnetworks
differ in width, so none could share an adaptor with another.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.inputs import at_rate, inputs_of
from distill.losses.batch import View
from distill.losses.mix import Mix, chosen_mix
from distill.pool import FACTS, Pool, open_pool
from distill.training.checkpoint import Checkpoint
from distill.training.device import CPU, mixed_precision, placed
from distill.training.effort import AUTO, Effort, Progress
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.team import SHARDS, Team, team
from ppg.people.metrics import mean_over_people
from ppg.readout.decode import decode
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet

PEAK_RATE = 12e-3
RANDOM_NETWORKS = 2
LARGEST_EVERY = 4
PPG_ONLY_SHARE = 0.15
CHECKPOINT_EVERY = 100
TRIES = 200

Accept = Callable[[Arch], bool]


@dataclass(frozen=True)
class SupernetJob:
    """What every process of the training needs.

    Attributes:
        effort, seed: see `Effort`.
        path: where checkpoints are kept; an unfinished one is continued.
        device: where the supernet lies.
        distill: the mix, see `distill.losses.mix.chosen_mix`.
    """

    space: SearchSpace
    pool: Path
    effort: Effort
    seed: int
    path: Path
    device: torch.device = CPU
    distill: str = AUTO

    def mix(self, pool: Pool) -> Mix:
        """What subnetworks learn from, of those targets that the pool has."""
        taught = pool.teacher is not None
        return chosen_mix(self.distill, effort=self.effort, taught=taught).without_features()

    def supernet(self) -> Supernet:
        """The supernet before its first step."""
        torch.manual_seed(self.seed)
        return placed(Supernet(self.space), self.device)


def train_supernet(
    job: SupernetJob, *, accept: Accept, processes: int, progress: Progress
) -> None:
    """Train the supernet of `job` and write it to its path, unless it is there."""
    checkpoint, steps = _checkpoint(job)
    if checkpoint.steps() == steps:
        return
    supernet = job.supernet()
    with team(processes, _take_part, job) as whole:
        fit_supernet(job, supernet, whole, accept, progress)
    checkpoint.save(supernet, steps)


def _take_part(own: Team, job: SupernetJob) -> None:
    fit_supernet(job, job.supernet(), own, lambda _: True, lambda *_: None)


def _checkpoint(job: SupernetJob) -> tuple[Checkpoint, int]:
    """The file of the training, and its number of steps."""
    pool = open_pool(job.pool)
    steps = job.effort.warmup_steps + job.effort.supernet_steps
    identity = {
        "seed": job.seed,
        "steps": steps,
        "pool": json.loads((job.pool / FACTS).read_text(encoding="utf-8")),
        "space": str(job.space),
        **({"window_s": list(job.space.window_s)} if len(job.space.window_s) > 1 else {}),
        "shards": SHARDS,
        "distill": job.mix(pool).text,
    }
    log = job.path.with_name("metrics") / "supernet.csv"
    return Checkpoint(job.path, identity, log=log), steps


def fit_supernet(
    job: SupernetJob, supernet: Supernet, own: Team, accept: Accept, progress: Progress
) -> None:
    """One process's part of the training; the first one's `accept` and `progress` count."""
    pool, seed, warmup = open_pool(job.pool, device=job.device), job.seed, job.effort.warmup_steps
    checkpoint, steps = _checkpoint(job)
    mix = job.mix(pool)
    optimiser = make_optimiser(supernet)
    largest, smallest = supernet.space.largest(), supernet.space.smallest()

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        if step == warmup:  # for a second shard that changes nothing more
            supernet.sort_channels()
            optimiser.state.clear()  # the moments belong to the channels' former places
        batch = pool.batch_at(step, seed=seed, rows=own.rows(shard, pool.batch))
        if step < warmup:
            archs = [largest]
        else:
            rng = random.Random(f"{seed} sandwich {step}")
            archs = own.share(lambda: draw_networks(supernet.space, rng, accept=accept))
            # the smallest takes turns through the front ends: each has a stem of its own
            front = supernet.space.sample(random.Random(f"{seed} front end {step}"))
            least = replace(smallest, acceleration=front.acceleration, rate_hz=front.rate_hz)
            archs = [*archs, supernet.space.canonical(least)]
            if step % LARGEST_EVERY == 0:
                archs.append(largest)
        for arch in archs:
            logits = mixed_precision(job.device, supernet, pool.of(batch.x, arch), arch)
            yield mix.loss(View(logits), batch)

    fit(
        supernet,
        losses,
        optimiser=optimiser,
        schedule=Schedule(steps, PEAK_RATE, CHECKPOINT_EVERY),
        checkpoint=checkpoint,
        progress=progress,
        team=own,
    )


def draw_networks(space: SearchSpace, rng: random.Random, *, accept: Accept) -> list[Arch]:
    """Random acceptable networks, most of them with acceleration where the space has both."""
    drawn: list[Arch] = []
    for _ in range(RANDOM_NETWORKS):
        plain = rng.random() < PPG_ONLY_SHARE
        for _ in range(TRIES):
            arch = space.sample(rng)
            if len(space.acceleration) > 1 and arch.acceleration == plain:
                continue
            if accept(arch):
                break
        drawn.append(arch)  # after TRIES misses the last one serves: training must go on
    return drawn


def thin(windows: WindowSet, count: int) -> NDArray[np.int64]:
    """Indices of about `count` windows, spread evenly over every person's time."""
    people = len(windows.people)
    share = max(1, count // people)
    picked = []
    for person in range(people):
        own = np.flatnonzero(windows.person == person)
        if len(own):
            picked.append(own[np.linspace(0, len(own) - 1, min(share, len(own))).astype(np.int64)])
    return np.concatenate(picked)


class InheritedAccuracy:
    """Mean-of-people MAE of architectures, which does not order them.

    Args:
        calibration: batches of training windows at the stored rate, where the supernet lies;
            recalibrate normalisation.
        count: about how many of them are used.
        past_s: before each window of `calibration`.
    """

    def __init__(
        self,
        supernet: Supernet,
        calibration: list[Tensor],
        search: WindowSet,
        *,
        count: int,
        past_s: float = 0.0,
    ) -> None:
        some = search.only(thin(search, count))
        self._supernet = supernet
        self._calibration = calibration
        self._past_s = past_s
        self._device = next(supernet.parameters()).device
        self._task = search.task
        self._x = torch.from_numpy(some.x).to(self._device)
        self._passes = some.passes
        self._hr_bpm = some.hr_bpm
        self._person = some.person

    @torch.no_grad()
    def mae_bpm(self, arch: Arch) -> float:
        """Raw MAE in BPM; the same value for the same architecture, whatever came before."""
        statistics = self._supernet.recalibrate(
            arch, [self._read(batch, arch, self._past_s) for batch in self._calibration]
        )
        have_hz = self._x.shape[2] // self._task.window_s

        def logits(x: Tensor, *, whole: bool) -> NDArray[np.float32]:
            x = x.to(self._device)
            x = at_rate(x, arch, have_hz) if whole else self._read(x, arch)
            found: Tensor = self._supernet(x, arch, statistics=statistics, whole=whole)
            return found.cpu().numpy()

        if self._passes is None:
            read = [logits(part, whole=False) for part in torch.split(self._x, 256)]
            bpm = decode(np.concatenate(read), self._task).bpm
        else:
            read_pass = lambda x: logits(torch.from_numpy(x[None]), whole=True)  # noqa: E731
            bpm = decode(self._passes.read(read_pass), self._task).bpm
        return mean_over_people(np.abs(bpm - self._hr_bpm), self._person)

    def _read(self, x: Tensor, arch: Arch, past_s: float = 0.0) -> Tensor:
        return inputs_of(x, arch, past_s=past_s, window_s=self._task.window_s)
