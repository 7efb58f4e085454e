"""Counts against hand-counted loops and against single steps."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import pytest

from deploy.emulation.emulate import Emulator
from deploy.emulation.instructions import CLASSES, Decoder, group_of

Make = Callable[..., Emulator]

HEAD = ".syntax unified\n.thumb\n.text\n"


def function(name: str, body: str) -> str:
    """A function in assembly, in a section of its own."""
    lines = "\n".join(f"    {line.strip()}" for line in body.strip().splitlines())
    return (
        f'.section .text.{name},"ax",%progbits\n.global {name}\n.type {name},%function\n'
        f".thumb_func\n{name}:\n{lines}\n.size {name}, . - {name}\n"
    )


LOOPS = HEAD + "".join(
    (
        function("count_down", "1: subs r0, r0, #1\nbne 1b\nbx lr"),
        # Jumps into the middle of a straight run: the blocks overlap.
        function(
            "overlap",
            """
            movs r1, #0
            cbz r0, 2f
            1: adds r1, #1
            adds r1, #1
            2: adds r1, #1
            adds r1, #1
            subs r0, #1
            bgt 1b
            mov r0, r1
            bx lr
            """,
        ),
        # Half of the conditional instructions do nothing; they count all the same.
        function(
            "conditional",
            """
            movs r1, #0
            1: tst r0, #1
            ite ne
            addne r1, #3
            addeq r1, #5
            subs r0, #1
            bne 1b
            mov r0, r1
            bx lr
            """,
        ),
        # A branch inside an IT block ends it early.
        function(
            "early",
            """
            cmp r0, #7
            itt eq
            moveq r0, #1
            bxeq lr
            movs r0, #2
            bx lr
            """,
        ),
        # More than one page of straight code.
        function("long_run", "\n".join(["adds r0, #1"] * 3000) + "\nbx lr"),
        function("deep", "push {r4-r7, lr}\nsub sp, #44\nadd sp, #44\npop {r4-r7, pc}"),
    )
)
NAMES = ("count_down", "overlap", "conditional", "early", "long_run", "deep")


@pytest.fixture(scope="module")
def loops(emulator: Make) -> Emulator:
    return emulator({"loops.s": LOOPS}, NAMES)


@pytest.mark.parametrize("times", [1, 2, 3, 1000])
def test_a_counted_loop(loops: Emulator, times: int) -> None:
    found = loops.call("count_down", arguments=[times])
    assert found.result == 0
    assert found.instructions == 2 * times + 1
    assert found.by_class["alu"] == times
    assert found.by_class["branch"] == times + 1
    assert found.by_function == {"count_down": 2 * times + 1}
    assert set(found.by_class) == set(CLASSES)


def test_overlapping_blocks_are_counted_once_for_each_execution(loops: Emulator) -> None:
    # entered at 1: (2 to enter, 6 for each turn, 2 to leave); entered at 2: 2 adds fewer
    assert loops.call("overlap", arguments=[5]).instructions == 2 + 6 * 5 + 2
    assert loops.call("overlap", arguments=[0]).instructions == 2 + 4 + 2
    again = loops.call("overlap", arguments=[5])
    assert (again.instructions, again.result) == (34, 20)


def test_conditional_instructions_count_whether_they_act_or_not(loops: Emulator) -> None:
    found = loops.call("conditional", arguments=[10])
    assert found.result == 5 * 3 + 5 * 5
    assert found.instructions == 1 + 10 * 6 + 2
    assert found.by_class["other"] == 10


@pytest.mark.parametrize(("argument", "result", "count"), [(7, 1, 4), (8, 2, 6)])
def test_a_return_inside_an_it_block(
    loops: Emulator, argument: int, result: int, count: int
) -> None:
    found = loops.call("early", arguments=[argument])
    assert (found.result, found.instructions) == (result, count)


def test_code_longer_than_a_page(loops: Emulator) -> None:
    found = loops.call("long_run", arguments=[1])
    assert (found.result, found.instructions) == (3001, 3001)


def test_the_stack_is_what_was_written(loops: Emulator) -> None:
    # Five registers are pushed; the 44 bytes below are reserved and never written.
    assert loops.call("deep").stack_bytes == 20


MIXED = """
#include <stdint.h>
#include <string.h>
static volatile int32_t trace[32];
static int32_t choose(int32_t x) __attribute__((noinline));
static int32_t choose(int32_t x)
{
    switch (x % 7) {
    case 0: return x / 3;
    case 1: return x ^ 0x55;
    case 2: return (int32_t)((uint32_t)x << 3);
    case 3: return x > 40 ? -x : x;
    case 4: return (int32_t)(((int64_t)x * 123456789) >> 20);
    default: return (int32_t)(1.5f * (float)x);
    }
}
static int32_t depth(int32_t n) __attribute__((noinline));
static int32_t depth(int32_t n) { return n < 2 ? n : depth(n - 1) + depth(n - 2) + trace[n & 31]; }
int32_t mixed(int32_t n);
int32_t mixed(int32_t n)
{
    char a[40], b[40];
    int32_t total = depth(n % 11);
    memset(a, n, sizeof a);
    for (int32_t i = 0; i < n; i++) {
        trace[i & 31] = choose(i);
        memcpy(b, a, (size_t)(i % 40));
        total += trace[i & 31] + b[0] * (i % 40 > 0);
    }
    return total;
}
"""


def counted(emulator: Emulator, name: str, argument: int) -> tuple[Tally[int], set[int]]:
    """Executions of each address by blocks, and which of them stand under IT."""
    fresh = Emulator(emulator.image)
    decoder = Decoder()
    times: Tally[int] = Tally()
    under_it: set[int] = set()
    for (_, (address, size), _), count in fresh.machine.call(name, argument).edges.items():
        code = fresh.machine.read(address, size)
        left = 0
        for instruction in decoder.decode(code, address):
            times[instruction.address] += count
            if left:
                under_it.add(instruction.address)
                left -= 1
            if instruction.name == "it":
                left = len(instruction.text.split()[0]) - 1  # itte: three
    return times, under_it


def hooked(emulator: Emulator, name: str, argument: int) -> Tally[int]:
    """The same by a hook on every instruction: slow, and independent of blocks."""
    import unicorn

    fresh = Emulator(emulator.image)
    seen: Tally[int] = Tally()

    def on_code(core: Any, address: int, size: int, data: object) -> None:
        seen[address] += 1

    fresh.machine._core.hook_add(unicorn.UC_HOOK_CODE, on_code)
    fresh.machine.call(name, argument)
    return seen


@pytest.mark.parametrize("optimise", ["-O0", "-O2", "-Os"])
def test_counts_equal_those_of_every_instruction(emulator: Make, optimise: str) -> None:
    machine = emulator({"mixed.c": MIXED}, ["mixed"], optimise)
    for argument in (1, 9, 60):
        times, under_it = counted(machine, "mixed", argument)
        seen = hooked(machine, "mixed", argument)
        found = Emulator(machine.image).call("mixed", arguments=[argument])
        assert found.instructions == sum(times.values())
        for address, count in times.items():
            # The hook is silent where the condition does not hold.
            if address in under_it:
                assert seen[address] <= count
            else:
                assert seen[address] == count, hex(address)
        assert set(seen) <= set(times)
        by_function: Tally[str] = Tally()
        for address, count in times.items():
            symbol = machine.image.function_at(address)
            assert symbol is not None
            by_function[symbol.name] += count
        assert found.by_function == dict(by_function)
        assert {"mixed", "depth", "choose"} <= set(by_function)


def test_cycles_add_up_and_repeat(emulator: Make) -> None:
    machine = emulator({"mixed.c": MIXED}, ["mixed"])
    first, second = (Emulator(machine.image).call("mixed", arguments=[50]) for _ in range(2))
    assert first == second
    assert first.cycles == pytest.approx(sum(first.cycles_by_function.values()))
    assert first.instructions / 2 <= first.cycles <= 12 * first.instructions
    assert sum(first.by_class.values()) == first.instructions == sum(first.by_function.values())


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("smlad", "mac"),
        ("smmlar", "mac"),
        ("mla", "mac"),
        ("smlal", "mac"),
        ("smmulr", "multiply"),
        ("mul", "multiply"),
        ("sdiv", "divide"),
        ("sxtb16", "dsp"),
        ("ssat", "dsp"),
        ("uxtab16", "dsp"),
        ("pkhbt", "dsp"),
        ("ldrsb", "load"),
        ("ldrd", "load"),
        ("pop", "load"),
        ("vldr", "load"),
        ("push", "store"),
        ("strh", "store"),
        ("vstr", "store"),
        ("vfma", "float"),
        ("fconsts", "float"),
        ("add", "alu"),
        ("movt", "alu"),
        ("cbz", "branch"),
        ("bl", "branch"),
        ("it", "other"),
        ("dsb", "other"),
    ],
)
def test_classes(name: str, group: str) -> None:
    assert group_of(name) == group
