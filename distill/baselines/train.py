"""Training of a baseline: the pool, the mix, the schedule and the steps of a student."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from distill.baselines.networks import Baseline, baseline
from distill.finalist import CHECKPOINT_EVERY, FINETUNE_RATE, OBSERVED_BATCHES
from distill.losses.batch import View
from distill.losses.mix import chosen_mix
from distill.pool import FACTS, open_pool
from distill.training.checkpoint import Checkpoint
from distill.training.effort import AUTO, Effort
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.norms import settle_norms
from distill.training.progress import Progress


def train_baseline(
    name: str,
    parameters: int,
    *,
    pool: Path,
    effort: Effort,
    seed: int,
    folder: Path,
    progress: Progress,
    distill: str = AUTO,
) -> Baseline:
    """Train one in float, for all steps of a student: those that simulate integers, too.

    Args:
        name, parameters: see `distill.baselines.networks.baseline`.
        pool: folder of the pool; acceleration is read where it has it.
        effort, seed: of the student that it is compared with.
        folder: for the checkpoint.
        progress: sees every step.
        distill: the mix; terms that read features are left out.

    Returns:
        The network in evaluation mode.

    Raises:
        SpaceError: there is no such baseline.
        RunError: the checkpoint is damaged or of another network.
    """
    windows = open_pool(pool)
    taught = windows.teacher is not None
    mix = chosen_mix(distill, effort=effort, taught=taught).without_features()
    torch.manual_seed(seed)
    network = baseline(name, parameters, acceleration=windows.x.shape[1] > 1)

    def losses(step: int, _: int) -> Iterator[Mapping[str, Tensor]]:
        batch = windows.batch_at(step, seed=seed)
        yield mix.terms(View(network(batch.x)), batch)

    identity = {
        "baseline": name,
        "parameters": parameters,
        "effort": asdict(effort),
        "seed": seed,
        "pool": json.loads((pool / FACTS).read_text(encoding="utf-8")),
        "distill": mix.text,
    }
    steps = effort.finetune_steps + effort.qat_steps
    fit(
        network,
        losses,
        optimiser=make_optimiser(network),
        schedule=Schedule(steps, FINETUNE_RATE, CHECKPOINT_EVERY),
        checkpoint=Checkpoint(folder / f"{name}-{parameters}.safetensors", identity),
        progress=progress,
    )
    settle_norms(network, windows.inputs(OBSERVED_BATCHES))
    return network
