"""The call of a step, and the functions of all but separable ones."""

from __future__ import annotations

from math import prod

from deploy.c.calls import Call, Context, Table
from deploy.c.plain.makers import generic
from deploy.c.steps.parts import (
    PARAMETERS,
    begin_lines,
    kernel_of,
    offset_at,
    positions,
    start_of,
    weights_of,
)
from deploy.c.steps.separable import separable
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.steps import BLOCK, Program, Step, dot_words, widened


def call_of(
    net: QuantizedNet,
    program: Program,
    step: Step,
    *,
    target: str = "",
    history: str = "",
    kept_blocks: int = 0,
) -> Call:
    """The call of a step; for the arguments see `Context`.

    Raises:
        ExportError: a layer whose integers the C cannot hold.
    """
    makers = {
        "window": _window,
        "separable": separable,
        "dense": _dense,
        "pool": _pool,
        "generic": generic,
    }
    return makers[step.kind](Context(net, program, step, target, history, kept_blocks))


def _window(c: Context) -> Call:
    (layer,) = c.step.layers
    shape = c.net.graph.shape(layer.inputs[0])
    outputs = c.net.graph.shape(layer.output)[3]
    run, stride = layer.kernel[1] * shape[3], layer.stride[1] * shape[3]
    taps, steps, to = widened(run), c.storage.steps, c.storage
    words = dot_words(run, widened_inputs=True)
    blocks, rest = divmod(steps, BLOCK)
    pair = 4 if to.paired else 2
    more, values, begin = c.further(blocks)
    lines = [f"({PARAMETERS}{more})", "{", f"    const ending end = {c.ending(layer)};"]
    if c.step.lead:
        lead = c.step.lead * shape[3]
        lines.append(
            f"    keep_plain(x, history, {lead}, {c.source.steps * shape[3]});"
            if c.history
            else f"    pad_plain(x, {lead}, pad);"
        )
    if rest:
        lines += [
            f"    for (int step = {steps - 1}; step >= {steps - rest}; step--) {{",
            f"        widen1(x + step * {stride}, {taps}, room);",
            f"        pointwise1(room, 1, weights, requant, {words}, {outputs}, end, "
            f"y + {offset_at(to, to.pad_steps)}, {pair});",
            "    }",
        ]
    kernel = kernel_of(c, layer, words)
    if blocks:
        firsts = range(0, BLOCK * blocks, BLOCK)
        at, constant = positions(to, firsts, (0, 1, 2, 3))
        place = [f"block.at = (positions4){at};"]
        lines += [
            *begin_lines(words, outputs),
            *(f"    {line}" for line in place if constant),
            f"    for (int step = {BLOCK * (blocks - 1)}; step >= {begin}; step -= {BLOCK}) {{",
            *(f"        {line}" for line in place if not constant),
            f"        widen4(x + step * {stride}, {stride}, {taps}, room);",
            f"        block.to = y + {offset_at(to, to.pad_steps)};",
            f"        {kernel.name}(&block);",
            "    }",
        ]
    arguments = [
        c.place(c.step.source, step=-c.step.lead),
        c.place(c.step.target, step=start_of(to)),
        c.room,
        *weights_of(c, layer, widened_inputs=True),
        *values,
    ]
    return Call(
        "window",
        "\n".join([*lines, "}"]),
        tuple(arguments),
        ("padding", "pointwise"),
        ((kernel.name, kernel.text()),) if blocks else (),
    )


def _dense(c: Context) -> Call:
    (layer,) = c.step.layers
    outputs = c.net.graph.shape(layer.output)[-1]
    run = prod(c.net.graph.shape(layer.inputs[0]))
    taps, words = widened(run), dot_words(run, widened_inputs=True)
    body = [
        f"({PARAMETERS})",
        "{",
        f"    const ending end = {c.ending(layer)};",
        f"    widen1(x, {taps}, room);",
        f"    dense4(room, weights, requant, {words}, {outputs}, end, y);"
        if outputs % 4 == 0
        else f"    pointwise1(room, 1, weights, requant, {words}, {outputs}, end, y, 2);",
        "}",
    ]
    arguments: tuple[str | Table, ...] = (
        c.place(c.step.source, step=0),
        c.place(c.step.target, step=0),
        c.room,
        *weights_of(c, layer, widened_inputs=True),
    )
    return Call("dense", "\n".join(body), arguments, ("pointwise", "dense"))


def _pool(c: Context) -> Call:
    (layer,) = c.step.layers
    low, high = c.limits(layer)
    shape = c.net.graph.shape(layer.inputs[0])
    sizes = f"{prod(shape[:-1])}, {shape[-1]}, {low}, {high}"
    places: tuple[str, ...] = (
        c.place(c.step.source, step=c.step.first),
        c.place(c.step.target, step=0),
    )
    if c.history:  # of the blocks before, one is let go
        before = c.kept_blocks
        parameters = ", int8_t *history, uint32_t slot"
        places = (*places, c.history, f"network->blocks % {before}u")
        call = f"{layer.op}_blocks(x, y, history, slot, {before}, {sizes})"
    else:
        parameters, call = "", f"{layer.op}(x, y, {sizes})"
    body = f"(const int8_t *x, int8_t *y{parameters})\n{{\n    {call};\n}}"
    return Call("pool", body, places, ("pool",))
