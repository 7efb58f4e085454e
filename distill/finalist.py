"""Retraining one finalist: inherited weights, float fine-tuning, then quantisation-aware training.

The job is plain values and paths, so that worker processes can take it: the pool is mapped into
memory, the initial weights lie in a file. A killed training goes on from its checkpoint, which
lies beside the initial weights, to the same result.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from deploy.integers.quantized import QuantizedNet
from distill.evaluation import predict_windows
from distill.inputs import front_end
from distill.losses import distillation_loss, label_loss
from distill.pool import FACTS, Pool, open_pool
from distill.qat import QatNetwork
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.effort import Effort
from distill.training.optim import GRADIENT_NORM, make_optimiser, set_rate
from distill.training.progress import Progress
from ppg.people.metrics import mean_over_people
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.network import Network

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
        weights: checkpoint of the extracted network.
        pool: folder of the pool, whose targets come from the teacher and the largest network.
        effort, seed: see `Effort`.
    """

    arch: Arch
    weights: Path
    pool: Path
    effort: Effort
    seed: int


@dataclass(frozen=True)
class Retrained:
    """A finalist in integers, and its int8 MAE on search people."""

    net: QuantizedNet
    search_mae_bpm: float


def retrain(job: FinalistJob, search: WindowSet, progress: Progress) -> Retrained:
    """Fine-tune, quantise, and measure on `search` (windows at the rate of the arch).

    Raises:
        RunError: a checkpoint is damaged or of another network.
    """
    pool = open_pool(job.pool, blend=True)
    network = Network(job.arch)
    checkpoint = _Checkpoint(job)
    total = job.effort.finetune_steps + job.effort.qat_steps

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        x, labels, teacher = pool.batch_at(step, seed=job.seed)
        return front_end(x, job.arch), labels, teacher

    if not checkpoint.quantising:
        load_checkpoint(job.weights, network)
        _optimise(
            network.train(),
            batch,
            checkpoint,
            first=0,
            steps=job.effort.finetune_steps,
            rate=FINETUNE_RATE,
            total=total,
            progress=progress,
        )
        _recalibrate(network, pool, job.arch)
    qat = QatNetwork(network.eval())
    if not checkpoint.quantising:
        qat.observe(
            front_end(x, job.arch)
            for _, x in zip(range(OBSERVED_BATCHES), pool.inputs(), strict=False)
        )
    half = job.effort.qat_steps // 2

    def hold(step: int) -> None:
        qat.observing = step < half

    _optimise(
        qat,
        batch,
        checkpoint,
        first=job.effort.finetune_steps,
        steps=job.effort.qat_steps,
        rate=QAT_RATE,
        total=total,
        progress=progress,
        before=hold,
    )
    net = qat.quantized()
    error = predict_windows(net, search).raw.bpm - search.hr_bpm
    return Retrained(net, mean_over_people(abs(error), search.person))


class _Checkpoint:
    """How far one finalist is: its weights, the optimiser's state, the step."""

    def __init__(self, job: FinalistJob) -> None:
        self._path = job.weights.with_name(f"{CHECKPOINT_NAME}-{job.arch.id}.safetensors")
        self._identity = {
            "arch": job.arch.id,
            "effort": asdict(job.effort),
            "seed": job.seed,
            "pool": json.loads((job.pool / FACTS).read_text(encoding="utf-8")),
        }
        facts = read_facts(self._path)
        self._facts: dict[str, Any] = facts if facts.get("identity") == self._identity else {}

    @property
    def quantising(self) -> bool:
        """Whether float training is behind it."""
        return bool(self._facts.get("quantising"))

    def restore(self, module: nn.Module, optimiser: AdamW) -> int:
        """Bring both to where the training of this module was.

        Returns:
            Steps that are done.
        """
        if not self._facts or self.quantising != isinstance(module, QatNetwork):
            return 0
        load_checkpoint(self._path, module, optimiser=optimiser)
        if isinstance(module, QatNetwork):
            module.ranges = {name: (low, high) for name, (low, high) in self._facts["ranges"]}
        return int(self._facts["step"])

    def save(self, module: nn.Module, optimiser: AdamW, step: int) -> None:
        """Keep the state after `step` steps."""
        quantising = isinstance(module, QatNetwork)
        save_checkpoint(
            self._path,
            module,
            optimiser=optimiser,
            identity=self._identity,
            quantising=quantising,
            step=step,
            ranges=list(module.ranges.items()) if isinstance(module, QatNetwork) else [],
        )


def _optimise(
    module: nn.Module,
    batch: Callable[[int], tuple[Tensor, Tensor, Tensor | None]],
    checkpoint: _Checkpoint,
    *,
    first: int,
    steps: int,
    rate: float,
    total: int,
    progress: Progress,
    before: Callable[[int], None] | None = None,
) -> None:
    optimiser = make_optimiser(module, lr=rate)
    for step in range(checkpoint.restore(module, optimiser), steps):
        if before is not None:
            before(step)
        x, labels, teacher = batch(first + step)
        set_rate(optimiser, peak=rate, step=step, steps=steps)
        logits = module(x)
        if teacher is None:
            loss = label_loss(logits, labels)
        else:
            loss = distillation_loss(logits, labels, teacher)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), GRADIENT_NORM)
        optimiser.step()
        progress(first + step + 1, total, f"loss {loss.item():.2f}")
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
            checkpoint.save(module, optimiser, step + 1)


@torch.no_grad()
def _recalibrate(network: Network, pool: Pool, arch: Arch) -> None:
    """Cumulative statistics over fixed batches, so that no moving average lags behind."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for _, x in zip(range(OBSERVED_BATCHES), pool.inputs(), strict=False):
        network(front_end(x, arch))
    network.eval()
