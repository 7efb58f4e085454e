"""Where a resized image reads its input, by the arithmetic of TFLite.

References: tensorflow/lite/kernels/internal/reference/{resize_nearest_neighbor.h,
resize_bilinear.h}.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.integers import fixed_point
from hwmodels.operators import Grid

Ints = NDArray[np.int64]
FRACTION_BITS = 10  # of a position between two pixels


def nearest(size: int, wanted: int, grid: Grid) -> Ints:
    """`(wanted,)` positions of an axis of `size` that are copied."""
    places = np.arange(wanted, dtype=np.float32)
    if grid == "half_pixel":
        places += np.float32(0.5)
    if grid == "align_corners" and wanted > 1:
        places *= np.float32(size - 1) / np.float32(wanted - 1)
    else:
        places *= np.float32(size) / np.float32(wanted)
    if grid == "align_corners":
        places += np.float32(0.5)
    return np.clip(np.floor(places).astype(np.int64), 0, size - 1)


def spacing(size: int, wanted: int, grid: Grid) -> tuple[int, int]:
    """Where the first position of the output lies, and how far apart all do, in 2^-10 pixels."""
    one = 1 << FRACTION_BITS
    step = (one * size + wanted // 2) // wanted
    if grid == "align_corners" and wanted > 1:
        step = (one * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    return step // 2 - one // 2 if grid == "half_pixel" else 0, step


def between(size: int, wanted: int, grid: Grid) -> tuple[Ints, Ints, Ints]:
    """`(wanted,)` lower and upper positions, and how far beyond the lower, in 2^-10 pixels."""
    begin, step = spacing(size, wanted, grid)
    at = begin + np.arange(wanted, dtype=np.int64) * step
    lower = np.maximum(at, 0) >> FRACTION_BITS
    upper = np.clip(-(-at >> FRACTION_BITS), 0, size - 1)
    # A position before the first pixel lies between it and itself.
    return lower, upper, at - (lower << FRACTION_BITS)


def bilinear(stored: Ints, axes: Sequence[tuple[Ints, Ints, Ints]]) -> Ints:
    """`(windows, height, width, channels)` stored values, resized; `axes` are of `between`."""
    one = 1 << FRACTION_BITS
    for axis, (lower, upper, beyond) in enumerate(axes, start=1):
        weights = beyond.reshape(-1, *(1,) * (3 - axis))
        stored = stored.take(lower, axis) * (one - weights) + stored.take(upper, axis) * weights
    return fixed_point.rounded_mean(stored, one * one)
