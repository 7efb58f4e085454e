"""The call of a product of two activations, as attention has it."""

from __future__ import annotations

from deploy.c.calls import Call, Context, gather
from deploy.integers import fixed_point, joined
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
