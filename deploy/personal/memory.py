"""What adapting takes on the device: bytes of SRAM, and cycles.

`ppg_adapt_t` and its scratch memory hold the bytes. Features of the labelled windows are kept as
int8 once; what else there is depends on the head. The scratch buffer of the network is free while
the head learns, so the memory of the step may lie there.

`ppg_adapt_fit` takes the cycles, on a Cortex-M7, by kind. One step over one window costs much the
same for its softmax and its label, and a slope for every weight of the dense layer. Both are
fitted on five heads of 400 to 5760 weights, compiled by zig 0.17 at -O2 and counted in emulation
(2026-11-28); arm-none-eabi-gcc 12.2 takes up to 1.6 times as many. The pipeline model has no
caches and wait states, for which a chip may need 1.4 times.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.personal.fit import SETTINGS, folds
from deploy.personal.head import Head
from deploy.personal.kinds import Change, Kind
from ppgnas.errors import ExportError
from ppgnas.task import TASK, Task

MOST_BYTES = 50 * 1024


@dataclass(frozen=True)
class Memory:
    """Bytes by what they hold.

    Attributes:
        windows: features and labels of the calibration.
        head: weights and biases that run.
        step: of one step; nothing between calls.
    """

    windows: int
    parameters: int
    head: int
    step: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.windows + self.parameters + self.head + self.step


def windows_in(minutes: float, task: Task = TASK) -> int:
    """How many windows lie in so many minutes."""
    return max(0, int((60 * minutes - task.window_s) // task.stride_s) + 1)


def memory_of(head: Head, change: Change, *, windows: int) -> Memory:
    """Memory of a step with so many windows."""
    cells, classes = head.outputs * head.features, head.task.classes
    return Memory(
        windows=words(windows * head.features) + words(2 * windows) + 4,
        parameters=4 * sum(change.sizes),
        head=words(cells) + 4 * head.outputs,
        # Weights and labels of the classes, outputs and their derivatives, those of the features.
        step=2 * 4 * classes + 2 * 4 * head.outputs + 8 * head.features + words(classes),
    )


def check_memory(memory: Memory, *, kind: str) -> None:
    """Refuse what a device has no room for.

    Raises:
        ExportError: with the bytes of each part.
    """
    if memory.total > MOST_BYTES:
        raise ExportError(
            f"kind {kind} takes {memory.total} bytes of SRAM ({memory.windows} for windows, "
            f"{memory.parameters} for parameters, {memory.head} for the head, {memory.step} for a "
            f"step); allowed: {MOST_BYTES}. Choose the kind low-rank or scale-bias, or fewer "
            "minutes"
        )


def words(size: int) -> int:
    """Bytes with what fills the last word."""
    return -(-size // 4) * 4


BASE_CYCLES = 18_500
CYCLES_A_WEIGHT: dict[Kind, float] = {
    "bias": 4.0,
    "scale-bias": 24.0,
    "head": 33.0,
    "low-rank": 37.0,
}
HIGH = 1.6 * 1.4
CLOCK_HZ = 480e6  # of an STM32H743


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
