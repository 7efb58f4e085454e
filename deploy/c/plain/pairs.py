"""Calls of what maps the elements of two tensors, or a threshold's of three, to one."""

from __future__ import annotations

from math import prod

from deploy.c.calls import Call, Context, Table, gather, joint, table
from deploy.integers import joined, single_rounding
from hwmodels.graph import Layer, Shape


def _index(shape: Shape, whole: Shape) -> str:
    """C expression of the element that stands for element `i` of the output.

    Neighbouring axes that the tensor has are one; the others it repeats.
    """
    shape = (1,) * (len(whole) - len(shape)) + shape
    terms = []
    last = len(whole)
    while last:
        first = last - 1
        if shape[first] > 1:
            while first and shape[first - 1] == whole[first - 1]:
                first -= 1
            inner, size, own = prod(whole[last:]), prod(shape[first:last]), prod(shape[last:])
            index = "i" if inner == 1 else f"i / {inner}"
            if prod(whole[:first]) > 1:
                index += f" % {size}"
            terms.append(index if own == 1 else f"{index} * {own}")
        last = first
    return " + ".join(reversed(terms)) or "0"


def _pairwise(
    c: Context, layer: Layer, result: str, *arguments: str | Table, extra: str, declared: str = ""
) -> Call:
    """A loop over the output; `result` is C with places for one element of each input."""
    graph = c.net.graph
    whole = graph.shape(layer.output)
    places = [_index(graph.shape(name), whole) for name in layer.inputs]
    elements = [f"x{index}[{place}]" for index, place in enumerate(places)]
    lines = [
        *([declared] if declared else []),
        f"for (int i = 0; i < {prod(whole)}; i++) {{",
        f"    y[i] = (int8_t){result.format(*elements)};",
        "}",
    ]
    return gather(c, lines, *arguments, extra=extra)


def add(c: Context, layer: Layer) -> Call:
    """`add`, and `sub` with a negative factor."""
    low, high = c.limits(layer)
    shift = single_rounding.add_factors(c.net, layer).shift
    weighed = table("int32_t", joint(c, layer, layer.inputs[0]))
    return _pairwise(
        c,
        layer,
        "joined({}, {}, add)",
        weighed,
        extra=", const int32_t *joint",
        declared=f"const addition add = {{joint[0], joint[1], joint[2], {shift}, {low}, {high}}};",
    )


def mul(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    (first, first_zero), (second, second_zero), (scale, zero) = (
        c.net.activations[name] for name in (*layer.inputs, layer.output)
    )
    by = joined.byte_multiplier(first * second / scale)
    product = f"clamp(rescaled(({{}} - a) * ({{}} - b), mantissa, shift) + zero, {low}, {high})"
    return _pairwise(
        c,
        layer,
        product,
        *map(str, (first_zero, second_zero, by.mantissa, by.shift, zero)),
        extra=", int32_t a, int32_t b, int32_t mantissa, int shift, int32_t zero",
    )


def larger(c: Context, layer: Layer) -> Call:
    sign = ">" if layer.op == "maximum" else "<"
    return _pairwise(c, layer, f"({{0}} {sign} {{1}} ? {{0}} : {{1}})", extra="")


def select(c: Context, layer: Layer) -> Call:
    """The threshold is handed over: one that nothing reaches would be a warning as a constant."""
    return _pairwise(
        c,
        layer,
        "({} >= least ? {} : {})",
        str(layer.threshold),
        extra=", int32_t least",
    )


def prelu(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    zeros = [c.zero_point(name) for name in (*layer.inputs, layer.output)]
    above, below = joined.prelu_multipliers(c.net, layer)
    factors = (above.mantissa, above.shift, below.mantissa, below.shift)
    return _pairwise(
        c,
        layer,
        f"clamp(sloped({{0}} - a, {{1}} - b, f, g, h, k) + zero, {low}, {high})",
        *map(str, (*zeros[:2], *factors, zeros[2])),
        extra=", int32_t a, int32_t b, int32_t f, int g, int32_t h, int k, int32_t zero",
    )


def squared_difference(c: Context, layer: Layer) -> Call:
    low, high = c.limits(layer)
    zeros = [c.zero_point(name) for name in (*layer.inputs, layer.output)]
    pairs = joined.square_multipliers(c.net, layer)
    factors = [number for by in pairs for number in (by.mantissa, by.shift)]
    scaled = f" * {1 << joined.SQUARE_LEFT_SHIFT}"
    apart = f"rescaled(({{0}} - a){scaled}, f, g) - rescaled(({{1}} - b){scaled}, h, k)"
    return _pairwise(
        c,
        layer,
        f"clamp(rescaled(squared({apart}), m, n) + zero, {low}, {high})",
        *map(str, (*zeros[:2], *factors, zeros[2])),
        extra=", int32_t a, int32_t b, int32_t f, int g, int32_t h, int k, int32_t m, int n, "
        "int32_t zero",
    )


def div(c: Context, layer: Layer) -> Call:
    """A factor of each stored divisor."""
    low, high = c.limits(layer)
    half = 1 << (joined.QUOTIENT_BITS - 1)
    quotient = f"shift_right(({{}} - a) * factors[{{}} + 128] + {half}, {joined.QUOTIENT_BITS})"
    return _pairwise(
        c,
        layer,
        f"clamp({quotient} + zero, {low}, {high})",
        str(c.zero_point(layer.inputs[0])),
        table("int32_t", joined.quotient_factors(c.net, layer)),
        str(c.zero_point(layer.output)),
        extra=", int32_t a, const int32_t *factors, int32_t zero",
    )
