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


def softmax(x: Ints, scale: float) -> Ints:
    """Stored outputs of inputs `(..., channels)` at a scale, beta 1."""
    real = min(scale * 2.0 ** (31 - _INPUT_BITS), 2.0**31 - 1)
    by = fixed_point.quantize_multiplier(real)
    radius = math.floor(
        (2.0**_INPUT_BITS - 1) * 2.0 ** (31 - _INPUT_BITS) / 2.0 ** float(by.shift)
    )
    difference = x - x.max(axis=-1, keepdims=True)
    inside = difference >= -radius
    argument = fixed_point.multiply(np.where(inside, difference, 0), by)
    exponential = exp_of_minus(-argument, bits=_INPUT_BITS)
    parts = np.where(inside, divide_by_power_of_two(exponential, _SUM_BITS), 0)
    total = parts.sum(axis=-1, keepdims=True)
    # Leading zeros of the sum, as 32 bits; then the sum as 1 + a fraction.
    zeros = 32 - (np.floor(np.log2(total)).astype(np.int64) + 1)
    inverse = one_over_one_plus((total << zeros) - (1 << 31))
    product = high_mul(inverse, exponential)
    stored = divide_by_power_of_two(product, _SUM_BITS - zeros + 31 - 8) - 128
    return np.where(inside, np.clip(stored, -128, 127), -128)
