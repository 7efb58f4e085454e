"""One C function for each distinct shape of step, and what it is called with.

A function knows its shapes as constants; weights, rescaling and zero points are arguments, so that
layers of one shape share their code.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from deploy.c import depthwise, packing
from deploy.c import taps as unrolled
from deploy.c.calls import Call, Context, Table, joint, table
from deploy.c.plain import generic
from deploy.c.pointwise import Kernel
from deploy.integers import single_rounding
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.program import depthwise_taps
from hwmodels.generated_c.steps import BLOCK, Program, Step, Storage, dot_words, widened
from hwmodels.generated_c.taps import Taps
from hwmodels.graph import Layer


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
        "separable": _separable,
        "dense": _dense,
        "pool": _pool,
        "generic": generic,
    }
    return makers[step.kind](Context(net, program, step, target, history, kept_blocks))


_PARAMETERS = (
    "int8_t *x, int8_t *y, uint32_t *room, const uint32_t *weights, "
    "const int32_t *requant, int32_t zero"
)


def _at(storage: Storage, pad: int) -> str:
    """C expression of the offset of the time step `step`."""
    if not storage.paired:
        return f"step * {storage.channels}"
    return f"paired_offset(step + {pad}, {storage.fold}, {storage.channels})"


def _positions(storage: Storage, firsts: Sequence[int], apart: Sequence[int]) -> tuple[str, bool]:
    """C initialiser of `positions4` of four time steps `step + apart[i]`; whether it is constant.

    It is where the four lie alike at every `first`.
    """
    pair = 4 if storage.paired else 2
    seen = {
        tuple(storage.offset(first + by) - storage.offset(first) for by in apart[1:])
        for first in firsts
    }
    if len(seen) == 1:
        return "{" + ", ".join(map(str, (*seen.pop(), pair))) + "}", True
    pad, fold, channels = storage.pad_steps, storage.fold, storage.channels
    base = f"paired_offset(step + {pad}, {fold}, {channels})"
    others = [f"paired_offset(step + {pad + by}, {fold}, {channels}) - {base}" for by in apart[1:]]
    return "{" + ", ".join((*others, str(pair))) + "}", False


def _kernel(c: Context, layer: Layer, words: int, add: Layer | None = None) -> Kernel:
    """The function that computes four positions of a 1 x 1 part."""
    tight = add is not None and c.limits(add) != (-128, 127)
    return Kernel(words, add is not None, tight or _bounded(c, layer))


def _bounded(c: Context, layer: Layer) -> bool:
    """Whether more becomes of a sum than one factor and int8."""
    lifted = single_rounding.weighted_factors(c.net, layer).left != 0
    return lifted or c.limits(layer) != (-128, 127)


def _begin(words: int, outputs: int) -> list[str]:
    return [
        "    block4 block;",
        f"    begin4(&block, room, weights, requant, {words}, {outputs}, end);",
    ]


def _start(storage: Storage) -> int | None:
    """Time step that the pointer of a storage stands for: 0 where it lies plain."""
    return None if storage.paired else 0


def _weights(c: Context, layer: Layer, *, widened_inputs: bool) -> tuple[str | Table, ...]:
    """Weights, rescaling and zero point of a dot product."""
    weights = c.net.weights[layer.name]
    matrix = weights.reshape(len(weights), -1)
    words = packing.pointwise_words(matrix, widened_inputs=widened_inputs)
    requant = table("int32_t", packing.requant_pairs(c.net, layer))
    return table("uint32_t", words), requant, str(c.zero_point(layer.output))


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
    lines = [f"({_PARAMETERS}{more})", "{", f"    const ending end = {c.ending(layer)};"]
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
            f"y + {_at(to, to.pad_steps)}, {pair});",
            "    }",
        ]
    kernel = _kernel(c, layer, words)
    if blocks:
        firsts = range(0, BLOCK * blocks, BLOCK)
        at, constant = _positions(to, firsts, (0, 1, 2, 3))
        place = [f"block.at = (positions4){at};"]
        lines += [
            *_begin(words, outputs),
            *(f"    {line}" for line in place if constant),
            f"    for (int step = {BLOCK * (blocks - 1)}; step >= {begin}; step -= {BLOCK}) {{",
            *(f"        {line}" for line in place if not constant),
            f"        widen4(x + step * {stride}, {stride}, {taps}, room);",
            f"        block.to = y + {_at(to, to.pad_steps)};",
            f"        {kernel.name}(&block);",
            "    }",
        ]
    arguments = [
        c.place(c.step.source, step=-c.step.lead),
        c.place(c.step.target, step=_start(to)),
        c.room,
        *_weights(c, layer, widened_inputs=True),
        *values,
    ]
    return Call(
        "window",
        "\n".join([*lines, "}"]),
        tuple(arguments),
        ("padding", "pointwise"),
        ((kernel.name, kernel.text()),) if blocks else (),
    )


def _separable(c: Context) -> Call:
    depth, project = c.step.layers[:2]
    add = c.step.layers[2] if len(c.step.layers) > 2 else None
    found = depthwise_taps(depth, c.net.graph.shape(depth.inputs[0]))
    assert found is not None, depth.name
    taps, stride, fold = found
    channels = c.source.channels
    outputs = c.net.graph.shape(project.output)[3]
    to = c.storage
    rows = to.steps // fold
    pad_rows = c.step.lead // fold
    pair_row = 2 * fold * channels
    more, values, begin = c.further(rows // BLOCK, fold)
    lines = [
        "(int8_t *x, int8_t *y, uint32_t *room, const uint32_t *taps, "
        "const int32_t *taps_requant, int32_t taps_zero, const uint32_t *weights, "
        f"const int32_t *requant, int32_t zero{more}"
        + (", const int8_t *other, const int32_t *joint" if add else "")
        + ")",
        "{",
        f"    const ending middle = {c.ending(depth).replace('zero', 'taps_zero')};",
        f"    const ending end = {c.ending(project)};",
    ]
    if pad_rows:
        lines.append(
            f"    keep_paired(x, history, {pad_rows}, {fold * channels}, "
            f"{c.source.steps // fold});"
            if c.history
            else f"    pad_paired(x, {pad_rows}, {fold * channels}, pad);"
        )
    if add is not None:
        low, high = c.limits(add)
        factors = single_rounding.add_factors(c.net, add)
        lines.append(
            f"    const addition add = {{joint[0], joint[1], joint[2], {factors.shift}, "
            f"{low}, {high}}};"
        )
    kernels: dict[str, str] = {}
    finish = _Finish(c, project, channels, add)
    blocks = _blocks(rows, fold, begin)
    if any(block.rows * block.columns == BLOCK for block in blocks):
        kernels[finish.kernel.name] = finish.kernel.text()
        lines += _begin(finish.words, outputs)
        lines += ["    block.add = add;"] if add else []
    for block in blocks:
        name = depthwise.name_of(taps, stride, block.rows)
        kernels[name] = depthwise.function(taps, stride, block.rows)
        call = f"{name}({{}}, {pair_row}, taps, taps_requant, {channels}, middle, {{}});"
        wanted = Taps(taps, stride, block.rows, pair_row)
        if wanted.possible and not _bounded(c, depth):
            own = unrolled.name_of(wanted)
            kernels[own] = unrolled.function(wanted, name)
            stop = f"taps_requant + {2 * channels}"
            call = f"{own}({{}}, taps, taps_requant, {{}}, {stop}, middle.zero);"
        lines += _block_loop(finish, call, block, fold, stride * pair_row)
    weights = c.net.weights[depth.name][0].reshape(taps, channels)
    arguments: list[str | Table] = [
        c.place(c.step.source),
        c.place(c.step.target, step=_start(to)),
        c.room,
        table("uint32_t", packing.depthwise_words(weights)),
        table("int32_t", packing.requant_pairs(c.net, depth)),
        str(c.zero_point(depth.output)),
        *_weights(c, project, widened_inputs=False),
        *values,
    ]
    if add is not None:
        assert c.step.shortcut is not None
        shortcut = c.program.storages[c.step.shortcut]
        arguments.append(c.place(c.step.shortcut, step=_start(shortcut)))
        arguments.append(table("int32_t", joint(c, add, project.output)))
    return Call(
        "separable",
        "\n".join([*lines, "}"]),
        tuple(arguments),
        ("padding", "pointwise"),
        tuple(kernels.items()),
    )


class _Blocks(NamedTuple):
    """Blocks of one size: where they begin, and C of the first row of those that are computed."""

    firsts: range
    begin: str
    rows: int
    columns: int


def _blocks(rows: int, fold: int, begin: str) -> list[_Blocks]:
    """Those of a step from the last row to the first; every block starts on an even row."""
    found = []
    start = rows - rows % BLOCK
    rest = rows - start
    if rest % 2:
        columns = BLOCK if fold % BLOCK == 0 else 1
        found.append(_Blocks(range(rows - 1, rows), str(rows - 1), 1, columns))
    if rest >= 2:
        columns = 2 if fold % 2 == 0 else 1
        found.append(_Blocks(range(start, start + 1), str(start), 2, columns))
    if start:
        found.append(_Blocks(range(0, start, BLOCK), begin, BLOCK, 1))
    return found


class _Finish:
    """Text of what follows the depthwise part of a block: 1 x 1 convolution and addition."""

    def __init__(self, c: Context, project: Layer, channels: int, add: Layer | None) -> None:
        self.to = c.storage
        self.other = None
        if add is not None:
            assert c.step.shortcut is not None
            self.other = c.program.storages[c.step.shortcut]
        self.channels, self.outputs = channels, c.net.graph.shape(project.output)[3]
        self.words = dot_words(channels, widened_inputs=False)
        self.kernel = _kernel(c, project, self.words, add)

    def places(self, firsts: Sequence[int], apart: Sequence[int], *, constant: bool) -> list[str]:
        """Statements that say how four time steps lie: those that hold for all blocks, or not."""
        storages = {"at": self.to, **({"behind": self.other} if self.other is not None else {})}
        lines = []
        for name, storage in storages.items():
            text, alike = _positions(storage, firsts, apart)
            if alike == constant:
                lines.append(f"block.{name} = (positions4){text};")
        return lines

    def four(self) -> list[str]:
        """Statements for the four time steps at `step`."""
        lines = [f"block.to = y + {_at(self.to, self.to.pad_steps)};"]
        if self.other is not None:
            lines.append(f"block.from = other + {_at(self.other, self.other.pad_steps)};")
        return [*lines, f"{self.kernel.name}(&block);"]

    def one(self, index: int, by: int) -> list[str]:
        """Statements for the time step `step + by`, the block's position `index`."""
        to, other = self.to, self.other
        head = f"room + {index}, {BLOCK}, weights, requant, {self.words}, {self.outputs}, end"
        place = "y + " + _at(to, to.pad_steps).replace("step", f"(step + {by})")
        pair = 4 if to.paired else 2
        if other is None:
            return [f"pointwise1({head},", f"           {place}, {pair});"]
        from_place = "other + " + _at(other, other.pad_steps).replace("step", f"(step + {by})")
        from_pair = 4 if other.paired else 2
        return [
            f"pointwise1_add({head},",
            f"               {place}, {pair}, {from_place}, {from_pair}, add);",
        ]


def _block_loop(
    finish: _Finish, kernel: str, blocks: _Blocks, fold: int, pair_bytes: int
) -> list[str]:
    """Loop over blocks, backwards.

    `kernel` is the call of the depthwise part, with room for where it reads and writes; what two
    rows read lies `pair_bytes` further on.
    """
    first, begin, rows, columns = blocks
    channels = finish.channels
    apart = [row * fold + column for column in range(columns) for row in range(rows)]
    firsts = [row * fold + column for row in first for column in range(0, fold, columns)]
    four = len(apart) == BLOCK
    lines = finish.places(firsts, apart, constant=True) if four else []
    lines += [
        f"for (int row = {first[-1]}; row >= {begin}; row -= {BLOCK}) {{",
        f"    for (int column = {fold - columns}; column >= 0; column -= {columns}) {{",
        f"        const int step = row * {fold} + column;",
        f"        const int8_t *from = x + row / 2 * {pair_bytes} + column * {2 * channels};",
    ]
    for column in range(columns):
        at = "from" if column == 0 else f"from + {column * 2 * channels}"
        room = "room" if column == 0 else f"room + {column * rows}"
        lines.append("        " + kernel.format(at, room))
    if four:
        inner = [*finish.places(firsts, apart, constant=False), *finish.four()]
        lines += ["        " + line for line in inner]
    else:
        for index, by in enumerate(apart):
            lines += ["        " + line for line in finish.one(index, by)]
    lines += ["    }", "}"]
    return ["    " + line for line in lines]


def _dense(c: Context) -> Call:
    (layer,) = c.step.layers
    outputs = c.net.graph.shape(layer.output)[-1]
    run = prod(c.net.graph.shape(layer.inputs[0]))
    taps, words = widened(run), dot_words(run, widened_inputs=True)
    body = [
        f"({_PARAMETERS})",
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
        *_weights(c, layer, widened_inputs=True),
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
