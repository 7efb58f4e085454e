"""Order of instructions: what is read off a line, and what may change places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.c import taps
from deploy.c.pointwise import Kernel
from deploy.c.schedule import in_order, ordered, parse
from deploy.emulation.image import read_image
from deploy.emulation.instructions import Decoder, Instruction
from deploy.emulation.pipeline import block_cycles
from deploy.emulation.toolchain import find_compiler
from hwmodels.generated_c.taps import Taps

pytest.importorskip("capstone", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


def lines_of(text: str) -> list[str]:
    """Instructions of a kernel between its pushes and pops."""
    found = re.findall(r'^    "(\w+ .*)\\n"', text, re.MULTILINE)
    skipped = ("push", "pop", "ldrd", "add sp", "bne")
    return [line for line in found if not line.startswith(skipped)]


def assembled(lines: list[str], folder: Path) -> tuple[Instruction, ...]:
    text = [".syntax unified", ".thumb", ".text", ".global f", ".type f,%function",
            ".thumb_func", "f:", *lines, ".size f, . - f"]  # fmt: skip
    (folder / "f.s").write_text("\n".join(text) + "\n")
    elf = find_compiler("zig").build([folder / "f.s"], folder / "f.elf", keep=["f"])
    image = read_image(elf)
    symbol = image.symbol("f")
    code = image.segments[0].content[symbol.address :][: symbol.size_bytes]
    return Decoder().decode(code, symbol.address)


def test_lines_are_read_as_the_decoder_reads_their_code(tmp_path: Path) -> None:
    text = Kernel(12, True, False).text() + taps.function(Taps(8, 1, 4, 2048), "")
    lines = lines_of(text)
    names = [*(f"r{number}" for number in range(13)), "lr"]
    decoded = assembled([*(f"mov.w r0, {name}" for name in names), *lines], tmp_path)
    number = {
        next(iter(move.reads)): next(iter(parse(f"add r0, r0, {name}").reads - {0}), 0)
        for name, move in zip(names, decoded, strict=False)
    }
    number |= {register: 13 for one in decoded for register in one.reads - set(number)}  # sp
    for line, one in zip(lines, decoded[len(names) :], strict=True):
        mine = parse(line)
        assert (mine.name, mine.group) == (one.name, one.group), line
        for what in ("reads", "writes", "accumulators", "stored", "addressing", "shifted"):
            seen = {number[register] for register in getattr(one, what)}
            assert getattr(mine, what) == seen, (line, what)
        for what in ("transfers", "offset", "access_bytes"):
            assert getattr(mine, what) == getattr(one, what), (line, what)


def test_nothing_passes_what_it_needs() -> None:
    # The second product waits; the load and the addition of its address must keep their order.
    lines = ("ldr r1, [r0]", "smlad r2, r1, r1, r2", "add r0, r0, #4", "smlad r3, r4, r4, r3",
             "str r2, [r5]", "ldr r6, [r5]")  # fmt: skip
    found = ordered(lines)
    assert sorted(found) == sorted(lines)
    place = {line: found.index(line) for line in lines}
    assert place[lines[0]] < place[lines[1]] < place[lines[4]] < place[lines[5]]
    assert place[lines[0]] < place[lines[2]]
    assert place[lines[3]] < place[lines[1]]  # it fills the wait


def test_labels_and_jumps_stay() -> None:
    found = list(in_order(["1:", "ldr r1, [r0]", "cmp r1, r2", "bne 1b", "add r3, r3, #1"]))
    assert found == ["1:", "ldr r1, [r0]", "cmp r1, r2", "bne 1b", "add r3, r3, #1"]


def test_an_order_costs_no_more_than_the_given_one() -> None:
    lines = tuple(lines_of(taps.function(Taps(3, 1, 4, 64), "")))
    worse = tuple(sorted(lines, key=lambda line: line.startswith("smlad")))
    for given in (lines, worse):
        before, after = ([parse(one) for one in order] for order in (given, ordered(given)))
        assert block_cycles(after, after) <= block_cycles(before, before)
