"""int8 SOFTMAX in fixed point, as TFLM computes it; output scale 1/256, zero point -128.

Reference: tensorflow/lite/kernels/internal/reference/softmax.h; softmax_common.cc for the scaling.
"""

from __future__ import annotations

import math

import numpy as np

from deploy.integers import fixed_point
from deploy.integers.exponential import exp_of_minus, one_over_one_plus
from deploy.integers.fixed_point import Ints, divide_by_power_of_two, high_mul

_INPUT_BITS = 5  # before the point of a difference
_SUM_BITS = 12  # before the point of the sum


def exponentials(scale: float) -> Ints:
    """`(256,)` exp(-scale * d) of the distance d from the largest input, as 31-bit fractions.

    0 where a distance leaves the five bits before the point.
    """
    real = min(scale * 2.0 ** (31 - _INPUT_BITS), 2.0**31 - 1)
    by = fixed_point.quantize_multiplier(real)
    radius = math.floor(
        (2.0**_INPUT_BITS - 1) * 2.0 ** (31 - _INPUT_BITS) / 2.0 ** float(by.shift)
    )
    distance = np.arange(256, dtype=np.int64)
    argument = fixed_point.multiply(np.where(distance <= radius, distance, 0), by)
    return np.where(distance <= radius, exp_of_minus(argument, bits=_INPUT_BITS), 0)


def softmax(x: Ints, scale: float) -> Ints:
    """Stored outputs of inputs `(..., channels)` at a scale, beta 1."""
    exponential = exponentials(scale)[x.max(axis=-1, keepdims=True) - x]
    total = divide_by_power_of_two(exponential, _SUM_BITS).sum(axis=-1, keepdims=True)
    # Leading zeros of the sum, as 32 bits; then the sum as 1 + a fraction.
    zeros = 32 - (np.floor(np.log2(total)).astype(np.int64) + 1)
    inverse = one_over_one_plus((total << zeros) - (1 << 31))
    product = high_mul(inverse, exponential)
    stored = divide_by_power_of_two(product, _SUM_BITS - zeros + 31 - 8) - 128
    return np.clip(stored, -128, 127)
