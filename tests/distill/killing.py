"""Trainings that end at a step."""

from __future__ import annotations

from distill.training.effort import EFFORTS

SMOKE = EFFORTS["smoke"]


def silent(done: int, total: int, note: str) -> None:
    """No progress display."""


class Killed(Exception):
    pass


def kill_at(step: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int, note: str) -> None:
        if done == step:
            raise Killed

    return progress
