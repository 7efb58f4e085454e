"""From the runs of a call to instructions and cycles, by class and by function.

Cycles of a run depend on the run before it (`pipeline.block_cycles`), so each pair is costed once
and multiplied. A branch that goes several ways is predicted to go its most frequent way: all other
times cost `pipeline.MISPREDICT_CYCLES`. The predictor of the chip learns and forgets; for loops
this gives one miss for each time they end.

Cycles of a run belong to the function that it begins in; those of a shared one to its caller.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.emulation.image import Image
from deploy.emulation.instructions import CLASSES, Decoder, Instruction
from deploy.emulation.machine import OUTSIDE, Block, Edge
from deploy.emulation.pipeline import MISPREDICT_CYCLES, block_cycles
from ppgnas.errors import ToolError

NAMELESS = "(no symbol)"


@dataclass(frozen=True)
class Counts:
    """Totals of one call.

    Attributes:
        instructions: executed, exact.
        by_class: the same by `instructions.CLASSES`; classes that never occur are 0.
        by_function: the same by function, its callees not included.
        cycles: of the pipeline model.
        cycles_by_function: the same by function, its callees not included.
        mispredicted: branches that the model holds to be predicted wrongly; part of the cycles.
    """

    instructions: int
    by_class: Mapping[str, int]
    by_function: Mapping[str, int]
    cycles: float
    cycles_by_function: Mapping[str, float]
    mispredicted: int


class Counter:
    """Counts calls of one image; decoded runs and their cycles are kept between calls.

    Raises:
        DependencyError: capstone is not installed.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._decoder = Decoder()
        self._blocks: dict[Block, tuple[Instruction, ...]] = {OUTSIDE: ()}
        self._cycles: dict[tuple[Block, Block], float] = {}
        self._names: dict[int, str] = {}

    def count(self, edges: Mapping[Edge, int]) -> Counts:
        """Add up one call.

        Args:
            edges: of `machine.CallRecord`.

        Raises:
            ToolError: a run stands outside the image, or is no code of this core.
        """
        by_class = dict.fromkeys(CLASSES, 0)
        by_function: dict[str, int] = defaultdict(int)
        cycles_by_function: dict[str, float] = defaultdict(float)
        ways: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for (before, entered, caller), times in edges.items():
            for instruction in self._block(entered):
                by_class[instruction.group] += times
                by_function[self._name(caller or instruction.address)] += times
            cost = self._edge_cycles(before, entered)
            cycles_by_function[self._name(caller or entered[0])] += cost * times
            last = self._block(before)[-1:]
            if last and last[0].ends_block:
                ways[last[0].address, caller][entered[0]] += times
        mispredicted = 0
        for (address, caller), targets in ways.items():
            missed = sum(targets.values()) - max(targets.values())
            mispredicted += missed
            cycles_by_function[self._name(caller or address)] += missed * MISPREDICT_CYCLES
        return Counts(
            instructions=sum(by_class.values()),
            by_class=by_class,
            by_function=dict(sorted(by_function.items())),
            cycles=sum(cycles_by_function.values()),
            cycles_by_function=dict(sorted(cycles_by_function.items())),
            mispredicted=mispredicted,
        )

    def _block(self, block: Block) -> tuple[Instruction, ...]:
        if block not in self._blocks:
            address, size = block
            for segment in self._image.segments:
                start = address - segment.address
                if 0 <= start and start + size <= len(segment.content):
                    code = segment.content[start : start + size]
                    self._blocks[block] = self._decoder.decode(code, address)
                    break
            else:
                raise ToolError(
                    f"code was executed at {address:#010x}, outside of the image; a call through "
                    "a wrong address"
                )
        return self._blocks[block]

    def _edge_cycles(self, before: Block, entered: Block) -> float:
        edge = (before, entered)
        if edge not in self._cycles:
            self._cycles[edge] = block_cycles(self._block(entered), self._block(before))
        return self._cycles[edge]

    def _name(self, address: int) -> str:
        if address not in self._names:
            found = self._image.function_at(address)
            self._names[address] = found.name if found is not None else NAMELESS
        return self._names[address]
