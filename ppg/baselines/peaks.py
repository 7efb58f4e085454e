"""Beats as peaks of the PPG's wave, as toolboxes for pulse at rest count them.

Peaks that stand out of their surroundings by a share of the window's swing, no closer than the
highest heart rate allows; intervals far from the others are left out, as van Gent and others do
(HeartPy, Transportation Research Part F 66, 2019). Good at rest; movement makes peaks of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ppg.baselines.spectral import spectral_peak
from ppg.windows import WindowSet
from ppgnas.task import Task

PROMINENCE = 0.6  # in standard deviations of the window
INTERVAL_SHARE = 0.3  # intervals farther from the median are no beats
LEAST_INTERVALS = 2


def peaks(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone.

    Where fewer than two intervals are left, that of the strongest frequency.
    """
    bpm = spectral_peak(windows, rate_hz)
    for row, wave in enumerate(windows.x[:, 0].astype(np.float64)):
        counted = _of_intervals(_peak_times_s(wave, rate_hz, windows.task), windows.task)
        if counted is not None:
            bpm[row] = counted
    return bpm


def _peak_times_s(wave: NDArray[np.float64], rate_hz: int, task: Task) -> NDArray[np.float64]:
    """Times of the peaks, between samples by the parabola through each and its neighbours."""
    least = max(1, int(rate_hz * 60 / task.highest_bpm))
    at, _ = find_peaks(wave, distance=least, prominence=PROMINENCE * wave.std())
    left, middle, right = wave[at - 1], wave[at], wave[at + 1]
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend != 0)
    return np.asarray((at + shift) / rate_hz)


def _of_intervals(time_s: NDArray[np.float64], task: Task) -> float | None:
    intervals = np.diff(time_s)
    if len(intervals) < LEAST_INTERVALS:
        return None
    middle = np.median(intervals)
    kept = intervals[np.abs(intervals - middle) <= INTERVAL_SHARE * middle]
    if len(kept) < LEAST_INTERVALS:
        return None
    return float(np.clip(60 / kept.mean(), task.lowest_bpm, task.highest_bpm))
