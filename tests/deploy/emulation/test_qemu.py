"""Two emulators agree on outputs and on the number of instructions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.emulation.emulate import Emulator
from deploy.emulation.image import read_image
from ppgnas.errors import DependencyError, ToolError
from tests.deploy.emulation.qemu import find_qemu, qemu_call

Build = Callable[..., Path]

SOURCE = """
#include <stdint.h>
int16_t a[512], b[512];
int32_t sums[64];
int32_t state = 5;
int32_t dots(int32_t rows);
int32_t dots(int32_t rows)
{
    int32_t total = state;
    for (int32_t row = 0; row < rows; row++) {
        int32_t sum = row;
        for (int32_t i = 0; i < 256; i++) { sum += a[i + row] * b[i]; }
        __asm__("ssat %0, #8, %1" : "=r"(sums[row]) : "r"(sum >> 6));
        total += sums[row] > 0 ? sums[row] : 2;
    }
    return total;
}
int32_t once(void);
int32_t once(void) { return state; }
"""


@pytest.mark.parametrize("optimise", ["-O2", "-Os"])
def test_outputs_and_instructions_agree(qemu: str, build: Build, optimise: str) -> None:
    image = read_image(build({"dots.c": SOURCE}, ["dots", "once"], optimise))
    rng = np.random.default_rng(3)
    given = {name: rng.integers(-300, 300, 512).astype(np.int16).tobytes() for name in ("a", "b")}
    for rows in (1, 50):
        ours = Emulator(image).call("dots", given, arguments=[rows], outputs={"sums": 256})
        theirs = qemu_call(image, "dots", given, arguments=[rows], outputs={"sums": 256})
        assert ours.outputs["sums"] == theirs.outputs["sums"]
        assert ours.result == theirs.result
        assert abs(ours.instructions - theirs.instructions) <= 2
    assert qemu_call(image, "once").instructions == Emulator(image).call("once").instructions


def test_wrong_calls(qemu: str, build: Build) -> None:
    image = read_image(build({"dots.c": SOURCE}, ["once"]))
    with pytest.raises(ToolError, match="5 arguments; allowed are up to four"):
        qemu_call(image, "once", arguments=[1, 2, 3, 4, 5])
    with pytest.raises(ToolError, match="no symbol 'dots'"):
        qemu_call(image, "dots")


def test_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match="no qemu-system-arm is on the PATH"):
        find_qemu()
