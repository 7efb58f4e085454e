"""Whole signals as a streaming network reads them, in blocks of a stride.

A window is normalised by its own mean and spread, which a stream does not know before the window
ends. So a block is normalised as the newest of the window that ends with it (of fewer blocks in
the first window), and stays as it is. The newest block of every window is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ppg.recording import Recording
from ppgnas.task import Task

SAME_SAMPLE = 0.01  # of a sample: what sums of times may be off
Floats = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Passes:
    """Signals that a network runs over once, and where each window's reading stands in them.

    Attributes:
        x: `(channels, time)` of each, whole blocks from where a device would have begun: the
            start of a recording, or the end of a gap.
        of: `(windows,)` the pass of each window.
        reading: `(windows,)` which of its readings; a pass has one for each block from the
            last one of the first window on.
    """

    x: tuple[Floats, ...]
    of: NDArray[np.int64]
    reading: NDArray[np.int64]

    def only(self, windows: NDArray[np.int64]) -> Passes:
        """The same passes, of some of the windows."""
        return replace(self, of=self.of[windows], reading=self.reading[windows])

    def read(self, run: Callable[[Floats], NDArray[Number]]) -> NDArray[Number]:
        """Outputs `(windows, ...)` from the `(readings, ...)` that `run` makes of each pass."""
        found = [run(x) for x in self.x]
        return np.stack([found[p][r] for p, r in zip(self.of, self.reading, strict=True)])


def by_block(
    values: Floats, task: Task, rate_hz: int, normalise: Callable[[Floats], Floats]
) -> Floats:
    """Normalise a stream.

    Args:
        values: `(streams, time, channels)`, whole blocks.
        normalise: of windows `(windows, time, channels)`, to `(windows, time, ...)`.

    Returns:
        `(streams, time, ...)`.
    """
    streams, time, channels = values.shape
    block, window = task.stride_s * rate_hz, task.window_s * rate_hz
    early = [
        normalise(values[:, :end])[:, -block:]
        for end in range(block, min(time, window - block) + 1, block)
    ]
    if time < window:
        return np.concatenate(early, axis=1)
    windows = sliding_window_view(values, window, axis=1)[:, ::block]
    windows = windows.transpose(0, 1, 3, 2).reshape(-1, window, channels)
    newest = normalise(windows)[:, -block:]
    return np.concatenate([*early, newest.reshape(streams, -1, *newest.shape[2:])], axis=1)


def grids(
    recording: Recording, start_s: NDArray[np.float64], rate_hz: int
) -> list[tuple[float, NDArray[np.int64], NDArray[np.int64]]]:
    """Passes in which windows are read: where each begins, its windows, and their readings.

    Windows of one pass begin whole blocks apart, to a sample; those of other times are read in
    passes of their own. A pass begins with a window of it, or whole blocks before one, in no gap.

    Args:
        recording: whose gaps end passes, and whose stride is a block.
        start_s: `(windows,)` of windows that touch no gap.
    """
    begins_s = np.array([0.0, *sorted(end for _, end in recording.gaps)])
    part = np.searchsorted(begins_s, start_s + 0.5 / rate_hz, side="right") - 1
    block = recording.task.stride_s * rate_hz
    sample = np.floor((start_s - begins_s[part]) * rate_hz + SAME_SAMPLE).astype(np.int64)
    found = []
    for own, phase in sorted({*zip(part.tolist(), (sample % block).tolist(), strict=True)}):
        windows = np.flatnonzero((part == own) & (sample % block == phase))
        number = sample[windows] // block
        begin_s = float(start_s[windows[0]]) - float(number[0]) * recording.task.stride_s
        found.append((max(begin_s, 0.0), windows, number))
    return found
