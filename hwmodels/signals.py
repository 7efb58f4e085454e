"""How a network's inputs hold a window: PPG, or PPG and three axes of acceleration.

One input holds all channels, or a second one holds the axes; time stands before the channels, as
in TensorFlow, or behind them, as in PyTorch. Of several outputs one holds the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwmodels.graph import Graph

_PPG, _AXES = 1, 3


@dataclass(frozen=True, slots=True)
class Signal:
    """One input.

    Attributes:
        first, channels: which of PPG and axes it holds.
        time_first: else the channels stand in front.
    """

    name: str
    first: int
    channels: int
    time_first: bool


def signals_of(graph: Graph) -> tuple[int, tuple[Signal, ...]] | None:
    """Steps of a window and the inputs in order; None where they hold anything else."""
    steps = max(size for name in graph.inputs for size in graph.shape(name))
    found = []
    for name in graph.inputs:
        sizes = [size for size in graph.shape(name) if size > 1]
        channels = prod(sizes) // steps
        if sizes not in ([steps], [steps, channels], [channels, steps]):
            return None
        time_first = channels == 1 or sizes[0] == steps
        found.append(Signal(name, _PPG if channels == _AXES else 0, channels, time_first))
    counts = sorted(signal.channels for signal in found)
    return (steps, tuple(found)) if counts in ([1], [4], [_PPG, _AXES]) else None


def classes_of(graph: Graph) -> str:
    """The output that holds the classes of its task; the first one where none does."""
    found = (name for name in graph.outputs if prod(graph.shape(name)) == graph.task.classes)
    return next(found, graph.output)


def classes_among(graph: Graph, y: NDArray[np.int8]) -> NDArray[np.int8]:
    """Of `(windows, values)` of several outputs those of `classes_of`; of one output all."""
    if not graph.also:
        return y
    name = classes_of(graph)
    first = sum(prod(graph.shape(n)) for n in graph.outputs[: graph.outputs.index(name)])
    return y[:, first : first + prod(graph.shape(name))]
