"""The integer reference of streaming: one long pass over a signal, read every stride.

Padding stands before the very first sample alone; where a window begins, layers read the real
past. What is pooled is that of a window's blocks, or of fewer, the newest. So the first
reading is that of the first window to the last bit (`deploy.integers.reference`), and the
streaming C, which keeps what it needs of the past, must equal every one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.integers.reference import Rule
from hwmodels.graph import Graph
from hwmodels.streaming import head_of, parts, past_positions, trunk_over
from ppgnas.errors import ExportError

_STRETCH_BLOCKS = 32
"""Blocks that are computed at once: a long signal in pieces that a core's cache holds."""


def hop_samples(graph: Graph) -> int:
    """New samples of a stride, at the network's rate."""
    return graph.shape(graph.input)[2] // graph.task.blocks


def long_pass(net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule = "c") -> NDArray[np.int8]:
    """Outputs of the network after each block from the last one of the first window on.

    Args:
        x: int8 `(blocks * hop_samples, channels)`, normalised and quantised block by block.
        rule: one of `reference.RULES`.

    Returns:
        int8 `(blocks - those of a window + 1, classes)`; the first is the first window's.

    Raises:
        GraphError: the network cannot stream.
        ExportError: `x` has another type or shape, or ends within a block or the first window.
    """
    hop, channels = hop_samples(net.graph), net.graph.shape(net.graph.input)[3]
    blocks, rest = divmod(len(x), hop)
    before = net.graph.task.blocks - 1
    if x.dtype != np.int8 or x.ndim != 2 or x.shape[1] != channels or rest or blocks <= before:
        raise ExportError(
            f"the signal is {x.dtype} of shape {x.shape}; this network streams int8 of shape "
            f"(blocks * {hop}, {channels}), {before + 1} blocks or more"
        )
    features = _features(net, x.reshape(blocks, hop, channels), rule=rule)
    # (blocks, positions, features)
    head = head_of(net.graph)
    _, height, width, depth = head.shape(head.input)
    newest = np.arange(1 - parts(net.graph).pooled, 1)
    at = np.arange(before, blocks)[:, None] + newest
    windows = features[at].reshape(len(at), height, width, depth)
    return reference.run(_part(net, head), windows, rule=rule).reshape(len(at), -1)


def _features(net: QuantizedNet, x: NDArray[np.int8], *, rule: Rule) -> NDArray[np.int8]:
    """What is pooled of each block, `(blocks, positions, features)`."""
    blocks, hop, channels = x.shape
    lead = -(-past_positions(net.graph) // hop)
    found = []
    for start in range(0, blocks, _STRETCH_BLOCKS):
        first, stop = max(0, start - lead), min(start + _STRETCH_BLOCKS, blocks)
        graph = trunk_over(net.graph, stop - first)
        piece = x[first:stop].reshape(1, 1, -1, channels)
        values = reference.run(_part(net, graph), piece, rule=rule)
        values = values.reshape(stop - first, -1, values.shape[3])
        found.append(values[start - first :])
    return np.concatenate(found)


def _part(net: QuantizedNet, graph: Graph) -> QuantizedNet:
    """The same integers over another graph."""
    return replace(net, graph=graph)
