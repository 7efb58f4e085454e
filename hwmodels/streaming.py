"""A network over one block, a stride, instead of its window, or over a long signal.

Streaming runs a causal network over the block that is new. What a convolution reads of the past is
kept: where its window puts zeros in front, there is *history*, the last positions of the block
before. Pooling takes the blocks of a window, or as many of them as a slice before it leaves. So
layers, weights and scales are those of the window, and padding stands for history: `over` gives
the graph of any number of blocks.

A tensor's new positions are a block's share of the window's. They must be whole rows of its view,
so every stride and dilation divides them, and what stands in front of a convolution must be what
its next block reads again: at least kernel less stride, and less than the kernel.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from hwmodels.graph import Graph, Layer, Tensor
from ppgnas.errors import GraphError

_TRUNK_OPS = ("conv", "depthwise_conv", "add", "pad", "reshape")
_POOLS = ("avg_pool", "max_pool")


class Parts(NamedTuple):
    """Layers before the pool, the pool, and those behind it.

    `newest` is a slice between the trunk and the pool, which leaves `pooled` blocks of a window.
    """

    trunk: tuple[Layer, ...]
    newest: Layer | None
    pool: Layer
    head: tuple[Layer, ...]
    pooled: int

    @property
    def features(self) -> str:
        """The tensor that the trunk ends in."""
        return (self.newest or self.pool).inputs[0]


def parts(graph: Graph) -> Parts:
    """Where a network is cut.

    Raises:
        GraphError: it cannot stream; says which layer and why.
    """
    at = next((i for i, layer in enumerate(graph.layers) if layer.op in _POOLS), None)
    if at is None or graph.also:
        raise GraphError(
            _refusal("the network", "has no pool over its window, or several outputs")
        )
    trunk, pool, head = graph.layers[:at], graph.layers[at], graph.layers[at + 1 :]
    newest, pooled = None, graph.task.blocks
    if trunk and trunk[-1].op == "slice":
        trunk, newest = trunk[:-1], trunk[-1]
        pooled = _blocks_left(graph, newest)
        if not pooled or newest.output != pool.inputs[0]:
            raise GraphError(
                _refusal(f"layer {newest.name!r}", "leaves other than the newest blocks")
            )
    source = graph.shape(pool.inputs[0])
    if pool.kernel != source[1:3] or graph.shape(pool.output)[1:3] != (1, 1):
        raise GraphError(_refusal(f"layer {pool.name!r}", "does not pool over the whole window"))
    known = {pool.output}
    for layer in head:
        if not known.issuperset(layer.inputs):
            raise GraphError(_refusal(f"layer {layer.name!r}", "reads around the pool"))
        known.add(layer.output)
    for layer in trunk:
        if reason := _against(graph, layer, trunk):
            raise GraphError(_refusal(f"layer {layer.name!r}", reason))
    return Parts(trunk, newest, pool, head, pooled)


def _blocks_left(graph: Graph, newest: Layer) -> int:
    """Whole blocks at the end of time that a slice leaves; 0 where it leaves anything else."""
    source, target = graph.shape(newest.inputs[0]), graph.shape(newest.output)
    time = source[2] if len(source) == 4 else 0
    blocks, rest = divmod(graph.task.blocks * target[-2], time or 1)
    first = time - target[-2]
    whole = tuple((first if axis == 2 else 0, size, 1) for axis, size in enumerate(source))
    fits = source[:2] == (1, 1) and newest.rows == whole and not rest
    return blocks if fits else 0


def _refusal(what: str, why: str) -> str:
    return f"streaming: {what} {why}; run this network with mode window"


def _against(graph: Graph, layer: Layer, trunk: tuple[Layer, ...]) -> str:
    """Why a layer before the pool cannot stream; empty where it can."""
    if layer.op not in _TRUNK_OPS or graph.constants.intersection(layer.inputs):
        return f"is {layer.op}; allowed before the pool: {', '.join(_TRUNK_OPS)} of activations"
    blocks = graph.task.blocks
    pads = {before.output: before for before in trunk if before.op == "pad"}
    for name in (*layer.inputs, layer.output):
        if name in pads:
            continue
        shape = graph.shape(name)
        rows = shape[1] if shape[1] > 1 else shape[2]
        if len(shape) != 4 or rows % blocks:
            return (
                f"has {rows} rows of {shape[2] if shape[1] > 1 else 1} positions a window; a "
                f"block must hold whole ones, so {blocks} must divide them"
            )
    if any(layer.channel_pads):
        return "pads channels"
    if layer.op == "reshape" and graph.shape(layer.inputs[0])[3] != graph.shape(layer.output)[3]:
        return "changes channels by a view"
    if layer.op not in ("conv", "depthwise_conv"):
        return ""
    pad = pads.get(layer.inputs[0])
    top, bottom, left, right = pad.pads if pad is not None else (0, 0, 0, 0)
    source = graph.shape(layer.inputs[0] if pad is None else pad.inputs[0])
    inside = graph.padding(layer)
    sizes = zip(layer.kernel, layer.stride, (top, left), strict=True)
    folded = source[1] > 1
    if (
        layer.dilation != (1, 1)
        or bottom
        or right
        or inside != ((0, 0), (0, 0))
        or not all(k - s <= pad < k for k, s, pad in sizes)
        or (left and folded)
        or (top and not folded)
    ):
        return "does not read just the positions before it, from kernel less stride of them on"
    return ""


def over(graph: Graph, blocks: int) -> Graph:
    """The network over `blocks` blocks: as many as a window has give the graph itself.

    Raises:
        GraphError: it cannot stream.
    """
    trunk, newest, pool, head, pooled = parts(graph)
    share = Fraction(blocks, graph.task.blocks)
    shapes: dict[str, tuple[int, int, int, int]] = {
        graph.input: _stretched(graph.shape(graph.input), share)
    }
    for layer in trunk:
        if layer.op == "pad":
            (_, height, width, channels), (top, _, left, _) = shapes[layer.inputs[0]], layer.pads
            shapes[layer.output] = (1, height + top, width + left, channels)
        else:
            shapes[layer.output] = _stretched(graph.shape(layer.output), share)
    gone = ""
    if newest is not None and blocks > pooled:
        (_, _, time, channels), (_, _, steps, _) = (
            shapes[newest.inputs[0]],
            graph.shape(newest.output),
        )
        rows = (0, 1, 1), (0, 1, 1), (time - steps, time, 1), (0, channels, 1)
        trunk = (*trunk, replace(newest, rows=rows))
    elif newest is not None:
        gone, pool = newest.output, replace(pool, inputs=newest.inputs)
    tensors = tuple(
        replace(tensor, shape=shapes.get(tensor.name, tensor.shape))
        for tensor in graph.tensors
        if tensor.name != gone
    )
    _, height, width, _ = shapes.get(pool.inputs[0], graph.shape(pool.inputs[0]))
    pool = replace(pool, kernel=(height, width))
    return Graph.trusted((*trunk, pool, *head), tensors, graph.input, graph.output, graph.task)


def _stretched(shape: tuple[int, ...], share: Fraction) -> tuple[int, int, int, int]:
    _, height, width, channels = shape
    if height > 1:
        return (1, int(height * share), width, channels)
    return (1, 1, int(width * share), channels)


def trunk_over(graph: Graph, blocks: int) -> Graph:
    """The layers before the pool alone, over `blocks` blocks; the output is what is pooled."""
    part = parts(graph)
    return _cut(over(graph, blocks), part.trunk, graph.input, part.features)


def head_of(graph: Graph) -> Graph:
    """The pool and all behind it; the input is what is pooled."""
    part = parts(graph)
    return _cut(graph, (part.pool, *part.head), part.pool.inputs[0], graph.output)


def _cut(graph: Graph, layers: tuple[Layer, ...], source: str, target: str) -> Graph:
    names = {source, *(layer.output for layer in layers)}
    names |= {name for layer in layers for name in layer.inputs}
    tensors: tuple[Tensor, ...] = tuple(t for t in graph.tensors if t.name in names)
    return Graph(layers, tensors, source, target)


def past_positions(graph: Graph) -> int:
    """How many input positions before a block what is pooled of it can depend on."""
    past, stride = 0, 1
    for layer in parts(graph).trunk:
        if layer.op == "pad":
            top, _, left, _ = layer.pads
            past += (top * graph.shape(layer.inputs[0])[2] + left) * stride
        stride *= layer.stride[0] * layer.stride[1]
    return past
