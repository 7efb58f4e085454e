"""The C against the rule in numpy, on every bit: on this machine, and on an emulated Cortex-M7."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CDLL, c_uint32, create_string_buffer
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.emulation.emulate import Emulator
from deploy.emulation.host import HostCompiler
from deploy.emulation.toolchain import Compiler
from deploy.personal.fit import FEWEST_WINDOWS, fitted
from deploy.personal.head import Head, head_of
from deploy.personal.kinds import KINDS, Kind, change_of
from deploy.personal.memory import effort_of, memory_of
from deploy.personal.source import adapt_texts
from search_spaces.arch import Arch
from tests.deploy.device.c_device import address
from tests.deploy.personal.shared import BOTH, SPACED, random_net, windows_of_wearer
from tests.deploy.shared import build_shared

MODEL_H = """
#include <stdint.h>
#define PPG_OK 0
#define PPG_CLASSES CLASSES
"""
HARNESS = """
#include "ppg_adapt.h"
ppg_adapt_t state;
ppg_adapt_step_t step;
int8_t logits[PPG_CLASSES];
void begin(void) { ppg_adapt_reset(&state); }
int fit(void) { return ppg_adapt_fit(&state, &step); }
void read_at(int index)
{
    ppg_adapt_logits(&state, state.features + index * PPG_ADAPT_FEATURES, logits, &step);
}
uint32_t sizes[2] = {sizeof(ppg_adapt_t), sizeof(ppg_adapt_step_t)};
"""


def written(head: Head, kind: Kind, folder: Path, *, windows: int) -> list[Path]:
    texts = adapt_texts(head, kind, windows=windows)
    for name, text in {
        **texts,
        "model.h": MODEL_H.replace("CLASSES CLASSES", f"CLASSES {head.task.classes}"),
        "harness.c": HARNESS,
    }.items():
        (folder / name).write_text(text)
    return [folder / "ppg_adapt.c", folder / "harness.c"]


def expected(
    head: Head, kind: Kind, features: NDArray[np.int8], labels: NDArray[np.int64]
) -> tuple[bool, NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
    """Whether it is kept, weights and biases, and logits of all windows."""
    own, biases, guard = fitted(head, kind, features, labels)
    if not guard.kept:
        own, biases = head.weights, head.biases
    centred = features.astype(np.int64) - head.feature_zero
    return guard.kept, own, biases, head.logits(centred, own, biases)


Build = Callable[[Arch, Kind], CDLL]


@pytest.fixture(scope="module")
def built(host: HostCompiler, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The C of a head that learns from 30 windows, compiled once."""

    @cache
    def build(arch: Arch, kind: Kind) -> CDLL:
        folder = tmp_path_factory.mktemp("adapt")
        sources = written(head_of(random_net(arch)), kind, folder, windows=30)
        return CDLL(str(build_shared(host, sources, folder / "adapt.so", include=[folder])))

    return build


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learnable", [True, False])
def test_here(arch: Arch, kind: Kind, learnable: bool, built: Build) -> None:
    head, library = head_of(random_net(arch)), built(arch, kind)
    features, labels = windows_of_wearer(head, 30)
    if not learnable:  # what one fifth teaches is wrong for the next
        labels = np.where(np.arange(30) // 6 % 2, 256 * 230 - labels, labels)
    sizes = (c_uint32 * 2).in_dll(library, "sizes")
    state = create_string_buffer(b"\xa5" * sizes[0], sizes[0])
    step = create_string_buffer(sizes[1])
    library.ppg_adapt_reset(state)
    for row, bpm in zip(features, labels, strict=True):
        row = np.ascontiguousarray(row)
        assert library.ppg_adapt_add(state, address(row), int(bpm)) == 0
    assert library.ppg_adapt_add(state, address(row), int(bpm)) == -3
    result = library.ppg_adapt_fit(state, step)
    kept, _, _, logits = expected(head, kind, features, labels)
    assert result == kept
    out = create_string_buffer(head.task.classes)
    for row, exact in zip(features, logits, strict=True):
        library.ppg_adapt_logits(state, address(np.ascontiguousarray(row)), out, step)
        np.testing.assert_array_equal(np.frombuffer(out.raw, np.int8), exact)
    memory = memory_of(head, change_of(kind, head), windows=30)
    assert [*sizes] == [memory.total - memory.step, memory.step]
    library.ppg_adapt_reset(state)
    assert library.ppg_adapt_fit(state, step) == -4
    assert FEWEST_WINDOWS == 20


@pytest.mark.parametrize("kind", KINDS)
def test_memory_that_was_never_reset_has_the_head_of_the_factory(kind: Kind, built: Build) -> None:
    """As that of an erased flash; what is beside it is not read."""
    head, library = head_of(random_net(SPACED)), built(SPACED, kind)
    features, _ = windows_of_wearer(head, 30)
    size, step_size = (c_uint32 * 2).in_dll(library, "sizes")
    step, out = create_string_buffer(step_size), create_string_buffer(head.task.classes)
    centred = features.astype(np.int64) - head.feature_zero
    factory = head.logits(centred, head.weights, head.biases)
    for byte in (b"\x00", b"\xff", b"\xa5"):
        state = create_string_buffer(byte * size, size)
        assert library.ppg_adapt_fit(state, step) == -4
        for row, exact in zip(features, factory, strict=True):
            library.ppg_adapt_logits(state, address(np.ascontiguousarray(row)), out, step)
            np.testing.assert_array_equal(np.frombuffer(out.raw, np.int8), exact)


@pytest.mark.parametrize("kind", ["low-rank", "scale-bias"])
def test_on_an_emulated_cortex_m7(kind: Kind, tmp_path: Path, arm: Compiler) -> None:
    head = head_of(random_net(SPACED))
    count = FEWEST_WINDOWS
    features, labels = windows_of_wearer(head, count)
    sources = written(head, kind, tmp_path, windows=count)
    keep = ("begin", "fit", "read_at", "state", "sizes")
    image = arm.build(sources, tmp_path / "adapt.elf", keep=keep, include=[tmp_path])
    emulator = Emulator(image)
    emulator.call("begin")
    change = change_of(kind, head)
    cells = head.weights.size
    sizes = [4 * sum(change.sizes), 4 * head.outputs, -(-cells // 4) * 4, count * head.features]
    places = np.cumsum([*sizes, 2 * count + 2])
    size = memory_of(head, change, windows=count)
    filled = bytearray(emulator.machine.read("state", size.total - size.step))
    filled[places[2] : places[3]] = features.tobytes()
    filled[places[3] : places[4]] = np.append(labels, count).astype(np.uint16).tobytes()
    seen = emulator.call("fit", {"state": bytes(filled)}, outputs={"state": len(filled)})
    kept, own, biases, logits = expected(head, kind, features, labels)
    assert seen.result == kept
    after = seen.outputs["state"]
    np.testing.assert_array_equal(np.frombuffer(after[places[0] : places[1]], np.int32), biases)
    np.testing.assert_array_equal(
        np.frombuffer(after[places[1] : places[1] + cells], np.int8), own.ravel()
    )
    one = emulator.call("read_at", arguments=[7], outputs={"logits": 180})
    np.testing.assert_array_equal(np.frombuffer(one.outputs["logits"], np.int8), logits[7])
    assert seen.stack_bytes < 512
    foretold = effort_of(head, kind, windows=count)
    assert 0.7 < seen.cycles / foretold.cycles < 1.6
