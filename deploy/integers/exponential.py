"""gemmlowp's exponential and division in fixed point: 31-bit fractions in int64 arrays.

Reference: gemmlowp/fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import numpy as np

from deploy.integers import fixed_point
from deploy.integers.fixed_point import Ints, divide_by_power_of_two, high_mul

ONE = fixed_point.INT32_MAX
# exp(-2^n) for n = -2 .. 4 as 31-bit fractions.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def exp_of_minus(x: Ints, *, bits: int) -> Ints:
    """exp(-x) of x >= 0 with `bits` before its point."""
    quarter = 1 << (31 - bits - 2)
    near = (-x & (quarter - 1)) - quarter  # in [-1/4, 0)
    a = (near << bits) + (1 << 28)  # + 1/8: Taylor around -1/8
    a2 = high_mul(a, a)
    a3, a4 = high_mul(a2, a), high_mul(a2, a2)
    third = 715827883
    tail = high_mul(divide_by_power_of_two(a4, 2) + a3, third) + a2
    tail = divide_by_power_of_two(tail, 1)
    middle = 1895147668  # exp(-1/8)
    result = middle + high_mul(a + tail, middle)
    rest = near + x
    for power, factor in zip(range(-2, bits), _EXP_OF_POWERS, strict=False):
        bit = 1 << (31 - bits + power)
        result = np.where(rest & bit, high_mul(result, factor), result)
    return np.where(x == 0, ONE, result)


def _reciprocal(a: Ints) -> Ints:
    """2 / (1 + a) of fractions in [0, 1], two bits before the point: Newton's division."""
    half = (a + ONE + 1) >> 1
    x: Ints = 1515870810 + high_mul(half, -1010580540)  # 48/17 - 32/17 of it
    for _ in range(3):
        x = x + (high_mul(x, (1 << 29) - high_mul(half, x)) << 2)
    return x


def one_over_one_plus(a: Ints) -> Ints:
    """1 / (1 + a) of fractions in [0, 1]."""
    result: Ints = np.minimum(_reciprocal(a) << 1, ONE)
    return result


def one_minus_over_one_plus(a: Ints) -> Ints:
    """(1 - a) / (1 + a) of fractions in [0, 1]."""
    result: Ints = np.clip((_reciprocal(a) - (1 << 29)) << 2, -ONE - 1, ONE)
    return result
