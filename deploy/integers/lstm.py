"""UNIDIRECTIONAL_SEQUENCE_LSTM of int8 with an int16 cell state, by TFLM's and LiteRT's rules.

With `x` and `h` the centred inputs of a step and outputs of the step before, both 0 at the first,
`M` rescaling to 12 bits behind the point, gates in 15 bits behind it and `c` the cell state:

    i, f, o = sigmoid(M(b + W x) + M(R h)),  g = tanh(M(b + W x) + M(R h))
    c = clip(f c + i g),  h = M(o tanh(c))

TFLM looks sigmoid and tanh up in one table of 256 and multiplies with two roundings; LiteRT
computes them as gemmlowp does, in 16 bits, and rounds products once: on random networks outputs
are up to two steps apart. Both are given to the last bit; LiteRT has no tanh of a cell state of
less than 2^-15. Both keep outputs and cells from one call to the next until they are reset: a
window begins after a reset.

References: tensorflow/lite/micro/kernels/{lstm_eval.h, lstm_eval_common.cc} and
tensorflow/lite/kernels/{lstm_eval.cc, unidirectional_sequence_lstm.cc};
reference/integer_ops/{logistic.h, tanh.h} for the table's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.integers.exponential import (
    exp_of_minus,
    one_minus_over_one_plus,
    one_over_one_plus,
)
from deploy.integers.fixed_point import (
    Ints,
    Multiplier,
    divide_by_power_of_two,
    multiply,
    quantize_multiplier,
)
from ppgnas.errors import ExportError

GATES = 4
CELL = 2 * GATES
SCALES = CELL + 3
"""Of the weights over inputs of each gate, of those over outputs, of the cell state, and what
LiteRT gives outputs: scale, and zero point less the smallest int8; TFLM takes the tensor's."""
GATE_POWER = -12  # of the scale of what sigmoid and tanh read
ONE = 15  # bits behind the point of what they give
_HIDDEN = np.float32(2.0 ** (-2 * ONE))
_WORD = 32767
_POWERS = range(-15, -8)  # of the cell state's scale
_STEPS = 24  # of the table in 1


@dataclass(frozen=True)
class Factors:
    """Rescaling of one layer.

    Attributes:
        inputs, outputs: of each gate's products with inputs and with outputs before.
        hidden: of what becomes the output, by TFLM.
        litert: the same and the zero point, less the smallest int8, by LiteRT.
        power: the cell state's scale is 2 to this.
        clip: largest stored cell state.
    """

    inputs: tuple[Multiplier, ...]
    outputs: tuple[Multiplier, ...]
    hidden: Multiplier
    litert: tuple[Multiplier, int]
    power: int
    clip: int


def factors(
    scales: NDArray[np.float64], input_scale: float, output_scale: float, clip: float
) -> Factors:
    """Factors of a layer, from float32 products as TFLite has them.

    Args:
        scales: `(SCALES,)`.
        clip: largest cell state; 0 for none.

    Raises:
        ExportError: the cell state has a scale that LiteRT does not compute.
    """
    *weights, cell, own, point = (np.float32(scale) for scale in scales)
    fraction, exponent = np.frexp(cell)
    power = int(exponent) - 1
    if fraction != 0.5 or power not in _POWERS:
        raise ExportError(
            f"its cell state has scale {cell:.4g}; LiteRT computes 2^{_POWERS[0]} to "
            f"2^{_POWERS[-1]}: convert again with windows as the network will read, whose cell "
            "states go beyond 1/2"
        )
    gate = np.float32(2.0**GATE_POWER)
    both = [np.float32(input_scale)] * GATES + [np.float32(output_scale)] * GATES
    found = [quantize_multiplier(w * s / gate) for w, s in zip(weights, both, strict=True)]
    by, litert = (quantize_multiplier(_HIDDEN / np.float32(s)) for s in (output_scale, own))
    return Factors(
        tuple(found[:GATES]),
        tuple(found[GATES:]),
        by,
        (litert, int(point)),
        power,
        min(int(np.float32(clip) / cell), _WORD) if clip else _WORD + 1,
    )


def table() -> Ints:
    """`(256,)` sigmoid(n / 24) as 16-bit fractions, for straight lines between them.

    Each is raised by half of what the curve rises above the line through its neighbours, so that
    lines err as much on both sides; the last is 1.
    """
    s = 1 / (1 + np.exp(-np.arange(256) / _STEPS))
    bent = s * (1 - s) * (2 * s - 1) / (16 * _STEPS**2)
    values: Ints = np.floor(65536 * (s + bent) + 0.5).astype(np.int64)
    values[-1] = 65535
    return values


_TABLE = table()


def _between(at: Ints, bits: int) -> Ints:
    """The table at a place with `bits` behind its point, times 2^bits."""
    place = np.minimum(at >> bits, 254)
    first = _TABLE[place]
    found: Ints = (first << bits) + (at & ((1 << bits) - 1)) * (_TABLE[place + 1] - first)
    return found


def sigmoid(x: Ints) -> Ints:
    """TFLM's int16 LOGISTIC of 12 bits behind the point."""
    at = np.abs(3 * x)
    found = np.where(at >> 9 >= 255, _WORD << 10, _between(at, 9))
    return np.where(x >= 0, found + 512, (1 << 25) - found + 511) >> 10


def tanh(x: Ints, power: int) -> Ints:
    """TFLM's int16 TANH of a scale of 2^power."""
    left = power - GATE_POWER
    scaled = 3 * x << left if left >= 0 else (3 * x + (1 << (-left - 1))) >> -left
    at = np.abs(scaled)
    found = np.where(at >> 8 >= 255, 65535 << 8, _between(at, 8)) - (1 << 23)
    return np.where(scaled >= 0, found + 128, -found + 127) >> 8


def _gemmlowp_sigmoid(x: Ints) -> Ints:
    positive = one_over_one_plus(exp_of_minus(np.abs(x), bits=3, word=15), word=15)
    return np.where(x == 0, 1 << 14, np.where(x > 0, positive, _WORD - positive))


def _gemmlowp_tanh(x: Ints, power: int) -> Ints:
    # One bit more before the point doubles the argument.
    falling = exp_of_minus(np.abs(x), bits=ONE + power + 1, word=15)
    return np.sign(x) * one_minus_over_one_plus(falling, word=15)


def _word(x: Ints) -> Ints:
    return np.clip(x, -_WORD - 1, _WORD)


def runner(
    weights: NDArray[np.int8],
    biases: NDArray[np.int32],
    by: Factors,
    limits: tuple[int, int],
    *,
    litert: bool,
) -> Callable[[Ints], Ints]:
    """A function of centred inputs `(windows, steps, inputs)`.

    Args:
        weights, biases: see `Graph.weight_shape`.
        limits: of the centred outputs `(windows, steps, units)` that it gives.
    """
    units = len(biases) // GATES
    inputs = weights.shape[1] - units
    # Sums of products are whole numbers far below 2^53.
    into, again = weights[:, :inputs].T.astype(np.float64), weights[:, inputs:].T.astype(float)
    bias = biases.astype(np.int64)
    first, second = (_wide(found, units) for found in (by.inputs, by.outputs))
    last, lift = (by.litert[0], by.litert[1] + limits[0]) if litert else (by.hidden, 0)
    curve, bend = (_gemmlowp_sigmoid, _gemmlowp_tanh) if litert else (sigmoid, tanh)

    def cut(x: Ints, bits: int) -> Ints:
        """A product of two words less `bits` behind its point."""
        if litert:
            return divide_by_power_of_two(x, bits)
        return _word(multiply(x, quantize_multiplier(2.0**-bits)))

    def run(x: Ints) -> Ints:
        cells = np.zeros((len(x), units), np.int64)
        hidden = np.zeros((len(x), units), np.int64)
        out = np.empty((*x.shape[:2], units), np.int64)
        for step in range(x.shape[1]):
            own = multiply((x[:, step] @ into).astype(np.int64) + bias, first)
            back = multiply((hidden @ again).astype(np.int64), second)
            gates = _word(_word(own) + (back if litert else _word(back)))
            i, f, g, o = np.split(gates, GATES, axis=1)
            new = cut(curve(i) * bend(g, GATE_POWER), 2 * ONE + by.power)
            cells = np.clip(_word(cut(curve(f) * cells, ONE) + new), -by.clip, by.clip)
            found = multiply(curve(o) * bend(cells, by.power), last) + lift
            hidden = np.clip(found, *limits)
            out[:, step] = hidden
        return out

    return run


def _wide(found: tuple[Multiplier, ...], units: int) -> Multiplier:
    """One multiplier a gate, as one a unit of each gate."""
    return Multiplier(
        np.repeat(np.array([by.mantissa for by in found]), units),
        np.repeat(np.array([by.shift for by in found]), units),
    )
