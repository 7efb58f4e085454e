"""The tensor arena: which bytes hold which activation when.

A copy in behaviour of TFLM's greedy planner (tensorflow/lite/micro/memory_planner/
greedy_memory_planner.cc): buffers are placed from the largest to the smallest (of two equal ones
the later first), each at the lowest offset where it fits between the buffers placed before it that
live at the same time. Sizes are rounded up to 16 bytes. A tensor lives from the layer that writes
it to the last one that reads it; the network's input from the start, its output to the end. A
scratch buffer lives during its layer. A reshape copies: its input and output are two buffers.

Time is counted in layers; the input is written at time 0 and layer i runs at time i + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodels.graph import Graph

ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that is needed from time `first` to time `last`, both included."""

    name: str
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Where every buffer lies.

    Attributes:
        buffers: as given.
        offsets: `(buffers,)` byte offset of each.
        arena_bytes: end of the highest buffer.
        peak_time: the time at which the arena is fullest; layer `peak_time - 1` runs then.
        live_bytes: bytes (not rounded up) that live at each time.
    """

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    arena_bytes: int
    peak_time: int
    live_bytes: tuple[int, ...]


def aligned(size: int) -> int:
    """`size` rounded up to the planner's alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(sizes: Sequence[int], spans: Sequence[tuple[int, int]], times: int) -> list[int]:
    """Offsets of buffers by the greedy rule.

    Args:
        sizes: `(buffers,)` bytes, already rounded up.
        spans: `(buffers,)` first and last time of use.
        times: one more than the largest time.

    Returns:
        `(buffers,)` byte offsets.
    """
    order = sorted(zip(sizes, range(len(sizes)), strict=True), reverse=True)
    offsets = [0] * len(sizes)
    # Placed buffers at each time, as (offset, end): lives are short, so the lists are too.
    placed: list[list[tuple[int, int]]] = [[] for _ in range(times)]
    for size, index in order:
        first, last = spans[index]
        neighbours: list[tuple[int, int]] = []
        for busy in placed[first : last + 1]:
            neighbours += busy
        offset = 0
        if neighbours:
            neighbours.sort()
            for start, end in neighbours:
                if start - offset >= size:
                    break
                if end > offset:
                    offset = end
            offsets[index] = offset
        entry = (offset, offset + size)
        for busy in placed[first : last + 1]:
            busy.append(entry)
    return offsets


def buffers_of(graph: Graph, scratch_bytes: Sequence[int]) -> tuple[Buffer, ...]:
    """Activations in the order of the graph's tensors, then one scratch buffer per layer.

    Args:
        graph: the network.
        scratch_bytes: `(layers,)`; 0 leaves the buffer out.
    """
    layers = graph.layers
    first = {graph.input: 0}
    last = {graph.input: 0}
    for time, layer in enumerate(layers, start=1):
        first[layer.output] = last[layer.output] = time
        for name in layer.inputs:
            last[name] = time
    last[graph.output] = len(layers)
    activations = tuple(
        Buffer(tensor.name, tensor.bytes, first[tensor.name], last[tensor.name])
        for tensor in graph.tensors
        if tensor.name in first
    )
    scratch = tuple(
        Buffer(f"{layer.name}/scratch", size, time, time)
        for time, (layer, size) in enumerate(zip(layers, scratch_bytes, strict=True), start=1)
        if size
    )
    return activations + scratch


def plan(buffers: tuple[Buffer, ...], times: int) -> Plan:
    """Place buffers and find the fullest time.

    Args:
        buffers: what must be placed.
        times: one more than the last time (layers + 1).
    """
    sizes = [aligned(buffer.bytes) for buffer in buffers]
    offsets = place(sizes, [(buffer.first, buffer.last) for buffer in buffers], times)
    tops, live = [0] * times, [0] * times
    for buffer, size, offset in zip(buffers, sizes, offsets, strict=True):
        for time in range(buffer.first, buffer.last + 1):
            tops[time] = max(tops[time], offset + size)
            live[time] += buffer.bytes
    peak = max(range(times), key=lambda time: (tops[time], live[time]))
    return Plan(buffers, tuple(offsets), max(tops), peak, tuple(live))
