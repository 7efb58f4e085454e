"""A depthwise convolution, the 1 x 1 convolution behind it and an addition: one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from deploy.c import depthwise, packing
from deploy.c import taps as unrolled
from deploy.c.calls import Call, Context, Table, joint, table
from deploy.c.steps.parts import (
    begin_lines,
    bounded,
    kernel_of,
    offset_at,
    positions,
    start_of,
    weights_of,
)
from deploy.integers import single_rounding
from hwmodels.generated_c.program import depthwise_taps
from hwmodels.generated_c.steps import BLOCK, Storage, dot_words
from hwmodels.generated_c.taps import Taps
from hwmodels.graph import Layer


def separable(c: Context) -> Call:
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
        lines += begin_lines(finish.words, outputs)
        lines += ["    block.add = add;"] if add else []
    for block in blocks:
        name = depthwise.name_of(taps, stride, block.rows)
        kernels[name] = depthwise.function(taps, stride, block.rows)
        call = f"{name}({{}}, {pair_row}, taps, taps_requant, {channels}, middle, {{}});"
        wanted = Taps(taps, stride, block.rows, pair_row)
        if wanted.possible and not bounded(c, depth):
            own = unrolled.name_of(wanted)
            kernels[own] = unrolled.function(wanted, name)
            stop = f"taps_requant + {2 * channels}"
            call = f"{own}({{}}, taps, taps_requant, {{}}, {stop}, middle.zero);"
        lines += _block_loop(finish, call, block, fold, stride * pair_row)
    weights = c.net.weights[depth.name][0].reshape(taps, channels)
    arguments: list[str | Table] = [
        c.place(c.step.source),
        c.place(c.step.target, step=start_of(to)),
        c.room,
        table("uint32_t", packing.depthwise_words(weights)),
        table("int32_t", packing.requant_pairs(c.net, depth)),
        str(c.zero_point(depth.output)),
        *weights_of(c, project, widened_inputs=False),
        *values,
    ]
    if add is not None:
        assert c.step.shortcut is not None
        shortcut = c.program.storages[c.step.shortcut]
        arguments.append(c.place(c.step.shortcut, step=start_of(shortcut)))
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
        self.kernel = kernel_of(c, project, self.words, add)

    def places(self, firsts: Sequence[int], apart: Sequence[int], *, constant: bool) -> list[str]:
        """Statements that say how four time steps lie: those that hold for all blocks, or not."""
        storages = {"at": self.to, **({"behind": self.other} if self.other is not None else {})}
        lines = []
        for name, storage in storages.items():
            text, alike = positions(storage, firsts, apart)
            if alike == constant:
                lines.append(f"block.{name} = (positions4){text};")
        return lines

    def four(self) -> list[str]:
        """Statements for the four time steps at `step`."""
        lines = [f"block.to = y + {offset_at(self.to, self.to.pad_steps)};"]
        if self.other is not None:
            lines.append(f"block.from = other + {offset_at(self.other, self.other.pad_steps)};")
        return [*lines, f"{self.kernel.name}(&block);"]

    def one(self, index: int, by: int) -> list[str]:
        """Statements for the time step `step + by`, the block's position `index`."""
        head = f"room + {index}, {BLOCK}, weights, requant, {self.words}, {self.outputs}, end"

        def lies(name: str, storage: Storage) -> str:
            place = offset_at(storage, storage.pad_steps).replace("step", f"(step + {by})")
            return f"{name} + {place}, {4 if storage.paired else 2}"

        if self.other is None:
            return [f"pointwise1({head},", f"           {lies('y', self.to)});"]
        return [
            f"pointwise1_add({head},",
            f"               {lies('y', self.to)}, {lies('other', self.other)}, add);",
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
