"""Training one teacher: soft labels of training people, then its temperature on search people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.losses.labels import label_loss
from distill.teachers.base import Shape, Teacher
from distill.teachers.calibration import calibrate, measured
from distill.teachers.files import load_teacher
from distill.teachers.registry import build, description
from distill.training.checkpoint import Checkpoint, read_facts
from distill.training.device import CPU, mixed_precision, moved, placed
from distill.training.effort import Effort
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.norms import settle_norms
from distill.training.progress import Progress
from distill.training.team import SHARDS, Team, team
from ppg.augment.bank import PREPARATION, TrainingBank
from ppg.readout.classes import soft_labels
from ppg.windows import WindowSet

CHECKPOINT_EVERY = 200
NORM_BATCHES = 16
SETTLING = SHARDS  # draws of no shard of the training


def train_teacher(
    bank: TrainingBank,
    search: WindowSet,
    *,
    shape: Shape,
    effort: Effort,
    seed: int,
    path: Path,
    processes: int,
    progress: Progress,
    name: str = "teacher",
    device: torch.device = CPU,
) -> Teacher:
    """Train on `bank`, fit the temperature on `search`, keep the result in `path`.

    A finished file of the same seed, effort, people and shape is taken; an unfinished one goes on.
    """
    torch.manual_seed(seed)
    teacher = placed(build(shape), device)
    steps = effort.teacher_steps
    identity = {
        "seed": seed,
        "steps": steps,
        "batch": effort.batch,
        "shape": str(shape),
        "shards": SHARDS,
        "people": list(bank.people),
        "also_in": list(bank.also_in),
        "fingerprint": bank.fingerprint,
        **PREPARATION,
    }
    checkpoint = Checkpoint(path, identity, description(teacher))
    if checkpoint.steps() == steps:
        return placed(load_teacher(path), device)
    spent_s = float(read_facts(path).get("train_s", 0.0)) if checkpoint.steps() else 0.0
    began_s = time.monotonic() - spent_s

    def timed(done: int, total: int, note: str) -> None:
        checkpoint.facts["train_s"] = time.monotonic() - began_s
        progress(done, total, note)

    with team(processes, _take_part, bank, shape, effort, seed, checkpoint) as whole:
        _fit(whole, teacher, bank, effort, seed, checkpoint, timed)
    batches = (_draw(bank, shape, effort, seed, step, SETTLING) for step in range(NORM_BATCHES))
    settle_norms(teacher, (x.to(device) for x, _ in batches))
    calibrate(teacher, search)
    train_s = time.monotonic() - began_s
    teacher.facts = measured(teacher, search, name=name, train_s=train_s)
    checkpoint.facts["measured"] = asdict(teacher.facts)
    checkpoint.save(teacher, steps)
    return teacher


def _fit(
    own: Team,
    teacher: Teacher,
    bank: TrainingBank,
    effort: Effort,
    seed: int,
    checkpoint: Checkpoint,
    progress: Progress,
) -> None:
    device = teacher.temperature.device

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        drawn = _draw(bank, teacher.shape, effort, seed, step, shard)
        x, labels = (moved(each, device) for each in drawn)
        torch.manual_seed(_dropout_seed(seed, step, shard))
        yield label_loss(mixed_precision(device, teacher, x), labels)

    fit(
        teacher,
        losses,
        optimiser=make_optimiser(teacher),
        schedule=Schedule(effort.teacher_steps, teacher.peak_rate, CHECKPOINT_EVERY),
        checkpoint=checkpoint,
        progress=progress,
        team=own,
    )


def _dropout_seed(seed: int, step: int, shard: int) -> int:
    """What is dropped depends on step and shard alone, like every draw."""
    return int(np.random.SeedSequence((seed, 4, step, shard)).generate_state(1)[0])


def _draw(
    bank: TrainingBank, shape: Shape, effort: Effort, seed: int, step: int, shard: int
) -> tuple[Tensor, Tensor]:
    """Windows and soft labels of a shard."""
    rng = np.random.default_rng((seed, 1, step, shard))
    x, hr_bpm = bank.draw(rng, effort.batch // SHARDS, rate_hz=shape.rate_hz)
    return torch.from_numpy(x), torch.from_numpy(soft_labels(hr_bpm))


def _take_part(
    own: Team,
    bank: TrainingBank,
    shape: Shape,
    effort: Effort,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    torch.manual_seed(seed)
    _fit(own, build(shape), bank, effort, seed, checkpoint, lambda *_: None)
