"""Graphs over blocks of 2 s, and what cannot stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.streaming import over, parts, past_positions
from ppgnas.errors import GraphError
from search_spaces.lower import lower
from search_spaces.published import published


def small() -> Graph:
    """Padding of two, a convolution of three taps, pool and head over 16 samples."""
    layers = (
        Layer("pad", "pad", ("input",), "padded", pads=(0, 0, 2, 0)),
        Layer("conv", "conv", ("padded",), "features", kernel=(1, 3)),
        Layer("pool", "avg_pool", ("features",), "pooled", kernel=(1, 16)),
        Layer("head", "fully_connected", ("pooled",), "logits"),
    )
    shapes = {
        "input": (1, 1, 16, 4),
        "padded": (1, 1, 18, 4),
        "features": (1, 1, 16, 8),
        "pooled": (1, 1, 1, 8),
        "logits": (1, 180),
    }
    tensors = tuple(Tensor(name, shape) for name, shape in shapes.items())
    return Graph(layers, tensors, "input", "logits")


def test_four_blocks_are_the_graph_and_one_is_a_quarter_of_it() -> None:
    graph = lower(published("medium"))
    assert over(graph, 4) == graph
    block = over(graph, 1)
    head = sum(map(graph.macs, graph.layers[-4:]))
    assert block.total_macs - head == (graph.total_macs - head) // 4
    assert over(small(), 1).shape("padded") == (1, 1, 6, 4)
    assert past_positions(small()) == 2


def test_a_slice_leaves_the_newest_blocks() -> None:
    graph = lower(published("medium-4s"))
    assert parts(graph).pooled == 2
    assert over(graph, 4) == graph
    for blocks, kernel in ((1, 16), (2, 32), (3, 32)):  # 64 steps a window
        one = over(graph, blocks)
        Graph(one.layers, one.tensors, one.input, one.output)  # its shapes follow
        assert parts_of(one, "pool").kernel == (1, kernel), blocks
        assert any(layer.op == "slice" for layer in one.layers) == (blocks > 2)
    index = next(i for i, layer in enumerate(graph.layers) if layer.op == "slice")
    oldest = replace(graph.layers[index], rows=((0, 1, 1), (0, 1, 1), (0, 32, 1), (0, 32, 1)))
    other = replace(graph, layers=(*graph.layers[:index], oldest, *graph.layers[index + 1 :]))
    with pytest.raises(GraphError, match="layer 'newest' leaves other than the newest blocks;"):
        over(other, 1)


def parts_of(graph: Graph, name: str) -> Layer:
    return next(layer for layer in graph.layers if layer.name == name)


def test_what_cannot_stream_is_refused_by_layer() -> None:
    graph = small()
    other = replace(graph, layers=(*graph.layers[:2], replace(graph.layers[2], op="mean"),
                                   graph.layers[3]))  # fmt: skip
    with pytest.raises(GraphError, match="streaming: the network has no pool over its window"):
        over(other, 1)
    tanh = replace(graph.layers[1], op="tanh", kernel=(1, 1), inputs=("input",))
    shapes = {**{t.name: t.shape for t in graph.tensors}, "features": (1, 1, 16, 4)}
    shapes["pooled"] = (1, 1, 1, 4)
    tensors = tuple(Tensor(name, shape) for name, shape in shapes.items())
    with pytest.raises(GraphError, match="layer 'conv' is tanh; allowed before the pool: conv, "):
        over(Graph((graph.layers[0], tanh, *graph.layers[2:]), tensors, "input", "logits"), 1)
    with pytest.raises(GraphError, match="layer 'conv' does not read just the positions before"):
        over(_looks_ahead(), 1)


def _looks_ahead() -> Graph:
    graph = small()
    pad = replace(graph.layers[0], pads=(0, 0, 1, 1))
    return replace(graph, layers=(pad, *graph.layers[1:]))


def test_a_dilation_that_a_block_does_not_hold_is_refused() -> None:
    layers = (
        Layer("view", "reshape", ("input",), "folded"),
        Layer("pad", "pad", ("folded",), "padded", pads=(2, 0, 0, 0)),
        Layer("conv", "conv", ("padded",), "features", kernel=(3, 1)),
        Layer("pool", "avg_pool", ("features",), "pooled", kernel=(2, 8)),
        Layer("head", "fully_connected", ("pooled",), "logits"),
    )
    shapes = {
        "input": (1, 1, 16, 4),
        "folded": (1, 2, 8, 4),
        "padded": (1, 4, 8, 4),
        "features": (1, 2, 8, 8),
        "pooled": (1, 1, 1, 8),
        "logits": (1, 180),
    }
    tensors = tuple(Tensor(name, shape) for name, shape in shapes.items())
    with pytest.raises(GraphError, match="layer 'view' has 2 rows of 8 positions a window; a "):
        over(Graph(layers, tensors, "input", "logits"), 1)
