"""Integer arithmetic that numpy and C do alike.

Convention: int64 arrays; `>>` is the floor of a division by a power of two, also of negative
values. On the device products have 64 bits, everything else 32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ppgnas.errors import ExportError

Ints = NDArray[np.int64]
UNIT = 2**16  # logarithms, and what `exp2` begins with, are in units of 2^-16

LOG2_TERMS = (28962, -17510, 9727, -2959)
"""P of `log2(1 + f) = f + f (1 - f) P(f)`, least maximum error, in units of 2^-16."""

EXP2_TERMS = (12653, -3043, 449)  # Q of `2^-f = 1 - f / 2 - f (1 - f) Q(f)`, likewise


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


def multiply_round(x: ArrayLike, factor: ArrayLike, bits: int) -> Ints:
    """`floor(x factor / 2^bits + 1/2)`; both have 32 bits."""
    product = np.asarray(x, np.int64) * np.asarray(factor, np.int64)
    return (product + (np.int64(1) << (bits - 1))) >> bits


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
    """`floor(sqrt(x))` of values from 0 to 2^32 - 1."""
    return np.asarray(np.sqrt(np.asarray(x, np.float64)), np.int64)  # float64 holds them all


def _bow(f: Ints, terms: tuple[int, ...]) -> Ints:
    """`f (1 - f) P(f)` of f in units of 2^-16, 0 <= f < 1; Horner's rule with floors."""
    value = np.full_like(f, terms[-1])
    for term in terms[-2::-1]:
        value = ((value * f) >> 16) + term
    return (((f * (UNIT - f)) >> 16) * value) >> 16


def log2(x: ArrayLike) -> Ints:
    """`log2(x)` of 1 <= x < 2^62 in units of 2^-16, 3e-5 off at most."""
    values = np.asarray(x, np.int64)
    whole = bit_length(values) - 1
    f = ((values << (62 - whole)) >> 46) & (UNIT - 1)
    return whole * UNIT + f + _bow(f, LOG2_TERMS)


def exp2(x: ArrayLike) -> Ints:
    """`2^-x * 2^31` of x >= 0 in units of 2^-16, by a part in 2^15 off; 0 for 32 and more."""
    values = np.asarray(x, np.int64)
    f = values & (UNIT - 1)
    part = UNIT - (f >> 1) - _bow(f, EXP2_TERMS)
    return np.where(values >> 21, 0, (part << 15) >> ((values >> 16) & 31))


def inverse_root(x: ArrayLike, factor: Scale) -> Ints:
    """`factor / sqrt(x) * 2^32`, for 0 < x < 2^62, at most 2^31 - 1; relative error below 2^-14.

    x is shifted by an even number to n in [2^30, 2^32), q = isqrt(n), r = floor((2^32 - 1) / q):

        min(floor(r M / 2^(k + shift / 2)), 2^31 - 1)                       factor = M 2^-k
    """
    values = np.asarray(x, np.int64)
    right = (bit_length(values) - 31) & ~np.int64(1)
    n = np.where(right > 0, values >> np.maximum(right, 0), values << np.maximum(-right, 0))
    reciprocal = np.int64(2**32 - 1) // square_root(n)
    shifted = (reciprocal * factor.mantissa) >> np.clip(factor.shift + (right >> 1), 0, 62)
    return np.asarray(np.minimum(shifted, 2**31 - 1), np.int64)
