"""Blocks of 2 s in streaming: the C equals its rule, the rule follows the float front end."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CDLL, create_string_buffer
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.device.blocks import quantised
from deploy.device.filtering import ACC_FRACTION_BITS, PPG_FRACTION_BITS
from deploy.device.normalising import normaliser
from deploy.device.rule import Windows, normalise, pack, stream_windows
from deploy.device.settings import FrontEnd, exact_hz
from ppg.synthetic.recordings import synthesize
from ppgnas.task import Task
from tests.deploy.device.c_device import FrontEndC, address
from tests.deploy.device.recordings import acc_counts, ppg_counts
from tests.deploy.device.test_front_end_c import SENSORS, signals

Make = Callable[..., FrontEndC]
SCALE, ZERO_POINT = 0.0375, -3
STREAMS = {name: replace(end, mode="streaming") for name, end in SENSORS.items()}
COLOURS = STREAMS["50 Hz, 32 Hz network, three colours"]
OTHERS = {str(task): replace(COLOURS, task=task) for task in (Task(6, 2), Task(16, 1), Task(4, 4))}


def pushed(
    library: CDLL, words: NDArray[np.int16], end: FrontEnd, *, reset: bool = True, byte: int = 0xA5
) -> NDArray[np.int8]:
    """`ppg_quantise` of one block after the other, in memory that held one byte over and over."""
    gain = create_string_buffer(bytes([byte]) * 4096, 4096)
    if reset:
        library.ppg_gain_reset(gain)
    out = np.full((len(words), end.steps, 4 if end.acceleration else 1), 77, np.int8)
    for block, row in zip(np.ascontiguousarray(words), out, strict=True):
        library.ppg_quantise(gain, address(block), address(row))
    return out


@pytest.mark.parametrize("name", STREAMS)
def test_c_equals_the_rule_on_every_kind_of_signal(front_end: Make, name: str) -> None:
    end = STREAMS[name]
    device = front_end(end)
    by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    for seed, kind in enumerate(("walk", "ends", "noise", "step", "constant")):
        ppg, acc = signals(end, 15.0, seed=seed, kind=kind)
        device.reset()
        ours = np.array(device.windows(ppg, acc))
        rule = stream_windows(end, ppg, acc)
        assert len(ours) >= 6
        np.testing.assert_array_equal(ours, rule.words()[: len(ours)])
        expected = quantised(rule, by, ppg_channels=end.ppg_channels)
        np.testing.assert_array_equal(pushed(device.library, ours, end), expected[: len(ours)])


@pytest.mark.parametrize("name", ["50 Hz, 32 Hz network, three colours", "PPG alone", *OTHERS])
def test_any_blocks_of_any_exponents(front_end: Make, name: str) -> None:
    """Quiet after loud and loud after quiet, flat channels, channels that cancel each other."""
    end, rng = (STREAMS | OTHERS)[name], np.random.default_rng(5)
    count = 6 if name in STREAMS else end.task.blocks + 2
    device = front_end(end)
    by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    for kind in range(40):
        shape = (count, end.steps, end.channels)
        size = 2 ** rng.integers(0, 30, (count, 1, end.channels))
        x = rng.integers(-(2**30), 2**30, shape) // size
        if kind % 4 == 1:
            x = np.where(rng.random((count, 1, end.channels)) < 0.5, rng.integers(-9, 9), x)
        if kind % 4 == 2:
            x[..., 1 % end.channels] = -x[..., 0]
        if kind % 4 == 3:
            x = np.tile(x[:1, :1], (count, end.steps, 1)) + rng.integers(-1, 2, shape)
        words = rng.integers(-32768, 32768, shape) if kind % 5 == 4 else pack(x)
        blocks = Windows(words.astype(np.int16))
        expected = quantised(blocks, by, ppg_channels=end.ppg_channels)
        np.testing.assert_array_equal(pushed(device.library, blocks.words(), end), expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_block_is_the_newest_of_its_window(channels: int) -> None:
    """As `ppg.passes` normalises; the rule of windows is held to the float one elsewhere."""
    recording = synthesize(people=1, minutes=1, seed=11)[0]
    hz = exact_hz(recording.ppg_hz), exact_hz(float(recording.acc_hz or 0))
    end = FrontEnd(*hz, 16, channels)
    ppg, acc = ppg_counts(recording)[:, :channels], acc_counts(recording, counts_per_g=4096)
    by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    windows = normalise(stream_windows(end, ppg, acc), by, ppg_channels=channels)
    stream = stream_windows(replace(end, mode="streaming"), ppg, acc)
    blocks = quantised(stream, by, ppg_channels=channels)
    apart = np.abs(windows[:, -32:].astype(int) - blocks[3:])
    assert apart.max() <= 1 and (apart > 0).mean() < 0.01


def test_the_first_blocks_have_the_mean_and_spread_of_what_there_is() -> None:
    from ppg.frontend import normalise_acc, normalise_ppg

    rng = np.random.default_rng(2)
    end = FrontEnd(Fraction(64), Fraction(32), 16, mode="streaming")
    x = np.rint(rng.normal(size=(3, 32, 4)) * 900 + 400).astype(np.int64)
    by = normaliser(end, scale=SCALE, zero_point=0)
    words = pack(x * 2 ** np.array([PPG_FRACTION_BITS] + 3 * [ACC_FRACTION_BITS]))
    found = quantised(Windows(words), by, ppg_channels=1)
    for count in (1, 2, 3):
        so_far = x[:count].reshape(1, -1, 4).astype(np.float32)
        ppg = normalise_ppg(so_far[..., :1])[0, -32:]
        acc = normalise_acc(so_far[..., 1:] / np.float32(4096))[0, -32:]
        expected = np.column_stack([ppg, acc]) / SCALE
        assert np.abs(found[count - 1] - expected).max() < 0.6


def test_a_state_is_a_third_as_long_as_a_windows() -> None:
    end = SENSORS["PPG alone"]
    assert replace(end, mode="streaming").ring_steps < 0.4 * end.ring_steps


def test_invalid_steps_of_the_last_four_blocks(front_end: Make) -> None:
    end = STREAMS["PPG alone"]
    device = front_end(end)
    gain = create_string_buffer(1024)
    device.library.ppg_gain_reset(gain)
    words = np.zeros((6, end.window_words), np.int16)
    words[:, -1] = (1, 2, 4, 8, 16, 32)
    seen = []
    for block in words:
        device.library.ppg_quantise(gain, address(block), create_string_buffer(end.steps))
        seen.append(device.library.ppg_invalid_steps(gain))
    assert seen == [1, 3, 7, 15, 30, 60]


@pytest.mark.parametrize("name", ["PPG alone", *OTHERS])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_blocks_after_invalid_samples_begin_anew(front_end: Make, name: str, share: float) -> None:
    end, rng = (STREAMS | OTHERS)[name], np.random.default_rng(6)
    count = 5 * end.task.blocks
    device, by = front_end(end), normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    x = pack(rng.integers(-(2**20), 2**20, (count, end.steps, end.channels)))
    most = np.where(rng.random(count) < 0.5, end.steps, end.broken_steps)
    invalid = np.where(rng.random(count) < share, rng.integers(1, most), 0)
    invalid[-4:] = [end.steps - 1, 0, 0, 0]
    blocks = Windows(x, invalid)
    expected = quantised(blocks, by, ppg_channels=end.ppg_channels, broken_steps=end.broken_steps)
    np.testing.assert_array_equal(pushed(device.library, blocks.words(), end), expected)
    last = count - 3
    anew = quantised(Windows(x[last:]), by, ppg_channels=end.ppg_channels)
    np.testing.assert_array_equal(expected[last:], anew)


@pytest.mark.parametrize("byte", [0x00, 0xFF, 0xA5, 0x01, 0x5A])
def test_a_gain_that_was_never_reset_begins_anew(front_end: Make, byte: int) -> None:
    end, rng = COLOURS, np.random.default_rng(7)
    device, by = front_end(end), normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    blocks = Windows(pack(rng.integers(-(2**20), 2**20, (11, end.steps, end.channels))))
    found = pushed(device.library, blocks.words(), end, reset=False, byte=byte)
    np.testing.assert_array_equal(found, quantised(blocks, by, ppg_channels=end.ppg_channels))


@pytest.mark.parametrize("chunks", [(1, 63), (17, 47)])
def test_chunks_of_pushes_change_nothing(front_end: Make, chunks: tuple[int, int]) -> None:
    end = replace(STREAMS["50 Hz, 32 Hz network, three colours"], ppg_hz=Fraction(64))
    end = replace(end, acc_hz=Fraction(64))
    ppg, acc = signals(end, 14.5, seed=3, kind="walk")
    assert acc is not None
    device = front_end(end)
    found: list[NDArray[np.int16]] = []
    at = 0
    while at < len(ppg):
        for count in chunks:
            results = [device.push_acc(sample) for sample in acc[at : at + count]]
            results += [device.push_ppg(sample) for sample in ppg[at : at + count]]
            at += count
            if 1 in results:
                found.append(device.window()[1])
    assert len(found) == 7
    np.testing.assert_array_equal(found, stream_windows(end, ppg, acc).words()[:7])
