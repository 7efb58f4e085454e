"""Streaming over invalid samples: flagged readings, a stream begun anew, memory never reset."""

from __future__ import annotations

from ctypes import CDLL, byref, c_uint32, c_uint64, create_string_buffer
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.c.build import model_texts
from deploy.c.reading import reading_texts
from deploy.c.source import generate, header
from deploy.device.blocks import quantised
from deploy.device.normalising import normaliser
from deploy.device.rule import Windows, stream_windows
from deploy.device.settings import FrontEnd
from deploy.emulation.host import HostCompiler
from deploy.integers.streaming import long_pass
from ppgnas.task import TASK, Task
from tests.deploy.c.test_reading import around, network
from tests.deploy.device.c_device import ReadingC, address
from tests.deploy.shared import build_shared

Row = tuple[int, int, int]
"""What a block gave: the status, the raw reading in 1/256 BPM, and its invalid steps."""


class Streamed:
    """A streaming model in C, and the rules that it must equal."""

    def __init__(self, task: Task, folder: Path, host: HostCompiler) -> None:
        _, self.net = network(acceleration=False, rate_hz=16, task=task)
        self.end = FrontEnd(Fraction(64), None, 16, mode="streaming", task=task)
        self.reading = around(self.net, self.end, "hmm")
        made = generate(self.net, mode="streaming")
        source, head = model_texts(self.net, made, self.reading)
        (folder / "model.c").write_text(source, encoding="utf-8")
        (folder / "model.h").write_text(head, encoding="utf-8")
        self.library = CDLL(
            str(build_shared(host, [folder / "model.c"], folder / "m.so", include=[folder]))
        )
        sizes = reading_texts(self.net, made, header(self.net, made), self.reading)
        self.memory = (c_uint64 * (sizes.memory_bytes // 8))()
        self.bytes = sizes.stream_bytes, sizes.state_bytes[1]

    def blocks(self, count: int) -> NDArray[np.int16]:
        """Words of blocks in a row."""
        rng = np.random.default_rng(4)
        seconds = count * self.end.task.stride_s + 1
        t = np.arange(64 * seconds) / 64
        pulse = 4000 * np.sin(2 * np.pi * 1.4 * t) + rng.normal(0, 200, len(t))
        ppg = np.asarray(90_000 + pulse, np.int32)[:, None]
        return np.ascontiguousarray(stream_windows(self.end, ppg).words()[:count])

    def run(self, words: NDArray[np.int16], *, byte: int | None = None) -> list[Row]:
        """One block after the other; without a reset in memory full of a `byte`."""
        stream, smoother = (create_string_buffer(bytes([byte or 0]) * n, n) for n in self.bytes)
        if byte is None:
            self.library.ppg_stream_reset(stream)
            self.library.ppg_smoother_reset(smoother)
        found = []
        for block in words:
            raw, smoothed = ReadingC(), ReadingC()
            state = stream, self.memory, smoother, byref(raw), byref(smoothed)
            status = self.library.ppg_predict(address(block), c_uint32(1), *state)
            assert smoothed.invalid_steps == raw.invalid_steps
            found.append((status, raw.bpm_q8, raw.invalid_steps))
        return found

    def rule(self, words: NDArray[np.int16]) -> list[Row]:
        """The same of blocks without invalid steps."""
        blocks = Windows(words[:, :-1].reshape(len(words), -1, 1))
        scale, zero_point = self.net.activations[self.net.graph.input]
        by = normaliser(self.end, scale=scale, zero_point=zero_point)
        x = quantised(blocks, by, ppg_channels=1)
        logits = long_pass(self.net, x.reshape(-1, 1))
        raw, _ = self.reading.decoder.read(logits, np.ones(len(logits), np.int64))
        none = [(0, 0, 0)] * (len(words) - len(logits))
        return none + [(1, int(bpm), 0) for bpm in raw.bpm_q8]


@pytest.fixture(scope="module", params=[TASK, Task(4, 1, 40, 199), Task(6, 2)], ids=str)
def streamed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, host: HostCompiler
) -> Streamed:
    """A model of one task."""
    return Streamed(request.param, tmp_path_factory.mktemp("streamed"), host)


def test_after_invalid_samples_a_stream_begins_anew(streamed: Streamed) -> None:
    """Flagged readings in between; and none of the blocks before says anything to those after."""
    count = streamed.end.task.blocks
    words = streamed.blocks(5 * count + 4)
    for bad in ([2 * count], [2 * count, 2 * count + 1], [0], [2 * count, 2 * count + 2]):
        holed = words.copy()
        holed[bad, :-1], holed[bad, -1] = 0, 5
        found = streamed.run(holed)
        assert [status for status, _, _ in found] == [0] * (count - 1) + [1] * (4 * count + 5)
        first, last = bad[0], bad[-1] + 1
        if first >= count:
            assert found[:first] == streamed.rule(words[:first])
        for index in range(max(first, count - 1), last + count - 1):
            held = [number for number in bad if index - count < number <= index]
            assert found[index][2] == 5 * len(held) > 0
        assert found[last + count - 1 :] == streamed.rule(words[last:])[count - 1 :]


def test_samples_here_and_there_break_no_stream(streamed: Streamed) -> None:
    """Less than 1/4 s of a block is flagged, and the stream goes on; not so after a broken one."""
    count, few = streamed.end.task.blocks, streamed.end.broken_steps - 1
    words = streamed.blocks(4 * count)
    holed = words.copy()
    holed[:: count + 1, -1] = few
    found, rule = streamed.run(holed), streamed.rule(words)
    assert [row[:2] for row in found] == [row[:2] for row in rule]
    assert {row[2] for row in found[count - 1 :]} == {0, few}
    holed[count + 1 : count + 3, -1] = few + 1, 1
    last = count + 3
    assert streamed.run(holed)[-1] == (*streamed.rule(words[last:])[-1][:2], found[-1][2])


def test_memory_that_was_never_reset_begins_anew(streamed: Streamed) -> None:
    words = streamed.blocks(5 * streamed.end.task.blocks)
    rule = streamed.rule(words)
    for byte in (None, 0x00, 0xFF, 0xA5, 0x5A, 0x01):
        assert streamed.run(words, byte=byte) == rule
