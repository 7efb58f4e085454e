"""Rows a second, told from times that a coarse clock stamped.

Such a clock ticks once a second, or every 15.6 ms, and rows bear the time of the tick before. How
many rows a tick has is the rate, rounded up or down: the pattern repeats with the beat of the two
clocks, wherever rows are lost between. Of whole seconds, those from which none is missing are told
by their number of rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSE = (0.3, 5.0)  # ticks, of the mean step
LONGEST = 2  # empty ticks beyond a row; more are a hole
MOST_TICKS = 4  # in the shortest step
OWN_HZ = 0.1  # around multiples of the clock's own rate nothing is sought
ONE_SHARE = 0.9  # of the ticks have one number of rows, where that is the rate
STRONG = 0.7  # of the strongest line: the lowest of them is the first harmonic
SURE = 6.0  # times the noise
BEAT = 0.02  # a tick, at least
AS_STRONG = (0.3, 1.2)  # as the line of an even pattern
LOST_SHARE = 0.3  # rows lost at most
FEWER = 0.995  # of the rows that came: the rate is above it
FINE = 41  # frequencies tried around a line
WHOLE_MS = 0.01
STRETCH_S = 5  # without its first and last second
FEWEST_ROWS = 1000
FULL_SHARE = 0.5  # of the seconds
BURST_SHARE = 0.02  # of the seconds; rows that are late come with those of the next one
WANDER = 1.5  # rows; more and some are missing
CLEAN_SHARE = 0.8  # of the stretches

Times = NDArray[np.float64]


def rounded_s(steps: Times) -> float:
    """How far rounding takes a step between times: to ms, or none."""
    return 1.01e-3 if np.abs(steps * 1e3 - np.rint(steps * 1e3)).max() < WHOLE_MS else 2e-5


def rate_by_ticks(stamp_s: Times, mean_s: float) -> float | None:
    """Rows a second; None where the clock is fine, or cannot tell.

    Args:
        stamp_s: `(rows,)` times as written.
        mean_s: step from row to row, on average.
    """
    if (stamp_s % 1 == 0).all():
        return _by_whole_seconds(stamp_s)
    steps = np.diff(stamp_s)
    tick_s = _tick_s(steps)
    if tick_s is None or not COARSE[0] * mean_s < tick_s < COARSE[1] * mean_s:
        return None
    place = np.append(0, np.rint(steps / tick_s).cumsum()).astype(np.int64)
    count = int(place[-1]) + 1
    rows = np.bincount(place).astype(np.float64)
    usual = int(np.bincount(rows.astype(np.int64))[1:].argmax()) + 1
    if usual > 1 and np.mean(rows == usual) > ONE_SHARE and np.mean(rows > usual) < BURST_SHARE:
        return usual / tick_s  # as many in every tick, but where some are missing
    empty = np.diff(np.concatenate([[0], (rows == 0).astype(np.int8), [0]]))
    for begin, end in zip(np.flatnonzero(empty == 1), np.flatnonzero(empty == -1), strict=True):
        if end - begin > LONGEST + mean_s / tick_s:  # a hole would be a line of its own
            rows[begin:end] = len(stamp_s) / np.count_nonzero(rows)
    power = np.abs(np.fft.rfft(rows - rows.mean()))
    own = max(int(count * tick_s * OWN_HZ), 3)
    sought = power[own:]
    if not len(sought) or sought.max() < SURE * np.median(power):
        return None
    best = own + int((sought > STRONG * sought.max()).argmax())
    best += int(power[best : best + 3].argmax())
    tried = (best + np.linspace(-1, 1, FINE)) / count  # a tick
    lines = [abs(np.exp(2j * np.pi * beat * place).sum()) for beat in tried]
    beat = float(tried[int(np.argmax(lines))])
    several = np.arange(int(tick_s / mean_s) + 3)
    rates = np.sort(np.concatenate([several - beat, several + beat])) / tick_s
    rate = float(rates[np.searchsorted(rates, FEWER / mean_s)])
    even = count * np.sin(np.pi * beat) / np.pi  # the line of rows that none is missing of
    if beat < BEAT or not AS_STRONG[0] * even < max(lines) < AS_STRONG[1] * even:
        return None
    return rate if rate < 1 / mean_s / (1 - LOST_SHARE) else None


def _tick_s(steps: Times) -> float | None:
    """What all steps are multiples of; the shortest of them may be a few itself."""
    shortest_s = float(steps[steps > 0].min(initial=np.inf))
    short = steps[steps < MOST_TICKS * shortest_s]  # rounded to ms, long ones mislead
    for parts in range(1, MOST_TICKS + 1):
        ticks = np.rint(short * parts / shortest_s)
        tick_s = float((ticks * short).sum() / max((ticks**2).sum(), 1))
        if tick_s <= 0:
            return None
        for _ in range(2):
            ticks = np.rint(steps / tick_s)
            tick_s = float(steps.sum() / ticks.sum())
        if np.abs(steps - ticks * tick_s).max() <= rounded_s(steps):
            return tick_s
    return None


def _by_whole_seconds(stamp_s: Times) -> float | None:
    counts = np.bincount((stamp_s - stamp_s[0]).astype(np.int64))
    if len(counts) < STRETCH_S:
        return None
    usual = int(np.bincount(counts[counts > 0]).argmax())
    full = np.abs(counts - usual) <= 1
    if np.mean(counts > usual + 1) > BURST_SHARE or np.mean(full) < FULL_SHARE:
        return None
    edges = np.flatnonzero(np.diff(np.concatenate([[0], full.astype(np.int8), [0]])))
    # What is lost at the end of a stretch may take no more than a row of its seconds.
    stretches = [
        counts[begin + 1 : end - 1]
        for begin, end in edges.reshape(-1, 2).tolist()
        if end - begin >= STRETCH_S + 2
    ]
    rows = sum(int(stretch.sum()) for stretch in stretches)
    if rows < FEWEST_ROWS:
        return None
    hz = rows / sum(map(len, stretches))
    clean = [np.ptp((stretch - hz).cumsum()) < WANDER for stretch in stretches]
    return hz if np.mean(clean) > CLEAN_SHARE else None
