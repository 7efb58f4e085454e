"""Orders straight lines of assembly so that few cycles are lost waiting.

List scheduling on `deploy.emulation.pipeline`: of the instructions whose operands are there, the
one goes next that issues first; between equals, the one with the longest way behind it. Registers
stay as they are, so results are equal whatever the order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from deploy.emulation.instructions import (
    SHIFTED_LAST,
    Instruction,
    accumulators,
    group_of,
    sources,
)
from deploy.emulation.pipeline import State, block_cycles, issue, latency

_TRIES = 4
_NOISE = 4.0  # cycles by which a try may think a way longer
_CANDIDATES = 6
_NAMES = {"sp": 13, "lr": 14}
_REGISTER = re.compile(r"\b(?:r\d+|sp|lr)\b")


def parse(line: str) -> Instruction:
    """One line in unified syntax, of the kinds that this package writes.

    Loads and stores of one register without write-back, products, packed operations, `add`,
    `sub`, shifts, and `cmp`, which alone sets the flags.
    """
    name, _, rest = line.partition(" ")
    before, _, place = rest.partition("[")
    registers = [_number(found) for found in _REGISTER.findall(before)]
    address = [_number(found) for found in _REGISTER.findall(place)]
    group = group_of(name)
    shifted: set[int] = set()
    stored: set[int] = set()
    if group == "load":
        reads, writes = set(address), set(registers)
    elif group == "store":
        reads, writes, stored = {*address, *registers}, set(), set(registers)
    elif name == "cmp":
        reads, writes = set(registers), set()
    else:
        reads, writes = sources(name, registers), {registers[0]}
        if name in SHIFTED_LAST or re.search(r"(asr|lsl|lsr|ror) #", line):
            shifted = {registers[-1]}
    moves = group in ("load", "store")
    distance = re.search(r"#(-?\d+)\]", line)
    return Instruction(
        address=0,
        size_bytes=4,
        name=name,
        group=group,
        reads=frozenset(reads),
        writes=frozenset(writes),
        accumulators=frozenset(accumulators(name, registers)),
        stored=frozenset(stored),
        addressing=frozenset(address),
        shifted=frozenset(shifted),
        transfers=int(moves),
        offset=int(distance[1]) if distance else 0 if len(address) == 1 else None,
        access_bytes={"b": 1, "h": 2}.get(name[-1], 4) if moves else 0,
        sets_flags=name == "cmp",
        inline_shift=bool(shifted),
        text=line,
    )


def _number(register: str) -> int:
    return _NAMES.get(register) or int(register[1:])


@lru_cache(maxsize=4096)
def ordered(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines in the order that takes fewest cycles in a loop, of `_TRIES` and the given one."""
    block = [parse(line) for line in lines]
    after = _after(block)
    ways = _ways(block, after)
    draw = random.Random(0)
    best, order = block_cycles(block, block), list(range(len(block)))
    for attempt in range(_TRIES):
        noise = [draw.random() * _NOISE * (attempt > 0) for _ in block]
        tried = _greedy(block, after, [w + n for w, n in zip(ways, noise, strict=True)])
        found = [block[index] for index in tried]
        cycles = block_cycles(found, found)
        if cycles < best:
            best, order = cycles, tried
    return tuple(lines[index] for index in order)


def _after(block: Sequence[Instruction]) -> list[set[int]]:
    """Of each instruction those that must come after it."""
    after: list[set[int]] = [set() for _ in block]
    for late, second in enumerate(block):
        for early, first in enumerate(block[:late]):
            clash = first.writes & (second.reads | second.writes) or first.reads & second.writes
            # One place under one name; no two names of a kernel's places are one.
            stores = "store" in (first.group, second.group)
            if clash or (stores and first.text.split("[")[1:] == second.text.split("[")[1:]):
                after[early].add(late)
    return after


def _ways(block: Sequence[Instruction], after: Sequence[set[int]]) -> list[float]:
    """Cycles from each instruction to the end of the longest way behind it."""
    ways = [0.0] * len(block)
    for index in reversed(range(len(block))):
        own = max(latency(block[index], paired=False, beside=None), 1)
        ways[index] = max((ways[later] + own for later in after[index]), default=0.0)
    return ways


def _greedy(
    block: Sequence[Instruction], after: Sequence[set[int]], ways: Sequence[float]
) -> list[int]:
    waiting = [0] * len(block)
    for index in (index for those in after for index in those):
        waiting[index] += 1
    ready = [index for index, count in enumerate(waiting) if not count]
    state, order = State(), []
    while ready:
        ready.sort(key=lambda index: -ways[index])
        tried: list[tuple[float, int, State]] = []
        for rank, index in enumerate(ready[:_CANDIDATES]):
            then = state.copy()
            issue(then, block[index])
            tried.append((then.cycle + 0.5 * (then.older is not None) + then.extra, rank, then))
        _, rank, state = min(tried, key=lambda one: one[:2])
        index = ready.pop(rank)
        order.append(index)
        for later in after[index]:
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)
    return order


def in_order(lines: Iterable[str]) -> Iterator[str]:
    """Lines with labels and jumps, what stands between these ordered."""
    straight: list[str] = []
    for line in lines:
        if line.endswith(":") or line.startswith("bne"):
            yield from ordered(tuple(straight))
            straight = []
            yield line
        else:
            straight.append(line)
    yield from ordered(tuple(straight))


def head(name: str) -> tuple[str, ...]:
    """What stands in front of a function at the top level of a file in C."""
    return (f'.pushsection .text.{name},\\"ax\\",%progbits', ".syntax unified", ".thumb",
            ".thumb_func", ".p2align 2", f".global {name}", f".hidden {name}",
            f".type {name}, %function", f"{name}:")  # fmt: skip


def foot(name: str) -> tuple[str, ...]:
    """What stands behind it."""
    return f".size {name}, .-{name}", ".popsection"


def quoted(lines: Iterable[str]) -> str:
    """Lines as string literals of C."""
    return "\n".join(f'    "{line}\\n"' for line in lines)
