"""Depthwise convolutions in assembly against the C that stands for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.c import depthwise, taps
from deploy.c.source import text_of
from deploy.emulation.emulate import Emulator
from deploy.emulation.toolchain import find_compiler
from hwmodels.generated_c.taps import Taps

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")

KERNELS = [
    Taps(length, stride, rows, pair)
    for length, stride, rows, pair in (
        (1, 1, 4, 8), (2, 1, 4, 8), (3, 1, 2, 8), (5, 1, 1, 8), (6, 1, 4, 8), (4, 2, 4, 8),
        (7, 2, 4, 8), (3, 2, 2, 8), (3, 3, 2, 8), (7, 1, 4, 1200), (3, 2, 4, 2064),
    )
]  # fmt: skip
"""Even and odd lengths and rows; the last two read beyond the reach of a load, the
last one so far that no instruction holds the way back."""
CHANNELS = 4
BYTES = 2064 * 4 + 1200 * 2


def test_which_are_possible() -> None:
    assert all(kernel.possible for kernel in KERNELS)
    assert not Taps(3, 3, 4, 64).possible and not Taps(3, 4, 4, 64).possible  # registers
    assert not Taps(3, 1, 4, 4096).possible  # reach


def test_equal_to_the_c_and_as_long_as_said(tmp_path: Path) -> None:
    source = ["#include <arm_acle.h>", "#include <stddef.h>", "#include <stdint.h>",
              text_of("arithmetic.c"), text_of("pointwise.c"), f"int8_t from[{BYTES}];",
              "uint32_t weights[64], mine[16], theirs[16];", "int32_t requant[8];"]  # fmt: skip
    for index, kernel in enumerate(KERNELS):
        plain = depthwise.name_of(kernel.taps, kernel.stride, kernel.rows)
        if plain not in "".join(source):
            source.append(depthwise.function(kernel.taps, kernel.stride, kernel.rows))
        source.append(taps.function(kernel, plain))
        source.append(
            f"void run{index}(void);\nvoid run{index}(void)\n{{\n"
            "    const ending end = {-5, -128, 127, 0};\n"
            f"    {taps.name_of(kernel)}(from, weights, requant, mine, requant + 8, -5);\n"
            f"    {plain}(from, {kernel.row_pair}, weights, requant, {CHANNELS}, end,\n"
            "        theirs);\n}\n"
        )
    (tmp_path / "k.c").write_text("\n".join(source))
    runs = [f"run{index}" for index in range(len(KERNELS))]
    elf = find_compiler("zig").build([tmp_path / "k.c"], tmp_path / "k.elf", keep=runs)
    emulator = Emulator(elf)
    draw = np.random.default_rng(0)
    emulator.machine.write("from", draw.integers(-128, 128, BYTES, np.int8).tobytes())
    emulator.machine.write("weights", draw.integers(-128, 128, 256, np.int8).tobytes())
    values = draw.integers(-(2**14), 2**14, (2, 2, 2), np.int32)
    values[:, 1] = draw.integers(2**22, 2**25, (2, 2))
    emulator.machine.write("requant", values.tobytes())
    for run, kernel in zip(runs, KERNELS, strict=True):
        found = emulator.call(run, outputs={"mine": 64, "theirs": 64}).outputs
        assert found["mine"] == found["theirs"] and any(found["mine"]), kernel
        size = emulator.image.symbol(taps.name_of(kernel)).size_bytes
        assert abs(size - kernel.bytes) <= 48, kernel
