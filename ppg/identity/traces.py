"""People who may stand under two names: equal samples, or one heart-rate trace within another.

Two people at rest can look alike, so a trace counts only where it moves by 5 BPM and agrees to
1 BPM over four minutes at least, at any shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ppg.identity.folder import samples_digest
from ppg.recording import Recording

SHORTEST = 120  # windows
SPREAD_BPM = 5.0
APART_BPM = 1.0


class Double(NamedTuple):
    """Two recordings of one person under two names, and what shows it."""

    left: Recording
    right: Recording
    why: str


def doubles(recordings: Sequence[Recording]) -> list[Double]:
    """Pairs of recordings with different people that agree too well."""
    digests = [samples_digest(recording) for recording in recordings]
    traces = [_trace(recording) for recording in recordings]
    found = []
    for i, j in combinations(range(len(recordings)), 2):
        left, right = recordings[i], recordings[j]
        if left.person == right.person:
            continue
        if digests[i] == digests[j]:
            found.append(Double(left, right, "the same PPG samples"))
            continue
        apart = trace_distance(traces[i], traces[j])
        if apart is not None and apart < APART_BPM:
            found.append(
                Double(left, right, f"heart rates that agree to {apart:.2f} BPM at some shift")
            )
    return found


def _trace(recording: Recording) -> NDArray[np.float64]:
    """Reference heart rates, one per window; gaps filled from their neighbours."""
    finite = recording.valid & np.isfinite(recording.hr_bpm)
    if not finite.any():
        return np.zeros(0)
    index = np.arange(len(recording.hr_bpm))
    return np.interp(index, index[finite], recording.hr_bpm[finite])


def trace_distance(left: NDArray[np.float64], right: NDArray[np.float64]) -> float | None:
    """Smallest root-mean-square difference of two traces over all shifts.

    Args:
        left, right: `(windows,)` BPM.

    Returns:
        BPM; None where no overlap is long enough and moves enough.
    """
    if min(len(left), len(right)) < SHORTEST:
        return None
    centre = left.mean()
    a, b = left - centre, right - centre
    shifts = np.arange(-(len(b) - SHORTEST), len(a) - SHORTEST + 1)
    cross = signal.correlate(a, b, mode="full", method="fft")[shifts + len(b) - 1]
    start, end = np.maximum(shifts, 0), np.minimum(shifts + len(b), len(a))
    count = end - start

    def sums(values: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[first + count] - total[first])

    squares = sums(a**2, start) + sums(b**2, start - shifts) - 2 * cross
    spread = np.sqrt(np.maximum(sums(a**2, start) / count - (sums(a, start) / count) ** 2, 0))
    moving = spread >= SPREAD_BPM
    if not moving.any():
        return None
    return float(np.sqrt(np.maximum(squares[moving] / count[moving], 0)).min())
