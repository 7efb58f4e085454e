"""How long `ppg_adapt_fit` takes on a Cortex-M7: cycles of the emulated C, by kind.

One step over one window costs much the same for its softmax and its label, and a slope for every
weight of the dense layer. Both are fitted on five heads of 400 to 5760 weights, compiled by zig
0.17 at -O2 and counted in emulation (2026-11-28); arm-none-eabi-gcc 12.2 takes up to 1.6 times as
many. The pipeline model has no caches and wait states, for which a chip may need 1.4 times.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.personal.fit import SETTINGS, folds
from deploy.personal.head import Head
from deploy.personal.kinds import Kind
from ppgnas.task import TASK

BASE_CYCLES = 18_500
CYCLES_A_WEIGHT: dict[Kind, float] = {
    "bias": 4.0,
    "scale-bias": 24.0,
    "head": 33.0,
    "low-rank": 37.0,
}
HIGH = 1.6 * 1.4
CLOCK_HZ = 480e6
"""Of an STM32H743."""


@dataclass(frozen=True)
class Effort:
    """Cycles of a Cortex-M7, and the seconds that an STM32H743 takes for them, with a high end."""

    cycles: float
    seconds: float
    seconds_high: float


def effort_of(head: Head, kind: Kind, *, windows: int) -> Effort:
    """Of learning from so many windows: in each fold, and from all of them."""
    base = BASE_CYCLES * head.task.classes / TASK.classes
    step = base + CYCLES_A_WEIGHT[kind] * head.weights.size
    learnt = windows + sum(len(taught) for taught, _ in folds(windows, head.task))
    cycles = SETTINGS[kind].rounds * learnt * step
    return Effort(cycles, cycles / CLOCK_HZ, HIGH * cycles / CLOCK_HZ)
