"""Packets of a radio: samples that are missing in them, packets that came twice, and columns that
are the samples of one.

Rows of a packet share a time, or are stamped at once. Where a row has no value, its place counts;
the rows of one that is sent again would make all that follow late.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.plausible import SLOWEST_HZ
from ppg.row_times import EVEN, FEWEST_PACKETS, TOGETHER, RowTimes, Times, holes, row_times

FEW = 0.1  # rows of a grid that lack a value, at most,
FEW_OF_PACKETS = 0.3  # and of packets
SAME_S = 1e-6
MOST_OFF = 0.5  # of a step from packet to packet, as a loss makes it
TIE = 0.01
FEWEST_ROWS = 4  # of a packet that is sent again,
HASHED = np.uint64(0x9E3779B97F4A7C15)  # odd: rows are told apart by numbers that it mixes
AGAIN = 0.2  # and of all rows, at most
BY_CHANCE = 2  # rows, that go on as the copied ones do
FITTING = 0.8  # of the stretches that come again, at least, are packets
REMEMBERED = 3  # packets
COUNTED = 0.9  # of the rows at least, that follow the row before in a counter of rows
HELD = 0.2  # of the rows at least, where others of a faster sensor stand between,
STRETCH, WANDER = 50, 0.5  # of so many values, that are as even as this, in steps
FOLLOWING = 0.5  # of the square of the way from row to row, at most, is that between two of them

Mask = NDArray[np.bool_]


def in_packets(steps: Times) -> bool:
    """Whether most steps from row to row are short beside the mean."""
    return len(steps) > 0 and bool(np.median(steps) <= TOGETHER * steps.mean())


def row_times_among(
    stamp_s: Times, among: tuple[Times, Mask] | None, *, rate_hz: float | None = None
) -> RowTimes:
    """`row_times` of rows, among which those without a value hold their places.

    Args:
        stamp_s: `(rows,)`.
        among: `(all rows,)` times of these rows and of those without a value, and which these are.
        rate_hz: as there.

    Raises:
        UnclearTimesError: as there.
    """
    if among is None or (taken := _held(*among)) is None:
        return row_times(stamp_s, rate_hz=rate_hz)
    found = row_times(among[0][taken], rate_hz=rate_hz)
    time_s = found.time_s[among[1][taken]]
    return replace(found, time_s=time_s, gaps=holes(time_s))


def _held(every_s: Times, whole: Mask) -> Mask | None:
    """`(rows,)` which rows are a sensor's: those that have a value, and those without one that
    hold a place among them; None if there are none, or others explain the times less well.
    """
    steps = np.diff(every_s)
    if whole.all() or steps.min() < 0:
        return None
    if whole.mean() > 1 - FEW and steps.min() > EVEN[0] * np.median(steps):
        return np.ones(len(whole), np.bool_)
    known_s = every_s[whole]
    within_s, mean_s = float(np.median(np.diff(known_s))), np.ptp(known_s) / len(known_s)
    place = np.searchsorted(known_s, every_s).clip(1, len(known_s) - 1)
    near_s = np.minimum(np.abs(every_s - known_s[place - 1]), np.abs(known_s[place] - every_s))
    taken = whole | (near_s <= within_s + SAME_S)
    few = (1 - FEW_OF_PACKETS) * taken.sum() < whole.sum() < taken.sum()
    if not few or within_s > TOGETHER * mean_s:
        return None
    begins = np.flatnonzero(np.diff(known_s, prepend=-np.inf) > TOGETHER * mean_s)
    if len(begins) < FEWEST_PACKETS:
        return None

    def uneven(row: NDArray[Any]) -> float:
        each_s = np.diff(known_s[begins]) / np.diff(row[begins])
        return float(np.minimum(np.abs(each_s / np.median(each_s) - 1), MOST_OFF).mean())

    fits = uneven(taken.cumsum()[whole]) <= uneven(np.arange(len(known_s))) + TIE
    return np.asarray(taken) if fits else None


def held(time_s: Times, values: NDArray[np.float64]) -> Mask | None:
    """`(rows,)` which repeat the row before, where values of a slower sensor stand in each row of
    a faster one until the next come; None if none do, as where few or coarse values repeat.

    Args:
        time_s: `(rows,)`.
        values: `(rows, columns)`.
    """
    again = np.append(False, (np.diff(values, axis=0) == 0).all(axis=1))
    steps = np.diff(time_s[~again])
    if again.mean() < HELD or len(steps) < 2 * STRETCH or in_packets(np.diff(time_s)):
        return None
    usual = float(np.median(steps))
    period = float(steps[(steps > EVEN[0] * usual) & (steps < EVEN[1] * usual)].mean())
    off = np.rint(steps / period) * period - steps  # of an even clock stays small, or it adds up
    whole = len(off) // STRETCH * STRETCH
    wander_s = off[:whole].reshape(-1, STRETCH).cumsum(axis=1).std(axis=1)
    apart = np.diff(time_s).mean() / (1 - HELD) < period < 1 / SLOWEST_HZ
    return again if apart and np.median(wander_s) < WANDER * period else None


def sent_again(rows: NDArray[Any]) -> Mask:
    """`(rows,)` those of packets that came before, at once or up to `REMEMBERED` packets earlier.

    Where others come again for as long, numbers are so few and so coarse, or so even, that they
    do so by themselves.

    Args:
        rows: `(rows,)` a number of each, equal where all signals are.
    """
    again = np.zeros(len(rows), np.bool_)
    if len(rows) < FEWEST_ROWS:
        return again
    few_rows = np.lib.stride_tricks.sliding_window_view(rows, FEWEST_ROWS)
    key = (few_rows * HASHED ** np.arange(FEWEST_ROWS, dtype=np.uint64)).sum(axis=1)
    order = np.argsort(key, kind="stable")
    apart = np.zeros(len(key), np.int64)  # rows since such a few
    same = np.flatnonzero(np.diff(key[order]) == 0)
    apart[order[same + 1]] = order[same + 1] - order[same]
    edges = np.flatnonzero(np.diff(apart, prepend=-1, append=-1))
    begins, lengths = edges[:-1], np.diff(edges) + FEWEST_ROWS - 1
    apart = apart[begins]
    changes = np.append(0, np.cumsum(np.diff(rows) != 0))
    known = (apart > 0) & (changes[begins + lengths - 1] - changes[begins] >= lengths / 2)
    sizes = np.minimum(lengths, apart).clip(1)
    fits = known & (lengths <= sizes + BY_CHANCE) & (apart % sizes == 0)
    fits &= apart <= REMEMBERED * sizes
    for begin, size in zip(begins[fits].tolist(), sizes[fits].tolist(), strict=True):
        again[begin : begin + size] = True
    few = again.mean() <= AGAIN and fits.sum() >= FITTING * known.sum()
    return again if few else np.zeros(len(rows), np.bool_)


def rows_counted(values: Times) -> Times | None:
    """`(rows,)` rows before each by a counter of rows, which may run over; None if it is none."""
    whole = np.rint(values)
    if not (np.abs(values - whole) < 1e-3).all() or len(values) < 2:
        return None
    range_of = 2 ** np.ceil(np.log2(max(whole.max(), 1) + 1))
    if np.diff(whole).min() < 0 and whole.max() >= 0.98 * range_of:
        whole = np.unwrap(whole, period=range_of)
    steps = np.diff(whole)
    return whole - whole[0] if steps.min() >= 1 and (steps == 1).mean() >= COUNTED else None


def places(values: Times) -> Times | None:
    """As `rows_counted`, also by a counter of packets, which is one in all rows of each."""
    first = np.append(0, np.flatnonzero(np.diff(values) != 0) + 1)
    sizes = np.diff(np.append(first, len(values)))
    size = int(np.median(sizes))
    place = rows_counted(values[first]) if (sizes == size).mean() >= COUNTED else None
    if place is None:
        return None
    return np.repeat(size * place - first, sizes) + np.arange(len(values))


def follow(values: NDArray[np.float64]) -> bool:
    """Whether the columns of `(rows, columns)` are moments one after the other: the first of a row
    is near to the last of the row before, rather than to its first. Those of channels are not."""
    level = values - values.mean(axis=0)
    near, far = (np.mean((level[1:, 0] - level[:-1, one]) ** 2) for one in (-1, 0))
    return bool(near < FOLLOWING * far)
