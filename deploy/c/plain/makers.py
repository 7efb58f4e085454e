"""Calls of layers that no fast step covers: plain loop nests, one function for each operator."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from deploy.c import packing
from deploy.c.calls import Call, Context, gather, plain_call, table
from deploy.c.plain import pairs
from deploy.c.plain.products import batch_matmul, lstm_call
from deploy.integers import fixed_point, log_softmax, lookup, resizing
from deploy.integers.exponential import exponentials
from hwmodels.generated_c.shapes import MOVED_AT_ONCE, is_row
from hwmodels.graph import Layer, dense_rows
from hwmodels.operators import OPERATORS, Op
from ppgnas.errors import ExportError

_SHORT = 4  # rounds of an innermost loop that may be written out; clang writes out hundreds


def generic(c: Context) -> Call:
    """The call of a generic step; `deploy.c.source.check` has refused what has none."""
    (layer,) = c.step.layers
    return MAKERS[layer.op](c, layer)


def _row(c: Context, layer: Layer) -> Call:
    """Three taps along one row of one channel, see `hwmodels.generated_c.shapes.is_row`."""
    shape = c.net.graph.shape(layer.inputs[0])
    taps = c.net.weights[layer.name].reshape(-1, 3).astype(np.int64)
    requant = packing.requant_plain(c.net, layer).reshape(-1, 2)
    words = [(taps[:, 0] & 0xFFFF) | (taps[:, 1] & 0xFFFF) << 16, taps[:, 2], *requant.T]
    body = [
        "(const int8_t *x, int8_t *y, const uint32_t *table, int32_t base, int32_t zero)",
        "{",
        f"    const ending end = {c.ending(layer)};",
        f"    row_conv(x, y, table, {shape[2]}, {len(taps)}, base, end);",
        "}",
    ]
    arguments = (
        c.place(c.step.source, step=0),
        c.place(c.step.target, step=0),
        table("uint32_t", np.stack(words, axis=1).ravel() & 0xFFFFFFFF),
        str(c.zero_point(layer.inputs[0])),
        str(c.zero_point(layer.output)),
    )
    return Call("row", "\n".join(body), arguments, ("pointwise", "row"))


def _weighted(c: Context, layer: Layer) -> Call:
    if is_row(layer, c.net.graph.shape(layer.inputs[0])):
        return _row(c, layer)
    op = {"depthwise_conv": "plain_depthwise", "transpose_conv": "plain_transpose"}.get(
        layer.op, "plain_conv"
    )
    return plain_call(
        c,
        ", const int8_t *weights, const int32_t *requant, int32_t base, int32_t zero",
        [
            _shape(c, layer),
            f"const ending end = {c.ending(layer)};",
            f"{op}(x, y, weights, requant, shape, base, end);",
        ],
        table("int8_t", c.net.weights[layer.name].ravel()),
        table("int32_t", packing.requant_plain(c.net, layer)),
        str(c.zero_point(layer.inputs[0])),
        str(c.zero_point(layer.output)),
    )


def _concat(c: Context, layer: Layer) -> Call:
    """Runs of bytes of each input in turn."""
    shapes = [c.net.graph.shape(name) for name in layer.inputs]
    axis = layer.axes[0]
    runs = [prod(shape[axis:]) for shape in shapes]
    lines = [f"for (int i = 0; i < {prod(shapes[0][:axis])}; i++) {{"]
    for index, run in enumerate(runs):
        before = sum(runs[:index])
        lines.append(
            f"    copy_bytes(y + i * {sum(runs)} + {before}, x{index} + i * {run}, {run});"
        )
    return gather(c, [*lines, "}"])


def _strided(c: Context, layer: Layer) -> Call:
    """What moves bytes alone: nested loops over the output, steps of their own in the input."""
    shape = c.net.graph.shape(layer.inputs[0])
    apart = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    if OPERATORS[layer.op].shape == "blocks":
        block, (_, rows, columns, _) = layer.block, c.net.graph.shape(layer.output)
        run = block * min(shape[3], c.net.graph.shape(layer.output)[3])
        start = 0
        if layer.op == "space_to_depth":
            across = shape[2] * shape[3]
            loops = [(rows, block * across), (columns, run), (block, across), (run, 1)]
        else:
            rows, columns = rows // block, columns // block
            loops = [(rows, columns * shape[3]), (block, run), (columns, shape[3]), (run, 1)]
    elif layer.op == "transpose":
        start, loops = 0, [(shape[axis], apart[axis]) for axis in layer.axes]
    else:
        start = sum(row[0] * by for row, by in zip(layer.rows, apart, strict=True))
        loops = [
            (len(range(*row)), row[2] * by) for row, by in zip(layer.rows, apart, strict=True)
        ]
    loops = [(size, by) for size, by in loops if size > 1] or [(1, 1)]
    ends, lines = [str(size) for size, _ in loops], []
    if prod(size for size, _ in loops) > MOVED_AT_ONCE:
        for depth, (size, _) in enumerate(loops):
            if size > _SHORT or depth < len(loops) - 1:
                ends[depth] = f"n{depth}"
                lines += [f"int n{depth} = {size};", f"PPG_OPAQUE(n{depth});"]
    lines += [
        f"{'    ' * depth}for (int i{depth} = 0; i{depth} < {end}; i{depth}++) {{"
        for depth, end in enumerate(ends)
    ]
    index = " + ".join(f"i{depth} * {by}" for depth, (_, by) in enumerate(loops))
    lines.append(f"{'    ' * len(loops)}*y++ = x[start + {index}];")
    lines += [f"{'    ' * depth}}}" for depth in reversed(range(len(loops)))]
    return plain_call(c, ", int start", lines, str(start))  # alike but for it is one function


def _pad(c: Context, layer: Layer) -> Call:
    if any(layer.channel_pads):
        return _pad_channels(c, layer)
    lines = [_shape(c, layer), "plain_pad(x, y, shape, zero);"]
    return plain_call(c, ", int8_t zero", lines, str(c.zero_point(layer.output)))


def _pad_channels(c: Context, layer: Layer) -> Call:
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    (front, _), (top, _, left, _) = layer.channel_pads, layer.pads
    at = f"y + ((i + {top}) * {target[2]} + j + {left}) * {target[3]} + {front}"
    lines = [
        f"pad_plain(y, {prod(target)}, zero);",
        f"int columns = {source[2]};",
        "PPG_OPAQUE(columns);",
        f"for (int i = 0; i < {source[1]}; i++) {{",
        "    for (int j = 0; j < columns; j++) {",
        f"        copy_bytes({at}, x, {source[3]});",
        f"        x += {source[3]};",
        "    }",
        "}",
    ]
    return plain_call(c, ", int8_t zero", lines, str(c.zero_point(layer.output)))


def _pool(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    largest = int(layer.op == "max_pool")
    return plain_call(
        c, "", [_shape(c, layer), f"plain_pool(x, y, shape, {largest}, {low}, {high});"]
    )


def _reduce_max(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    shape = c.net.graph.shape(layer.inputs[0])
    call = f"max_pool(x, y, count, {shape[-1]}, {low}, {high});"
    lines = [f"int count = {prod(shape[:-1])};", "PPG_OPAQUE(count);", call]
    return plain_call(c, "", lines, needs=("pool",))


def _reduce_min(c: Context, layer: Layer) -> Call:
    shape = c.net.graph.shape(layer.inputs[0])
    lines = [
        f"int count = {prod(shape[:-1])};",
        "PPG_OPAQUE(count);",
        f"for (int c = 0; c < {shape[-1]}; c++) {{",
        "    int8_t least = 127;",
        "    for (int i = 0; i < count; i++) {",
        f"        const int8_t value = x[i * {shape[-1]} + c];",
        "        least = value < least ? value : least;",
        "    }",
        "    y[c] = least;",
        "}",
    ]
    return plain_call(c, "", lines)


def _place(size: int, wanted: int, layer: Layer, position: str) -> str:
    """C expression of the position of an axis that `position` of the output copies."""
    by, more, over = {
        "asymmetric": (size, 0, wanted),
        "half_pixel": (2 * size, size, 2 * wanted),
        "align_corners": (2 * (size - 1), wanted - 1, 2 * max(wanted - 1, 1)),
    }[layer.grid]
    whole = (np.arange(wanted, dtype=np.int64) * by + more) // over
    if (whole != resizing.nearest(size, wanted, layer.grid)).any():
        raise ExportError(
            f"layer {layer.name!r}: {layer.op} of {size} to {wanted} positions is rounded in "
            "float32 by TFLite and has no generated C; choose sizes that divide each other"
        )
    return f"({position} * {by} + {more}) / {over}"


def _resize_nearest(c: Context, layer: Layer) -> Call:
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    row, column = (
        _place(source[axis], target[axis], layer, position)
        for axis, position in ((1, "i"), (2, "j"))
    )
    lines = [
        f"for (int i = 0; i < {target[1]}; i++) {{",
        f"    for (int j = 0; j < {target[2]}; j++) {{",
        f"        copy_bytes(y, x + ({row} * {source[2]} + {column}) * {source[3]}, {source[3]});",
        f"        y += {source[3]};",
        "    }",
        "}",
    ]
    return plain_call(c, "", lines)


def _resize_bilinear(c: Context, layer: Layer) -> Call:
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    axes: list[int] = []
    for axis in (1, 2):
        begin, step = resizing.spacing(source[axis], target[axis], layer.grid)
        axes += [source[axis], target[axis], step, begin]
    sizes = ", ".join(map(str, (*axes, source[3])))
    return plain_call(c, "", [f"plain_resize(x, y, {sizes});"])


def _mean(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    source = c.net.graph.shape(layer.inputs[0])
    count = prod(source[1:-1])
    (scale, base), (out_scale, zero) = (
        c.net.activations[name] for name in (layer.inputs[0], layer.output)
    )
    by = fixed_point.mean_multiplier(scale, out_scale, count if layer.op == "mean" else 1)
    return plain_call(
        c,
        ", int32_t base, int32_t mantissa, int shift, int32_t zero",
        [
            f"const ending end = {{zero, {low}, {high}, 0}};",
            f"plain_mean(x, y, {count}, {source[-1]}, base, mantissa, shift, end);",
        ],
        *map(str, (base, by.mantissa, by.shift, zero)),
    )


def _softmax(c: Context, layer: Layer) -> Call:
    shape = c.net.graph.shape(layer.output)
    values = table("int32_t", exponentials(c.net.activations[layer.inputs[0]][0]))
    line = f"plain_softmax(x, y, {prod(shape[:-1])}, {shape[-1]}, exponentials);"
    return plain_call(c, ", const int32_t *exponentials", [line], values)


def _log_softmax(c: Context, layer: Layer) -> Call:
    shape, (scale, _) = c.net.graph.shape(layer.output), c.net.activations[layer.inputs[0]]
    by = log_softmax.factors(scale, c.net.activations[layer.output][0])
    sizes = f"{prod(shape[:-1])}, {shape[-1]}, {c.zero_point(layer.output)}"
    line = (
        f"plain_log_softmax(x, y, {sizes}, exponentials, {by.distance.mantissa}, "
        f"{by.distance.shift}, {by.farthest}, INT64_C({by.log}));"
    )
    return plain_call(
        c, ", const int32_t *exponentials", [line], table("int32_t", exponentials(scale))
    )


def _lookup(c: Context, layer: Layer) -> Call:
    size = prod(c.net.graph.shape(layer.output))
    lines = [f"for (int i = 0; i < {size}; i++) {{", "    y[i] = results[x[i] + 128];", "}"]
    results = table("int8_t", lookup.table(c.net, layer))
    return plain_call(c, ", const int8_t *results", lines, results)


MAKERS: dict[Op, Callable[[Context, Layer], Call]] = {
    "conv": _weighted,
    "depthwise_conv": _weighted,
    "transpose_conv": _weighted,
    "fully_connected": _weighted,
    "lstm": lstm_call,
    "add": pairs.add,
    "sub": pairs.add,
    "mul": pairs.mul,
    "maximum": pairs.larger,
    "minimum": pairs.larger,
    "prelu": pairs.prelu,
    "select": pairs.select,
    "squared_difference": pairs.squared_difference,
    "div": pairs.div,
    "concat": _concat,
    "transpose": _strided,
    "slice": _strided,
    "space_to_depth": _strided,
    "depth_to_space": _strided,
    "reduce_max": _reduce_max,
    "reduce_min": _reduce_min,
    "resize_nearest": _resize_nearest,
    "resize_bilinear": _resize_bilinear,
    "pad": _pad,
    "avg_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "sum": _mean,
    "batch_matmul": batch_matmul,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    **dict.fromkeys(lookup.TABLES, _lookup),
}


def _shape(c: Context, layer: Layer) -> str:
    """Declaration of a `shape_t`."""
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    if layer.op == "fully_connected":
        rows = dense_rows(target)
        inputs, outputs = prod(source) // rows, target[-1]
        sizes: tuple[int, ...] = (1, rows, inputs, 1, rows, outputs, 1, 1, 1, 1, 1, 1, 0, 0, 1)
    else:
        (top, _), (left, _) = c.net.graph.padding(layer)
        window = (*layer.kernel, *layer.stride, *layer.dilation)
        sizes = (*source[1:4], *target[1:4], *window, top, left, layer.groups)
    return f"const shape_t shape = {{{', '.join(map(str, sizes))}}};"
