"""Heart rate as classes: bins of 1 BPM, bin `c` centred at `30 + c` BPM unless a task differs.

Soft labels are Gaussians over the bins (FACTS of the field: 1.5 to 3 BPM wide), which tells the
network that a neighbouring bin is nearly right and lets an expectation recover fractions of a bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppgnas.task import TASK, Task

FIRST_BPM = float(TASK.lowest_bpm)
LAST_BPM = float(TASK.highest_bpm)
SOFT_LABEL_BPM = 2.0


def bin_centres_bpm(task: Task = TASK) -> NDArray[np.float64]:
    """`(classes,)` heart rate of each class."""
    return task.lowest_bpm + np.arange(task.classes, dtype=np.float64)


def soft_labels(
    hr_bpm: NDArray[np.floating], task: Task = TASK, *, width_bpm: float = SOFT_LABEL_BPM
) -> NDArray[np.float32]:
    """Gaussian class probabilities around each heart rate.

    Args:
        hr_bpm: `(windows,)`; values outside of the classes are clipped to their range.
        width_bpm: standard deviation of the label.

    Returns:
        `(windows, classes)` rows that sum to 1.
    """
    centre = np.clip(hr_bpm, float(task.lowest_bpm), float(task.highest_bpm))[:, None]
    away = ((bin_centres_bpm(task)[None, :] - centre) / width_bpm).astype(np.float32)
    exponent = np.float32(-0.5) * away**2
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float32)
