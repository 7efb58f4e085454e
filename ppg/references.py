"""References of windows of another length or stride.

Files hold a mean heart rate of 8 s every 2 s, as data sets publish them. A shorter window takes
the one of the 8 s around its middle, a longer one the mean of those of its first and its last 8 s
(exact at 16 s). What lies between two references is interpolated where they follow each other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ppg.recording import Recording
from ppgnas.task import STRIDE_S, WINDOW_S, Task

_SAME_S = 1e-6
_FARTHEST_S = 2 * STRIDE_S + _SAME_S  # between references that follow each other

Series = NDArray[np.float64]


def at_task(recording: Recording, task: Task) -> Recording:
    """The recording with the windows of a task.

    Args:
        recording: with the references of its file, or of this very task.

    Raises:
        ValueError: its windows were changed before: what is gone would not come back.
    """
    if recording.task == task:
        return recording
    if recording.task.changed:
        raise ValueError(f"{recording.name} has windows of {recording.task}, not of its file")
    if not task.changed.keys() & {"window_s", "stride_s"}:
        return replace(recording, task=task)
    first_s = grid_start_s(recording, task)
    count = max(
        0, int((recording.duration_s - task.window_s - first_s + _SAME_S) // task.stride_s) + 1
    )
    start_s = first_s + task.stride_s * np.arange(count, dtype=np.float64)
    middle_s, beside_s = start_s + task.window_s / 2, max(0.0, (task.window_s - WINDOW_S) / 2)
    usable = np.flatnonzero(recording.usable)
    at_s = recording.window_start_s[usable] + WINDOW_S / 2
    known, hr_bpm = zip(
        *(_between(at_s, recording.hr_bpm[usable], middle_s + d) for d in (-beside_s, beside_s)),
        strict=True,
    )
    closest = nearest(at_s, middle_s)
    near = np.zeros(count, np.bool_)
    activity = np.full(count, -1, np.int64)
    if len(usable):
        near = np.abs(at_s[closest] - middle_s) <= STRIDE_S
        activity = np.where(near, recording.activity[usable][closest], -1)
    return replace(
        recording,
        window_start_s=start_s,
        hr_bpm=np.mean(hr_bpm, axis=0),
        valid=np.logical_and(*known),
        activity=activity,
        task=task,
    )


def grid_start_s(recording: Recording, task: Task) -> float:
    """Where the first window begins: middles fall on those of references where there are any."""
    labelled = recording.window_start_s[np.isfinite(recording.window_start_s)]
    if not len(labelled):
        return 0.0
    return float(
        np.mod(labelled[0] + (recording.task.window_s - task.window_s) / 2, task.stride_s)
    )


def nearest(at_s: Series, wanted_s: Series) -> NDArray[np.int64]:
    """Which of `at_s`, which rises, is nearest to each of `wanted_s`; 0 where there is none."""
    right = np.clip(np.searchsorted(at_s, wanted_s), 0, max(len(at_s) - 1, 0))
    left = np.maximum(right - 1, 0)
    if not len(at_s):
        return right
    return np.where(wanted_s - at_s[left] <= at_s[right] - wanted_s, left, right)


def _between(at_s: Series, bpm: Series, wanted_s: Series) -> tuple[NDArray[np.bool_], Series]:
    """Whether a reference is known at each time, and it; NaN elsewhere."""
    if not len(at_s):
        return np.zeros(len(wanted_s), np.bool_), np.full(len(wanted_s), np.nan)
    right = np.clip(np.searchsorted(at_s, wanted_s - _SAME_S), 0, len(at_s) - 1)
    left = np.maximum(right - 1, 0)
    known = np.abs(at_s[right] - wanted_s) <= _SAME_S
    known |= (
        (at_s[left] <= wanted_s)
        & (wanted_s <= at_s[right])
        & (at_s[right] - at_s[left] <= _FARTHEST_S)
    )
    return known, np.where(known, np.interp(wanted_s, at_s, bpm), np.nan)
