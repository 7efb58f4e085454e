"""The integer reference: what every file for the device must compute, bit for bit.

Inside, an activation is held centred, `value = stored - zero_point`, as float32 (a whole number
from -255 to 255). Padding is then zero and the input zero point needs no correction term.

Formulas, with `x` centred inputs, `w` int8 weights, `b` int32 biases, `M(.)` the rescaling of the
rule (TFLite's `fixed_point.multiply`, or `single_rounding` for the generated C) and `clamp` the
fused activation's int8 limits less the output zero point:

    conv              y[o] = clamp(M_o(b[o] + sum_{i,j,c} w[o,i,j,c] * x[i,j,c]))
    depthwise_conv    y[o] = clamp(M_o(b[o] + sum_{i,j} w[0,i,j,o] * x[i,j,o // multiplier]))
    fully_connected   y[o] = clamp(M(b[o] + sum_i w[o,i] * x[i]))
    add               y = clamp(M_out(M_1(x1 * 2^20) + M_2(x2 * 2^20)))
    pad, reshape      the stored bytes; padding is the zero point
    avg_pool          stored y = clamp(sum of stored x / count), ties away from zero
    max_pool          largest x, clamped
    mean              y = M'(sum of x), 1 / count inside M'
    logistic          stored y from a table of 256, see `deploy.integers.lookup`

Sums of products are computed by float matrix products and are exact: every partial sum is a whole
number below 2^24 (float32) or 2^53 (float64), whichever `QuantizedNet.accumulator_bound` allows.
An `add` is looked up in a table of its 256 x 256 results. Windows are processed in batches small
enough for a core's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from deploy.integers import fixed_point, lookup, single_rounding
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer
from hwmodels.operators import Op
from ppgnas.errors import ExportError

Centred = NDArray[np.float32]
Kernel = Callable[..., Centred]

Rule = Literal["tflm", "litert", "c"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""`tflm`: TFLM on the device, the truth of a TFLite file. `litert`: LiteRT's reference kernels on
a host, equal to it except that FULLY_CONNECTED rounds once and LOGISTIC is computed in float32
(measured with ai-edge-litert 2.3): a step apart in less than one output of a hundred, and used to
prove that a file differs in nothing else. `c`: the generated C, whose weighted layers and
additions round once, see `deploy.integers.single_rounding`."""
_BATCH_ELEMENTS = 65_536
"""Largest activation of one batch, in elements: with its float64 copy about 0.8 MB."""
_MAX_BATCH = 256


def run(net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule = "tflm") -> NDArray[np.int8]:
    """The network's outputs in integer arithmetic.

    Args:
        net: the network.
        x: int8 `(windows, 1, time, channels)`.
        rule: one of `RULES`.

    Returns:
        int8 `(windows, classes)`.

    Raises:
        ExportError: `x` has another type or shape, or the graph has a layer without an integer
            kernel (softmax: leave it to the host).
    """
    target = net.graph.shape(net.graph.output)
    output = np.empty((len(x), *target[1:]), np.int8)
    for start, stop, values in _batches(net, x, rule=rule):
        output[start:stop] = _stored(net, net.graph.output, values[net.graph.output])
    return output


def _stored(net: QuantizedNet, tensor: str, value: Centred) -> NDArray[np.int8]:
    shape = net.graph.shape(tensor)
    return (value + np.float32(net.activations[tensor][1])).astype(np.int8).reshape(-1, *shape[1:])


def _batches(
    net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule
) -> Iterator[tuple[int, int, dict[str, Centred]]]:
    graph = net.graph
    expected = graph.shape(graph.input)[1:]
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
    zero_point = np.float32(net.activations[graph.input][1])
    for start in range(0, len(x), size):
        batch = x[start : start + size]
        values: dict[str, Centred] = {graph.input: batch.astype(np.float32) - zero_point}
        for index, (layer, kernel) in enumerate(kernels):
            values[layer.output] = kernel(*(values[name] for name in layer.inputs))
            for name in layer.inputs:
                if last_use[name] == index and name != graph.output:
                    values.pop(name, None)
        yield start, start + len(batch), values


def _kernel(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    """A function of centred inputs `(windows, height, width, channels)`."""
    if layer.op not in _MAKERS:
        raise ExportError(
            f"layer {layer.name!r}: the integer reference has no {layer.op}; it has "
            f"{', '.join(_MAKERS)}. End the graph at the logits"
        )
    return _MAKERS[layer.op](net, layer, rule)


def _taps(net: QuantizedNet, layer: Layer, x: Centred, *, fill: float = 0.0) -> NDArray[Any]:
    """A view `(windows, out_height, out_width, kernel_height, kernel_width, channels)`."""
    rows, columns = net.graph.padding(layer)
    if rows != (0, 0) or columns != (0, 0):
        x = np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=fill)
    n, row, column, channel = x.strides
    return as_strided(
        x,
        shape=(len(x), *net.graph.shape(layer.output)[1:3], *layer.kernel, x.shape[3]),
        strides=(
            n,
            row * layer.stride[0],
            column * layer.stride[1],
            row * layer.dilation[0],
            column * layer.dilation[1],
            channel,
        ),
        writeable=False,
    )


def _limits(net: QuantizedNet, layer: Layer) -> tuple[int, int]:
    """Limits of the centred output."""
    scale, zero_point = net.activations[layer.output]
    low, high = fixed_point.activation_range(layer.activation, scale, zero_point)
    return low - zero_point, high - zero_point


def _requantizer(
    net: QuantizedNet, layer: Layer, *, repeat: int, rule: Rule
) -> Callable[[NDArray[Any]], Centred]:
    low, high = _limits(net, layer)
    if rule == "c":
        return single_rounding.Requantizer(net, layer, low=low, high=high, repeat=repeat)
    return fixed_point.Requantizer(
        net.multiplier(layer),
        net.biases[layer.name],
        low=low,
        high=high,
        bound=net.accumulator_bound(layer),
        repeat=repeat,
        round_once=rule == "litert" and layer.op == "fully_connected",
    )


def _exact_dtype(net: QuantizedNet, layer: Layer) -> type[np.float32] | type[np.float64]:
    """The smallest float type in which every partial sum is a whole number held exactly."""
    return np.float32 if net.accumulator_bound(layer).max() < 2**24 else np.float64


def _conv(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    weights = net.weights[layer.name]
    matrix = np.ascontiguousarray(weights.reshape(len(weights), -1).T.astype(dtype))
    # (kernel_height * kernel_width * in_channels, out_channels)
    shape = net.graph.shape(layer.output)[1:]
    requantize = _requantizer(net, layer, repeat=shape[0] * shape[1], rule=rule)
    pointwise = layer.kernel == (1, 1) and layer.stride == (1, 1)

    def conv(x: Centred) -> Centred:
        columns = x if pointwise else _taps(net, layer, x)
        sums = columns.reshape(-1, len(matrix)).astype(dtype, copy=False) @ matrix
        return requantize(sums.reshape(len(x), -1)).reshape(len(x), *shape)

    return conv


def _depthwise_conv(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    weights = net.weights[layer.name][0].astype(dtype)
    # (kernel_height, kernel_width, out_channels)
    channels = weights.shape[2]
    repeated = channels // net.graph.shape(layer.inputs[0])[3]
    shape = net.graph.shape(layer.output)[1:]
    # Weights are spread over all positions: numpy then runs one long loop instead of many loops
    # of `channels` steps.
    spread = [
        (row, column, np.ascontiguousarray(np.broadcast_to(weights[row, column], shape)))
        for row in range(layer.kernel[0])
        for column in range(layer.kernel[1])
    ]
    requantize = _requantizer(net, layer, repeat=shape[0] * shape[1], rule=rule)

    def depthwise_conv(x: Centred) -> Centred:
        if repeated != 1:
            x = np.repeat(x, repeated, axis=3)
        taps = _taps(net, layer, x)
        sums = np.zeros((len(x), *shape), dtype)
        product = np.empty_like(sums)
        for row, column, weight in spread:
            np.multiply(taps[:, :, :, row, column], weight, out=product)
            np.add(sums, product, out=sums)
        return requantize(sums.reshape(len(x), -1)).reshape(sums.shape)

    return depthwise_conv


def _fully_connected(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    matrix = np.ascontiguousarray(net.weights[layer.name].T.astype(dtype))
    # (inputs, out_channels)
    shape = net.graph.shape(layer.output)[1:]
    requantize = _requantizer(net, layer, repeat=1, rule=rule)

    def fully_connected(x: Centred) -> Centred:
        sums = x.reshape(len(x), -1).astype(dtype, copy=False) @ matrix
        return requantize(sums).reshape(len(x), *shape)

    return fully_connected


def _add(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    (first_scale, first_zero), (second_scale, second_zero) = (
        net.activations[name] for name in layer.inputs
    )
    stored = np.arange(fixed_point.INT8_MIN, fixed_point.INT8_MAX + 1, dtype=np.int64)
    low, high = _limits(net, layer)
    first, second = (stored - first_zero)[:, None], (stored - second_zero)[None]
    if rule == "c":
        sums = single_rounding.add(first, second, single_rounding.add_factors(net, layer))
    else:
        output_scale = net.activations[layer.output][0]
        by = fixed_point.add_multipliers(first_scale, second_scale, output_scale)
        sums = fixed_point.add(first, second, by)
    table = np.clip(sums, low, high).astype(np.float32).ravel()
    # (256 * 256,): row = first input, column = second, both counted from the smallest int8
    origin = np.float32((first_zero + 128) * 256 + (second_zero + 128))

    def add(first: Centred, second: Centred) -> Centred:
        index = first * np.float32(256)
        index += second
        index += origin
        # "wrap" spares numpy a check of every index; they are in range by construction.
        return np.take(table, index.astype(np.intp), mode="wrap")

    return add


def _pad(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    top, bottom, left, right = layer.pads
    target = net.graph.shape(layer.output)

    def pad(x: Centred) -> Centred:
        out = np.zeros((len(x), *target[1:]), np.float32)
        out[:, top : target[1] - bottom, left : target[2] - right] = x
        return out

    return pad


def _reshape(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    target = net.graph.shape(layer.output)[1:]
    return lambda x: x.reshape(len(x), *target)


def _avg_pool(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    zero_point = net.activations[layer.output][1]
    low, high = _limits(net, layer)
    source = net.graph.shape(layer.inputs[0])
    ones = np.ones((1, source[1], source[2], 1), np.float32)
    count = _taps(net, layer, ones).sum(axis=(3, 4)).astype(np.int64)
    # (1, out_height, out_width, 1): elements inside the image

    def avg_pool(x: Centred) -> Centred:
        # At most 2^16 elements of at most 255 each: exact in float32.
        centred = _taps(net, layer, x).sum(axis=(3, 4)).astype(np.int64)
        mean = fixed_point.rounded_mean(centred + zero_point * count, count)
        return np.clip(mean - zero_point, low, high).astype(np.float32)

    return avg_pool


def _max_pool(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    low, high = _limits(net, layer)

    def max_pool(x: Centred) -> Centred:
        largest = _taps(net, layer, x, fill=-np.inf).max(axis=(3, 4))
        result: Centred = np.clip(largest, low, high).astype(np.float32)
        return result

    return max_pool


def _mean(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    source, target = net.graph.shape(layer.inputs[0]), net.graph.shape(layer.output)
    by = fixed_point.mean_multiplier(
        net.activations[layer.inputs[0]][0],
        net.activations[layer.output][0],
        prod(source[1:-1]),
    )
    low, high = _limits(net, layer)

    def mean(x: Centred) -> Centred:
        total = x.sum(axis=tuple(range(1, x.ndim - 1)), dtype=np.float64).astype(np.int64)
        out = np.clip(fixed_point.multiply(total, by), low, high).astype(np.float32)
        return out.reshape(len(x), *target[1:])

    return mean


def _lookup(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    before, after = (net.activations[name][1] for name in (layer.inputs[0], layer.output))
    table = lookup.table(net, layer, litert=rule == "litert").astype(np.float32) - np.float32(
        after
    )

    def look_up(x: Centred) -> Centred:
        return table[(x + np.float32(before + 128)).astype(np.intp)]

    return look_up


_MAKERS: dict[Op, Callable[[QuantizedNet, Layer, Rule], Kernel]] = {
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "fully_connected": _fully_connected,
    "add": _add,
    "pad": _pad,
    "reshape": _reshape,
    "avg_pool": _avg_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    **dict.fromkeys(lookup.TABLES, _lookup),
}
