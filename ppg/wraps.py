"""Samples of a converter or counter that runs over: after 65535 comes 3, and is counted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = (8, 32)  # of converters, the least and the most
ACROSS = 0.75  # of the range: the least jump from one end to the other
USUAL = 0.995, 3.0  # quantile of the steps, and how many of it a step may have that runs over
EXPLAINED = 0.8  # of such jumps
LARGEST = 0.25  # of the range; a signal whose steps are larger is noise
STUCK = 3  # equal samples beside most jumps: an end of the range that it stays at

Samples = NDArray[np.float64]


def unwrapped(values: Samples) -> tuple[Samples, int, int]:
    """A signal without its jumps from one end of a binary range to the other.

    Args:
        values: `(rows,)`; those that are no whole numbers are no counts and stay as they are.

    Returns:
        The signal, the range, and how often it ran over; the signal as it is, 0 and 0 where that
        does not explain its jumps.
    """
    steps = np.diff(values)
    sizes = np.abs(steps)
    span = float(np.ptp(values)) if len(values) else 0.0
    at = np.flatnonzero(sizes > ACROSS * span)
    if not len(at) or span == 0:
        return values, 0, 0
    bits = int(np.ceil(np.log2(span + 1)))
    if not (BITS[0] <= bits <= BITS[1] and (values == np.rint(values)).all()):
        return values, 0, 0
    size = 2**bits
    going_on = np.unwrap(values, period=size)
    left = np.abs(np.diff(going_on))
    usual = USUAL[1] * float(np.quantile(np.delete(left, at), USUAL[0])) + 1
    stuck = [np.ptp(values[max(i + 1 - STUCK, 0) : i + 1]) == 0 for i in at.tolist()]
    stuck += [np.ptp(values[i + 1 : i + 1 + STUCK]) == 0 for i in at.tolist()]
    explained = float(np.mean(left[at] <= usual))
    if explained < EXPLAINED or left.max() > LARGEST * size or np.mean(stuck) > 1 / 4:
        return values, 0, 0
    return going_on, size, len(at)
