"""Bytes of SRAM that adapting takes on the device: what `ppg_adapt_t` and its scratch memory hold.

Features of the labelled windows are kept as int8 once; what else there is depends on the head.
The scratch buffer of the network is free while the head learns, so the memory of the step may lie
there.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.personal.head import Head
from deploy.personal.kinds import Change
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
