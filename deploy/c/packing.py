"""Weights and rescaling constants in the order in which the generated C reads them.

A word holds two taps of two outputs: bytes 0 and 2 are the two taps of the first output, 1 and 3
those of the second, so that `SXTB16` and `SXTB16, ROR #8` give one register each to `SMLAD`.
Zero points of inputs are folded into the biases: `bias - zero_point * sum(weights)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.c.depthwise import weight_words
from deploy.integers import fixed_point, single_rounding
from deploy.integers.fixed_point import Ints
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.steps import dot_words, widened
from hwmodels.graph import Layer
from ppgnas.errors import ExportError


def pointwise_words(matrix: NDArray[np.int8], *, widened_inputs: bool) -> NDArray[np.uint32]:
    """Words of a matrix `(outputs, taps)`; outputs even.

    Args:
        matrix: int8 weights.
        widened_inputs: the inputs come from `widen4`, whose words hold taps (0, 2), (1, 3) of
            each four; else (0, 1), (2, 3).

    Returns:
        `(outputs / 2 * words,)`, see `hwmodels.generated_c.steps.dot_words`; zeros fill them up.
    """
    outputs, taps = matrix.shape
    full = np.zeros((outputs, widened(taps)), np.int8)
    full[:, :taps] = matrix
    order = [0, 2, 1, 3] if widened_inputs else [0, 1, 2, 3]
    pairs = full.reshape(outputs // 2, 2, -1, 4)[..., order]
    # (output pairs, 2, fours, taps of a four in the order of the words)
    pairs = pairs.reshape(outputs // 2, 2, -1, 2)
    pairs = pairs[:, :, : dot_words(taps, widened_inputs=widened_inputs)]
    # (output pairs, output, words, tap) -> bytes [tap][output]
    return _words(pairs.transpose(0, 2, 3, 1))


def depthwise_words(weights: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Words of depthwise weights `(taps, channels)`; channels even.

    Returns:
        `(channels / 2 * ceil(taps / 2),)`.
    """
    taps, channels = weights.shape
    full = np.zeros((2 * weight_words(taps), channels), np.int8)
    full[:taps] = weights
    pairs = full.reshape(weight_words(taps), 2, channels // 2, 2)
    # (words, tap, channel pairs, channel) -> (channel pairs, words, tap, channel)
    return _words(pairs.transpose(2, 0, 1, 3))


def _words(values: NDArray[np.int8]) -> NDArray[np.uint32]:
    """The last two axes are the four bytes of a word."""
    return np.ascontiguousarray(values).reshape(-1, 4).view("<u4").ravel()


def folded_biases(net: QuantizedNet, layer: Layer) -> NDArray[np.int64]:
    """Biases that make up for inputs with their zero points still in them.

    Raises:
        ExportError: one leaves int32.
    """
    weights = net.weights[layer.name].astype(np.int64)
    axes = (0, 1, 2) if layer.op == "depthwise_conv" else tuple(range(1, weights.ndim))
    zero_point = net.activations[layer.inputs[0]][1]
    biases: Ints = net.biases[layer.name] - zero_point * weights.sum(axis=axes)
    # Any partial sum of stored inputs stays below this.
    reach = np.abs(biases) + 128 * np.abs(weights).sum(axis=axes)
    if reach.max() > fixed_point.INT32_MAX:
        worst = int(np.argmax(reach))
        raise ExportError(
            f"layer {layer.name!r}, channel {worst}: sums of up to {reach[worst]} leave int32; "
            "its bias is too large beside its weights: retrain it or prune the channel"
        )
    return biases


def requant_pairs(net: QuantizedNet, layer: Layer) -> NDArray[np.int64]:
    """Two folded biases and two factors for each pair of outputs, `(2 * outputs,)`."""
    factors = single_rounding.weighted_factors(net, layer).mantissa
    both = np.stack([folded_biases(net, layer), factors])
    # (bias or factor, outputs) -> (pairs, bias or factor, 2)
    return both.reshape(2, -1, 2).transpose(1, 0, 2).ravel()


def requant_plain(net: QuantizedNet, layer: Layer) -> NDArray[np.int64]:
    """Bias (not folded: padding is skipped) and factor of each output, `(2 * outputs,)`."""
    factors = single_rounding.weighted_factors(net, layer).mantissa
    return np.stack([net.biases[layer.name].astype(np.int64), factors], axis=1).ravel()
