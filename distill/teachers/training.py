"""Training one teacher: soft labels of training people, then its temperature on search people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.losses.distributions import label_loss
from distill.teachers.base import Shape, Teacher
from distill.teachers.calibration import calibrate, measured
from distill.teachers.files import description, load_teacher
from distill.teachers.foreign import ForeignTeacher
from distill.training.checkpoint import Checkpoint, digest_of, read_facts
from distill.training.device import CPU, mixed_precision, moved, placed
from distill.training.effort import Effort, Progress
from distill.training.fit import Schedule, fit, make_optimiser, settle_norms
from distill.training.team import SHARDS, Team, team
from ppg.augment.bank import PREPARATION, TrainingBank
from ppg.readout.classes import soft_labels
from ppg.windows import WindowSet

CHECKPOINT_EVERY = 200
NORM_BATCHES = 16


def train_teacher(
    bank: TrainingBank,
    search: WindowSet,
    *,
    make: Callable[[], Teacher],
    effort: Effort,
    seed: int,
    path: Path,
    processes: int,
    progress: Progress,
    name: str = "teacher",
    device: torch.device = CPU,
    known: Sequence[str] = (),
    launched: Team | None = None,
) -> Teacher:
    """Train on `bank`, fit the temperature on `search`, keep the result in `path`.

    A finished file of the same seed, effort, people and shape is taken; an unfinished one goes on.

    Args:
        search: windows of search people, as the teacher reads them.
        make: gives the network with random weights, as it can be sent to a process.
        processes: that may share the training.
        known: further people whom the network has learnt from.
        launched: the processes of `torchrun`, which all call this; only the first writes.

    Raises:
        RunError: the file is damaged, or a process was killed.
    """
    torch.manual_seed(seed)
    teacher = placed(make(), device)
    steps = effort.teacher_steps
    first = Team() if launched is None else launched
    shards = SHARDS if launched is None else launched.shards
    identity = {
        "seed": seed,
        "steps": steps,
        "batch": effort.batch,
        "shape": str(teacher.shape),
        "shards": shards,
        "people": sorted({*bank.people, *known}),
        "also_in": list(bank.also_in),
        "fingerprint": bank.fingerprint,
        **PREPARATION,
        **teacher.shape.task.changed,
    }
    if isinstance(teacher, ForeignTeacher):  # two files may have one shape and one length
        identity["file"] = digest_of({"model": teacher.model})
    checkpoint = Checkpoint(path, identity, description(teacher), log=log_of(path))
    if first.share(lambda: checkpoint.steps() == steps):
        return placed(load_teacher(path), device)
    spent_s = float(read_facts(path).get("train_s", 0.0)) if checkpoint.steps() else 0.0
    began_s = time.monotonic() - spent_s

    def timed(done: int, total: int, note: str) -> None:
        checkpoint.facts["train_s"] = time.monotonic() - began_s
        progress(done, total, note)

    if any(each.requires_grad for each in teacher.parameters()):
        together = team(processes, _take_part, bank, make, effort, seed, checkpoint)
        with nullcontext(launched) if launched is not None else together as whole:
            _fit(whole, teacher, bank, effort, seed, checkpoint, timed)
    draw = partial(_draw, bank, teacher.shape, effort.batch // shards, seed)
    batches = (draw(step, shards) for step in range(NORM_BATCHES))  # of no shard of the training
    settle_norms(teacher, (x.to(device) for x, _ in batches))
    calibrate(teacher, search)
    train_s = time.monotonic() - began_s
    teacher.facts = measured(teacher, search, name=name, train_s=train_s)
    checkpoint.facts["measured"] = teacher.facts.to_json()
    if first.rank == 0:
        checkpoint.save(teacher, steps)
    first.share(lambda: True)  # nobody reads it before it is there
    return teacher


def log_of(path: Path) -> Path:
    """Where the course of a training is kept: beside its file, or beside the `cache` of a run."""
    folder = path.parent.parent if path.parent.name == "cache" else path.parent
    return folder / "metrics" / f"{path.stem}.csv"


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
        drawn = _draw(bank, teacher.shape, effort.batch // own.shards, seed, step, shard)
        x, labels = (moved(each, device) for each in drawn)
        # What is dropped depends on step and shard alone, like every draw.
        dropped = np.random.SeedSequence((seed, 4, step, shard)).generate_state(1)[0]
        torch.manual_seed(int(dropped))
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


def _draw(
    bank: TrainingBank, shape: Shape, count: int, seed: int, step: int, shard: int
) -> tuple[Tensor, Tensor]:
    """Windows and soft labels of a shard."""
    rng = np.random.default_rng((seed, 1, step, shard))
    x, hr_bpm = bank.draw(rng, count, rate_hz=shape.rate_hz)
    return torch.from_numpy(x), torch.from_numpy(soft_labels(hr_bpm, bank.task))


def _take_part(
    own: Team,
    bank: TrainingBank,
    make: Callable[[], Teacher],
    effort: Effort,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    torch.manual_seed(seed)
    _fit(own, make(), bank, effort, seed, checkpoint, lambda *_: None)
