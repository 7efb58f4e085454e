"""What a step of generated C is made of, counted: the features that its cycles and code follow.

Counts come from the graph and its program alone. A function of the generated C knows its shapes as
constants, so equal shapes (`StepShape.key`) are one function.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod

from hwmodels.c_program import (
    BLOCK,
    Program,
    Step,
    Storage,
    depthwise_taps,
    dot_words,
    widened,
)
from hwmodels.graph import Graph


@dataclass(frozen=True, slots=True)
class StepShape:
    """One step in numbers; what a kind does not have is 0.

    Attributes:
        kind: see `hwmodels.c_program.Step`; for `generic` the operator.
        steps: output positions.
        fold: columns of the folded view.
        channels: input channels of a separable step, or length of a dot product.
        outputs: output channels.
        taps, stride: of the depthwise part, or of the window's step in bytes (`stride`).
        pad: steps of padding that are filled.
        adds: 1 where the block's input is added.
        paired: 1 where the target lies in pairs of rows.
        layout: what else tells functions apart.
        work: multiply-accumulates, or elements, of a generic step.
    """

    kind: str
    steps: int
    fold: int
    channels: int
    outputs: int
    taps: int
    stride: int
    pad: int
    adds: int
    paired: int
    layout: int
    work: int

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
            return whole
        return self.steps // BLOCK

    @property
    def rest(self) -> int:
        """Positions that are computed one by one."""
        return self.steps - BLOCK * self.blocks

    @property
    def words(self) -> int:
        """Words of a dot product of the 1 x 1 part."""
        return dot_words(self.channels, widened_inputs=self.kind != "separable")


COLUMNS = tuple(field.name for field in fields(StepShape))


def step_shape(graph: Graph, program: Program, step: Step) -> StepShape:
    """The shape of a step."""
    layer = step.layers[0]
    source = graph.shape(layer.inputs[0])
    to = program.storages[step.target]
    origin = program.storages[step.source]
    common = {"pad": step.lead, "paired": int(to.paired), "layout": _layout(to)}
    if step.kind == "separable":
        found = depthwise_taps(layer, source)
        assert found is not None
        taps, stride, fold = found
        shortcut = 0
        if step.shortcut is not None:
            shortcut = 1 + _layout(program.storages[step.shortcut])
        return StepShape(
            kind="separable",
            steps=to.steps,
            fold=fold,
            channels=origin.channels,
            outputs=to.channels,
            taps=taps,
            stride=stride,
            adds=int(step.shortcut is not None),
            work=0,
            **(common | {"layout": common["layout"] * 1_000_003 + shortcut}),
        )
    if step.kind == "window":
        return StepShape(
            kind="window",
            steps=to.steps,
            fold=1,
            channels=layer.kernel[1] * source[3],
            outputs=to.channels,
            taps=0,
            stride=layer.stride[1] * source[3],
            adds=0,
            work=0,
            **common,
        )
    if step.kind == "dense":
        return StepShape(
            "dense", 1, 1, prod(source), graph.shape(layer.output)[-1], 0, 0, 0, 0, 0, 0, 0
        )
    if step.kind == "pool":
        return StepShape(
            layer.op, origin.steps, 1, origin.channels, origin.channels, 0, 0, 0, 0, 0, 0, 0
        )
    work = graph.macs(layer) or max(prod(source), prod(graph.shape(layer.output)))
    return StepShape(
        f"plain {layer.op}", to.steps, 1, source[-1], to.channels, 0, 0, 0, 0, 0, 0, work
    )


def infer_shape(graph: Graph, program: Program) -> StepShape:
    """The function that calls the steps: `steps` of them, after `work` bytes of input."""
    calls = len(program.steps)
    work = prod(graph.shape(graph.input))
    return StepShape("infer", calls, 1, 0, 0, 0, 0, 0, 0, 0, 0, work)


def _layout(storage: Storage) -> int:
    """A number that differs where offsets of a tensor differ."""
    if not storage.paired:
        return 0
    return 1 + storage.fold + 1_009 * storage.pad_steps


def step_features(shape: StepShape) -> tuple[float, ...]:
    """Counts that the cycles of a step are linear in, in the order of `FEATURES[kind]`."""
    kind = shape.kind
    if kind == "window":
        return _pointwise_part(shape) + (
            float(shape.blocks * (widened(shape.channels) // 4)),
            float(shape.blocks * shape.paired),
            float(shape.rest * (widened(shape.channels) // 4)),
            float(shape.pad * shape.stride),
            1.0,
        )
    if kind == "separable":
        pairs = shape.channels // 2
        return _pointwise_part(shape) + (
            float(shape.blocks * pairs),
            float(shape.blocks * shape.outputs // 2 * shape.adds),
            float(shape.pad * shape.channels),
            1.0,
        )
    if kind == "dense":
        words = shape.words
        fours = shape.outputs // 4
        return (float(fours), float(fours * words), float(fours * _rounds(words)), 1.0)
    if kind in ("avg_pool", "max_pool"):
        fours = shape.channels // 4
        return (float(fours * shape.steps), float(fours), 1.0)
    if kind == "infer":
        return (float(shape.work // 4), float(shape.steps), 1.0)
    return (float(shape.work), float(shape.steps), 1.0)


def _rounds(words: int) -> int:
    """Rounds of the loop of four words."""
    return (words - (4 if words % 4 == 0 else words % 4)) // 4


def _pointwise_part(shape: StepShape) -> tuple[float, ...]:
    blocks, pairs, words = shape.blocks, shape.outputs // 2, shape.words
    rounds = _rounds(words)
    return (
        float(blocks),
        float(blocks * pairs),
        float(blocks * pairs * words),
        float(blocks * pairs * rounds),
        float(blocks * pairs * (rounds > 1)),
        float(shape.rest),
        float(shape.rest * pairs),
        float(shape.rest * pairs * words),
    )
