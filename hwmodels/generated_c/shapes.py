"""What a step of generated C is made of, counted: the features that its cycles and code follow.

Counts come from the graph and its program alone. A function of the generated C knows its shapes as
constants, so equal shapes (`StepShape.key`) are one function.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from hwmodels.generated_c.program import depthwise_taps
from hwmodels.generated_c.steps import BLOCK, Program, Step, Storage, dot_words, widened
from hwmodels.generated_c.taps import Taps, dot_rounds
from hwmodels.graph import Graph
from hwmodels.layer import Layer, real_taps
from hwmodels.operators import FLOAT_OPS, OPERATORS, TABLE_OPS, Op


class StepShape(NamedTuple):
    """One step in numbers; what a kind does not have is 0.

    Attributes:
        kind: see `hwmodels.generated_c.program.Step`; `row` for the upsampling of a spaced head
            (`is_row`), else for `generic` `plain` and the operator.
        fold: columns of the folded view.
        channels: input channels of a separable step, of a tap of a plain step, or length of a dot
            product.
        taps, stride: of the depthwise part, or of the window's step in bytes (`stride`).
        pad: bytes of padding that are filled, or taps of a plain step that read padding.
        adds: 1 where the block's input is added.
        paired: 1 where the target lies in pairs of rows.
        layout: what else tells functions apart.
        unread: output positions that are not computed, whole blocks from the first on.
        work: multiply-accumulates or compared values of a generic step, padding left out, or
            elements.
    """

    kind: str
    steps: int
    fold: int
    channels: int
    outputs: int
    taps: int = 0
    stride: int = 0
    pad: int = 0
    adds: int = 0
    paired: int = 0
    layout: int = 0
    work: int = 0
    unread: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is a plain loop nest of one operator."""
        return self.kind.startswith("plain ")

    @property
    def blocks(self) -> int:
        """Blocks of four positions."""
        if self.kind == "separable":
            rows = self.steps // self.fold
            rest = rows % BLOCK
            whole = rows // BLOCK * self.fold
            if rest % 2 and self.fold % BLOCK == 0:
                whole += self.fold // BLOCK
            if rest >= 2 and self.fold % 2 == 0:
                whole += self.fold // 2
            return whole - self.unread // BLOCK
        return (self.steps - self.unread) // BLOCK

    @property
    def rest(self) -> int:
        """Positions that are computed one by one."""
        return self.steps - self.unread - BLOCK * self.blocks

    @property
    def function(self) -> StepShape:
        """What its C function is made for: where it begins and its table are arguments."""
        if self.kind in _LOOKED_UP:
            return self._replace(kind="plain logistic")
        return self._replace(unread=0) if self.unread else self

    @property
    def dot(self) -> tuple[int, bool] | None:
        """Words and addition of the shared function that computes its blocks, if any does."""
        if self.kind not in ("window", "separable") or not self.blocks:
            return None
        return self.words, bool(self.adds)

    @property
    def unrolled(self) -> tuple[Taps, ...]:
        """The shared functions of its depthwise part."""
        if self.kind != "separable":
            return ()
        whole, rest = divmod(self.steps // self.fold, BLOCK)
        rows = [1] * (rest % 2) + [2] * (rest >= 2) + [BLOCK] * (whole > 0)
        pair = 2 * self.fold * self.channels
        found = (Taps(self.taps, self.stride, count, pair) for count in rows)
        return tuple(taps for taps in found if taps.possible)

    @property
    def words(self) -> int:
        """Words of a dot product of the 1 x 1 part."""
        return dot_words(self.channels, widened_inputs=self.kind != "separable")


COLUMNS = StepShape._fields[:-1]  # of what is counted all is read
_LAYOUTS = 1_000_003  # more than a tensor has ways to lie
_UNROLLED_OUTPUTS = 3  # of a plain convolution: compilers write them out instead of a loop
_COPIED_WORDS, _UNROLLED_PRODUCTS = 32, 64  # the same of a copy, and of an output's products
MOVED_AT_ONCE = 16
"""Bytes that generated C moves without a loop."""


def step_shape(graph: Graph, program: Program, step: Step) -> StepShape:
    """The shape of a step."""
    layer = step.layers[0]
    source = graph.shape(layer.inputs[0])
    to = program.storages[step.target]
    common = {"pad": step.lead * source[-1], "paired": int(to.paired), "layout": layout_of(to)}
    if step.kind == "separable":
        found = depthwise_taps(layer, source)
        assert found is not None
        taps, stride, fold = found
        shortcut = 0
        if step.shortcut is not None:
            shortcut = 1 + layout_of(program.storages[step.shortcut])
        return StepShape(
            kind="separable",
            steps=to.steps,
            fold=fold,
            channels=program.storages[step.source].channels,
            outputs=to.channels,
            taps=taps,
            stride=stride,
            adds=int(step.shortcut is not None),
            unread=step.first,
            **(common | {"layout": common["layout"] * _LAYOUTS + shortcut}),
        )
    if step.kind == "window":
        return StepShape(
            kind="window",
            steps=to.steps,
            fold=1,
            channels=layer.kernel[1] * source[3],
            outputs=to.channels,
            stride=layer.stride[1] * source[3],
            unread=step.first,
            **common,
        )
    if step.kind == "dense":
        return StepShape("dense", 1, 1, prod(source), graph.shape(layer.output)[-1])
    if step.kind == "pool":
        steps, channels = prod(source[:-1]), source[-1]
        return StepShape(layer.op, steps, 1, channels, channels)
    target = graph.shape(layer.output)
    if is_row(layer, source):
        return StepShape("row", to.steps, 1, 1, to.channels, work=graph.macs(layer))
    kind = f"plain {_SAME_LOOPS.get(layer.op, layer.op)}"
    if OPERATORS[layer.op].shape == "window":
        taps = real_taps(layer, source, target)
        skipped = to.steps * prod(layer.kernel) - taps
        channels = source[3] // layer.groups if layer.op == "conv" else 1
        return StepShape(
            kind,
            to.steps,
            1,
            channels,
            to.channels,
            prod(layer.kernel),
            pad=skipped * to.channels,
            layout=_window_layout(layer),
            work=taps * to.channels * channels,
        )
    if layer.op in ("fully_connected", *PRODUCTS):
        inputs = source[3] if layer.op == "transpose_conv" else graph.macs(layer) // prod(target)
        work = graph.macs(layer) + round(prod(target) * _beside(layer))
        return StepShape(kind, to.steps, 1, inputs, to.channels, 1, work=work)
    work = max(prod(source), prod(target)) if OPERATORS[layer.op].shape == "mean" else prod(target)
    return StepShape(kind, to.steps, 1, source[-1], to.channels, work=work)


_LOOKED_UP = frozenset(f"plain {op}" for op in TABLE_OPS)
"""Kinds whose loops look up a table: alike but for what they were counted of."""
_SAME_LOOPS: dict[Op, Op] = {
    **dict.fromkeys(("elu", "gelu", "abs", "exp", "log", "rsqrt", "sqrt", *FLOAT_OPS), "logistic"),
    **dict.fromkeys(("space_to_depth", "depth_to_space"), "transpose"),
    "sum": "mean",
    "log_softmax": "softmax",
    "reduce_min": "reduce_max",
    **dict.fromkeys(("maximum", "minimum", "prelu", "select", "div"), "mul"),
}
"""Operators whose plain loops are those of one that was counted."""


PRODUCTS: tuple[Op, ...] = ("batch_matmul", "transpose_conv", "lstm")
"""Operators whose plain loops multiply and have no law; see `law.PRODUCT_CYCLES`."""


def _beside(layer: Layer) -> float:
    """Products that what stands around those of one output takes as long as."""
    if layer.op == "transpose_conv":  # asks of each tap whether an input lies under it
        return 6.0 + 2.4 * prod(layer.kernel)
    return {"batch_matmul": 6.0, "lstm": 94.0}.get(layer.op, 0.0)


def is_row(layer: Layer, source: tuple[int, ...]) -> bool:
    """Whether a layer is a row of one channel under three taps, as a spaced head has it."""
    return (
        layer.op == "conv"
        and source[1] == source[3] == 1
        and layer.kernel == (1, 3)
        and layer.padding == "same"
        and layer.stride == layer.dilation == (1, 1)
    )


def unwritten(shape: StepShape, target: Storage) -> StepShape:
    """The shape of a step that writes `target`, as if that lay plain."""
    layout = layout_of(target) * (_LAYOUTS if shape.kind == "separable" else 1)
    return shape._replace(paired=0, layout=shape.layout - layout)


def infer_shape(graph: Graph, steps: int, copies: Sequence[int] = ()) -> StepShape:
    """The function that calls so many steps and copies `work` bytes: the input, and outputs."""
    return StepShape("infer", steps + len(copies), 1, 0, 0, work=prod(graph.window) + sum(copies))


def layout_of(storage: Storage) -> int:
    """A number that differs where offsets of a tensor differ."""
    if not storage.paired:
        return 0
    return 1 + storage.fold + 1_009 * storage.pad_steps


def _window_layout(layer: Layer) -> int:
    """A number that differs where kernels, strides or dilations do."""
    number = 0
    for value in (*layer.kernel, *layer.stride, *layer.dilation):
        number = 31 * number + value
    return number


def rounds(words: int) -> int:
    """Rounds of the head's loop of four words; what they leave over comes first."""
    return (words - (4 if words % 4 == 0 else words % 4)) // 4


def cycle_features(shape: StepShape) -> tuple[float, ...]:
    """Counts that cycles are linear in, in the order of `CYCLES[kind]`.

    The depthwise part of a separable step is not among them, see `depthwise_count`.
    """
    kind = shape.kind
    blocks, pairs, words = shape.blocks, shape.outputs // 2, shape.words
    loops = rounds(words) if kind == "dense" else dot_rounds(words)
    if kind in ("window", "separable"):
        pointwise = (
            blocks,
            blocks * pairs,
            blocks * pairs * words,
            blocks * pairs * loops,
            blocks * pairs * (loops == 1),
            blocks * pairs * (loops > 1),
            shape.rest,
            shape.rest * pairs,
            shape.rest * pairs * words,
        )
        if kind == "window":
            fours = widened(shape.channels) // 4
            return (*pointwise, blocks * fours, blocks * shape.paired, shape.rest * fours,
                    shape.pad, 1)  # fmt: skip
        return (*pointwise, blocks * pairs * shape.adds, blocks * pairs * shape.adds * (loops > 1),
                blocks * shape.adds, blocks * (shape.fold > 1), shape.pad, 1)  # fmt: skip
    if kind == "dense":
        # Outputs that are no multiple of four run in pairs, as a window's single position does.
        fours = 0 if shape.outputs % 4 else shape.outputs // 4
        pairs = 0 if fours else pairs
        return (fours, fours * words, fours * loops, fours * (loops == 1), fours * (loops > 1),
                pairs, pairs * words, pairs * (loops > 1), shape.channels / 4, 1)  # fmt: skip
    if kind in ("avg_pool", "max_pool"):
        fours = shape.channels // 4
        return (fours * shape.steps, fours, 1)
    if kind == "row":
        few = shape.outputs <= _UNROLLED_OUTPUTS
        return (shape.work * few, shape.work * (not few), shape.steps, 1)
    if kind == "infer":
        return (shape.work // 4, shape.steps, 1)
    if kind in _PLAIN_WINDOWS:
        results = shape.steps * shape.outputs
        return (shape.work, shape.work / shape.channels, shape.pad, results, 1)
    if kind in _MOVES:
        few = shape.work <= MOVED_AT_ONCE
        return (shape.work * (not few), shape.steps * (not few), shape.work * few, 1)
    return (shape.work, shape.steps, 1)


_PLAIN_WINDOWS = tuple(
    f"plain {op}" for op, known in OPERATORS.items() if known.weighted or known.shape == "window"
)
_MOVES = ("plain slice", "plain transpose")
_POINTWISE = ("b", "b*p", "b*p*w", "b*p*r", "b*p*(r=1)", "b*p*(r>1)", "s", "s*p", "s*p*w")
CYCLES: dict[str, tuple[str, ...]] = {
    "window": (*_POINTWISE, "b*k/4", "b*paired", "s*k/4", "pad", "1"),
    "separable": (*_POINTWISE, "b*p*adds", "b*p*adds*(r>1)", "b*adds", "b*(fold>1)", "pad", "1"),
    "dense": ("f", "f*w", "f*r", "f*(r=1)", "f*(r>1)", "p", "p*w", "p*(r>1)", "k/4", "1"),
    "avg_pool": ("f*t", "f", "1"),
    "max_pool": ("f*t", "f", "1"),
    "row": ("m*(o<=3)", "m*(o>3)", "t", "1"),
    "infer": ("bytes/4", "steps", "1"),
    **{f"plain {op}": ("e", "t", "1") for op in OPERATORS},
    **dict.fromkeys(_PLAIN_WINDOWS, ("m", "m/c", "skipped", "n*o", "1")),
    **dict.fromkeys(_MOVES, ("e*(e>16)", "t*(e>16)", "e*(e<=16)", "1")),
}
"""What each feature counts: b blocks of four positions, s single positions, p pairs of outputs,
w words of a dot product, r rounds of its loop, k its length, f fours of channels, t positions,
o outputs, m products, m/c taps, skipped those in the padding, n*o results, e elements."""

PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "separable": {
        "add": ("b*p*adds", "b*p*adds*(r>1)", "b*adds"),
        "depthwise": ("b*(fold>1)", "pad"),
    }
}
"""Features that belong to another layer of a step than its 1 x 1 convolution."""


def depthwise_count(shape: StepShape) -> int:
    """Runs of the unrolled depthwise part: blocks times pairs of channels.

    A position of its own counts as a quarter of a block.
    """
    return (shape.blocks * BLOCK + shape.rest) * (shape.channels // 2) // BLOCK


def code_features(shape: StepShape) -> tuple[float, ...]:
    """Counts that the bytes of a function are linear in, in the order of `CODE[kind]`.

    The functions that steps share are not among them: `dots.dot_bytes`, `taps.Taps.bytes`.
    """
    words = shape.words
    loops = rounds(words)
    straight = words - 4 * loops + (4 if loops else 0)
    if shape.kind == "window":
        fours = widened(shape.channels) // 4
        return (1, shape.paired, min(fours, 4), shape.rest > 0, shape.pad > 0)
    if shape.kind == "separable":
        rows = shape.steps // shape.fold
        return (1, shape.paired, shape.adds, shape.fold > 1, shape.adds * shape.paired,
                rows % BLOCK > 0 and rows >= BLOCK)  # fmt: skip
    if shape.kind == "dense":
        return (1, straight, loops == 1, loops > 1)
    if shape.kind == "row":
        return (1, shape.outputs <= _UNROLLED_OUTPUTS)
    if shape.kind == "infer":
        return (1, shape.steps, min(shape.work // 4, _COPIED_WORDS))
    if shape.kind in _PLAIN_WINDOWS:
        products = shape.taps * shape.channels
        return (1, shape.taps > 1, min(products, _UNROLLED_PRODUCTS))
    few = shape.work <= MOVED_AT_ONCE
    if shape.kind in _MOVES:
        return (not few, few, few * shape.work)
    return (1, shape.work <= 2 * MOVED_AT_ONCE) if shape.plain else (1,)


CODE: dict[str, tuple[str, ...]] = {
    "window": ("1", "paired", "k/4", "rest", "pad"),
    "separable": ("1", "paired", "adds", "fold>1", "adds*paired", "rest"),
    "dense": ("1", "straight", "r=1", "r>1"),
    "avg_pool": ("1",),
    "max_pool": ("1",),
    "row": ("1", "o<=3"),
    "infer": ("1", "steps", "words<=32"),
    **{f"plain {op}": ("1", "e<=32") for op in OPERATORS},
    **dict.fromkeys(_PLAIN_WINDOWS, ("1", "taps>1", "m<=64")),
    **dict.fromkeys(_MOVES, ("e>16", "e<=16", "e*(e<=16)")),
}
"""`straight`: words of a dot product outside of its loop; words of the input, products of an
output and elements as far as compilers write them out instead of a loop."""
