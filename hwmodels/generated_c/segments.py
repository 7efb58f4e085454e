"""Networks as chains of segments that many networks share, for those who cost many of them.

A segment is a small graph that stands for layers somewhere in a network. What it costs depends on
its shapes and on how the next one reads its output, so it is worked out once. All but the first
segment begin with a 1 x 1 convolution that is not theirs: it stands for the layer before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import NamedTuple

from hwmodels.graph import Graph


class Segment:
    """Layers from one tensor to the next; two are equal where they are one object.

    Args:
        behind: the first layer stands for the segment before.
        pooled: blocks that its pool is over where it streams, if it has one.

    Attributes:
        reads, writes: plain values that stand for what a network reads that begins with it, and
            for what one answers with, and its task, that ends with it.
    """

    __slots__ = ("behind", "graph", "pooled", "reads", "writes")

    def __init__(self, graph: Graph, *, behind: bool, pooled: int = 0) -> None:
        self.graph, self.behind, self.pooled = graph, behind, pooled
        self.reads = graph.shape(graph.input)
        self.writes = *graph.shape(graph.output), *astuple(graph.task)


class Chain(NamedTuple):
    """A network each of whose segments reads the output of the one before and nothing else.

    Attributes:
        segments: in order, the last with the task of the network; none where that is no such
            chain. In streaming they are those over one block.
        whole: makes the graph of a window.
    """

    segments: tuple[Segment, ...]
    whole: Callable[[], Graph]
