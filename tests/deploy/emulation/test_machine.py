"""Calls, memory, stack, faults and the DSP instructions against numpy."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deploy.emulation.emulate import Emulator
from deploy.emulation.machine import Machine
from ppgnas.errors import ToolError

Make = Callable[..., Emulator]


SOURCE = r"""
#include <stdint.h>
#include <string.h>
#include <arm_acle.h>

int32_t six(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f);
int32_t six(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

static volatile uint8_t sink;
uint32_t recurse(uint32_t depth) __attribute__((noinline));
uint32_t recurse(uint32_t depth)
{
    volatile uint8_t local[64];
    for (uint32_t i = 0; i < sizeof local; i++) { local[i] = (uint8_t)depth; }
    sink = local[depth & 63u];
    return depth == 0u ? 0u : recurse(depth - 1u) ^ local[1]; /* no loop instead */
}

int32_t given[256], taken[256];
int32_t initial[3] = {1, 2, 3};
int32_t total(void);
int32_t total(void) { return initial[0]++ + initial[1] + initial[2]; }

int32_t unaligned(const unsigned char *from);
int32_t unaligned(const unsigned char *from)
{
    int32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

float scale(float x);
void floats(int32_t n);
void floats(int32_t n)
{
    for (int32_t i = 0; i < n; i++) { taken[i] = (int32_t)((float)given[i] * 0.25f + 1.5f); }
}

/* given: a, b, c by turns */
void dsp(int32_t n);
void dsp(int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t a = given[3 * i], b = given[3 * i + 1], c = given[3 * i + 2];
        int32_t top, saturated;
        __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(a)); /* __ssat of gcc 12 warns */
        __asm__("smmlar %0, %1, %2, %3" : "=r"(top) : "r"(a), "r"(b), "r"(c));
        taken[6 * i] = __smlad(a, b, c);
        taken[6 * i + 1] = __sxtb16(a);
        taken[6 * i + 2] = saturated;
        taken[6 * i + 3] = top;
        taken[6 * i + 4] = __smuad(a, b);
        taken[6 * i + 5] = __qadd(a, b);
    }
}

void wild(int32_t *where);
void wild(int32_t *where) { *where = 1; }
void forever(void);
void forever(void) { for (;;) { sink++; } }
"""
KEEP = ("six", "recurse", "total", "unaligned", "floats", "dsp", "wild", "forever")


@pytest.fixture(scope="module")
def machine(emulator: Make) -> Emulator:
    return emulator({"small.c": SOURCE}, KEEP)


def test_arguments_in_registers_and_on_the_stack(machine: Emulator) -> None:
    assert machine.call("six", arguments=[1, 2, 3, 4, 5, 6]).result == 1 + 4 + 9 + 16 + 25 + 36
    assert machine.call("six", arguments=[-1, 0, 0, 0, 0, 0]).result == 2**32 - 1


def test_stack_grows_by_the_same_with_every_recursion(machine: Emulator) -> None:
    depths = [machine.call("recurse", arguments=[n]).stack_bytes for n in range(1, 6)]
    frames = {later - earlier for earlier, later in pairwise(depths)}
    assert len(frames) == 1
    (frame,) = frames
    assert frame % 8 == 0 and 64 <= frame <= 128
    assert machine.call("recurse", arguments=[300]).stack_bytes == depths[-1] + 295 * frame
    assert machine.call("recurse", arguments=[1]).stack_bytes == depths[0]


def test_data_is_initialised_and_state_stays(machine: Emulator) -> None:
    fresh = Emulator(machine.image)
    assert [fresh.call("total").result for _ in range(3)] == [6, 7, 8]
    assert fresh.machine.read("initial", 4) == (4).to_bytes(4, "little")
    assert Emulator(machine.image).call("total").result == 6


def test_an_unaligned_load(machine: Emulator) -> None:
    address = machine.image.symbol("given").address + 3
    machine.machine.write(address, bytes([1, 2, 3, 4]))
    found = machine.call("unaligned", arguments=[address])
    assert found.result == 0x04030201
    assert found.by_class["load"] == 1


def test_floats_of_the_fpu(machine: Emulator) -> None:
    given = np.arange(-50, 50, dtype=np.int32)
    found = machine.call(
        "floats", {"given": given.tobytes()}, arguments=[100], outputs={"taken": 400}
    )
    expected = (given.astype(np.float32) * np.float32(0.25) + np.float32(1.5)).astype(np.int32)
    assert np.array_equal(np.frombuffer(found.outputs["taken"], np.int32), expected)
    assert found.by_class["float"] >= 3 * 100


def test_dsp_instructions_equal_numpy(machine: Emulator) -> None:
    rng = np.random.default_rng(7)
    count = 40
    given = rng.integers(-(2**31), 2**31, (count, 3), dtype=np.int64).astype(np.int32)
    given[0] = [2**31 - 1, 2**31 - 1, 2**31 - 1]
    given[1] = [-(2**31), -(2**31), -(2**31)]
    given[2] = [-200, 100, 5]
    found = machine.call(
        "dsp",
        {"given": given.tobytes()},
        arguments=[count],
        outputs={"taken": count * 6 * 4},
    )
    taken = np.frombuffer(found.outputs["taken"], np.int32).reshape(count, 6)
    a, b, c = (given[:, i].astype(np.int64) for i in range(3))
    low = [x.astype(np.int16).astype(np.int64) for x in (a, b)]
    high = [x >> 16 for x in (a, b)]
    dual = low[0] * low[1] + high[0] * high[1]
    assert np.array_equal(taken[:, 0], (dual + c).astype(np.int32))
    bytes_ = given[:, 0].view(np.uint32)
    extended = (
        (bytes_ & 0xFF).astype(np.uint8).view(np.int8).astype(np.int16),
        (bytes_ >> 16 & 0xFF).astype(np.uint8).view(np.int8).astype(np.int16),
    )
    packed = extended[0].view(np.uint16).astype(np.uint32) | (
        extended[1].view(np.uint16).astype(np.uint32) << 16
    )
    assert np.array_equal(taken[:, 1].view(np.uint32), packed)
    assert np.array_equal(taken[:, 2], np.clip(a, -128, 127))
    triples = given.tolist()
    top = [((z << 32) + x * y + 0x80000000) >> 32 for x, y, z in triples]
    assert taken[:, 3].tolist() == [(x + 2**31) % 2**32 - 2**31 for x in top]
    assert np.array_equal(taken[:, 4], dual.astype(np.int32))
    assert np.array_equal(taken[:, 5], np.clip(a + b, -(2**31), 2**31 - 1))
    assert found.by_class["mac"] >= 2 * count


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="no /proc")
def test_many_emulations_hold_as_many_addresses_as_one(machine: Emulator) -> None:
    """Without the collector's help: where addresses are limited it comes too late."""

    def addresses() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * resource.getpagesize()

    def emulate() -> None:
        Machine(machine.image).call("recurse", 3)

    gc.disable()
    try:
        emulate()
        before = addresses()
        for _ in range(500):
            emulate()
        assert addresses() - before < 32 << 20
        held = Machine(machine.image)
        assert held.call("total").result == 6
        assert addresses() - before < 512 << 20
    finally:
        gc.enable()


def test_faults_say_where(machine: Emulator) -> None:
    fresh = Emulator(machine.image)
    with pytest.raises(ToolError, match=r"wild: .*at 0x\w+ \(wild \+ \d+\)"):
        fresh.call("wild", arguments=[0x90000000])
    with pytest.raises(ToolError, match=r"forever: not returned after 0.2 s; it was at .*forever"):
        Emulator(machine.image).call("forever", timeout_s=0.2)


def test_wrong_names_and_sizes(machine: Emulator) -> None:
    with pytest.raises(ToolError, match=r"no symbol 'nothing'; it holds .*floats.*keep"):
        machine.call("nothing")
    with pytest.raises(ToolError, match="initial is an object, not a function"):
        machine.call("initial")
    with pytest.raises(ToolError, match="initial holds 12 bytes; 16 were asked for"):
        machine.machine.write("initial", bytes(16))
    with pytest.raises(ToolError, match=r"4 bytes at 0x90000000 .*mapped are flash"):
        machine.machine.read(0x90000000, 4)
