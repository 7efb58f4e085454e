"""gemmlowp's exponential and division in fixed point, and SOFTMAX in int8, as TFLM computes it.

Fractions have 31 or 15 bits, in int64 arrays. References: gemmlowp/fixedpoint/fixedpoint.h;
tensorflow/lite/kernels/internal/reference/softmax.h, and softmax_common.cc for the scaling.
"""

from __future__ import annotations

import math

import numpy as np

from deploy.integers import fixed_point
from deploy.integers.fixed_point import Ints, divide_by_power_of_two, high_mul

ONE = fixed_point.INT32_MAX
# exp(-2^n) for n = -2 .. 4 as 31-bit fractions.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_SMALLEST = 32  # of exp(-x) beyond this x gemmlowp has none


def _in_word(constant: int, word: int) -> int:
    """A constant of 31 bits behind its point, of `word` bits."""
    return constant if word == 31 else (constant + (1 << 15)) >> 16


def exp_of_minus(x: Ints, *, bits: int, word: int = 31) -> Ints:
    """exp(-x) of x >= 0 with `bits` before its point and `word - bits` behind it."""
    quarter = 1 << (word - bits - 2)
    near = (-x & (quarter - 1)) - quarter  # in [-1/4, 0)
    a = (near << bits) + (1 << (word - 3))  # + 1/8: Taylor around -1/8
    a2 = high_mul(a, a, word)
    a3, a4 = high_mul(a2, a, word), high_mul(a2, a2, word)
    third = _in_word(715827883, word)
    tail = high_mul(divide_by_power_of_two(a4, 2) + a3, third, word) + a2
    tail = divide_by_power_of_two(tail, 1)
    middle = _in_word(1895147668, word)  # exp(-1/8)
    result = middle + high_mul(a + tail, middle, word)
    rest = near + x
    for power, factor in zip(range(-2, bits), _EXP_OF_POWERS, strict=False):
        bit = 1 << (word - bits + power)
        result = np.where(rest & bit, high_mul(result, _in_word(factor, word), word), result)
    if bits > 5:
        result = np.where(x > _SMALLEST << (word - bits), 0, result)
    return np.where(x == 0, (1 << word) - 1, result)


def _reciprocal(a: Ints, word: int) -> Ints:
    """2 / (1 + a) of fractions in [0, 1], two bits before the point: Newton's division."""
    half = (a + (1 << word)) >> 1
    x: Ints = _in_word(1515870810, word) + high_mul(half, -_in_word(1010580540, word), word)
    # 48/17 - 32/17 of it
    for _ in range(3):
        rest = (1 << (word - 2)) - high_mul(half, x, word)
        x = x + (high_mul(x, rest, word) << 2)
    return x


def one_over_one_plus(a: Ints, *, word: int = 31) -> Ints:
    """1 / (1 + a) of fractions in [0, 1]."""
    result: Ints = np.minimum(_reciprocal(a, word) << 1, (1 << word) - 1)
    return result


def one_minus_over_one_plus(a: Ints, *, word: int = 31) -> Ints:
    """(1 - a) / (1 + a) of fractions in [0, 1]."""
    limit = 1 << word
    result: Ints = np.clip((_reciprocal(a, word) - (limit >> 2)) << 2, -limit, limit - 1)
    return result


_INPUT_BITS = 5  # before the point of a difference
_SUM_BITS = 12  # before the point of the sum


def input_radius(shift: int) -> int:
    """TFLite's largest distance whose product with a factor of that shift it takes."""
    return math.floor((2.0**_INPUT_BITS - 1) * 2.0 ** (31 - _INPUT_BITS - shift))


def exponentials(scale: float) -> Ints:
    """`(256,)` exp(-scale * d) of the distance d from the largest input, as 31-bit fractions.

    0 where a distance leaves the five bits before the point.
    """
    real = min(scale * 2.0 ** (31 - _INPUT_BITS), 2.0**31 - 1)
    by = fixed_point.quantize_multiplier(real)
    radius = input_radius(int(by.shift))
    distance = np.arange(256, dtype=np.int64)
    argument = -fixed_point.multiply(-np.where(distance <= radius, distance, 0), by)
    return np.where(distance <= radius, exp_of_minus(argument, bits=_INPUT_BITS), 0)


def sums(exponential: Ints) -> Ints:
    """`(..., 1)` sums over channels, with 19 bits behind the point."""
    total: Ints = divide_by_power_of_two(exponential, _SUM_BITS).sum(axis=-1, keepdims=True)
    return total


def softmax(x: Ints, scale: float, target: tuple[float, int]) -> Ints:
    """Stored outputs of inputs `(..., channels)` at a scale, beta 1; their scale is 1/256."""
    exponential = exponentials(scale)[x.max(axis=-1, keepdims=True) - x]
    total = sums(exponential)
    # Leading zeros of the sum, as 32 bits; then the sum as 1 + a fraction.
    zeros = 32 - (np.floor(np.log2(total)).astype(np.int64) + 1)
    inverse = one_over_one_plus((total << zeros) - (1 << 31))
    product = high_mul(inverse, exponential)
    stored = divide_by_power_of_two(product, _SUM_BITS - zeros + 31 - 8) + target[1]
    return np.clip(stored, -128, 127)
