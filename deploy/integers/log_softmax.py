"""LOG_SOFTMAX in int8 as TFLM computes it, and that of single precision in integers.

With `d` the distance of an input from the row's largest one and `L` the logarithm of the row's
sum of exponentials, both with 26 bits behind the point,

    y = clamp(zero - round((L * factor / 2^26 + M(d)) / 2^22)),    factor = 2^22 / output scale

where `M` brings a distance to 2^22 parts of an output step. TFLite asks for steps of 1/16, so its
factor is 2^26. PyTorch's converter leaves the operator in float, at any scale: runtimes compute it
in float32 (`in_float32`), the generated C by the formula above.

References: tensorflow/lite/kernels/internal/reference/{integer_ops/log_softmax.h, log_softmax.h};
log_x_for_x_greater_than_or_equal_to_1 of internal/common.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.integers import fixed_point
from deploy.integers.exponential import exponentials, input_radius, one_over_one_plus, sums
from deploy.integers.fixed_point import (
    INT32_MAX,
    Ints,
    Multiplier,
    divide_by_power_of_two,
    high_mul,
)

_STEP = 1 / 16  # of int8 outputs
_PARTS = 22  # bits of an output step
_WHOLE = 26  # bits behind the point of a logarithm
_LARGEST_FACTOR = 1 << 32  # of steps below 1/1024, which no range of outputs needs
# Fractions of 31 bits: log 2, the roots of 1/2 by 2 and by 4, and the quotient's coefficients.
_LOG_2, _ROOT, _FOURTH_ROOT = 1488522236, 1518500250, 1805811301
_ABOVE, _BELOW, _CONSTANT, _SLOPE = 117049297, 127690142, 1057819769, 638450708


@dataclass(frozen=True)
class Factors:
    """What the formula needs.

    Attributes:
        distance: of a distance in stored values to 2^22 parts of an output step.
        farthest: largest distance that is computed; others give int8's smallest value.
        log: `factor` of the formula.
    """

    distance: Multiplier
    farthest: int
    log: int


def factors(scale: float, out_scale: float) -> Factors:
    """Of an input's and an output's scale."""
    real = min(scale / out_scale * 2.0**_PARTS, float(INT32_MAX))
    by = fixed_point.quantize_multiplier(real)
    farthest = int(INT32_MAX / real)  # that leaves int32 not
    if out_scale == _STEP:  # TFLite ends sooner, as its softmax does
        farthest = input_radius(int(by.shift))
    log = min(round(2.0**_PARTS / out_scale), _LARGEST_FACTOR)
    return Factors(by, min(farthest, 255), log)


def logarithm(x: Ints) -> Ints:
    """log(x) with 26 bits behind the point of x >= 1 with 19: of a quotient near a root of 1/2."""
    zeros = _leading_zeros(x)
    near = np.minimum(high_mul(x << (zeros - 1), _ROOT) << 1, INT32_MAX)
    power = ((12 - zeros) << 25) + (1 << 23)  # 25 bits behind the point
    zeros = _leading_zeros(high_mul(x, _ROOT)) - 1
    r = np.minimum(near, x << zeros)
    power = np.maximum(power, ((12 - zeros) << 25) - (1 << 23))
    p, q = (r + _FOURTH_ROOT + 1) >> 1, 2 * (r - _FOURTH_ROOT)
    square = high_mul(q, q)
    above = high_mul(q, r) + high_mul(high_mul(q, square), _ABOVE)
    below = high_mul(p, _CONSTANT + q + high_mul(square, _BELOW)) + high_mul(q, _SLOPE)
    quotient = high_mul(divide_by_power_of_two(above, 6), one_over_one_plus(below))
    return (high_mul(power, _LOG_2) + quotient) << 1


def log_softmax(x: Ints, scale: float, target: tuple[float, int]) -> Ints:
    """Stored outputs of inputs `(..., channels)` at a scale, in integers."""
    by = factors(scale, target[0])
    away = x.max(axis=-1, keepdims=True) - x
    log = logarithm(sums(exponentials(scale)[away])) * by.log >> _WHOLE
    parts = log - fixed_point.multiply(-np.minimum(away, by.farthest), by.distance)
    steps = (parts + (1 << (_PARTS - 1))) >> _PARTS
    return np.where(away > by.farthest, -128, np.clip(target[1] - steps, -128, 127))


def in_float32(x: Ints, scale: float, target: tuple[float, int]) -> Ints:
    """The same in single precision, between DEQUANTIZE and QUANTIZE."""
    real = x.astype(np.float32) * np.float32(scale)
    real -= real.max(axis=-1, keepdims=True)
    total: NDArray[np.float32] = np.cumsum(np.exp(real), axis=-1, dtype=np.float32)[..., -1:]
    steps = (real - np.log(total)) / np.float32(target[0])
    away = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int64)
    found: Ints = np.clip(away + target[1], -128, 127)
    return found


def _leading_zeros(x: Ints) -> Ints:
    """Of 32 bits."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)
