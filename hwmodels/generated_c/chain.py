"""Generated C of a chain of segments: what `fast_cost` says of the whole graph, in a tenth of it.

A program is local but for two things: how a tensor between two segments lies, which its reader
decides, and the plan of the scratch buffer. So each segment is programmed once, and joined once
with each way to lie; of a chain no more is left than to add, and to plan the buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from hwmodels.arena import aligned, highest_end
from hwmodels.generated_c.cost import FastCost, Functions, shared_functions, step_tables
from hwmodels.generated_c.law import CLaw
from hwmodels.generated_c.program import program, rewritable
from hwmodels.generated_c.segments import Segment
from hwmodels.generated_c.shapes import StepShape, infer_shape, step_shape, written_to
from hwmodels.generated_c.steps import Storage
from hwmodels.generated_c.streaming import COUNT_BYTES, kept_by
from ppgnas.errors import GraphError
from ppgnas.task import Mode

_PAIRING = ("window", "separable")  # kinds of steps that can write pairs of rows
_MEMO_ENTRIES = 1 << 16
_SOURCE = -1  # in place of a number: the tensor that a segment reads


class _Joined(NamedTuple):
    """A segment whose output lies in one way.

    Attributes:
        bytes: of the output, aligned.
        over: number of the segment's own tensor that the output takes the place of, or `_SOURCE`;
            None where it has a place of its own.
        cycles: of the steps, and of keeping a past.
        functions: their code.
        keep: which of them keep a past, the pool left out.
    """

    bytes: int
    over: int | None
    cycles: list[float]
    functions: Functions
    keep: frozenset[StepShape]


class _Piece:
    """A segment with its program.

    Attributes:
        source: how the tensor that it reads lies.
        output: how the one that it writes lies where nothing reads it.
        source_last: the last of its steps that reads the source, counted from 1.
        inner: `(bytes, first, last)` of the tensors between its steps, by when they live.
        rooms: `(steps,)` bytes beside the tensors.
        tables, state, macs, weights: bytes of constants and of the past, counts of its layers.
        joined: by how its output lies; None where its last step cannot write it so.
    """

    def __init__(self, segment: Segment, law: CLaw, mode: Mode) -> None:
        graph, plan = segment.graph, program(segment.graph)
        skip = int(segment.behind)
        layers, steps = graph.layers[skip:], plan.steps[skip:]
        shapes = [step_shape(graph, plan, step) for step in steps]
        last = {name: time for time, step in enumerate(steps, start=1) for name in step.reads}
        names = [plan.steps[0].target if skip else graph.input, *(step.target for step in steps)]
        storages = [plan.storages[name] for name in names]
        self.source, self.output = storages[0], storages[-1]
        self.source_last = last[names[0]]
        self.inner = [
            (aligned(plan.storages[name].bytes), time, last[name])
            for time, name in enumerate(names[1:-1], start=1)
        ]
        self.rooms = [aligned(step.scratch_bytes) for step in steps]
        self.tables = sum(map(step_tables, [graph] * len(steps), steps, shapes))
        self.macs, self.weights = (
            sum(map(graph.macs, layers)),
            sum(map(graph.weight_bytes, layers)),
        )
        self.state = 0
        self.joined: dict[Storage, _Joined | None] = {}
        self._law, self._last = law, shapes[-1]
        self._ends: dict[int, tuple[float, float]] = {}  # of the last step, by `paired`
        self._cycles: list[float] = []
        self._functions: Functions = {}
        for shape in shapes:
            self._functions |= shared_functions(shape)
        for shape in shapes[:-1]:
            own_cycles, self._functions[shape] = law.quick(shape)
            self._cycles.append(own_cycles)
        # What the last step may write over: number and storage.
        self._rewritable = [
            (names.index(name) - 1, plan.storages[name])
            for name in rewritable(steps[-1])
            if last[name] == len(steps)
        ]
        self._pairs = steps[-1].kind in _PAIRING
        self._keep: list[StepShape] = []
        for step, shape in zip(steps if mode == "streaming" else (), shapes, strict=False):
            pools = step.layers[0].op in ("avg_pool", "max_pool")
            pooled = segment.pooled if pools else 0
            if (kept := kept_by(plan, step, pooled=pooled)) is not None:
                channels = plan.storages[step.source].channels if pools else 0
                self._cycles.append(law.kept_cycles(kept, channels))
                self._keep += [shape] * (not pools)
                self.state += kept.end

    def join(self, target: Storage) -> _Joined | None:
        """With an output that lies so, remembered."""
        if target not in self.joined:
            fits = self._pairs or not target.paired
            self.joined[target] = self._join(target) if fits else None
        return self.joined[target]

    def _join(self, target: Storage) -> _Joined:
        shape = written_to(self._last, target)
        # Where the rows of the output lie is nothing to its costs, only whether two share words.
        if shape.paired not in self._ends:
            self._ends[shape.paired] = self._law.quick(self._last._replace(paired=shape.paired))
        cycles, code = self._ends[shape.paired]
        return _Joined(
            aligned(target.bytes),
            next((number for number, storage in self._rewritable if storage == target), None),
            [*self._cycles, cycles],
            {**self._functions, shape: code},
            frozenset(shape if own is self._last else own for own in self._keep),
        )


class ChainCosts:
    """Costs of chains under one law.

    Args:
        law: of cycles and code.
        mode: as the segments were made for.
    """

    def __init__(self, law: CLaw, mode: Mode) -> None:
        self._law, self._mode = law, mode
        self._pieces: dict[Segment, _Piece] = {}
        self._calls: dict[tuple[Segment, int], tuple[float, float]] = {}

    def of(self, segments: Sequence[Segment]) -> FastCost | None:
        """What a chain costs; None where its program is not that of its segments."""
        pieces: list[_Piece] = []
        for segment in segments:
            piece = self._pieces.get(segment) or self._made(segment)
            if piece is None:
                return None
            pieces.append(piece)
        if not pieces:
            return None
        cycles: list[float] = []
        functions: Functions = {}
        keep: set[StepShape] = set()
        tables = state = macs = weights = 0
        sizes, first, last = [aligned(pieces[0].source.bytes)], [0], [0]
        rooms: list[int] = []
        source = 0  # number of the tensor whose bytes a segment reads
        targets = [piece.source for piece in pieces[1:]]
        targets.append(pieces[-1].output)
        for piece, target in zip(pieces, targets, strict=True):
            joined = piece.joined.get(target) or piece.join(target)
            if joined is None:
                return None
            size_bytes, over, own_cycles, own_functions, own_keep = joined
            cycles += own_cycles
            functions.update(own_functions)
            if own_keep:
                keep |= own_keep
            tables += piece.tables
            state += piece.state
            macs += piece.macs
            weights += piece.weights
            time = len(rooms)
            last[source] = time + piece.source_last
            rooms += piece.rooms
            start = len(sizes)
            for size, begin, end in piece.inner:
                sizes.append(size)
                first.append(time + begin)
                last.append(time + end)
            if over is None:
                source = len(sizes)
                sizes.append(size_bytes)
                first.append(len(rooms))
                last.append(len(rooms))
            elif over != _SOURCE:
                source = start + over
        call = segments[0], len(rooms)
        if call not in self._calls:
            self._calls[call] = self._law.quick(infer_shape(segments[0].graph, len(rooms)))
        call_cycles, call_code = self._calls[call]
        cycles.append(call_cycles)
        code = [call_code, *functions.values()]
        if self._mode == "streaming":
            pool = segments[-1].pooled > 1
            code.append(self._law.kept_code_bytes(len(keep), pool=pool))
            state += COUNT_BYTES
        return FastCost(
            fsum(cycles),
            tables,
            fsum(code),
            highest_end(sizes, first, last, rooms),
            state,
            macs,
            weights,
        )

    def _made(self, segment: Segment) -> _Piece | None:
        if len(self._pieces) > _MEMO_ENTRIES:
            self._pieces.clear()
        try:
            piece = _Piece(segment, self._law, self._mode)
        except GraphError:  # the whole graph says why
            return None
        self._pieces[segment] = piece
        return piece
