"""Integer arithmetic that numpy and C do alike.

Convention: int64 arrays; `>>` is the floor of a division by a power of two, also of negative
values. A positive real factor is held as a mantissa in [2^30, 2^31) and a right shift:
`factor = mantissa * 2^-shift`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ppgnas.errors import ExportError

Ints = NDArray[np.int64]
_LOW_WORD = np.int64(0xFFFFFFFF)
_HALF_WORD = np.int64(2**31)


@dataclass(frozen=True)
class Scale:
    """A positive real factor: `mantissa * 2^-shift`, mantissa in [2^30, 2^31)."""

    mantissa: int
    shift: int

    @property
    def value(self) -> float:
        """The factor that is computed with."""
        return math.ldexp(self.mantissa, -self.shift)


def scale_of(factor: float) -> Scale:
    """The nearest `Scale`; its relative error is at most 2^-31.

    Raises:
        ExportError: the factor is not a finite number above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ExportError(f"a factor of {factor} has no integer form; it must be finite, above 0")
    fraction, exponent = math.frexp(factor)  # fraction in [0.5, 1)
    mantissa = round(math.ldexp(fraction, 31))
    if mantissa == 2**31:
        mantissa, exponent = 2**30, exponent + 1
    return Scale(mantissa, 31 - exponent)


def multiply_shift(x: ArrayLike, factor: ArrayLike, shift: ArrayLike) -> Ints:
    """`x * factor / 2^shift` rounded, first at 2^-32 and then to whole numbers, ties up.

    A floor instead would leave a bias, which a filter with poles near 1 amplifies a thousandfold.

    Args:
        x: int64.
        factor: int32 values, not -2^31.
        shift: 32 to 62.

    With `x = high * 2^32 + low`, 0 <= low < 2^32, no product below leaves int64:
    `floor((high factor + floor((low factor + 2^31) / 2^32) + floor(2^(shift-33))) / 2^(shift-32))`
    """
    wide, by = np.asarray(x, np.int64), np.asarray(factor, np.int64)
    high, low = wide >> 32, wide & _LOW_WORD
    left = np.asarray(shift, np.int64) - 32
    carry = (low * by + _HALF_WORD) >> 32
    result: Ints = (high * by + carry + ((np.int64(1) << left) >> 1)) >> left
    return result


def bit_length(x: ArrayLike) -> Ints:
    """Bits of values from 0 to 2^63 - 1: 0 for 0, `floor(log2(x)) + 1` otherwise."""
    left = np.array(x, np.int64)
    bits = np.zeros_like(left)
    for step in (32, 16, 8, 4, 2, 1):
        more = left >= (np.int64(1) << step)
        bits = np.where(more, bits + step, bits)
        left = np.where(more, left >> step, left)
    return bits + left


def square_root(x: ArrayLike) -> Ints:
    """`floor(sqrt(x))` of values from 0 to 2^62 - 1."""
    values = np.asarray(x, np.int64)
    # float64 is at most one off: the argument is rounded by a part in 2^53, the root by another.
    root = np.floor(np.sqrt(values.astype(np.float64))).astype(np.int64)
    root = np.where(root * root > values, root - 1, root)
    return np.where((root + 1) * (root + 1) <= values, root + 1, root)


def even_headroom(x: ArrayLike) -> Ints:
    """The even left shift that brings 0 < x < 2^62 into [2^60, 2^62)."""
    return (np.int64(62) - bit_length(x)) & ~np.int64(1)


def inverse_deviation(squares: ArrayLike, count: int) -> tuple[Ints, Ints]:
    """`1 / sqrt(squares / count)` as a mantissa and half an exponent.

    Args:
        squares: 0 < values < 2^62.
        count: 1 to 1024.

    Returns:
        `(mantissa, half)` with `1 / sqrt(squares / count) ~ mantissa * 2^(half - 56)`;
        the mantissa lies in [2^25, 2^31], relative error below 2^-24.
    """
    up = even_headroom(squares)
    root = square_root((np.asarray(squares, np.int64) << up) // count)
    return (np.int64(1) << 56) // root, up >> 1
