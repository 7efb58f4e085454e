"""TFLite's fixed-point arithmetic for int8 networks, in numpy.

Convention: integers are held in int64 arrays unless a function says otherwise; a real multiplier
`m` is held as a mantissa in [2^30, 2^31) and a power of two: `m = mantissa * 2^(shift - 31)`.
The rounding is the double rounding of TFLite's reference kernels and of TFLM with CMSIS-NN:
first the high half of the doubled product (ties up), then the division by a power of two (ties
away from zero).

References: tensorflow/lite/kernels/internal/{common.h, quantization_util.cc,
reference/integer_ops/*.h}; gemmlowp/fixedpoint/fixedpoint.h. `inverse_root` is
GetInvSqrtQuantizedMultiplierExp of common.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1
ADD_LEFT_SHIFT = 20
"""Headroom that TFLite gives the inputs of an int8 ADD before they are rescaled."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Multiplier:
    """Real multipliers as TFLite stores them: `value = mantissa * 2^(shift - 31)`.

    Attributes:
        mantissa: `(channels,)` or `()`, in [2^30, 2^31), or 0.
        shift: of the same shape; positive is to the left.
    """

    mantissa: Ints
    shift: Ints


def quantize_multiplier(real: ArrayLike) -> Multiplier:
    """TFLite's `QuantizeMultiplier`: 31 bits of mantissa, ties away from zero.

    A multiplier below 2^-32 becomes 0, as in TFLite.
    """
    fraction, exponent = np.frexp(np.asarray(real, dtype=np.float64))
    # frexp gives [0.5, 1), so the product is not negative and floor(x + 0.5) is std::round.
    mantissa = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    shift = exponent.astype(np.int64)
    carried = mantissa == 2**31
    mantissa = np.where(carried, mantissa // 2, mantissa)
    shift = np.where(carried, shift + 1, shift)
    vanishes = shift < -31
    return Multiplier(np.where(vanishes, 0, mantissa), np.where(vanishes, 0, shift))


def high_mul(a: Ints, b: Ints | int, word: int = 31) -> Ints:
    """gemmlowp's `SaturatingRoundingDoublingHighMul` of int32 values, or of `word + 1` bits.

    `floor((a * b + 2^30) / 2^31)`: gemmlowp's nudge and truncating division come to this for both
    signs. Only -2^31 by -2^31 saturates.
    """
    product = (np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << (word - 1))) >> word
    result: Ints = np.minimum(product, (1 << word) - 1)
    return result


def divide_by_power_of_two(x: Ints, exponent: Ints | int) -> Ints:
    """gemmlowp's `RoundingDivideByPOT`: `x / 2^exponent`, ties away from zero."""
    x, exponent = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def multiply(x: Ints, by: Multiplier) -> Ints:
    """TFLite's `MultiplyByQuantizedMultiplier` with double rounding.

    Args:
        x: int32 values, last axis `channels` where the multiplier has channels. The caller
            answers for `x * 2^shift` fitting int32.
    """
    left = np.maximum(by.shift, 0)
    right = np.maximum(-by.shift, 0)
    return divide_by_power_of_two(high_mul(np.asarray(x, np.int64) << left, by.mantissa), right)


def multiply_once(x: Ints, by: Multiplier) -> Ints:
    """`multiply` with a single rounding (ties up), as LiteRT's FULLY_CONNECTED does."""
    total = 31 - by.shift
    return (np.asarray(x, np.int64) * by.mantissa + (np.int64(1) << (total - 1))) >> total


def weighted_multiplier(
    input_scale: float, weight_scales: ArrayLike, output_scale: float
) -> Multiplier:
    """Rescaling of accumulators: `s_in * s_w / s_out` in float64, of float32 scales."""
    weights = np.asarray(weight_scales, np.float64)
    return quantize_multiplier(input_scale * weights / output_scale)


def mean_multiplier(input_scale: float, output_scale: float, count: int) -> Multiplier:
    """Rescaling of MEAN over `count` elements, with `1 / count` folded in as TFLite does.

    `mantissa' = floor(mantissa * 2^n / count)` and `shift' = shift - n` with
    `n = min(floor(log2(count)), 32, 31 + shift)`.
    """
    plain = quantize_multiplier(input_scale / output_scale)
    shift = int(plain.shift)
    n = min(count.bit_length() - 1, 32, 31 + shift)
    mantissa = (int(plain.mantissa) << n) // count
    return Multiplier(np.asarray(mantissa, np.int64), np.asarray(shift - n, np.int64))


def product_multiplier(first_scale: float, second_scale: float, output_scale: float) -> Multiplier:
    """Rescaling of a product of two activations: their scales are multiplied in float32."""
    both = float(np.float32(first_scale) * np.float32(second_scale))
    return quantize_multiplier(both / output_scale)


@dataclass(frozen=True)
class AddMultipliers:
    """The three multipliers of an int8 ADD, see `add`."""

    first: Multiplier
    second: Multiplier
    output: Multiplier


def add_multipliers(
    first_scale: float, second_scale: float, output_scale: float
) -> AddMultipliers:
    """Both inputs are brought to twice the larger scale, the sum to the output's scale."""
    twice = 2.0 * max(first_scale, second_scale)
    return AddMultipliers(
        quantize_multiplier(first_scale / twice),
        quantize_multiplier(second_scale / twice),
        quantize_multiplier(twice / (2**ADD_LEFT_SHIFT * output_scale)),
    )


def add(first: Ints, second: Ints, by: AddMultipliers, *, minus: bool = False) -> Ints:
    """int8 ADD, or SUB, without output zero point and clamp.

    Args:
        first, second: inputs with their zero points already subtracted.
        by: see `add_multipliers`.
    """
    a = multiply(np.asarray(first, np.int64) << ADD_LEFT_SHIFT, by.first)
    b = multiply(np.asarray(second, np.int64) << ADD_LEFT_SHIFT, by.second)
    return multiply(a - b if minus else a + b, by.output)


def rounded_mean(total: Ints, count: ArrayLike) -> Ints:
    """AVERAGE_POOL_2D of int8: `total / count`, ties away from zero.

    `total` sums the stored int8 values, zero points included: their mean is rounded, not the mean
    of the centred values. TFLite: `(total +- count / 2) / count`, both divisions truncating.
    """
    total, count = np.asarray(total, np.int64), np.asarray(count, np.int64)
    result: Ints = np.sign(total) * ((np.abs(total) + count // 2) // count)
    return result


def activation_range(activation: str, scale: float, zero_point: int) -> tuple[int, int]:
    """int8 limits of an output with a fused activation, a word of `operators.ACTIVATIONS`."""
    low, high = INT8_MIN, INT8_MAX
    bottom, top = LIMITS[activation]
    if bottom is not None:
        low = max(low, zero_point - _steps(-bottom, scale))
    if top is not None:
        high = min(high, zero_point + _steps(top, scale))
    return low, high


LIMITS = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
    "relu_0_to_1": (0.0, 1.0),
}


def _steps(real: float, scale: float) -> int:
    return int(np.floor(np.float32(real) / np.float32(scale) + np.float32(0.5)))


class Requantizer:
    """Accumulators to int8 for one layer: bias, `multiply`, clamp; fast where float64 is exact.

    With `acc` and the bias as integers and `q`, `s` the mantissa and shift of a channel:

        high  = floor((acc + bias) * q * 2^(max(s, 0) - 31) + 1/2)      (`high_mul`)
        value = round_half_away(high * 2^min(s, 0))                     (`divide_by_power_of_two`)

    While `|acc + bias| * 2^max(s, 0) < 2^22`, the first product has at most 53 bits, so float64
    computes it exactly. The second step multiplies by `2^min(s, 0) * (1 + 2^-40)` and rounds to
    the nearest: the nudge carries a tie away from zero, and is too small to carry anything else,
    because `high` has at most 31 bits. Beyond the limit the layer takes the int64 route.
    """

    def __init__(
        self,
        multiplier: Multiplier,
        bias: NDArray[np.int32],
        *,
        low: int,
        high: int,
        bound: NDArray[np.float64],
        repeat: int = 1,
        round_once: bool = False,
    ) -> None:
        """Prepare the vectors of one layer.

        Args:
            multiplier: `(channels,)`.
            bias: `(channels,)`.
            low, high: limits of the centred output (output zero point subtracted).
            bound: `(channels,)` largest `|acc + bias|`.
            repeat: positions per row of the accumulators, so that a row is
                `repeat * channels` long; long rows make numpy's loops fast.
            round_once: use `multiply_once`.
        """
        shift = np.broadcast_to(multiplier.shift, bias.shape)
        mantissa = np.broadcast_to(multiplier.mantissa, bias.shape)
        self._multiplier = Multiplier(np.tile(mantissa, repeat), np.tile(shift, repeat))
        self._bias = np.tile(bias.astype(np.int64), repeat)
        self._low, self._high = low, high
        left = np.maximum(shift, 0)
        self._multiply = multiply_once if round_once else multiply
        self.exact_in_float64 = not round_once and bool(np.all(bound * 2.0**left < 2**22))
        factor = mantissa * 2.0 ** (left - 31)
        self._factor = np.tile(factor, repeat)
        self._offset = np.tile(bias * factor + 0.5, repeat)
        self._second: NDArray[np.float64] | None = np.tile(
            2.0 ** np.minimum(shift, 0) * (1.0 + 2.0**-40), repeat
        )

    def __call__(self, accumulators: NDArray[Any]) -> NDArray[np.float32]:
        """Centred int8 outputs as float32.

        Args:
            accumulators: `(rows, repeat * channels)` integers in float32 or float64.
        """
        if not self.exact_in_float64:
            whole = self._in_integers(accumulators.astype(np.int64) + self._bias)
            return np.clip(whole, self._low, self._high).astype(np.float32)
        value = np.multiply(accumulators, self._factor, dtype=np.float64)
        np.add(value, self._offset, out=value)
        np.floor(value, out=value)
        if self._second is not None:
            np.multiply(value, self._second, out=value)
        centred = np.empty(value.shape, np.float32)
        np.rint(value, out=centred, casting="same_kind")
        return np.clip(centred, self._low, self._high, out=centred)

    def _in_integers(self, accumulators: Ints) -> Ints:
        return self._multiply(accumulators, self._multiplier)


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
