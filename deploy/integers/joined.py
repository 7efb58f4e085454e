"""Operators that map two int8 values to one: all results, without output zero point and clamp.

References: tensorflow/lite/kernels/internal/reference/integer_ops/{add.h, mul.h},
reference/{sub.h, maximum_minimum.h, prelu.h, div.h}, squared_difference.cc.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deploy.integers import fixed_point, single_rounding
from deploy.integers.exponential import one_over_one_plus
from deploy.integers.fixed_point import (
    Ints,
    Multiplier,
    divide_by_power_of_two,
    high_mul,
    multiply,
    quantize_multiplier,
)
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer
from hwmodels.operators import Op

QUOTIENT_BITS = 14
SQUARE_LEFT_SHIFT = 7  # headroom that TFLite gives the inputs of SQUARED_DIFFERENCE


def results(net: QuantizedNet, layer: Layer, *, rule: str = "tflm") -> Ints:
    """`(256, 256)` of the stored values -128 .. 127 of both inputs.

    Args:
        net: the network.
        layer: of an operator of `RESULTS`.
        rule: of `kernels.RULES`: the generated C rounds sums once.
    """
    stored = np.arange(fixed_point.INT8_MIN, fixed_point.INT8_MAX + 1, dtype=np.int64)
    first, second = (stored - net.activations[name][1] for name in layer.inputs)
    return RESULTS[layer.op](net, layer, first[:, None], second[None], rule)


def _sum(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    if rule == "c":
        return single_rounding.add(first, second, single_rounding.add_factors(net, layer))
    by = fixed_point.add_multipliers(*scales(net, layer))
    return fixed_point.add(first, second, by, minus=layer.op == "sub")


def _product(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    one, other, output = scales(net, layer)
    factor = one * other / output
    if rule == "litert":
        factor = float(np.float32(one) * np.float32(other) / np.float32(output))
    return multiply(first * second, byte_multiplier(factor))


def byte_multiplier(real: float) -> Multiplier:
    """Of a product of two bytes: by 2^13 and more all but 0 leave int8, and some leave int32."""
    by = quantize_multiplier(real)
    return Multiplier(by.mantissa, np.minimum(by.shift, 14))


def _larger(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    choose = np.maximum if layer.op == "maximum" else np.minimum
    return choose(first, second)


def prelu_multipliers(net: QuantizedNet, layer: Layer) -> tuple[Multiplier, Multiplier]:
    """Of what is not negative, and of a negative input times its slope."""
    one, slope, output = scales(net, layer)
    return byte_multiplier(one / output), byte_multiplier(one * slope / output)


def _prelu(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    above, below = prelu_multipliers(net, layer)
    return np.where(first >= 0, multiply(first, above), multiply(first * second, below))


def square_multipliers(net: QuantizedNet, layer: Layer) -> tuple[Multiplier, ...]:
    """Both inputs are brought to twice the larger scale, the square to the output's scale."""
    one, other, output = scales(net, layer)
    twice = 2.0 * max(one, other)
    back = twice * twice / (2.0 ** (2 * SQUARE_LEFT_SHIFT) * output)
    return tuple(map(quantize_multiplier, (one / twice, other / twice, back)))


def _square(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    one, other, output = square_multipliers(net, layer)
    apart = multiply(first << SQUARE_LEFT_SHIFT, one) - multiply(
        second << SQUARE_LEFT_SHIFT, other
    )
    return multiply(apart * apart, output)


def quotient_factors(net: QuantizedNet, layer: Layer) -> Ints:
    """`(256,)` of the stored divisors -128 .. 127, with `QUOTIENT_BITS` behind the point.

    Cut where even a dividend of 1 leaves int8, so that products stay in int32.
    """
    one, other, output = scales(net, layer)
    divisors = np.arange(-128, 128) - net.activations[layer.inputs[1]][1]
    with np.errstate(divide="ignore"):  # over nothing the largest there is
        real = one / (other * output) * 2.0**QUOTIENT_BITS / divisors
    return np.floor(np.clip(real, -(2.0**22), 2.0**22) + 0.5).astype(np.int64)


def _quotient(net: QuantizedNet, layer: Layer, first: Ints, second: Ints, rule: str) -> Ints:
    if rule == "c":
        return (first * quotient_factors(net, layer) + (1 << (QUOTIENT_BITS - 1))) >> (
            QUOTIENT_BITS
        )
    # Below an eighth of a step TFLite shifts by more than 31 bits, which no two machines do alike.
    wide = np.float32 if rule == "litert" else np.float64
    one, other, output = (wide(scale) for scale in scales(net, layer))
    by = quantize_multiplier(float(one / (other * output)))
    first, second = np.where(second < 0, -first, first), np.abs(second)
    length = np.frexp(second.astype(np.float64))[1]  # in bits
    inverse = one_over_one_plus((second << (32 - length)) - (1 << 31))
    size = np.where(first < 0, 2 * np.abs(first) - 1, 2 * first)
    room = 32 - np.frexp(size.astype(np.float64))[1]
    quotient = high_mul(high_mul(first << room, inverse), by.mantissa)
    return divide_by_power_of_two(quotient, np.maximum(length - 1 + room - by.shift, 0))


def scales(net: QuantizedNet, layer: Layer) -> tuple[float, float, float]:
    """Of both inputs and the output."""
    first, second = layer.inputs
    return (
        net.activations[first][0],
        net.activations[second][0],
        net.activations[layer.output][0],
    )


RESULTS: dict[Op, Callable[[QuantizedNet, Layer, Ints, Ints, str], Ints]] = {
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "maximum": _larger,
    "minimum": _larger,
    "prelu": _prelu,
    "squared_difference": _square,
    "div": _quotient,
}
