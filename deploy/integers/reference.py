"""The integer reference: what every file for the device must compute, bit for bit.

Inside, an activation is held centred, `value = stored - zero_point`, as float32 (a whole number
from -255 to 255). Padding is then zero and the input zero point needs no correction term.

Formulas, with `x` centred inputs, `w` int8 weights, `b` int32 biases, `M(.)` the rescaling of the
rule (TFLite's `fixed_point.multiply`, or `single_rounding` for the generated C) and `clamp` the
fused activation's int8 limits less the output zero point:

    conv              y[o] = clamp(M_o(b[o] + sum_{i,j,c} w[o,i,j,c] * x[i,j,c]))
    depthwise_conv    y[o] = clamp(M_o(b[o] + sum_{i,j} w[0,i,j,o] * x[i,j,o // multiplier]))
    transpose_conv    y[o] = clamp(M_o(b[o] + sum of all w[o,i,j,c] * x[c] that lie over it))
    fully_connected   y[o] = clamp(M(b[o] + sum_i w[o,i] * x[i]))
    add               y = clamp(M_out(M_1(x1 * 2^20) + M_2(x2 * 2^20)))
    sub, mul          as add, the second input negative; y = clamp(M'(x1 * x2))
    maximum, minimum, prelu, squared_difference, div   see `deploy.integers.joined`
    select            stored x2 where stored x1 >= threshold, else stored x3
    pad, reshape, concat, transpose, slice, space_to_depth, depth_to_space
                      the stored bytes; padding is the zero point
    avg_pool          stored y = clamp(sum of stored x / count), ties away from zero
    max_pool, reduce_max      largest x, clamped; reduce_min the smallest
    resize_nearest, resize_bilinear   stored x at a place, or between four, of 2^20 parts
    mean, sum         y = M'(sum of x), 1 / count inside M' of a mean
    batch_matmul      y = M'(sum of x1 * x2), rows by columns
    softmax           in fixed point, see `deploy.integers.exponential`
    log_softmax       see `deploy.integers.log_softmax`
    lstm              see `deploy.integers.lstm`
    others            stored y from a table of 256, see `deploy.integers.lookup`

Sums of products are computed by float matrix products and are exact: every partial sum is a whole
number below 2^24 (float32) or 2^53 (float64), whichever `QuantizedNet.accumulator_bound` allows.
What joins two tensors is looked up in a table of its 256 x 256 results. Windows are processed in
batches small enough for a core's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from deploy.integers.kernels import MAKERS, RULES, Centred, Kernel, Rule
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer
from ppgnas.errors import ExportError

__all__ = ["RULES", "Rule", "in_turn", "run"]

_BATCH_ELEMENTS = 65_536
"""Largest activation of one batch, in elements: with its float64 copy about 0.8 MB."""
_MAX_BATCH = 256


def run(net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule = "tflm") -> NDArray[np.int8]:
    """The network's outputs in integer arithmetic.

    Args:
        x: int8 `(windows, 1, time, channels)`; of several inputs `(windows, values)`, all of the
            first one, then all of the next.
        rule: one of `RULES`.

    Returns:
        int8 `(windows, classes)`; of several outputs `(windows, values)`, as of several inputs.

    Raises:
        ExportError: `x` has another type or shape, or the graph has a layer without an integer
            kernel.
    """
    output = np.empty((len(x), *net.graph.answer), np.int8)
    for start, stop, values in _batches(net, x, rule=rule):
        output[start:stop] = in_turn([_stored(net, n, values[n]) for n in net.graph.outputs])
    return output


def in_turn(outputs: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """One output as it is; of several, `(windows, ...)` each, `(windows, values)`."""
    if len(outputs) == 1:
        return outputs[0]
    return np.concatenate([output.reshape(len(output), -1) for output in outputs], axis=1)


def _stored(net: QuantizedNet, tensor: str, value: Centred) -> NDArray[np.int8]:
    shape = net.graph.shape(tensor)
    return (value + np.float32(net.activations[tensor][1])).astype(np.int8).reshape(-1, *shape[1:])


def _batches(
    net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule
) -> Iterator[tuple[int, int, dict[str, Centred]]]:
    graph = net.graph
    expected = graph.window
    if x.dtype != np.int8 or x.shape[1:] != expected:
        raise ExportError(
            f"input is {x.dtype} of shape {x.shape}; this network takes int8 of shape "
            f"(windows, {', '.join(map(str, expected))}): see QuantizedNet.quantize_input"
        )
    if rule not in RULES:
        raise ExportError(f"rule is {rule!r}; allowed: {', '.join(RULES)}")
    kernels = [(layer, _kernel(net, layer, rule)) for layer in graph.layers]
    last_use = {name: index for index, layer in enumerate(graph.layers) for name in layer.inputs}
    size = max(1, min(_MAX_BATCH, _BATCH_ELEMENTS // max(prod(t.shape) for t in graph.tensors)))
    places = np.cumsum([0, *(prod(graph.shape(name)) for name in graph.inputs)])
    constants = {
        name: values.astype(np.float32) - np.float32(net.activations[name][1])
        for name, values in net.constants.items()
    }
    for start in range(0, len(x), size):
        batch = x[start : start + size]
        flat = batch.reshape(len(batch), -1).astype(np.float32)
        values: dict[str, Centred] = dict(constants)
        for name, first, end in zip(graph.inputs, places, places[1:], strict=False):
            part = flat[:, first:end].reshape(len(batch), *graph.shape(name)[1:])
            values[name] = part - np.float32(net.activations[name][1])
        for index, (layer, kernel) in enumerate(kernels):
            values[layer.output] = kernel(*(values[name] for name in layer.inputs))
            for name in layer.inputs:
                if last_use[name] == index and name not in graph.outputs:
                    values.pop(name, None)
        yield start, start + len(batch), values


def _kernel(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    """A function of centred inputs `(windows, height, width, channels)`."""
    if layer.op not in MAKERS:
        raise ExportError(
            f"layer {layer.name!r}: the integer reference has no {layer.op}; it has "
            f"{', '.join(MAKERS)}. End the graph at the logits"
        )
    return MAKERS[layer.op](net, layer, rule)
