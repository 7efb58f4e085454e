"""The program of a streaming network: the steps over one block, and what they keep between blocks.

The steps are those of the window's program over one block's rows (`hwmodels.streaming.over`).
Where those fill padding in front of a tensor, these put what they kept of the block before there,
and keep the end of the tensor for the next: the scratch buffer holds nothing between blocks. The
pool keeps sums (or maxima) of the other blocks that it is over, and adds those of
the new one. The state is a
count of blocks, then what each step keeps, in their order.
"""

from __future__ import annotations

from typing import NamedTuple

from hwmodels.generated_c.program import program
from hwmodels.generated_c.steps import Program, Step
from hwmodels.graph import Graph
from hwmodels.streaming import over, parts
from ppgnas.errors import GraphError

COUNT_BYTES = 4
_MOST_POSITIONS = 255  # of a block that is pooled: their sum fits 16 bits
_WORD = 4


class Kept(NamedTuple):
    """What one step keeps between blocks.

    Attributes:
        offset: byte of the state, behind the count of blocks.
        bytes: of history, or of what was pooled.
        apart: those of them that move two by two: rows that change their place in a pair.
    """

    offset: int
    bytes: int
    apart: int

    @property
    def end(self) -> int:
        """Where the next one lies."""
        return self.offset + -(-self.bytes // _WORD) * _WORD


class StreamProgram(NamedTuple):
    """Steps over one block and their state.

    Attributes:
        kept: by position of the step, in their order; steps that keep nothing are not there.
        pool: position of the step that pools.
        pooled: blocks that it pools over.
        state_bytes: all of the state, the count included.
    """

    graph: Graph
    program: Program
    kept: dict[int, Kept]
    pool: int
    pooled: int
    state_bytes: int


def stream_program(graph: Graph) -> StreamProgram:
    """The streaming program of a graph.

    Raises:
        GraphError: it cannot stream; says which layer and why.
    """
    block = over(graph, 1)
    part = parts(graph)
    plan = program(block)
    kept: dict[int, Kept] = {}
    end, pool = 0, 0
    for index, step in enumerate(plan.steps):
        pools = step.layers[0].name == part.pool.name
        pool = index if pools else pool
        if keeps := kept_by(plan, step, end, pooled=part.pooled if pools else 0):
            kept[index] = keeps
            end = keeps.end
    return StreamProgram(block, plan, kept, pool, part.pooled, COUNT_BYTES + end)


def kept_by(plan: Program, step: Step, offset: int = 0, *, pooled: int = 0) -> Kept | None:
    """What a step keeps between blocks; None where that is nothing.

    Args:
        plan, step: a step of a program.
        offset: where the state begins that it keeps.
        pooled: blocks that it pools over; 0 where it does not pool.

    Raises:
        GraphError: it has no C that keeps it.
    """
    size = _kept_bytes(plan, step, pooled=pooled)
    return Kept(offset, size, 0 if pooled else _bytes_apart(plan, step)) if size else None


def _kept_bytes(plan: Program, step: Step, *, pooled: int) -> int:
    layer, source = step.layers[0], plan.storages[step.source]
    if layer.op == "pad" or (pooled and (step.kind != "pool" or source.steps > _MOST_POSITIONS)):
        raise GraphError(
            f"streaming: layer {layer.name!r} has no C that keeps a past: widths must be "
            f"multiples of 4 and a block at most {_MOST_POSITIONS} positions; run this network "
            "with mode window"
        )
    if pooled:
        return (pooled - 1) * source.channels * (2 if layer.op == "avg_pool" else 1)
    return step.lead * source.channels


def _bytes_apart(plan: Program, step: Step) -> int:
    source = plan.storages[step.source]
    if not source.paired:
        return 0
    rows, row_bytes = step.lead // source.fold, source.fold * source.channels
    return row_bytes * (rows if source.steps // source.fold % 2 else rows % 2)
