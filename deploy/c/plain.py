"""Calls of layers that no fast step covers: plain loop nests, one function for each operator."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from deploy.c import packing
from deploy.c.calls import Call, Context, Table, joint, table
from deploy.integers import fixed_point, lookup, single_rounding
from hwmodels.graph import Layer
from hwmodels.operators import Op


def generic(c: Context) -> Call:
    """The call of a generic step; `deploy.c.source.check` has refused what has none."""
    (layer,) = c.step.layers
    return MAKERS[layer.op](c, layer)


def _call(c: Context, parameters: str, lines: list[str], *arguments: str | Table) -> Call:
    """A call whose first two arguments are where the layer reads and writes."""
    body = [f"(const int8_t *x, int8_t *y{parameters})", "{", *(f"    {s}" for s in lines), "}"]
    places = c.place(c.step.source, step=0), c.place(c.step.target, step=0)
    return Call("plain", "\n".join(body), (*places, *arguments), ("pointwise", "generic"))


def _weighted(c: Context, layer: Layer) -> Call:
    op = "plain_depthwise" if layer.op == "depthwise_conv" else "plain_conv"
    return _call(
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


def _add(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    assert c.step.shortcut is not None
    body = [
        "(const int8_t *x, const int8_t *other, int8_t *y, const int32_t *joint)",
        "{",
        f"    const addition add = {{joint[0], joint[1], joint[2], {low}, {high}, "
        f"{single_rounding.add_factors(c.net, layer).shift}}};",
        f"    plain_add(x, other, y, {prod(c.net.graph.shape(layer.output))}, add);",
        "}",
    ]
    places = (c.step.source, c.step.shortcut, c.step.target)
    weighed = table("int32_t", joint(c, layer, layer.inputs[0]))
    arguments: tuple[str | Table, ...] = (*(c.place(n, step=0) for n in places), weighed)
    return Call("plain", "\n".join(body), arguments, ("pointwise", "generic"))


def _pad(c: Context, layer: Layer) -> Call:
    lines = [_shape(c, layer), "plain_pad(x, y, shape, zero);"]
    return _call(c, ", int8_t zero", lines, str(c.zero_point(layer.output)))


def _pool(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    largest = int(layer.op == "max_pool")
    return _call(c, "", [_shape(c, layer), f"plain_pool(x, y, shape, {largest}, {low}, {high});"])


def _mean(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    source = c.net.graph.shape(layer.inputs[0])
    count = prod(source[1:-1])
    (scale, base), (out_scale, zero) = (
        c.net.activations[name] for name in (layer.inputs[0], layer.output)
    )
    by = fixed_point.mean_multiplier(scale, out_scale, count)
    return _call(
        c,
        ", int32_t base, int32_t mantissa, int shift, int32_t zero",
        [
            f"const ending end = {{zero, {low}, {high}, 0}};",
            f"plain_mean(x, y, {count}, {source[-1]}, base, mantissa, shift, end);",
        ],
        *map(str, (base, by.mantissa, by.shift, zero)),
    )


def _lookup(c: Context, layer: Layer) -> Call:
    size = prod(c.net.graph.shape(layer.output))
    lines = [f"for (int i = 0; i < {size}; i++) {{", "    y[i] = results[x[i] + 128];", "}"]
    results = table("int8_t", lookup.table(c.net, layer))
    return _call(c, ", const int8_t *results", lines, results)


MAKERS: dict[Op, Callable[[Context, Layer], Call]] = {
    "conv": _weighted,
    "depthwise_conv": _weighted,
    "fully_connected": _weighted,
    "add": _add,
    "pad": _pad,
    "avg_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    **dict.fromkeys(lookup.TABLES, _lookup),
}


def _shape(c: Context, layer: Layer) -> str:
    """Declaration of a `shape_t`."""
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    if layer.op == "fully_connected":
        sizes: tuple[int, ...] = (1, 1, prod(source), 1, 1, target[-1], 1, 1, 1, 1, 1, 1, 0, 0)
    else:
        (top, _), (left, _) = c.net.graph.padding(layer)
        window = (*layer.kernel, *layer.stride, *layer.dilation)
        sizes = (*source[1:4], *target[1:4], *window, top, left)
    return f"const shape_t shape = {{{', '.join(map(str, sizes))}}};"
