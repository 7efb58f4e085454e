"""1 / sqrt of a whole number in fixed point, as TFLite has it: five rounds of Newton's method.

Reference: GetInvSqrtQuantizedMultiplierExp in tensorflow/lite/kernels/internal/common.h.
"""

from __future__ import annotations

import numpy as np

from deploy.integers.fixed_point import (
    INT32_MAX,
    Ints,
    Multiplier,
    divide_by_power_of_two,
    high_mul,
)

_ROUNDS = 5
_ONE = 1 << 28  # three bits before the point
_HALF_ROOT_OF_TWO = 1518500250  # none before the point


def inverse_root(value: int) -> Multiplier:
    """1 / sqrt(value) of a value from 1 to 2^29."""
    if value == 1:
        return Multiplier(np.asarray(INT32_MAX), np.asarray(0))
    # An even number of bits, so that its root is a shift.
    left = (31 - value.bit_length()) // 2 - 1
    number = np.asarray((value << 2 * left) >> 1, np.int64)
    half = divide_by_power_of_two(number, 1)
    x = np.asarray(_ONE, np.int64)
    for _ in range(_ROUNDS):
        cube = _shifted(high_mul(high_mul(x, x), x), 6)
        x = _shifted(high_mul(np.asarray(_ONE + _ONE // 2), x) - high_mul(half, cube), 3)
    mantissa, right = high_mul(x, _HALF_ROOT_OF_TWO), 11 - left
    return Multiplier(mantissa << max(-right, 0), np.asarray(-max(right, 0)))


def _shifted(value: Ints, left: int) -> Ints:
    """With int32's limits."""
    shifted: Ints = np.clip(value << left, -INT32_MAX - 1, INT32_MAX)
    return shifted
