"""Trainings that end at a step, and progress that nobody watches."""

from __future__ import annotations

from distill.training.effort import EFFORTS
from distill.training.progress import Progress

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
