"""The front end in C equals its rule bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, memmove, sizeof
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deploy.device.c_text import resolve
from deploy.device.front_end_c import front_end_c, state_structure
from deploy.device.normalising import normaliser
from deploy.device.rule import Windows, normalise, stream_windows
from deploy.device.settings import FrontEnd, exact_hz
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import ExportError
from tests.deploy.device.c_device import DUE, NO_WINDOW, OK, OUT_OF_STEP, FrontEndC
from tests.deploy.device.recordings import acc_counts, ppg_counts

Make = Callable[..., FrontEndC]
SCALE, ZERO_POINT = 0.0375, -3  # what the fixture `front_end` takes
SENSORS = {
    "50 Hz, 32 Hz network, three colours": FrontEnd(Fraction(50), Fraction(50), 32, 3),
    "odd clocks, 25 Hz network": FrontEnd(Fraction(125), Fraction(26), 25, 2, 2048),
    "a third of a hertz, 64 Hz network": FrontEnd(Fraction(100, 3), Fraction(104), 64, 1, 16384),
    "PPG alone": FrontEnd(Fraction(125, 4), None, 16, 1),
    "PPG alone over the stream": FrontEnd(Fraction(250), None, 25, 2),
}


def signals(
    end: FrontEnd, seconds: float, *, seed: int, kind: str
) -> tuple[NDArray[np.int32], NDArray[np.int16] | None]:
    """Raw samples of both sensors: a walk, the ends of the range, noise, steps or a constant."""
    rng = np.random.default_rng(seed)

    def make(samples: int, lanes: int, low: int, high: int) -> NDArray[np.int64]:
        if kind == "walk":
            steps = np.cumsum(rng.normal(size=(samples, lanes)), axis=0) * (high / 2000)
            return np.rint(steps).astype(np.int64)
        if kind == "ends":
            blocks = rng.integers(0, 2, (samples // 7 + 1, lanes)).repeat(7, axis=0)[:samples]
            return np.where(blocks == 1, high, low)
        if kind == "noise":
            return rng.integers(low, high + 1, (samples, lanes))
        if kind == "step":
            out = np.full((samples, lanes), 5)
            out[samples // 2 :] = 6
            return out
        return np.tile(np.array([low, high, 7])[:lanes], (samples, 1))

    ppg = make(int(seconds * end.ppg_hz), end.ppg_channels, -(2**31), 2**31 - 1)
    acc = None
    if end.acc_hz is not None:
        acc = make(int(seconds * end.acc_hz), 3, -32768, 32767).clip(-32768, 32767)
    return ppg.astype(np.int32), None if acc is None else acc.astype(np.int16)


@pytest.mark.parametrize("name", SENSORS)
def test_c_equals_the_rule_on_every_kind_of_signal(front_end: Make, name: str) -> None:
    end = SENSORS[name]
    device = front_end(end)
    by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    for seed, kind in enumerate(("walk", "ends", "noise", "step", "constant")):
        ppg, acc = signals(end, 15.0, seed=seed, kind=kind)
        device.reset()
        ours = np.array(device.windows(ppg, acc))
        rule = stream_windows(end, ppg, acc)
        assert len(ours) >= 3
        np.testing.assert_array_equal(ours, rule.words()[: len(ours)])
        stored = normalise(rule, by, ppg_channels=end.ppg_channels)
        for window, expected in zip(ours, stored, strict=False):
            np.testing.assert_array_equal(device.quantise(window), expected)


def test_a_synthetic_recording_sample_by_sample(front_end: Make) -> None:
    recording = synthesize(people=1, minutes=1, seed=11)[0]
    end = FrontEnd(
        exact_hz(recording.ppg_hz),
        exact_hz(float(recording.acc_hz or 0)),
        32,
        recording.ppg.shape[1],
    )
    ppg, acc = ppg_counts(recording), acc_counts(recording, counts_per_g=4096)
    ours = front_end(end).windows(ppg, acc)
    assert 26 <= len(ours) <= 27
    np.testing.assert_array_equal(ours, stream_windows(end, ppg, acc).words()[: len(ours)])


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["any", "small", "rare", "flat"]))
def test_any_int16_window_is_quantised_as_the_rule_says(
    shared: FrontEndC, seed: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    end = shared.settings
    shape = (end.steps, end.channels)
    if kind == "any":
        window = rng.integers(-32768, 32768, shape)
    elif kind == "small":
        window = rng.integers(-2, 3, shape) * rng.integers(0, 2, end.channels)
    elif kind == "rare":
        window = np.where(rng.random(shape) < 0.01, rng.choice([-32768, 32767]), 0)
    else:
        window = np.tile(rng.integers(-32768, 32768, end.channels), (end.steps, 1))
    by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
    stored = Windows(window.astype(np.int16)[None], rng.integers(-3, 20, 1))
    expected = normalise(stored, by, ppg_channels=end.ppg_channels)[0]
    np.testing.assert_array_equal(shared.quantise(stored.words()[0]), expected)


@pytest.fixture
def shared(front_end: Make) -> FrontEndC:
    """One build for all examples of a property."""
    return front_end(SENSORS["50 Hz, 32 Hz network, three colours"])


def test_days_of_the_clock(front_end: Make) -> None:
    """The clock's whole state comes round: what holds for one round holds for ever."""
    end = SENSORS["odd clocks, 25 Hz network"]
    device = front_end(end)
    state = device.state

    def clock() -> tuple[int, ...]:
        c = state.ppg_clock
        return (c.due, c.stream_due, c.need, c.at, state.acc_clock.due, state.acc_clock.at)

    # 125 and 26 samples a second; the ring is 226 samples at 25 Hz: all come round after 226 s.
    ppg, acc = np.zeros(2, np.int32), np.zeros(3, np.int16)
    seen, due = [], 0
    for second in range(3 * 226):
        for _ in range(125):
            due += device.push_ppg(ppg) == DUE
            while state.acc_clock.need > state.ppg_clock.need:
                due += device.push_acc(acc) == DUE
        if second % 226 == 225:
            seen.append(clock())
    assert seen[0] == seen[1] == seen[2]
    assert due == (3 * 226 - 8) // 2 + 1


def test_a_window_may_wait_as_long_as_the_slack(front_end: Make) -> None:
    end = replace(SENSORS["PPG alone"], slack_s=Fraction(1))
    device = front_end(end)
    ppg, _ = signals(end, 14.0, seed=4, kind="walk")
    rule = stream_windows(end, ppg).words()
    assert device.window()[0] == NO_WINDOW
    due_at = next(i for i, sample in enumerate(ppg) if device.push_ppg(sample) == DUE)
    result, window = device.window()
    assert result == OK
    late = device
    for sample in ppg[due_at + 1 : due_at + 30]:
        assert late.push_ppg(sample) == OK
    result, again = late.window()
    assert result == OK
    np.testing.assert_array_equal(window, rule[0])
    np.testing.assert_array_equal(again, rule[0])
    for sample in ppg[due_at + 30 : due_at + 36]:
        assert late.push_ppg(sample) == OK
    assert late.window()[0] == NO_WINDOW


def test_bursts_of_a_sensor_fifo_change_nothing(front_end: Make) -> None:
    end = SENSORS["50 Hz, 32 Hz network, three colours"]
    ppg, acc = signals(end, 15.5, seed=9, kind="walk")
    assert acc is not None
    rule = stream_windows(end, ppg, acc).words()
    device = front_end(end)
    found = []
    for start in range(0, len(ppg), 25):
        results = [device.push_acc(s) for s in acc[start : start + 25]]
        results += [device.push_ppg(s) for s in ppg[start : start + 25]]
        assert OUT_OF_STEP not in results
        if DUE in results:
            found.append(device.window()[1])
    assert len(found) == 4
    np.testing.assert_array_equal(found, rule[: len(found)])


def test_a_copied_state_goes_on_alike(front_end: Make) -> None:
    """Nothing is kept outside the caller's state."""
    end = SENSORS["PPG alone over the stream"]
    ppg, _ = signals(end, 11.5, seed=2, kind="walk")
    device = front_end(end)
    half = len(ppg) // 3
    for sample in ppg[:half]:
        device.push_ppg(sample)
    copy = state_structure(end)()
    memmove(byref(copy), byref(device.state), sizeof(copy))
    first = [device.window()[1] for sample in ppg[half:] if device.push_ppg(sample) == DUE]
    memmove(byref(device.state), byref(copy), sizeof(copy))
    second = [device.window()[1] for sample in ppg[half:] if device.push_ppg(sample) == DUE]
    assert len(first) == 2
    np.testing.assert_array_equal(first, second)


def test_counts_per_g_can_be_chosen_by_the_build() -> None:
    part = front_end_c(SENSORS["odd clocks, 25 Hz network"], scale=SCALE, zero_point=0)
    assert "#ifndef PPG_ACC_COUNTS_PER_G\n#define PPG_ACC_COUNTS_PER_G 2048\n" in part.header
    for word in ("float", "double", "malloc", "memset", "#include"):
        assert word not in part.header + part.functions


def test_an_unknown_branch_of_the_text_is_refused() -> None:
    with pytest.raises(ExportError, match="C text branches on OTHER; known: KNOWN"):
        resolve("#if OTHER\n#endif\n", {"KNOWN": True})
    text = "#if A\na\n#elif B\nb\n#else\nc\n#endif\nd\n"
    assert resolve(text, {"A": False, "B": True}) == "b\nd\n"
    assert resolve(text, {"A": True, "B": True}) == "a\nd\n"
    assert resolve(text, {"A": False, "B": False}) == "c\nd\n"
