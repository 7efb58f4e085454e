"""Operands of the arithmetic that generated C holds, from the manual of the instruction set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deploy.emulation.emulate import Emulator
from deploy.emulation.instructions import Decoder, Instruction
from deploy.emulation.pipeline import block_cycles

Build = Callable[..., Path]

# text: registers that it reads, the accumulators among them, and those that pass the shifter.
OPERANDS: dict[str, tuple[str, str, str]] = {
    "ssat r1, #8, r2": ("2", "", ""),
    "usat r1, #8, r2": ("2", "", ""),
    "ssat r1, #8, r2, asr #3": ("2", "", "2"),
    "ssat16 r1, #8, r2": ("2", "", ""),
    "pkhbt r1, r2, r3": ("23", "", "3"),
    "pkhbt r1, r2, r3, lsl #16": ("23", "", "3"),
    "pkhtb r1, r2, r3, asr #16": ("23", "", "3"),
    "sxtab16 r1, r2, r3": ("23", "", "3"),
    "sxtab r1, r2, r3, ror #8": ("23", "", "3"),
    "sxtah r1, r2, r3": ("23", "", "3"),
    "uxtab r1, r2, r3": ("23", "", "3"),
    "sxtb16 r1, r2, ror #8": ("2", "", "2"),
    "sxtb r1, r2": ("2", "", ""),
    "uxth r1, r2": ("2", "", ""),
    "smlal r1, r2, r3, r4": ("1234", "12", ""),
    "umlal r1, r2, r3, r4": ("1234", "12", ""),
    "smlald r1, r2, r3, r4": ("1234", "12", ""),
    "smull r1, r2, r3, r4": ("34", "", ""),
    "umull r1, r2, r3, r4": ("34", "", ""),
    "smlad r1, r2, r3, r4": ("234", "4", ""),
    "smladx r1, r2, r3, r4": ("234", "4", ""),
    "smlabb r1, r2, r3, r4": ("234", "4", ""),
    "smlabt r1, r2, r3, r4": ("234", "4", ""),
    "smlatb r1, r2, r3, r4": ("234", "4", ""),
    "smuad r1, r2, r3": ("23", "", ""),
    "smulbb r1, r2, r3": ("23", "", ""),
    "smmlar r1, r2, r3, r4": ("234", "4", ""),
    "smmulr r1, r2, r3": ("23", "", ""),
    "mla r1, r2, r3, r4": ("234", "4", ""),
    "mls r1, r2, r3, r4": ("234", "4", ""),
    "mul r1, r2, r3": ("23", "", ""),
    "muls r1, r2, r1": ("12", "", ""),
    "sdiv r1, r2, r3": ("23", "", ""),
    "udiv r1, r2, r3": ("23", "", ""),
    "bfi r1, r2, #3, #4": ("12", "", ""),
    "bfc r1, #3, #4": ("1", "", ""),
    "ubfx r1, r2, #3, #4": ("2", "", ""),
    "sbfx r1, r2, #3, #4": ("2", "", ""),
    "qadd r1, r2, r3": ("23", "", ""),
    "sadd16 r1, r2, r3": ("23", "", ""),
    "usada8 r1, r2, r3, r4": ("234", "", ""),
    "clz r1, r2": ("2", "", ""),
    "rev r1, r2": ("2", "", ""),
    "adds r1, #3": ("1", "", ""),
    "add r1, r2": ("12", "", ""),
    "adds r1, r2, r3": ("23", "", ""),
    "add r1, r2, r3, lsl #2": ("23", "", "3"),
    "lsls r1, r2": ("12", "", ""),
    "lsls r1, r2, #3": ("2", "", ""),
    "orr r1, r2, r3, lsl #16": ("23", "", "3"),
    "mvns r1, r2": ("2", "", ""),
    "movt r1, #3": ("1", "", ""),
    "movw r1, #3": ("", "", ""),
    "cmp r1, r2": ("12", "", ""),
}

# The producer is a product of latency 2 in r2; cycles until the instruction itself issues.
WAITS: dict[str, int] = {
    "ssat r1, #8, r2": 3,
    "usat r1, #8, r2": 3,
    "pkhbt r1, r2, r3": 2,
    "pkhbt r1, r3, r2, lsl #16": 3,
    "pkhtb r1, r3, r2, asr #16": 3,
    "sxtab16 r1, r2, r3": 2,
    "sxtab16 r1, r3, r2": 3,
    "sxtah r1, r3, r2": 3,
    "sxtb16 r1, r2": 2,
    "smlal r2, r3, r4, r5": 1,
    "smlal r3, r2, r4, r5": 1,
    "smlal r3, r4, r2, r5": 2,
    "smlad r1, r4, r5, r2": 1,
    "smlad r1, r4, r2, r5": 2,
    "smmlar r1, r4, r5, r2": 1,
    "bfi r2, r3, #1, #2": 2,
    "orr r1, r3, r2, lsl #16": 3,
    "strb r2, [r7]": 1,
}


@pytest.fixture(scope="module")
def decode(build: Build) -> Callable[[Sequence[str]], tuple[Instruction, ...]]:
    def one(lines: Sequence[str]) -> tuple[Instruction, ...]:
        text = "\n".join([".syntax unified", ".thumb", ".text", ".balign 8", ".global f",
                          ".type f,%function", ".thumb_func", "f:", *lines,
                          ".size f, . - f"])  # fmt: skip
        image = Emulator(build({"f.s": text + "\n"}, ["f"])).image
        symbol = image.symbol("f")
        code = image.segments[0].content[symbol.address :][: symbol.size_bytes]
        return Decoder().decode(code, symbol.address)

    return one


def test_operands_are_those_of_the_manual(
    decode: Callable[[Sequence[str]], tuple[Instruction, ...]],
) -> None:
    # Numbers of registers in the decoder, learnt from a move of each.
    moves = decode([f"mov r0, r{number}" for number in range(1, 8)])
    number = {next(iter(move.reads)): str(index) for index, move in enumerate(moves, start=1)}
    found = {
        text: tuple(
            "".join(sorted(number[register] for register in group))
            for group in (ins.reads, ins.accumulators, ins.shifted)
        )
        for text, ins in zip(OPERANDS, decode([*OPERANDS]), strict=True)
    }
    assert found == OPERANDS


def test_each_waits_for_its_producer(
    decode: Callable[[Sequence[str]], tuple[Instruction, ...]],
) -> None:
    lines = [line for text in WAITS for line in ("mul r2, r6, r7", text)]
    decoded = decode(lines)
    waits = {}
    for index, text in enumerate(WAITS):
        pair = decoded[2 * index : 2 * index + 2]
        waits[text] = block_cycles(pair) - 1  # one more until the next group
    assert waits == WAITS
