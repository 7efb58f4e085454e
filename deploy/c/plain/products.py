"""Calls of layers of several products: of two activations, as attention has it, and of an LSTM."""

from __future__ import annotations

from math import prod

from deploy.c.calls import Call, Context, gather, table
from deploy.integers import fixed_point, joined, lstm
from hwmodels.graph import Layer


def batch_matmul(c: Context, layer: Layer) -> Call:
    """Each input with steps of its own: what is swapped, or one for all heads, is not copied."""
    by, (low, high) = fixed_point.product_multiplier(*joined.scales(c.net, layer)), c.limits(layer)
    shapes = [c.net.graph.shape(name) for name in layer.inputs]
    _, heads, rows, columns = c.net.graph.shape(layer.output)
    steps = [_steps(shape, swapped) for shape, swapped in zip(shapes, layer.adjoint, strict=True)]
    (own_head, row, along), (other_head, down, column) = steps
    inner = shapes[0][2 if layer.adjoint[0] else 3]
    lines = [
        f"for (int i = 0; i < {heads * rows * columns}; i++) {{",
        f"    const int8_t *a = x0 + i / {rows * columns} * {own_head}"
        f" + i / {columns} % {rows} * {row};",
        f"    const int8_t *b = x1 + i / {rows * columns} * {other_head}"
        f" + i % {columns} * {column};",
        "    int32_t sum = 0;",
        f"    for (int k = 0; k < {inner}; k++) {{",
        f"        sum += (a[k * {along}] - first) * (b[k * {down}] - second);",
        "    }",
        f"    y[i] = (int8_t)clamp(rescaled(sum, mantissa, shift) + zero, {low}, {high});",
        "}",
    ]
    zeros = [c.zero_point(name) for name in (*layer.inputs, layer.output)]
    return gather(
        c,
        lines,
        *map(str, (*zeros[:2], by.mantissa, by.shift, zeros[2])),
        extra=", int32_t first, int32_t second, int32_t mantissa, int shift, int32_t zero",
    )


def _steps(shape: tuple[int, ...], swapped: bool) -> tuple[int, int, int]:
    """Bytes from head to head, row to row and column to column."""
    _, heads, rows, columns = shape
    head = rows * columns if heads > 1 else 0
    return (head, 1, columns) if swapped else (head, columns, 1)


def lstm_call(c: Context, layer: Layer) -> Call:
    """Its state lies in the step's own room and begins at zero."""
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    by, (low, high) = c.net.lstm_factors(layer), c.limits(layer)
    sizes = f"{prod(target[:-1])}, {source[-1]}, {target[-1]}"
    body = [
        "(const int8_t *x, int8_t *y, int16_t *room, const int8_t *weights, const int32_t *bias,",
        "    const int32_t *by, const uint16_t *curve, int32_t base, int32_t zero,",
        "    int32_t hidden, int shift, int left, int32_t clip)",
        "{",
        f"    const lstm_t s = {{{sizes}, base, zero, hidden, shift, left, clip}};",
        f"    plain_lstm(x, y, room, weights, bias, by, curve, s, {low}, {high});",
        "}",
    ]
    pairs = [part for both in zip(by.inputs, by.outputs, strict=True) for part in both]
    arguments = (
        c.place(c.step.source, step=0),
        c.place(c.step.target, step=0),
        c.room.replace("uint32_t", "int16_t"),
        table("int8_t", c.net.weights[layer.name].ravel()),
        table("int32_t", c.net.biases[layer.name]),
        table("int32_t", [int(n) for one in pairs for n in (one.mantissa, one.shift)]),
        table("uint16_t", lstm.table()),
        str(c.zero_point(layer.inputs[0])),
        str(c.zero_point(layer.output)),
        str(by.hidden.mantissa),
        str(by.hidden.shift),
        str(by.power - lstm.GATE_POWER),
        str(by.clip),
    )
    return Call("lstm", "\n".join(body), arguments, ("pointwise", "generic", "lstm"))
