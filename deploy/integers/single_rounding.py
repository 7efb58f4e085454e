"""The arithmetic of the generated C: one rounding where TFLite rounds twice.

A weighted layer's accumulator `a` becomes

    y = clamp(zero_point + ((a * 2^left * m + 2^31) >> 32)),    m = round(M * 2^(32 - left))

with `M = s_in * s_w / s_out` of the channel and one `left` for the layer, 0 unless a channel's `M`
reaches 1/2. `m` is below 2^31, so all of it but the clamp is one SMMLAR on a core with the DSP
extension. An addition weighs both inputs with 16-bit factors:

    y = clamp((x1 * m1 + x2 * m2 + half + zero_point * 2^shift) >> shift)

where `x` are centred, `m = round(s_in / s_out * 2^shift)` and `half = 2^(shift - 1)`: ties up.
Pools and MEAN are those of TFLite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.integers import fixed_point
from deploy.integers.fixed_point import Ints
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer
from ppgnas.errors import ExportError

RULE = "c"  # name of this arithmetic among `deploy.integers.reference.RULES`
ADD_SHIFT = 14
_FACTOR_MAX = 2**15 - 1


@dataclass(frozen=True)
class Factors:
    """Rescaling of one weighted layer.

    Attributes:
        mantissa: `(out_channels,)` in [0, 2^31).
        left: bits that accumulators are shifted up before the product.
    """

    mantissa: Ints
    left: int


@dataclass(frozen=True)
class AddFactors:
    """Weights of the two inputs of an addition, and the shift of their sum."""

    first: int
    second: int
    shift: int


def weighted_factors(net: QuantizedNet, layer: Layer) -> Factors:
    """Factors of a weighted layer.

    Raises:
        ExportError: a multiplier so large that shifted accumulators leave int32.
    """
    scale_in = net.activations[layer.inputs[0]][0]
    scale_out = net.activations[layer.output][0]
    real = scale_in * net.weight_scales[layer.name] / scale_out
    left = max(0, int(np.frexp(real.max())[1]) + 1)
    if round(float(real.max()) * 2.0 ** (32 - left)) > fixed_point.INT32_MAX:
        left += 1
    bound = net.accumulator_bound(layer)
    if bound.max() * 2.0**left > fixed_point.INT32_MAX:
        worst = int(np.argmax(bound))
        raise ExportError(
            f"layer {layer.name!r}, channel {worst}: the multiplier {real.max():.4g} shifts an "
            f"accumulator of up to {bound[worst]:.0f} by {left} bits, out of int32; its output "
            f"scale {scale_out:.4g} is too small for input scale {scale_in:.4g}: calibrate the "
            "activation ranges again, or export another format than c"
        )
    mantissa = np.floor(real * 2.0 ** (32 - left) + 0.5).astype(np.int64)
    return Factors(mantissa, left)


def rescale(accumulators: Ints, by: Factors) -> Ints:
    """Accumulators `(..., out_channels)`, bias included, to centred outputs before the clamp."""
    return ((np.asarray(accumulators, np.int64) << by.left) * by.mantissa + 2**31) >> 32


def add_factors(net: QuantizedNet, layer: Layer) -> AddFactors:
    """Factors of an addition or, the second one negative, of a subtraction.

    Raises:
        ExportError: an input scale beyond 2^15 output scales.
    """
    output = net.activations[layer.output][0]
    real = [net.activations[name][0] / output for name in layer.inputs]
    shift = ADD_SHIFT
    while shift > 0 and round(max(real) * 2.0**shift) > _FACTOR_MAX:
        shift -= 1
    if round(max(real) * 2.0**shift) > _FACTOR_MAX:
        raise ExportError(
            f"layer {layer.name!r}: an input scale is {max(real):.4g} times the output scale; "
            f"at most {_FACTOR_MAX} can be added: calibrate the activation ranges again"
        )
    first, second = (int(np.floor(value * 2.0**shift + 0.5)) for value in real)
    return AddFactors(first, -second if layer.op == "sub" else second, shift)


def add(first: Ints, second: Ints, by: AddFactors) -> Ints:
    """Sum of two centred inputs, centred, before the clamp."""
    half = (1 << by.shift) >> 1
    total = np.asarray(first, np.int64) * by.first + np.asarray(second, np.int64) * by.second
    return (total + half) >> by.shift


class Requantizer(fixed_point.Requantizer):
    """Accumulators to centred outputs of one layer; fast where float64 is exact.

    `acc * m * 2^(left - 32)` has at most 53 bits while `|acc + bias| * 2^left < 2^22`: then its
    floor after adding 1/2 is that of the integers.
    """

    def __init__(
        self, net: QuantizedNet, layer: Layer, *, low: int, high: int, repeat: int = 1
    ) -> None:
        """Prepare the vectors of one layer.

        Args:
            repeat: positions per row of the accumulators.
        """
        by = weighted_factors(net, layer)
        bias = net.biases[layer.name].astype(np.int64)
        self._by = Factors(np.tile(by.mantissa, repeat), by.left)
        self._bias = np.tile(bias, repeat)
        self._low, self._high = low, high
        self.exact_in_float64 = bool(net.accumulator_bound(layer).max() * 2.0**by.left < 2**22)
        factor = by.mantissa * 2.0 ** (by.left - 32)
        self._factor = np.tile(factor, repeat)
        self._offset = np.tile(bias * factor + 0.5, repeat)
        self._second = None

    def _in_integers(self, accumulators: Ints) -> Ints:
        return rescale(accumulators, self._by)
