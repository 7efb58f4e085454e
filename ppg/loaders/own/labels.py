"""The heart rate and the activity of 8 s windows, from what a file of one's own has of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ppgnas.task import STRIDE_S, WINDOW_S

HR_GAP_S = 4.0  # the longest step between instants of one window,
SLOWEST_S = 6.0  # but of a device that shows one so often, so that each window holds one
HR_STEP_S = 0.5  # of the mean between instants
PARTED_S = 1.0  # between the times of beats and the sum of their intervals
EXACT_S = 0.03
EARLY = 0.1  # of the times are earlier than the beats are set to
_SEEN = 15  # beats that tell a jump from late notifications
_REMEMBERED = 200


def window_means(
    time_s: NDArray[np.float64],
    hr_bpm: NDArray[np.float64],
    start_s: NDArray[np.float64],
    gap_s: float = HR_GAP_S,
) -> NDArray[np.float64]:
    """Mean over the time of each window; NaN where instants leave a hole of `gap_s`."""
    middles_s = np.arange(HR_STEP_S / 2, WINDOW_S, HR_STEP_S)
    means = np.full(len(start_s), np.nan)
    for index, start in enumerate(start_s):
        inside = (time_s >= start) & (time_s < start + WINDOW_S)
        if not inside.any():
            continue
        edges = np.concatenate([[start], time_s[inside], [start + WINDOW_S]])
        if np.diff(edges).max() <= gap_s:
            means[index] = np.interp(start + middles_s, time_s, hr_bpm).mean()
    return means


def apart(start_s: NDArray[np.float64]) -> list[int]:
    """Windows that begin at least a stride after the one before."""
    kept: list[int] = []
    for index, start in enumerate(start_s):
        if not kept or start - start_s[kept[-1]] >= 0.95 * STRIDE_S:
            kept.append(index)
    return kept


def beats_of_intervals(
    rr_s: NDArray[np.float64], stamp_s: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Times of beats.

    The sum of the intervals is exact, the times beside them are when a radio handed them over,
    and nothing is handed over before it is measured: so the sum counts, set to where few of the
    times are earlier, and anew where the two have parted for good: a strap lost contact or a beat,
    or the clocks drift.

    Args:
        rr_s: `(intervals,)`.
        stamp_s: `(intervals,)` when each was told, or None: the first begins at 0.

    Returns:
        `(beats,)` increasing; one more than intervals, and one for each further beginning.
    """
    ends_s = np.cumsum(rr_s)
    if stamp_s is not None:
        told = np.abs(np.diff(stamp_s) - rr_s[1:]) < EXACT_S
        if told.mean() > 0.5:  # times of the beats themselves; between runs of them are holes
            beats_s = np.sort(np.concatenate([stamp_s, (stamp_s - rr_s)[np.r_[True, ~told]]]))
            return np.asarray(beats_s[np.r_[True, np.diff(beats_s) > EXACT_S]])
    if stamp_s is None:
        return np.concatenate([[0.0], ends_s])
    late_s = stamp_s - ends_s
    begins = [0]
    index = _SEEN
    while index < len(late_s) - _SEEN:
        here = float(np.median(late_s[max(begins[-1], index - _REMEMBERED) : index]))
        ahead = late_s[index : index + _SEEN]
        if abs(float(np.median(ahead)) - here) > PARTED_S:
            begins.append(
                index + int(np.argmax(np.abs(np.diff(late_s[index - 1 : index + _SEEN]))))
            )
            index = begins[-1] + _SEEN
        else:
            index += 1
    beats: list[NDArray[np.float64]] = []
    for first, last in zip(begins, [*begins[1:], len(rr_s)], strict=True):
        offset_s = float(np.quantile(late_s[first:last], EARLY))
        part = np.concatenate([[ends_s[first] - rr_s[first]], ends_s[first:last]]) + offset_s
        part = part if not beats else part[part > beats[-1][-1]]
        if len(part):
            beats.append(part)
    return np.concatenate(beats)


def activity_of_windows(
    names: Sequence[str], time_s: NDArray[np.float64], start_s: NDArray[np.float64]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Which activity fills more than half of each window, and their names.

    Args:
        names: `(rows,)` of each row; empty where nothing is said.
        time_s: `(rows,)` on the clock of the windows, increasing.
        start_s: `(windows,)`.

    Returns:
        `(windows,)` index, -1 where none does; and the names in their order of appearance.
    """
    known = tuple(dict.fromkeys(name for name in names if name))
    index = {name: place for place, name in enumerate(known)}
    ids = np.array([index.get(name, len(known)) for name in names], np.int64)
    found = np.full(len(start_s), -1, np.int64)
    first = np.searchsorted(time_s, start_s)
    last = np.searchsorted(time_s, start_s + WINDOW_S)
    for window, (a, b) in enumerate(zip(first, last, strict=True)):
        counts = np.bincount(ids[a:b], minlength=len(known) + 1)
        best = int(np.argmax(counts))
        if best < len(known) and counts[best] > (b - a) / 2:
            found[window] = best
    return found, known
