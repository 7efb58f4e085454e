"""Generated C of a chain of segments: what `fast_cost` says of the whole graph, in a tenth of it.

A program is local but for two things: how a tensor between two segments lies, which its reader
decides, and the plan of the scratch buffer. So each segment is programmed once; of a chain no
more is left than to add, and to plan the buffer.

A segment is a small graph that stands for layers somewhere in a network. What it costs depends on
its shapes and on how the next one reads its output, so it is worked out once. All but the first
segment begin with a 1 x 1 convolution that is not theirs: it stands for the layer before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from math import ldexp
from typing import NamedTuple

from hwmodels.arena import aligned, highest_end
from hwmodels.generated_c.cost import FastCost, shared_functions, step_tables
from hwmodels.generated_c.law import CLaw
from hwmodels.generated_c.program import program, rewritable
from hwmodels.generated_c.shapes import StepShape, infer_shape, layout_of, step_shape, unwritten
from hwmodels.generated_c.steps import Storage
from hwmodels.generated_c.streaming import COUNT_BYTES, kept_by
from hwmodels.graph import Graph
from ppgnas.errors import GraphError
from ppgnas.task import Mode


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


_PAIRING = ("window", "separable")  # kinds of steps that can write pairs of rows
_MEMO_ENTRIES = 1 << 16
_BITS = 128  # behind the point of exact sums
_LAYOUT_BITS = 40
_COUNT_BITS = 48


class _Way:
    """One way for a tensor to lie; two are equal where they are one object.

    Attributes:
        bytes: aligned.
        paired: two rows share words.
        layout: tells functions apart that write it.
    """

    __slots__ = ("bytes", "layout", "paired", "storage")

    def __init__(self, storage: Storage) -> None:
        self.storage, self.paired = storage, storage.paired
        self.bytes, self.layout = aligned(storage.bytes), layout_of(storage)


class _Shared:
    """Functions that steps share: a set of them as the bits of a number, and its code."""

    def __init__(self) -> None:
        self._bits: dict[object, int] = {}
        self._codes: list[int] = []
        self._of_sets: dict[int, int] = {}

    def several(self, functions: Mapping[object, float]) -> int:
        """The set of these."""
        found = 0
        for function, code in functions.items():
            if function not in self._bits:
                self._bits[function] = len(self._codes)
                self._codes.append(_exact(code))
            found |= 1 << self._bits[function]
        return found

    def code(self, several: int) -> int:
        """Of a set, see `_exact`."""
        found = self._of_sets.get(several)
        if found is None:
            if len(self._of_sets) > _MEMO_ENTRIES:
                self._of_sets.clear()
            bits = range(several.bit_length())
            found = sum(self._codes[bit] for bit in bits if several >> bit & 1)
            self._of_sets[several] = found
        return found


class _Small(NamedTuple):
    """The end of a chain that is smaller, all together, than the tensor before it.

    Attributes:
        tensors, steps: how many of its own, from the end.
        beside: bytes of those of its tensors and rooms that live beside that tensor.
    """

    tensors: int
    steps: int
    beside: int


class _Piece(NamedTuple):
    """A segment with its program.

    Attributes:
        source: how the tensor that it reads lies.
        source_last: the last of its steps that reads it, counted from 1.
        inner: `(bytes, first, last)` of the tensors between its steps, by when they live.
        rooms: `(steps,)` bytes beside the tensors.
        plain, paired: by how its output lies, what all its steps cost (see `_packed`), and code of
            the last; None where that cannot write pairs.
        last: number of the last step's function where its output lies plain.
        before: code of the functions of the steps before, by number.
        shared, code: set of the functions that steps share, and their code.
        over: what the last step may write over: 0 for the source or position in `inner` from 1 on,
            and how it lies.
        output: how the tensor that it writes lies where nothing reads it.
        keep: numbers of the functions that keep a past, the pool's and the last left out.
        keeps: the last one does.
        small: its end where it closes a chain.
    """

    source: _Way
    source_last: int
    inner: list[tuple[int, int, int]]
    rooms: list[int]
    plain: tuple[int, int]
    paired: tuple[int, int] | None
    last: int
    before: dict[int, int]
    shared: int
    code: int
    over: list[tuple[int, _Way]]
    output: _Way
    keep: frozenset[int]
    keeps: bool
    small: _Small | None


class ChainCosts:
    """Costs of chains under one law.

    Args:
        mode: as the segments were made for.
    """

    def __init__(self, law: CLaw, mode: Mode) -> None:
        self._law, self._mode = law, mode
        self._shared = _Shared()
        self._pieces: dict[Segment, _Piece] = {}
        self._ways: dict[Storage, _Way] = {}
        self._shapes: dict[StepShape, int] = {}
        self._calls: dict[tuple[Segment, int], tuple[int, int]] = {}

    def of(self, segments: Sequence[Segment]) -> FastCost | None:
        """What a chain costs; None where its program is not that of its segments."""
        pieces = self._known(segments)
        if not pieces:
            return None
        functions: dict[int, int] = {}
        all_sums = all_shared = all_code = 0
        tensors: list[tuple[int, int, int]] = []
        all_rooms: list[int] = []
        size, written = pieces[0].source.bytes, 0  # of the tensor that a segment reads
        targets = [piece.source for piece in pieces[1:]]
        targets.append(pieces[-1].output)
        for piece, target in zip(pieces, targets, strict=True):
            (_, source_last, inner, rooms, plain, paired, function, before, shared, code, over,
             _, _, _, _) = piece  # fmt: skip
            ends = paired if target.paired else plain
            if ends is None:
                return None
            sums, functions[function + target.layout] = ends
            all_sums += sums
            if before:
                functions.update(before)
            if more := shared & ~all_shared:
                all_shared |= more
                all_code += code if more == shared else self._shared.code(more)
            time = len(all_rooms)
            start = len(tensors)
            all_rooms += rooms
            tensors.append((size, written, time + source_last))
            for each, first, last in inner:
                tensors.append((each, time + first, time + last))
            for position, way in over:
                if way is target:
                    size, written, _ = tensors.pop(start + position)
                    break
            else:
                size, written = target.bytes, len(all_rooms)
        tensors.append((size, written, len(all_rooms)))
        call = segments[0], len(all_rooms)
        if call not in self._calls:
            of_call = self._law.quick(infer_shape(segments[0].graph, call[1]))
            self._calls[call] = _packed(_exact(of_call[0])), _exact(of_call[1])
        sums, code = self._calls[call]
        all_code += sum(functions.values(), start=code)
        all_cycles, tables, state, macs, weights = _unpacked(all_sums + sums)
        if self._mode == "streaming":
            kept = {
                piece.last + to.layout
                for piece, to in zip(pieces, targets, strict=True)
                if piece.keeps
            }
            count = len(kept.union(*(piece.keep for piece in pieces)))
            pool = segments[-1].pooled > 1
            all_code += _exact(self._law.kept_code_bytes(count, pool=pool))
            state += COUNT_BYTES
        end = _end(tensors, all_rooms, pieces[-1].small)
        return FastCost(
            _rounded(all_cycles), tables, _rounded(all_code), end, state, macs, weights
        )

    def _known(self, segments: Sequence[Segment]) -> list[_Piece] | None:
        """Their pieces; None where one has no program."""
        known = self._pieces
        try:
            return [known[segment] for segment in segments]
        except KeyError:
            if len(known) > _MEMO_ENTRIES:
                known.clear()
        try:
            for segment in segments:
                if segment not in known:
                    known[segment] = self._made(segment)
        except GraphError:  # the whole graph says why
            return None
        return [known[segment] for segment in segments]

    def _made(self, segment: Segment) -> _Piece:
        graph, plan, law = segment.graph, program(segment.graph), self._law
        skip = int(segment.behind)
        layers, steps = graph.layers[skip:], plan.steps[skip:]
        shapes = [step_shape(graph, plan, step) for step in steps]
        read = {name: time for time, step in enumerate(steps, start=1) for name in step.reads}
        names = [plan.steps[0].target if skip else graph.input, *(step.target for step in steps)]
        ways = [self._way(plan.storages[name]) for name in names]
        tensors = [
            (way.bytes, time, read.get(name, len(steps)))
            for time, (way, name) in enumerate(zip(ways, names, strict=True))
        ]
        rooms = [aligned(step.scratch_bytes) for step in steps]
        functions = [
            self._function(shape, way) for shape, way in zip(shapes, ways[1:], strict=True)
        ]
        costs = [law.quick(shape) for shape in shapes]
        cycles = [own for own, _ in costs[:-1]]
        keep, state = [], 0
        for index, step in enumerate(steps if self._mode == "streaming" else ()):
            pools = step.layers[0].op in ("avg_pool", "max_pool")
            if kept := kept_by(plan, step, pooled=segment.pooled if pools else 0):
                channels = plan.storages[step.source].channels if pools else 0
                cycles.append(law.kept_cycles(kept, channels))
                keep += [index] * (not pools)
                state += kept.end
        counts = (
            sum(map(step_tables, [graph] * len(steps), steps, shapes)),
            state,
            sum(map(graph.macs, layers)),
            sum(map(graph.weight_bytes, layers)),
        )
        ends = []
        for last_cycles, code in (costs[-1], law.quick(shapes[-1]._replace(paired=1))):
            both = sum(map(_exact, [*cycles, last_cycles]))
            ends.append((_packed(both, *counts), _exact(code)))
        shared = 0
        for shape in shapes:
            shared |= self._shared.several(shared_functions(shape))
        over = [
            (names.index(name), ways[names.index(name)])
            for name in rewritable(steps[-1])
            if read[name] == len(steps)
        ]
        return _Piece(
            source=ways[0],
            source_last=read[names[0]],
            inner=tensors[1:-1],
            rooms=rooms,
            plain=ends[0],
            paired=ends[1] if steps[-1].kind in _PAIRING else None,
            last=functions[-1],
            before={
                function: _exact(code)
                for function, (_, code) in zip(functions[:-1], costs, strict=False)
            },
            shared=shared,
            code=self._shared.code(shared),
            over=over,
            output=ways[-1],
            keep=frozenset(functions[index] for index in keep if index < len(steps) - 1),
            keeps=len(steps) - 1 in keep,
            small=None if over else _small(tensors, rooms),
        )

    def _way(self, storage: Storage) -> _Way:
        if storage not in self._ways:
            self._ways[storage] = _Way(storage)
        return self._ways[storage]

    def _function(self, shape: StepShape, target: _Way) -> int:
        """A number that stands for the function of a step; what it is but for the target's layout
        stands above `_LAYOUT_BITS`."""
        plain = unwritten(shape, target.storage)
        number = self._shapes.setdefault(plain, len(self._shapes))
        return (number << _LAYOUT_BITS) + target.layout


def _small(tensors: Sequence[tuple[int, int, int]], rooms: Sequence[int]) -> _Small | None:
    """The longest end of a segment that is one; see `_Small`."""
    for index, (size, _, last) in enumerate(tensors[:-1]):
        rest, time = tensors[index + 1 :], tensors[index + 1][1]
        apart = all(end < time for _, _, end in tensors[:index])
        if apart and size > sum(each for each, _, _ in rest) + sum(rooms[time - 1 :]):
            beside = sum(each for each, first, _ in rest if first <= last)
            beside += sum(rooms[time - 1 : last])
            return _Small(len(rest), len(rooms) - time + 1, beside)
    return None


def _end(tensors: list[tuple[int, int, int]], rooms: list[int], small: _Small | None) -> int:
    """The arena of a chain, most of which need not look at their end.

    Each part of the end is placed later than the tensor before it, so that lies as without them.
    All of them fit below the top of that, whatever their order; those that live beside it fit
    there, or on top of it.

    Args:
        tensors, rooms: see `highest_end`.
        small: the end of the last segment.
    """
    if small is not None:
        steps = len(rooms) - small.steps
        front = tensors[: -small.tensors]
        size, written, _ = front[-1]
        front[-1] = size, written, steps
        top, end = highest_end(front, rooms[:steps])
        if end + small.beside <= top:
            return top
    return highest_end(tensors, rooms)[0]


def _exact(value: float) -> int:
    """In units of 2^-128: sums of these are exact, as those of `fsum`, and sooner."""
    return int(ldexp(value, _BITS))


def _rounded(units: int) -> float:
    return ldexp(float(units), -_BITS)


def _packed(cycles: int, *counts: int) -> int:
    """Cycles (see `_exact`) above four counts of `_COUNT_BITS`: one addition adds them all."""
    for count in counts or (0, 0, 0, 0):
        cycles = (cycles << _COUNT_BITS) + count
    return cycles


def _unpacked(sums: int) -> tuple[int, int, int, int, int]:
    ones = (1 << _COUNT_BITS) - 1
    return (
        sums >> 4 * _COUNT_BITS,
        sums >> 3 * _COUNT_BITS & ones,
        sums >> 2 * _COUNT_BITS & ones,
        sums >> _COUNT_BITS & ones,
        sums & ones,
    )
