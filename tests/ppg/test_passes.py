"""Streams: normalised by block, begun anew after a gap, read where windows end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.augment.bank import TrainingBank
from ppg.frontend import normalise_acc, normalise_ppg
from ppg.passes import by_block
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.task import TASK, Task

INPUTS = InputSpec(32, acceleration=True)
BLOCK = 64


@pytest.fixture(scope="module")
def person() -> Recording:
    return synthesize(people=1, minutes=1, seed=3)[0]


@pytest.mark.parametrize("task", [TASK, Task(6, 2), Task(16, 2), Task(4, 4)])
def test_a_block_is_normalised_as_the_newest_of_its_window(task: Task) -> None:
    block = 16 * task.stride_s
    values = np.random.default_rng(0).standard_normal((2, 6 * block, 3)).astype(np.float32)
    values *= np.repeat([1, 9, 1, 0.1, 1, 3], block)[:, None].astype(np.float32)
    for normalise in (normalise_ppg, normalise_acc):
        found = by_block(values, task, 16, normalise)
        assert found.shape[:2] == values.shape[:2]
        for end in range(1, 7):
            seen = slice(max(0, end - task.blocks) * block, end * block)
            newest = slice((end - 1) * block, end * block)
            expected = normalise(values[:, seen])[:, -block:]
            np.testing.assert_allclose(found[:, newest], expected, atol=1e-6)
    assert by_block(values[:, : 2 * block], task, 16, normalise_ppg).shape == (2, 2 * block)


def test_the_newest_block_of_a_window_is_the_same_in_both_modes(person: Recording) -> None:
    windows = windows_of([person], INPUTS)
    streamed = windows_of([person], INPUTS, mode="streaming")
    assert windows.passes is None and streamed.passes is not None
    np.testing.assert_array_equal(windows.start_s, streamed.start_s)
    np.testing.assert_allclose(streamed.x[..., -BLOCK:], windows.x[..., -BLOCK:], atol=2e-5)
    assert np.abs(streamed.x - windows.x).max() > 0.1  # older blocks keep what they were


def test_windows_are_read_where_they_lie_in_their_pass(person: Recording) -> None:
    windows = windows_of([person], INPUTS, mode="streaming")
    assert windows.passes is not None

    def last_window(x: np.ndarray) -> np.ndarray:
        ends = range(4 * BLOCK, x.shape[1] + 1, BLOCK)
        return np.stack([x[:, end - 4 * BLOCK : end] for end in ends])

    np.testing.assert_array_equal(windows.passes.read(last_window), windows.x)


def test_a_pass_begins_at_the_start_and_after_a_gap(person: Recording) -> None:
    gap = replace(person, gaps=((20.0, 25.0),))
    windows = windows_of([gap], INPUTS, mode="streaming")
    assert windows.passes is not None
    phase = person.window_start_s[0] % 2
    begin_s = np.where(windows.start_s < 20, phase, 25 + (phase - 25) % 2)
    np.testing.assert_allclose(windows.start_s, begin_s + 2 * windows.passes.reading, atol=1e-6)
    assert len(windows.passes.x) == 2 and not windows.passes.of[windows.start_s < 20].any()


def test_windows_between_the_others_are_read_in_a_pass_of_their_own(person: Recording) -> None:
    at_s = np.array([1.0, 1.5, 3.0, 9.5, 11.0])
    other = replace(
        person, window_start_s=at_s, hr_bpm=np.full(5, 80.0), valid=np.ones(5, bool),
        activity=np.zeros(5, np.int64),
    )  # fmt: skip
    passes = windows_of([other], INPUTS, mode="streaming").passes
    assert passes is not None
    assert passes.of.tolist() == [0, 1, 0, 1, 0] and passes.reading.tolist() == [0, 0, 1, 4, 5]


def test_a_training_window_comes_with_the_past_that_was_measured(person: Recording) -> None:
    """Before the start it is what comes after, read backwards; a teacher sees the window alone."""
    bank = TrainingBank([person], acceleration=True)
    pick, one, zero = np.array([0, len(bank) - 1]), np.ones(2), np.zeros(2)
    position, _, _ = bank._streams.place(pick, one, zero, rate_hz=32, past_s=12)
    window, _, _ = bank._streams.place(pick, one, zero, rate_hz=32)
    np.testing.assert_array_equal(position[:, 12 * 32 :], window)
    assert position.min() >= 0
    np.testing.assert_allclose(np.diff(position[1]), 2)
    drawn, _ = bank.drawn(np.random.default_rng(0), 8, rate_hz=32, past_s=4)
    assert drawn.stretches.shape == (8, 4, 12 * 32) and drawn.windows.shape == (8, 4, 8 * 32)
    np.testing.assert_allclose(
        drawn.stretches[..., -BLOCK:], drawn.windows[..., -BLOCK:], atol=1e-5
    )
