"""The pipeline model against what was measured on the chip, one rule at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.emulation.emulate import Emulator
from deploy.emulation.image import read_image
from deploy.emulation.instructions import Decoder
from deploy.emulation.pipeline import MISPREDICT_CYCLES, block_cycles

Make = Callable[..., Emulator]
Build = Callable[..., Path]

# name: (instructions, cycles of one repetition); rules [J] and [L] of deploy.emulation.pipeline.
SNIPPETS: dict[str, tuple[str, float]] = {
    "two_adds_a_cycle": ("add r1, r4, r5\nadd r2, r6, r7", 1),
    "a_chain_of_eors": ("eor r1, r1, r4", 1),
    "an_early_add_feeds_the_late_alu": ("add r1, r4, r5\neor r2, r1, r6", 1),
    "movw_and_movt_share_a_cycle": ("movw r1, #1\nmovt r1, #2", 1),
    "macs_chain_on_the_accumulator": ("smlad r1, r4, r5, r1", 1),
    "one_multiplier": ("mul r1, r4, r5\nsmlad r2, r4, r5, r6", 2),
    "a_product_takes_two_cycles": ("mul r1, r1, r4", 2),
    "a_mac_beside_an_add": ("smlad r1, r4, r5, r1\nadd r2, r6, r7", 1),
    "no_store_beside_a_product": ("mul r1, r4, r5\nstr r6, [r7]", 2),
    "a_store_beside_a_load": ("ldr r1, [r4]\nstr r6, [r7]", 1),
    "a_loaded_word_is_stored_at_once": ("ldr r1, [r4]\nstr r1, [r7]", 1),
    "one_store_a_cycle": ("str r1, [r4]\nstr r2, [r5]", 2),
    "loads_of_even_and_odd_words": ("ldr r1, [r4]\nldr r2, [r4, #4]", 1),
    "loads_of_the_same_bank": ("ldr r1, [r4]\nldr r2, [r4, #8]", 1.5),
    "a_chain_of_pointers": ("ldr r1, [r1]", 2),
    "a_word_to_the_late_alu": ("ldr r1, [r4, r2]\neor r2, r1, r5", 3),
    "a_byte_to_the_late_alu": ("ldrb r1, [r4, r2]\neor r2, r1, r5", 4),
    "a_shifted_operand_is_needed_early": ("add r1, r4, r1, lsl #2", 2),
    "one_shifted_operand_a_cycle": ("add r1, r4, r5, lsl #2\nadd r2, r6, r7, lsl #3", 2),
    "one_packed_operation_a_cycle": ("sxtb16 r1, r4\nsxtb16 r2, r5", 2),
    "a_packed_operation_is_the_older": ("sxtb16 r1, r4\nadd r2, r5, r6", 1),
    "eight_registers_in_four_cycles": ("ldm r0, {r1, r2, r3, r4, r5, r6, r7, r8}", 4),
    "two_words_in_one_cycle": ("ldrd r1, r2, [r4]\nadd r3, r5, r6", 2),
    "a_division_blocks": ("udiv r1, r4, r5", 7),
    "float_adds_wait_for_each_other": ("vadd.f32 s0, s0, s1", 3),
    "one_float_operation_a_cycle": ("vadd.f32 s0, s2, s1\nvmul.f32 s3, s4, s5", 2),
    "fused_accumulators_chain_in_three": ("vfma.f32 s0, s1, s2", 3),
}


@pytest.fixture(scope="module")
def snippets(build: Build) -> Callable[[str, int], float]:
    text = ".syntax unified\n.thumb\n.fpu fpv5-sp-d16\n"
    for name, (body, _) in SNIPPETS.items():
        for copies in (4, 14):
            text += (
                f'.section .text.{name}_{copies},"ax",%progbits\n.balign 8\n'
                f".global {name}_{copies}\n.type {name}_{copies},%function\n.thumb_func\n"
                f"{name}_{copies}:\n" + f"{body}\n" * copies + f".size {name}_{copies}, . - "
                f"{name}_{copies}\n"
            )
    keep = [f"{name}_{copies}" for name in SNIPPETS for copies in (4, 14)]
    image = read_image(build({"snippets.s": text}, keep))
    decoder = Decoder()

    def cycles(name: str, copies: int) -> float:
        symbol = image.symbol(f"{name}_{copies}")
        code = image.segments[0].content[symbol.address :][: symbol.size_bytes]
        return block_cycles(decoder.decode(code, symbol.address))

    return cycles


@pytest.mark.parametrize("name", sorted(SNIPPETS))
def test_a_rule(snippets: Callable[[str, int], float], name: str) -> None:
    # As on the chip: the difference between 14 and 4 copies, so that the ends do not matter.
    assert (snippets(name, 14) - snippets(name, 4)) / 10 == SNIPPETS[name][1]


BRANCHES = """
.syntax unified
.thumb
.section .text.loop,"ax",%progbits
.global loop
.type loop,%function
.thumb_func
.balign 8
loop:
1: subs r0, r0, #1
bne 1b
bx lr
.size loop, . - loop
.section .text.odd,"ax",%progbits
.global odd
.type odd,%function
.thumb_func
.balign 8
odd:
1: tst r0, #1
beq 2f
add r1, r1, #1
2: subs r0, r0, #1
bne 1b
bx lr
.size odd, . - odd
"""


def test_branches(emulator: Make) -> None:
    machine = emulator({"branches.s": BRANCHES}, ["loop", "odd"])
    loops = [machine.call("loop", arguments=[count]) for count in (100, 200)]
    # A taken branch shares its cycle with the subtraction; the end of the loop is missed once.
    assert loops[1].cycles - loops[0].cycles == 100
    assert [found.mispredicted for found in loops] == [1, 1]
    # A branch that goes both ways equally often is missed half of the time.
    found = machine.call("odd", arguments=[100])
    assert found.mispredicted == 50 + 1
    assert found.cycles >= 51 * MISPREDICT_CYCLES


KERNEL = r"""
#include <stdint.h>
#include <string.h>
#include <arm_acle.h>
int8_t x[4096], w[4096], y[4096];
static inline int32_t word(const int8_t *p) { int32_t v; memcpy(&v, p, 4); return v; }
static inline int32_t turned(int32_t v)
{
    return (int32_t)(((uint32_t)v >> 8) | ((uint32_t)v << 24));
}
void pointwise(int32_t rows, int32_t k, int32_t outputs);
void pointwise(int32_t rows, int32_t k, int32_t outputs)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j + 1 < outputs; j += 2) {
            const int8_t *a = x + i * k, *c = w + j * k, *d = c + k;
            int32_t s = 0, t = 0;
            for (int32_t q = k / 4; q > 0; q--, a += 4, c += 4, d += 4) {
                const int32_t av = word(a), cv = word(c), dv = word(d);
                const int32_t a0 = __sxtb16(av), a1 = __sxtb16(turned(av));
                s = __smlad(a0, __sxtb16(cv), s);
                t = __smlad(a0, __sxtb16(dv), t);
                s = __smlad(a1, __sxtb16(turned(cv)), s);
                t = __smlad(a1, __sxtb16(turned(dv)), t);
            }
            s = (int32_t)(((int64_t)s * 1234567891) >> 40);
            t = (int32_t)(((int64_t)t * 1234567891) >> 40);
            y[i * outputs + j] = (int8_t)(s > 127 ? 127 : s < -128 ? -128 : s);
            y[i * outputs + j + 1] = (int8_t)(t > 127 ? 127 : t < -128 ? -128 : t);
        }
    }
}
"""


@pytest.mark.parametrize("optimise", ["-O2", "-O3"])
def test_an_int8_kernel_is_within_the_bounds_of_the_core(emulator: Make, optimise: str) -> None:
    machine = emulator({"kernel.c": KERNEL}, ["pointwise"], optimise)
    found = machine.call("pointwise", arguments=[64, 32, 32])
    macs = 64 * 32 * 32
    assert found.by_class["mac"] >= macs // 2  # SMLAD holds two
    # Two instructions a cycle at most; the chip with caches takes 0.82 to 0.91 (published).
    assert 0.5 < found.cycles / found.instructions < 0.91
    assert found.cycles > macs / 2
