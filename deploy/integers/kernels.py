"""What each operator computes, for `deploy.integers.reference`, whose module has the formulas."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from deploy.integers import fixed_point, joined, lookup, lstm, resizing, single_rounding, spread
from deploy.integers.exponential import softmax as fixed_softmax
from deploy.integers.log_softmax import in_float32, log_softmax
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer
from hwmodels.operators import Op
from ppgnas.errors import ExportError

Centred = NDArray[np.float32]
Kernel = Callable[..., Centred]

Rule = Literal["tflm", "litert", "c"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""`tflm`: TFLM on the device, the truth of a TFLite file. `litert`: LiteRT's reference kernels on
a host, equal to it except that FULLY_CONNECTED rounds once, LOGISTIC and MUL's factor are float32
(measured with ai-edge-litert 2.3: a step apart in less than one output of a hundred) and an LSTM
has other curves; used to prove that a file differs in nothing else. `c`: the generated C, whose
weighted layers and additions round once, see `deploy.integers.single_rounding`; its LSTM is
TFLM's."""


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
    weights = _ungrouped(net.weights[layer.name], layer.groups)
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


def _ungrouped(weights: NDArray[np.int8], groups: int) -> NDArray[np.int8]:
    """Weights over all input channels, 0 outside of an output's group."""
    if groups == 1:
        return weights
    outputs, height, width, channels = weights.shape
    full = np.zeros((outputs, height, width, groups, channels), np.int8)
    own = np.arange(outputs) // (outputs // groups)
    full[np.arange(outputs), :, :, own] = weights
    return full.reshape(outputs, height, width, groups * channels)


def _depthwise_conv(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    weights = net.weights[layer.name][0].astype(dtype)
    # (kernel_height, kernel_width, out_channels)
    channels = weights.shape[2]
    repeated = channels // net.graph.shape(layer.inputs[0])[3]
    shape = net.graph.shape(layer.output)[1:]
    # Over all positions: numpy then runs one long loop instead of many of `channels` steps.
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


def _transpose_conv(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    weights = net.weights[layer.name].transpose(1, 2, 3, 0).astype(dtype)
    # (kernel_height, kernel_width, in_channels, out_channels)
    target = net.graph.shape(layer.output)
    (top, _), (left, _) = net.graph.padding(layer)
    requantize = _requantizer(net, layer, repeat=target[1] * target[2], rule=rule)

    def transpose_conv(x: Centred) -> Centred:
        sums = spread.sums(x.astype(dtype, copy=False), weights, layer.stride, (top, left), target)
        return requantize(sums.reshape(len(x), -1)).reshape(len(x), *target[1:])

    return transpose_conv


def _fully_connected(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    dtype = _exact_dtype(net, layer)
    matrix = np.ascontiguousarray(net.weights[layer.name].T.astype(dtype))
    # (inputs, out_channels)
    shape = net.graph.shape(layer.output)[1:]
    requantize = _requantizer(net, layer, repeat=prod(shape[:-1]), rule=rule)

    def fully_connected(x: Centred) -> Centred:
        sums = x.reshape(-1, len(matrix)).astype(dtype, copy=False) @ matrix
        return requantize(sums.reshape(len(x), -1)).reshape(len(x), *shape)

    return fully_connected


def _lstm(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    run = lstm.runner(
        net.weights[layer.name],
        net.biases[layer.name],
        net.lstm_factors(layer),
        _limits(net, layer),
        litert=rule == "litert",
    )
    source, target = net.graph.shape(layer.inputs[0]), net.graph.shape(layer.output)

    def over_steps(x: Centred) -> Centred:
        steps = x.reshape(len(x), -1, source[-1]).astype(np.int64)
        return run(steps).astype(np.float32).reshape(len(x), *target[1:])

    return over_steps


def _joined(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    """What maps two values to one: all 256 x 256 results, looked up."""
    zeros = [net.activations[name][1] for name in layer.inputs]
    low, high = _limits(net, layer)
    results = joined.results(net, layer, rule=rule)
    table = np.clip(results, low, high).astype(np.float32).ravel()
    # (256 * 256,): row = first input, column = second, both counted from the smallest int8
    origin = np.float32((zeros[0] + 128) * 256 + (zeros[1] + 128))

    def join(*inputs: Centred) -> Centred:
        first, second = _aligned(net, layer, inputs)
        index = first * np.float32(256) + second
        index += origin
        # "wrap" spares numpy a check of every index; they are in range by construction.
        return np.take(table, index.astype(np.intp), mode="wrap")

    return join


def _aligned(net: QuantizedNet, layer: Layer, inputs: tuple[Centred, ...]) -> list[Centred]:
    """Sizes are aligned at the channels; one of 1 stands for any."""
    rank = len(net.graph.shape(layer.output))
    return [x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]


def _select(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    least = layer.threshold - net.activations[layer.inputs[0]][1]

    def select(*inputs: Centred) -> Centred:
        compared, above, below = _aligned(net, layer, inputs)
        return np.where(compared >= least, above, below)

    return select


def _pad(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    top, bottom, left, right = layer.pads
    front = layer.channel_pads[0]
    target, channels = net.graph.shape(layer.output), net.graph.shape(layer.inputs[0])[3]

    def pad(x: Centred) -> Centred:
        out = np.zeros((len(x), *target[1:]), np.float32)
        rows, columns = slice(top, target[1] - bottom), slice(left, target[2] - right)
        out[:, rows, columns, front : front + channels] = x
        return out

    return pad


def _reshape(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    target = net.graph.shape(layer.output)[1:]
    return lambda x: x.reshape(len(x), *target)


def _concat(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    def concat(*parts: Centred) -> Centred:
        windows = max(map(len, parts))  # a constant stands for all of them
        whole = [np.broadcast_to(part, (windows, *part.shape[1:])) for part in parts]
        return np.concatenate(whole, axis=layer.axes[0])

    return concat


def _transpose(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    if layer.axes[0] != 0:
        raise ExportError(
            f"layer {layer.name!r}: transpose moves the batch; it must stay in front"
        )
    return lambda x: np.ascontiguousarray(x.transpose(layer.axes))


def _slice(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    target = net.graph.shape(layer.output)[1:]
    # An end before the first row, of steps back, is None to numpy; they may have an own scale.
    chosen = (slice(None), *(slice(a, b if b >= 0 else None, by) for a, b, by in layer.rows[1:]))
    moved = net.activations[layer.inputs[0]][1] - net.activations[layer.output][1]
    return lambda x: x[chosen].reshape(len(x), *target) + np.float32(moved)


def _blocks(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    source, target = net.graph.shape(layer.inputs[0]), net.graph.shape(layer.output)
    block = layer.block
    if layer.op == "space_to_depth":
        apart = (target[1], block, target[2], block, source[3])
    else:
        apart = (source[1], source[2], block, block, target[3])
    return lambda x: (
        x.reshape(len(x), *apart).transpose(0, 1, 3, 2, 4, 5).reshape(len(x), *target[1:])
    )


def _resize_nearest(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    source, target = net.graph.shape(layer.inputs[0]), net.graph.shape(layer.output)
    rows, columns = (resizing.nearest(source[axis], target[axis], layer.grid) for axis in (1, 2))
    return lambda x: x[:, rows][:, :, columns]


def _resize_bilinear(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    zero_point = net.activations[layer.output][1]
    source, target = net.graph.shape(layer.inputs[0]), net.graph.shape(layer.output)
    axes = [resizing.between(source[axis], target[axis], layer.grid) for axis in (1, 2)]
    # Stored values are weighed: their sum, and not that of centred ones, is rounded.
    return lambda x: (
        resizing.bilinear(x.astype(np.int64) + zero_point, axes) - zero_point
    ).astype(np.float32)


def _extreme(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    target = net.graph.shape(layer.output)[1:]
    extreme = np.max if layer.op == "reduce_max" else np.min
    return lambda x: extreme(x, axis=tuple(range(1, x.ndim - 1))).reshape(len(x), *target)


def _batch_matmul(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    scales, (low, high) = joined.scales(net, layer), _limits(net, layer)
    by = fixed_point.product_multiplier(*scales)
    once = layer.dense and rule == "litert"
    multiply = fixed_point.multiply_once if once else fixed_point.multiply

    def batch_matmul(*inputs: Centred) -> Centred:
        first, second = (
            (x.swapaxes(2, 3) if swapped else x).astype(np.float64)
            for x, swapped in zip(inputs, layer.adjoint, strict=True)
        )
        sums = multiply((first @ second).astype(np.int64), by)
        return np.clip(sums, low, high).astype(np.float32)

    return batch_matmul


def _softmax(net: QuantizedNet, layer: Layer, rule: Rule) -> Kernel:
    scale, target = net.activations[layer.inputs[0]][0], net.activations[layer.output]
    compute = in_float32 if layer.in_float and rule != "c" else log_softmax
    compute = fixed_softmax if layer.op == "softmax" else compute
    return lambda x: (compute(x.astype(np.int64), scale, target) - target[1]).astype(np.float32)


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
        prod(source[1:-1]) if layer.op == "mean" else 1,
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
    return lambda x: table[(x + np.float32(before + 128)).astype(np.intp)]


MAKERS: dict[Op, Callable[[QuantizedNet, Layer, Rule], Kernel]] = {
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "transpose_conv": _transpose_conv,
    "fully_connected": _fully_connected,
    "lstm": _lstm,
    **dict.fromkeys(joined.RESULTS, _joined),
    "select": _select,
    "concat": _concat,
    "transpose": _transpose,
    "slice": _slice,
    **dict.fromkeys(("reduce_max", "reduce_min"), _extreme),
    **dict.fromkeys(("space_to_depth", "depth_to_space"), _blocks),
    "resize_nearest": _resize_nearest,
    "resize_bilinear": _resize_bilinear,
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "pad": _pad,
    "reshape": _reshape,
    "avg_pool": _avg_pool,
    "max_pool": _max_pool,
    **dict.fromkeys(("mean", "sum"), _mean),
    "batch_matmul": _batch_matmul,
    **dict.fromkeys(lookup.TABLES, _lookup),
}
