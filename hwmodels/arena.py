"""The tensor arena: which bytes hold which activation when.

A copy in behaviour of TFLM's greedy planner (tensorflow/lite/micro/memory_planner/
greedy_memory_planner.cc): buffers are placed from the largest to the smallest (of two equal ones
the later first), each at the lowest offset where it fits between the buffers placed before it that
live at the same time. Sizes are rounded up to 16 bytes. A tensor lives from the layer that writes
it to the last one that reads it; the network's input from the start, its output to the end. A
scratch buffer lives during its layer. A reshape copies: its input and output are two buffers.

Time is counted in layers; the input is written at time 0 and layer i runs at time i + 1.

Measured against tflite-micro 0.dev20261023182759 on a host: the arena head equals the plan in 60
of 60 random networks of the default space and in graphs of a mean (tests/hwmodels/
test_arena_tflm.py). A host build asks for the scratch of TFLM's own kernels only:
CMSIS-NN's exists on the device alone.

`lower_bound_plan` is the better plan that a file can carry: TFLM takes offsets from the metadata
of a file where it has them, and accepts a reshape whose input and output are the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwmodels.graph import Graph

ALIGNMENT = 16
_TRIES = 4000


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


@dataclass(frozen=True)
class Held:
    """What an interpreter holds of a file of others, whose operators are not the graph's layers.

    Attributes:
        buffers: of its tensors, in the file's order.
        times: `(layers,)` when what each layer of the graph stands for runs.
        operators: how many the file has.
    """

    buffers: tuple[Buffer, ...]
    times: tuple[int, ...]
    operators: int


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
    order = [
        index for _, index in sorted(zip(sizes, range(len(sizes)), strict=True), reverse=True)
    ]
    return place_in_order(order, sizes, spans, times)


def place_in_order(
    order: Sequence[int], sizes: Sequence[int], spans: Sequence[tuple[int, int]], times: int
) -> list[int]:
    """Offsets of buffers, each at the lowest free offset, in the order of `order`; see `place`."""
    offsets = [0] * len(sizes)
    # Placed buffers at each time, as (offset, end): lives are short, so the lists are too.
    placed: list[list[tuple[int, int]]] = [[] for _ in range(times)]
    for index in order:
        size = sizes[index]
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


def highest_end(tensors: Sequence[tuple[int, int, int]], rooms: Sequence[int]) -> tuple[int, int]:
    """The arena of `place` for tensors and one room a time, sooner: no offset is handed back.

    A room lives at its time alone, so it concerns tensors alone: those that are no larger have to
    know where it lies, and where there are none it is looked at only if it may stick out.

    Args:
        tensors: bytes, rounded up, and first and last time of use; at least one. Of two that are
            equally large the one that is first used later is placed first.
        rooms: `(times,)` bytes, rounded up, of the buffer that lives at time i + 1.

    Returns:
        The end of the highest buffer, and that of the last of `tensors`.
    """
    placed: list[list[tuple[int, int]]] = [[] for _ in range(len(rooms) + 1)]
    waiting = [0, *rooms]
    largest = top = max(waiting)
    order, ends = sorted(tensors, reverse=True), []
    for size, first, last in order:
        if size <= largest:
            for time in range(first, last + 1):
                if waiting[time] >= size:
                    entry = _lowest(placed[time], waiting[time])
                    placed[time].append(entry)
                    waiting[time] = 0
                    if entry[1] > top:
                        top = entry[1]
        if last - first == 1:  # as most: written by one step, read by the next
            before, after = placed[first], placed[last]
            busy = before + after
            entry = _lowest(busy, size) if busy else (0, size)
            before.append(entry)
            after.append(entry)
        else:
            times = placed[first : last + 1]
            entry = _lowest([each for busy in times for each in busy], size)
            for busy in times:
                busy.append(entry)
        ends.append(entry[1])
    top = max(top, *ends)
    reached = top - largest
    for (_, first, last), end in zip(order, ends, strict=True):
        if end > reached:
            for time in range(first, last + 1):
                if end + waiting[time] > top:
                    top = max(top, _lowest(placed[time], waiting[time])[1])
    return top, ends[order.index(tensors[-1])]


def _lowest(busy: list[tuple[int, int]], size: int) -> tuple[int, int]:
    """Offset and end of so many bytes at the lowest place between others."""
    if len(busy) == 2:  # as most: what a step reads and writes
        (start, end), (second, top) = busy
        if second < start:
            start, end, second, top = second, top, start, end
        if start >= size:
            return 0, size
        offset = end if second - end >= size or end > top else top
        return offset, offset + size
    offset = 0
    for start, end in sorted(busy):
        if start - offset >= size:
            break
        if end > offset:
            offset = end
    return offset, offset + size


def buffers_of(graph: Graph, scratch_bytes: Sequence[int]) -> tuple[Buffer, ...]:
    """Activations in the order of the graph's tensors, then one scratch buffer per layer.

    Args:
        scratch_bytes: `(layers,)`; 0 leaves the buffer out.
    """
    layers = graph.layers
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for time, layer in enumerate(layers, start=1):
        first[layer.output] = last[layer.output] = time
        for name in layer.inputs:
            last[name] = time
    last |= dict.fromkeys(graph.outputs, len(layers))
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


def plan_of(graph: Graph, scratch_bytes: Sequence[int], held: Held | None = None) -> Plan:
    """The interpreter's plan of a graph, or of the file that it was read from; see `buffers_of`.

    Its `live_bytes` are those of the times of layers, its `peak_time` that of one.
    """
    if held is None:
        return plan(buffers_of(graph, scratch_bytes), len(graph.layers) + 1)
    scratch = tuple(
        Buffer(f"{layer.name}/scratch", size, time, time)
        for layer, size, time in zip(graph.layers, scratch_bytes, held.times, strict=True)
        if size
    )
    found = plan(held.buffers + scratch, held.operators + 1)
    times = 0, *held.times
    live = tuple(found.live_bytes[time] for time in times)
    peak = max(range(len(live)), key=lambda at: (times[at] == found.peak_time, live[at]))
    return replace(found, live_bytes=live, peak_time=peak)


def plan(buffers: tuple[Buffer, ...], times: int) -> Plan:
    """Place buffers and find the fullest time.

    Args:
        times: one more than the last time (layers + 1).
    """
    raw = [buffer.bytes for buffer in buffers]
    spans = [(buffer.first, buffer.last) for buffer in buffers]
    offsets = place([aligned(size) for size in raw], spans, times)
    return _planned(buffers, offsets, offsets, raw, spans, times)


def _planned(
    buffers: tuple[Buffer, ...],
    of_buffers: Sequence[int],
    offsets: Sequence[int],
    raw: Sequence[int],
    spans: Sequence[tuple[int, int]],
    times: int,
) -> Plan:
    """The plan of buffers at `of_buffers`, in places of `raw` bytes at `offsets`."""
    tops, live = [0] * times, live_bytes(raw, spans, times)
    for offset, size, (first, last) in zip(offsets, raw, spans, strict=True):
        for time in range(first, last + 1):
            tops[time] = max(tops[time], offset + aligned(size))
    peak = max(range(times), key=lambda time: (tops[time], live[time]))
    return Plan(buffers, tuple(of_buffers), max(tops), peak, tuple(live))


def live_bytes(sizes: Sequence[int], spans: Sequence[tuple[int, int]], times: int) -> list[int]:
    """`(times,)` bytes of the buffers that live at each time; its maximum bounds every plan."""
    live = [0] * times
    for size, (first, last) in zip(sizes, spans, strict=True):
        for time in range(first, last + 1):
            live[time] += size
    return live


def lower_bound_plan(graph: Graph, scratch_bytes: Sequence[int] | None = None) -> Plan:
    """A plan for the metadata of a file, at the lower bound wherever the search reaches it.

    The input and the output of a reshape are the same bytes and share them. Tensors are tried in
    many orders, each at the lowest free offset: those of decreasing size, life and area first,
    then orders in which a buffer that touches the top has moved forward. Scratch is placed after
    the tensors and from the largest on, as TFLM does, which plans it when the program starts.
    Deterministic; ends when the arena is as small as the bytes that live at once, or after
    a fixed number of orders, and is never worse than `plan`.

    Args:
        scratch_bytes: `(layers,)`; none unless given.

    Returns:
        Offsets of every tensor, then of the scratch; `live_bytes` counts shared bytes once.
    """
    times = len(graph.layers) + 1
    buffers = buffers_of(
        graph, [0] * len(graph.layers) if scratch_bytes is None else scratch_bytes
    )
    greedy = plan(buffers, times)
    owner = _owners(graph, buffers)
    groups = sorted(set(owner))
    members = [[b for b, o in zip(buffers, owner, strict=True) if o == group] for group in groups]
    spans = [(min(b.first for b in m), max(b.last for b in m)) for m in members]
    raw = [max(b.bytes for b in m) for m in members]
    sizes = [aligned(size) for size in raw]
    names = {tensor.name for tensor in graph.tensors}
    tensors = [i for i, m in enumerate(members) if m[0].name in names]
    best = _search(tensors, sizes, spans, times)
    of_buffers = [best[groups.index(group)] for group in owner]
    found = _planned(buffers, of_buffers, best, raw, spans, times)
    return found if found.arena_bytes <= greedy.arena_bytes else greedy


def _owners(graph: Graph, buffers: Sequence[Buffer]) -> list[int]:
    """`(buffers,)` index of the buffer whose bytes each one is; chains of reshapes share one."""
    index = {buffer.name: position for position, buffer in enumerate(buffers)}
    owner = list(range(len(buffers)))
    for layer in graph.layers:
        if layer.op == "reshape":
            owner[index[layer.output]] = owner[index[layer.inputs[0]]]
    return owner


def _search(
    tensors: Sequence[int], sizes: Sequence[int], spans: Sequence[tuple[int, int]], times: int
) -> list[int]:
    """Offsets of all buffers for the best order of `tensors` that is found."""
    bound = max(live_bytes(sizes, spans, times))
    rest = sorted(set(range(len(sizes))) - set(tensors), key=lambda i: (sizes[i], i), reverse=True)
    life = [last - first + 1 for first, last in spans]
    keys = (
        lambda i: (sizes[i], i),
        lambda i: (sizes[i] * life[i], i),
        lambda i: (life[i], sizes[i], i),
        lambda i: (-spans[i][0], sizes[i]),
        lambda i: (spans[i][1], sizes[i]),
    )
    starts = [sorted(tensors, key=key, reverse=True) for key in keys]
    rng = random.Random(0)
    best: list[int] = []
    lowest = 0
    order = starts[0]
    for attempt in range(_TRIES):
        # Every start has its share of the attempts.
        if attempt % (_TRIES // len(starts)) == 0:
            order = starts[attempt // (_TRIES // len(starts)) % len(starts)]
        offsets = place_in_order([*order, *rest], sizes, spans, times)
        top = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
        if not best or top < lowest:
            best, lowest = offsets, top
        if lowest == bound:
            break
        order = _moved(order, offsets, sizes, spans, top, rng)
    return best


def _moved(
    order: Sequence[int],
    offsets: Sequence[int],
    sizes: Sequence[int],
    spans: Sequence[tuple[int, int]],
    top: int,
    rng: random.Random,
) -> list[int]:
    """The order with one tensor that lives below the top moved forward."""
    highest = [i for i in range(len(sizes)) if offsets[i] + sizes[i] == top]
    first, last = spans[rng.choice(highest)]
    blamed = [i for i in order if i in highest]
    # Moving another tensor of that time now and then leaves cycles; scratch has none to blame.
    if not blamed or rng.random() < 0.3:
        blamed = [i for i in order if spans[i][0] <= last and first <= spans[i][1]]
    chosen = rng.choice(blamed)
    place_now = order.index(chosen)
    moved = [i for i in order if i != chosen]
    moved.insert(rng.randrange(place_now) if place_now else rng.randrange(len(order)), chosen)
    return moved
