"""Trainings that end at a step, progress that nobody watches, and pools of a few windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from distill.pool import Pool, make_pool
from distill.training.effort import EFFORTS, Progress
from ppg.augment.bank import TrainingBank

SMOKE = EFFORTS["smoke"]


def silent(done: int, total: int, note: str) -> None:
    """No progress display."""


class Killed(Exception):
    """In place of a signal."""


def kill_at(step: int | None) -> Progress:
    """Progress that ends a training at a step, or never."""

    def progress(done: int, total: int, note: str) -> None:
        if done == step:
            raise Killed

    return progress


def small_pool(bank: TrainingBank, teacher: nn.Module | None, folder: Path, **asked: Any) -> Pool:
    """Three batches of 16 windows at 32 Hz, unless asked for others."""
    few = {"batches": 3, "batch": 16, "rate_hz": 32, "seed": 0, "progress": silent}
    return make_pool(bank, teacher, folder=folder, **{**few, **asked})
