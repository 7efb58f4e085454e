"""The spread of intervals between pulses in a clean stretch of PPG, where beats can be seen.

A pulse arrives a little later or earlier than its beat (transit time), so these are figures of
pulse rate variability, and a stretch with movement has none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

SHORTEST_S, LONGEST_S = 0.3, 1.6  # intervals of 200 and of 37 BPM
LARGEST_STEP = 0.2  # of one interval to the median around it
COVERED = 0.9  # of the stretch
APART_BPM = 3.0  # of a reference
PROMINENCE = 0.6  # standard deviations


def variability_ms(
    wave: NDArray[np.floating], hz: float, *, reference_bpm: float = float("nan")
) -> tuple[float, float]:
    """SDNN and RMSSD of a stretch, in ms; NaN where pulses cannot be told without doubt.

    Args:
        wave: `(samples,)` PPG between 0.4 and 5 Hz, as a wave or as its slope.
        reference_bpm: mean heart rate, where it is known: steps are regular, too.
    """
    unknown = (float("nan"), float("nan"))
    spread = float(wave.std())
    if spread == 0:
        return unknown
    peaks, _ = signal.find_peaks(
        wave, distance=max(1, int(SHORTEST_S * hz)), prominence=PROMINENCE * spread
    )
    if len(peaks) < 8:
        return unknown
    # The top of a parabola through three samples: a sample of 64 Hz is 16 ms.
    left, top, right = (wave[peaks + shift].astype(np.float64) for shift in (-1, 0, 1))
    bend = left - 2 * top + right
    at_s = (peaks + 0.5 * (left - right) / np.where(bend == 0, -1, bend)) / hz
    intervals_s = np.diff(at_s)
    if at_s[-1] - at_s[0] < COVERED * len(wave) / hz:
        return unknown
    if abs(60 / intervals_s.mean() - reference_bpm) > APART_BPM:
        return unknown
    around = np.array(
        [np.median(intervals_s[max(0, i - 2) : i + 3]) for i in range(len(intervals_s))]
    )
    steady = np.abs(intervals_s - around) <= LARGEST_STEP * around
    if not steady.all() or intervals_s.max() > LONGEST_S:
        return unknown
    sdnn = 1e3 * float(intervals_s.std(ddof=1))
    rmssd = 1e3 * float(np.sqrt(np.mean(np.diff(intervals_s) ** 2)))
    return sdnn, rmssd
