"""How much training a search buys: steps, not seconds, so that a seed repeats a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ppgnas.errors import SpaceError

Progress = Callable[[int, int, str], None]
"""`(done, total, note)`; may raise to stop the training between two steps."""


EffortName = Literal["smoke", "quick", "standard", "thorough"]
AUTO = "auto"
EACH_STEP_VALUES = 10_000
"""A step takes as long as so many values, whatever the network; its own are `Plan.values`."""
SMALL_VALUES, LARGE_VALUES, MOST_TIMES = 18_000, 38_000, 2.0
"""Networks between these get the steps of an effort; smaller ones more, at most so many times."""
FIRST_RUNG, MOST_FIRST_STEPS = 5, 1100
"""A first rung is one of so many parts of a finalist's float steps, but never longer."""


def share_of(values: int) -> float:
    """The steps of a network that puts out so many values, in those of its effort."""
    own, small, large = (n + EACH_STEP_VALUES for n in (values, SMALL_VALUES, LARGE_VALUES))
    return min(1.0, large / own) * min(MOST_TIMES, max(1.0, small / own))


def rung_score(expected_bpm: float, mae_bpm: float) -> float:
    """What networks are ordered by after a rung: a geometric mean of their errors.

    The decoded error has three times the weight of the expected one under the distribution.
    """
    return float(expected_bpm**0.25 * mae_bpm**0.75)


def first_score(score_bpm: float, train_mae_bpm: float) -> float:
    """What networks are ordered by after a first rung: few search people alone say little."""
    return float((score_bpm * train_mae_bpm) ** 0.5)


@dataclass(frozen=True)
class Effort:
    """Training steps of each phase.

    A step of the teacher sees `batch` windows, one of a finalist half of them.

    Attributes:
        pool_batches: augmented batches that are drawn once, labelled by the teacher, and shared by
            the networks.
        finetune_steps: float steps of a finalist, see `of_finalist`.
        qat_steps: quantisation-aware steps of a finalist, likewise.
        mix: what a student of a teacher learns from where `distill` is `auto`, see
            `distill.losses.mix`: the shape of the teacher's logits, which search people put first
            for `tiny` and for `medium` (results/reference/strategies.md).
        warmup_steps, supernet_steps: of a supernet, where one is asked for: on the largest network
            alone, and after that.
        search_windows: windows of search people that an inherited error is measured on.
    """

    name: EffortName
    teacher_steps: int
    pool_batches: int
    finetune_steps: int
    qat_steps: int
    batch: int = 128
    mix: str = "standard:9"
    warmup_steps: int = 100
    supernet_steps: int = 350
    search_windows: int = 384

    def mix_of(self, distill: str, *, taught: bool) -> str:
        """What `distill` names: where it is `auto`, `mix` with a teacher and `none` without."""
        if distill != AUTO:
            return distill
        return self.mix if taught else "none"

    def of_finalist(self, values: int) -> Effort:
        """The effort on a finalist that puts out so many values, see `Plan.values`.

        The time of a small one is at least that of a middle one, which is as large as `medium`, so
        that it has more steps; one that is larger than `large` takes no longer than that. A step
        took 5.8 ms and 0.53 ms for each thousand values (five published networks, one busy core).
        Errors of small and of large networks fall alike with the steps: `tiny`
        erred by 1.99 BPM on search people after 3,000 and by 1.55 after 8,000, one of 1.6 M MAC by
        1.61 after 3,768 and 1.20 after 15,073.
        """
        share = share_of(values)
        finetune, qat = (max(1, round(n * share)) for n in (self.finetune_steps, self.qat_steps))
        return replace(self, finetune_steps=finetune, qat_steps=qat)

    @property
    def first_rung(self) -> int:
        """The float steps that say how good a network will be."""
        return max(1, min(self.finetune_steps // FIRST_RUNG, MOST_FIRST_STEPS))

    @property
    def half_way(self) -> int:
        """The float steps after which it is decided who becomes a finalist."""
        return max(1, self.finetune_steps // 2)


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("smoke", 8, 4, 8, 8, 32, warmup_steps=4, supernet_steps=8, search_windows=64),
        Effort("quick", 600, 350, 1200, 110),
        Effort(
            *("standard", 3500, 1800, 10000, 900),
            warmup_steps=200,
            supernet_steps=1400,
            search_windows=768,
        ),
        Effort(
            *("thorough", 20000, 8000, 135000, 15000),
            warmup_steps=2000,
            supernet_steps=40000,
            search_windows=1536,
        ),
    )
}


def effort_by_name(name: str) -> Effort:
    """One of `EFFORTS`."""
    if name not in EFFORTS:
        raise SpaceError(f"effort {name!r} is unknown; allowed: {', '.join(EFFORTS)}")
    return EFFORTS[name]
