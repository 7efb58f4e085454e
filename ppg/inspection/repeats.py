"""Blocks of rows that stand twice in a recording, as a logger leaves them that wrote one again.

A sensor's noise never repeats to the last bit, so equal stretches are copies. A signal without
noise may: stretches that go on longer than twice their distance are its period, not copies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.recording import Recording
from ppgnas.counts import counted

LEAST_S = 1.0  # of a block that is written again at once,
APART_S = 3.0  # and of one that comes again later
CHANGING = 0.25  # of the samples of a block
_BASE = 0x9E3779B97F4A7C15  # odd: it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)


def repeats(recording: Recording) -> str:
    """A sentence on blocks of PPG that are there twice; empty if none is."""
    hz = recording.ppg_hz
    found = _blocks(recording.ppg, hz)
    if not found:
        return ""
    begin, apart, rows = found[0]
    return (
        f"{counted(len(found), 'block')} of rows, {sum(one[2] for one in found) / hz:.1f} s in "
        f"all, are there twice (the first, of {rows / hz:.1f} s, at {begin / hz:.1f} s and again "
        f"at {(begin + apart) / hz:.1f} s), as where a logger writes one again: leave the second "
        "of each out, all that follows it stands too late"
    )


def _blocks(ppg: NDArray[np.float32], hz: float) -> list[tuple[int, int, int]]:
    """Row, distance to the copy, and rows of each block."""
    size = round(LEAST_S * hz)
    if len(ppg) <= 2 * size:
        return []
    bits = np.ascontiguousarray(ppg).view(np.uint32).astype(np.uint64)
    rows = np.zeros(len(ppg), np.uint64)
    for channel in bits.T:
        rows = rows * np.uint64(_INVERSE) + channel
    changes = np.append(0, np.cumsum((np.diff(bits, axis=0) != 0).any(axis=1)))
    sums = np.append(np.uint64(0), np.cumsum(rows * _powers(_BASE, len(rows))))
    at = np.flatnonzero(changes[size - 1 :] - changes[: len(rows) - size + 1] >= CHANGING * size)
    same = ((sums[size:] - sums[:-size]) * _powers(_INVERSE, len(rows) - size + 1))[at]
    order = np.argsort(same, kind="stable")
    twice = same[order][1:] == same[order][:-1]
    begin, again = at[order[:-1][twice]], at[order[1:][twice]]
    by_row = np.argsort(begin)
    begin, apart = begin[by_row], (again - begin)[by_row]
    cuts = np.flatnonzero((np.diff(begin) != 1) | (np.diff(apart) != 0)) + 1
    found = []
    for run in np.split(np.arange(len(begin)), cuts):
        if len(run):
            first, distance, length = int(begin[run[0]]), int(apart[run[0]]), len(run) + size - 1
            if min(distance, APART_S * hz) <= length < 2 * distance:
                found.append((first, distance, length))
    return found


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """`(count,)` base to the power of 0, 1, 2, modulo 2^64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)
