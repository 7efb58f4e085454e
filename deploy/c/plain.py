"""Calls of layers that no fast step covers: plain loop nests, one a layer."""

from __future__ import annotations

from math import prod

from deploy.c import packing
from deploy.c.calls import Call, Context, Table, joint, table
from deploy.integers import fixed_point, single_rounding
from hwmodels.graph import Layer


def generic(c: Context) -> Call:
    """The call of a generic step."""
    (layer,) = c.step.layers
    graph = c.net.graph
    source, target = graph.shape(layer.inputs[0]), graph.shape(layer.output)
    low, high = c.limits(layer)
    x, y = c.place(c.step.source, step=0), c.place(c.step.target, step=0)
    needs: tuple[str, ...] = ("pointwise", "generic")
    if layer.op in ("conv", "depthwise_conv", "fully_connected"):
        op = "plain_depthwise" if layer.op == "depthwise_conv" else "plain_conv"
        shape = _shape(layer, source, target)
        body = [
            "(const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *requant, "
            "int32_t base, int32_t zero)",
            "{",
            f"    const shape_t shape = {{{', '.join(map(str, shape))}}};",
            f"    const ending end = {c.ending(layer)};",
            f"    {op}(x, y, weights, requant, shape, base, end);",
            "}",
        ]
        arguments: tuple[str | Table, ...] = (
            x,
            y,
            table("int8_t", c.net.weights[layer.name].ravel()),
            table("int32_t", packing.requant_plain(c.net, layer)),
            str(c.zero_point(layer.inputs[0])),
            str(c.zero_point(layer.output)),
        )
        return Call("plain", "\n".join(body), arguments, needs)
    if layer.op == "add":
        factors = single_rounding.add_factors(c.net, layer)
        assert c.step.shortcut is not None
        own, other, offset = joint(c, layer, _named(layer.inputs[0]))
        body = [
            "(const int8_t *x, const int8_t *other, int8_t *y, const int32_t *joint)",
            "{",
            f"    const addition add = {{joint[0], joint[1], joint[2], {low}, {high}, "
            f"{factors.shift}}};",
            f"    plain_add(x, other, y, {prod(target)}, add);",
            "}",
        ]
        weighed = table("int32_t", (own, other, offset))
        return Call(
            "plain",
            "\n".join(body),
            (x, c.place(c.step.shortcut, step=0), y, weighed),
            needs,
        )
    zero = c.zero_point(layer.output)
    if layer.op == "pad":
        shape = _shape(layer, source, target)
        call = "plain_pad(x, y, shape, zero);"
        body = [
            "(const int8_t *x, int8_t *y, int8_t zero)",
            "{",
            f"    const shape_t shape = {{{', '.join(map(str, shape))}}};",
            f"    {call}",
            "}",
        ]
        return Call("plain", "\n".join(body), (x, y, str(zero)), needs)
    if layer.op in ("avg_pool", "max_pool"):
        shape = _shape(layer, source, target)
        body = [
            "(const int8_t *x, int8_t *y)",
            "{",
            f"    const shape_t shape = {{{', '.join(map(str, shape))}}};",
            f"    plain_pool(x, y, shape, {int(layer.op == 'max_pool')}, {low}, {high});",
            "}",
        ]
        return Call("plain", "\n".join(body), (x, y), needs)
    count = source[1] * source[2]
    by = fixed_point.mean_multiplier(
        c.net.activations[layer.inputs[0]][0], c.net.activations[layer.output][0], count
    )
    body = [
        "(const int8_t *x, int8_t *y, int32_t base, int32_t mantissa, int shift, int32_t zero)",
        "{",
        f"    const ending end = {{zero, {low}, {high}, 0}};",
        f"    plain_mean(x, y, {count}, {source[3]}, base, mantissa, shift, end);",
        "}",
    ]
    numbers = (c.zero_point(layer.inputs[0]), int(by.mantissa), int(by.shift), zero)
    return Call("plain", "\n".join(body), (x, y, *map(str, numbers)), needs)


def _named(output: str) -> Layer:
    return Layer(output, "conv", (), output)


def _shape(layer: Layer, source: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """Initialiser of the C type `shape_t`."""
    if layer.op == "fully_connected":
        return (1, 1, prod(source), 1, 1, target[-1], 1, 1, 1, 1, 1, 1, 0, 0)
    top, left = layer.pads[0], layer.pads[2]
    if layer.padding == "same":
        front = []
        for axis in (0, 1):
            reach = (target[axis + 1] - 1) * layer.stride[axis]
            reach += (layer.kernel[axis] - 1) * layer.dilation[axis] + 1
            front.append(max(reach - source[axis + 1], 0) // 2)
        top, left = front
    return (
        *source[1:4],
        *target[1:4],
        *layer.kernel,
        *layer.stride,
        *layer.dilation,
        top,
        left,
    )
