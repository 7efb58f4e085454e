"""How much training a search buys: steps, not seconds, so that a seed repeats a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ppgnas.errors import SpaceError

EffortName = Literal["smoke", "quick", "standard", "thorough"]
AUTO = "auto"
FULL_STEPS_MACS = 1_200_000
FIRST_RUNG, MOST_FIRST_STEPS = 5, 800
"""A first rung is one of so many parts of a finalist's float steps, but never longer."""


@dataclass(frozen=True)
class Effort:
    """Training steps of each phase; every step sees `batch` windows.

    Attributes:
        teacher_steps: of the teacher.
        pool_batches: augmented batches that are drawn once, labelled by the teacher, and shared by
            the supernet and the networks.
        warmup_steps: supernet steps on the largest network alone.
        supernet_steps: steps after the warm-up.
        finetune_steps: float steps of a finalist, see `of_finalist`.
        qat_steps: quantisation-aware steps of a finalist, likewise.
        search_windows: windows of search people that an inherited error is measured on.
        mix: what a student of a teacher learns from where `distill` is `auto`, see
            `distill.losses.mix`.
    """

    name: EffortName
    teacher_steps: int
    pool_batches: int
    warmup_steps: int
    supernet_steps: int
    finetune_steps: int
    qat_steps: int
    search_windows: int
    batch: int = 128
    mix: str = "label:0.5,soft:0.5"

    def mix_of(self, distill: str, *, taught: bool) -> str:
        """What `distill` names: where it is `auto`, `mix` with a teacher and `none` without."""
        if distill != AUTO:
            return distill
        return self.mix if taught else "none"

    def of_finalist(self, macs: int) -> Effort:
        """The effort on a finalist of a size.

        Steps fall with the size of networks above `FULL_STEPS_MACS`, so that none holds up a
        search. Below it they pay: a network of 1.6 M MAC erred by 1.61 BPM on search people after
        3,768 steps and by 1.20 after 15,073 (results/reference/third_search.md), so `thorough` has
        many.
        """
        share = min(1.0, FULL_STEPS_MACS / macs)
        if share == 1.0:
            return self
        finetune, qat = (max(1, round(n * share)) for n in (self.finetune_steps, self.qat_steps))
        return replace(self, finetune_steps=finetune, qat_steps=qat)

    def first_rung(self) -> Effort:
        """The float steps that say how good a network will be."""
        steps = min(self.finetune_steps // FIRST_RUNG, MOST_FIRST_STEPS)
        return replace(self, finetune_steps=max(1, steps), qat_steps=0)

    def after_first_rung(self) -> Effort:
        """What is left of a whole training."""
        left = self.finetune_steps - self.first_rung().finetune_steps
        return replace(self, finetune_steps=max(1, left))


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("smoke", 8, 4, 4, 8, 8, 8, 64, 32),
        Effort("quick", 900, 500, 100, 600, 1300, 200, 384),
        Effort("standard", 3500, 1800, 200, 1600, 7500, 900, 768),
        Effort("thorough", 20000, 8000, 2000, 40000, 90000, 10000, 1536),
    )
}


def effort_by_name(name: str) -> Effort:
    """One of `EFFORTS`."""
    if name not in EFFORTS:
        raise SpaceError(f"effort {name!r} is unknown; allowed: {', '.join(EFFORTS)}")
    return EFFORTS[name]
