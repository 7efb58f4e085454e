"""Two sensors that run freely: drift is followed, losses are told, invalid samples are marked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from ctypes import byref, memset, sizeof
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.device.front_end_c import front_end_c
from deploy.device.settings import FrontEnd, slack_of_fifo
from deploy.emulation.host import HostCompiler
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import ExportError
from tests.deploy.device.c_device import (
    NO_WINDOW,
    NOT_RESET,
    OK,
    OUT_OF_STEP,
    FrontEndC,
    standalone,
)
from tests.deploy.device.clock_rule import pushed_windows
from tests.deploy.device.pushing import NO_PPG, PPG, Run, bursts, in_time, run

Make = Callable[..., FrontEndC]
END = FrontEnd(Fraction(64), Fraction(32), 32)
SENSORS = {
    "64 and 32 Hz": END,
    "25 Hz network over the stream": FrontEnd(Fraction(125), Fraction(26), 25, 2, 2048),
    "several steps a sample": FrontEnd(Fraction(100, 3), Fraction(104), 64, 1, 16384),
    "PPG alone": FrontEnd(Fraction(250), None, 25, 2),
    "three colours": FrontEnd(Fraction(25), Fraction(26), 16, 3),
}
DRIFTS = (20e-6, 100e-6, 0.005, 0.02, 0.05)
TONE_HZ = 0.7
BURSTS = ((17, 8), (16, 8), (24, 12), (32, 1), (1, 16))


def times(hz: float, seconds: float) -> NDArray[np.float64]:
    """When samples are taken."""
    return np.arange(int(seconds * hz)) / hz


def motion(at_s: NDArray[np.float64]) -> NDArray[np.int16]:
    """`(samples, 3)` counts; the phase of the first axis tells the time."""
    rates = np.array([TONE_HZ, 1.1, 2.3])
    waves = np.sin(2 * np.pi * np.outer(at_s, rates) + np.arange(3))
    return np.rint(waves * [2000, 1000, 500]).astype(np.int16)


def light(at_s: NDArray[np.float64]) -> NDArray[np.int32]:
    """`(samples, 1)` counts."""
    return np.rint(100_000 + 3000 * np.sin(2 * np.pi * 1.3 * at_s))[:, None].astype(np.int32)


def late_ms(
    seen: NDArray[np.int16], exact: NDArray[np.int16], end: FrontEnd
) -> NDArray[np.float64]:
    """How late the acceleration of windows `(windows, words)` is, from the tone's phase."""

    def tone(words: NDArray[np.int16]) -> NDArray[np.complex128]:
        samples = words[:, : end.steps * end.channels].reshape(len(words), end.steps, end.channels)
        turning = np.exp(-2j * np.pi * TONE_HZ * np.arange(end.steps) / end.rate_hz)
        return np.asarray(samples[:, :, end.ppg_channels] @ (turning * np.hanning(end.steps)))

    turned = np.angle(tone(seen) * np.conj(tone(exact)))
    return np.asarray(1000 * turned / (2 * np.pi * TONE_HZ))


def pushed(
    device: FrontEndC, seconds: float, *, drift: float = 0.0, fifos: tuple[int, int] = (1, 1)
) -> Run:
    """A run with an acceleration sensor that is too fast by `drift`."""
    end = device.settings
    ppg_s = times(float(end.ppg_hz), seconds)
    acc_s = times(float(end.acc_hz or 0) * (1 + drift), seconds)
    order = in_time(bursts(ppg_s, fifos[0]), bursts(acc_s, fifos[1]))
    device.reset()
    return run(device, order, light(ppg_s), motion(acc_s))


def without(times_s: NDArray[np.float64], start_s: float, stop_s: float) -> NDArray[np.float64]:
    return times_s[(times_s < start_s) | (times_s >= stop_s)]


def losing(
    device: FrontEndC,
    seconds: float,
    *,
    ppg: tuple[float, float] = (0, 0),
    acc: tuple[float, float] = (0, 0),
) -> Run:
    """A run in which samples of these times never come."""
    end = device.settings
    ppg_s = without(times(float(end.ppg_hz), seconds), *ppg)
    acc_s = without(times(float(end.acc_hz or 0), seconds), *acc)
    device.reset()
    return run(device, in_time(ppg_s, acc_s), light(ppg_s), motion(acc_s))


@pytest.mark.parametrize(
    "fifos", [(1, 1), *(pytest.param(both, marks=pytest.mark.slow) for both in BURSTS)]
)
@pytest.mark.parametrize("drift", [sign * drift for drift in DRIFTS for sign in (1, -1)])
def test_hours_of_drift_lose_no_reading(
    front_end: Make, drift: float, fifos: tuple[int, int]
) -> None:
    device = front_end(END)
    hours = 8 if abs(drift) < 1e-3 else 2
    due = hours * 1800 - 3
    exact, seen = (
        pushed(device, hours * 3600.0 + 1, drift=by, fifos=swing)
        for by, swing in ((0.0, (1, 1)), (drift, fifos))
    )
    assert len(exact.at) == len(seen.at) == due
    assert not (exact.results < 0).any() and not (seen.results < 0).any()
    assert not seen.windows[:, -1].any()
    late = np.abs(late_ms(seen.windows, exact.windows[: len(seen.at)], END))
    print(
        f"drift {drift:+.6f}, bursts of {fifos}: {due - len(seen.at)} of {due} readings lost, "
        f"acceleration at most {late.max():.0f} ms off, {late[len(late) // 2 :].max():.0f} later"
    )
    assert late.max() < (400 if fifos == (1, 1) else 700)
    # With bursts the order of samples tells the time to a burst of each sensor only.
    assert late[len(late) // 2 :].max() < (110 if fifos == (1, 1) else 550)
    np.testing.assert_array_equal(
        seen.windows[:, 0 :: END.channels][:, : END.steps],
        exact.windows[: len(seen.at), 0 :: END.channels][:, : END.steps],
    )


@pytest.mark.parametrize(
    ("fifo_s", "fifos", "drift"),
    [
        (0.5, (32, 16), 0.005),
        (1.0, (64, 32), -100e-6),
        (2.0, (128, 64), 0.02),
        (3.0, (192, 32), 0),
    ],
)
def test_longer_bursts_need_room_for_them(
    front_end: Make, fifo_s: float, fifos: tuple[int, int], drift: float
) -> None:
    device = front_end(replace(END, slack_s=slack_of_fifo(fifo_s)))
    seconds = 7201.0
    exact, seen = (
        pushed(device, seconds, drift=by, fifos=swing)
        for by, swing in ((0.0, (1, 1)), (drift, fifos))
    )
    assert len(exact.at) - len(seen.at) <= 1  # the last one still lies in the FIFO
    assert not (seen.results < 0).any() and not seen.windows[:, -1].any()
    late = np.abs(late_ms(seen.windows, exact.windows[: len(seen.at)], END))
    print(f"FIFOs of {fifo_s} s, drift {drift}: acceleration at most {late.max():.0f} ms off")


@pytest.mark.parametrize("fifo_s", [-0.1, 3.1, float("nan")])
def test_a_fifo_is_as_long_as_the_rings_can_be(fifo_s: float) -> None:
    with pytest.raises(ExportError, match=r"fifo_s is .*; allowed: 0 to 3 s"):
        slack_of_fifo(fifo_s)


@pytest.mark.parametrize("fifos", [(1, 1), (32, 16), (16, 8), (33, 16), (5, 30)])
def test_at_the_nominal_rates_nothing_changes(front_end: Make, fifos: tuple[int, int]) -> None:
    device = front_end(END)
    exact = pushed(device, 7200.0)
    seen = pushed(device, 7200.0, fifos=fifos)
    assert len(seen.at) >= len(exact.at) - 1 and not (seen.results < 0).any()
    np.testing.assert_array_equal(seen.windows, exact.windows[: len(seen.at)])
    assert device.state.follow.correction == 0


@pytest.mark.parametrize("drift", DRIFTS)
def test_other_rates_follow_as_well(front_end: Make, drift: float) -> None:
    for name in ("25 Hz network over the stream", "several steps a sample"):
        device = front_end(SENSORS[name])
        end = device.settings
        ppg_s, acc_s = (
            times(float(end.ppg_hz), 1800),
            times(float(end.acc_hz or 0) / (1 + drift), 1800),
        )
        order = in_time(ppg_s, acc_s)
        seen = run(device, order, np.repeat(light(ppg_s), end.ppg_channels, axis=1), motion(acc_s))
        assert 896 <= len(seen.at) <= 897 and not (seen.results < 0).any(), name
        assert not seen.windows[:, -1].any()


@pytest.mark.parametrize("lost_s", [0.5, 1.0, 30.0])
@pytest.mark.parametrize("sensor", ["ppg", "acc"])
def test_a_loss_is_told_marked_and_over(front_end: Make, sensor: str, lost_s: float) -> None:
    device = front_end(END)
    exact = pushed(device, 300.0)
    gap = (100.3, 100.3 + lost_s)
    seen = losing(device, 300.0, **{sensor: gap})
    reports = np.flatnonzero(seen.results == OUT_OF_STEP)
    assert set(seen.results[seen.results < 0]) == {OUT_OF_STEP}
    assert 1 <= len(reports) <= lost_s + 1
    assert len(exact.at) - 1 <= len(seen.at) <= len(exact.at)
    starts = 2.0 * np.arange(len(seen.at))
    touched = (starts + 8 > gap[0]) & (starts < gap[1])
    near = (starts + 8 > gap[0] - 3) & (starts < gap[1] + 5)
    marked = seen.windows[:, -1] > 0
    assert marked.any() and not marked[~near].any()
    if lost_s > 10:
        assert marked[touched].sum() >= touched.sum() - 1
    np.testing.assert_array_equal(seen.windows[:45], exact.windows[:45])
    late = np.abs(late_ms(seen.windows, exact.windows[: len(seen.at)], END))
    print(
        f"{lost_s:g} s of {sensor} lost: {len(reports)} reports, {marked.sum()} windows marked, "
        f"then {late[-60:].max():.0f} ms off"
    )
    assert late[-60:].max() < 70


def test_a_small_loss_is_made_good_without_a_word(front_end: Make) -> None:
    device = front_end(END)
    exact = pushed(device, 300.0)
    seen = losing(device, 300.0, acc=(100.3, 100.6))
    assert not (seen.results < 0).any() and not seen.windows[:, -1].any()
    late = np.abs(late_ms(seen.windows, exact.windows, END))
    assert late[49] > 250  # 0.3 s
    assert late[-60:].max() < 150


@pytest.mark.parametrize("sensor", ["ppg", "acc"])
def test_a_sensor_that_stops_is_told_every_second(front_end: Make, sensor: str) -> None:
    device = front_end(END)
    seen = losing(device, 200.0, **{sensor: (100.0, 200.0)})
    reports = seen.results == OUT_OF_STEP
    assert 45 <= reports.sum() <= 101
    pushes = len(seen.results)
    assert reports[-pushes // 20 :].any()
    assert (seen.windows[60:, -1] == END.steps).all()
    assert len(seen.at) >= 95


def test_a_sensor_that_never_starts(front_end: Make) -> None:
    device = front_end(END)
    seen = losing(device, 60.0, acc=(0, 60))
    assert (seen.results == OUT_OF_STEP).sum() >= 25
    assert len(seen.at) >= 25 and (seen.windows[:, -1] == END.steps).all()


def test_rates_that_are_wrong_are_told(front_end: Make) -> None:
    """The export said 32 Hz, the sensor runs at 50: not a drift."""
    seen = pushed(front_end(END), 600.0, drift=50 / 32 - 1)
    assert (seen.results == OUT_OF_STEP).sum() > 100
    assert (seen.windows[:, -1] > 0).mean() > 0.9


@pytest.mark.parametrize("seed", range(12))
def test_the_c_equals_the_rule(front_end: Make, seed: int) -> None:
    """Drift, bursts, losses of both sensors and invalid samples, all at once."""
    rng = np.random.default_rng(seed)
    end = list(SENSORS.values())[seed % len(SENSORS)]
    seconds = 80
    ppg_s = times(float(end.ppg_hz), seconds)
    drift = rng.choice([0, 0.005, -0.05, 0.05, 0.02])
    acc_s = times(float(end.acc_hz) * (1 + drift), seconds) if end.acc_hz else np.zeros(0)
    for _ in range(rng.integers(0, 3)):
        start = rng.uniform(0, seconds)
        length = rng.choice([0.3, 1, 2.5, 12])
        ppg_s = without(ppg_s, start, start + length * rng.integers(0, 2))
        acc_s = without(acc_s, start, start + length * rng.integers(0, 2))
    order = in_time(*(bursts(s, int(rng.integers(1, 12))) for s in (ppg_s, acc_s)))
    invalid = rng.random(len(order)) < rng.choice([0, 0.01])
    for start in rng.integers(0, len(order), 3):
        invalid[start : start + rng.integers(1, 200)] = True
    order = (order + 2 * invalid).astype(np.uint8)
    ppg = np.cumsum(rng.normal(size=(len(ppg_s), end.ppg_channels)), axis=0) * 3000
    acc = rng.integers(-3000, 3000, (len(acc_s), 3))
    seen = run(front_end(end), order, ppg, acc)
    results, windows = pushed_windows(end, order, ppg.astype(np.int32), acc)
    np.testing.assert_array_equal(seen.results, results)
    np.testing.assert_array_equal(seen.windows, windows.words())
    assert len(seen.windows) > 20 and seen.windows[:, -1].any()


SANITIZED = """
#include <stddef.h>
#include "device.h"
static ppg_state_t state;
static int16_t window[PPG_WINDOW_WORDS];
static int8_t input[PPG_STEPS * PPG_CHANNELS];
static uint32_t drawn = 1;

static uint32_t draw(void)
{
    drawn = drawn * 1664525u + 1013904223u;
    return drawn >> 8;
}

/* Anything in any order: values of all sizes, invalid ones, one sensor alone for a while. */
int main(void)
{
    int windows = 0;
    ppg_reset(&state);
    for (long push = 0; push < 60000; push++) {
        const uint32_t kind = draw() % 64;
        const int shift = (int)(draw() % 24);
        const int only = draw() % 8 < 7 ? (int)(push >> 11) % 6 : 5;
        int32_t ppg[PPG_PPG_CHANNELS];
        int16_t acc[3];
        int result;
        for (int lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
            ppg[lane] = (int32_t)(draw() << 8 | draw() % 256) / (1 << shift);
        }
        for (int lane = 0; lane < 3; lane++) {
            acc[lane] = (int16_t)((int)(draw() % 65536) - 32768);
        }
        if (only == 0 || (only > 1 && push % 3)) {
            result = ppg_push_ppg(&state, kind ? ppg : NULL);
        } else {
            result = ppg_push_acc(&state, kind ? acc : NULL);
        }
        if (result == 1) {
            windows++;
            if (ppg_window(&state, window) != PPG_OK) {
                return 2;
            }
            ppg_quantise(window, input);
        }
    }
    return windows > 20 ? 0 : 1;
}
"""


@pytest.mark.parametrize("name", [name for name, end in SENSORS.items() if end.acceleration])
def test_any_pushes_are_sound_under_sanitizers(
    compiler: HostCompiler, tmp_path: Path, name: str
) -> None:
    if not compiler.sanitizers():
        pytest.skip(f"{compiler.name} has no sanitizer that works here")
    part = front_end_c(SENSORS[name], scale=0.0375, zero_point=-3)
    source, header = standalone([part], header_name="device.h")
    for file, text in (("device.h", header), ("device.c", source), ("main.c", SANITIZED)):
        (tmp_path / file).write_text(text)
    program = compiler.build_program(
        [tmp_path / "device.c", tmp_path / "main.c"], tmp_path / "pushes", include=[tmp_path]
    )
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_invalid_samples_mark_the_windows_that_hold_them(front_end: Make) -> None:
    end = replace(END, acc_hz=None)
    device = front_end(end)
    ppg = light(times(64, 40))
    order = np.full(len(ppg), PPG, np.uint8)
    exact = run(device, order, ppg, None)
    assert not exact.windows[:, -1].any()
    order[64 * 15 : 64 * 15 + 4] = NO_PPG  # 4 samples of 64 Hz touch 3 steps of 32 Hz
    device.reset()
    seen = run(device, order, ppg, None)
    np.testing.assert_array_equal(seen.at, exact.at)
    held = [start for start in range(0, 33, 2) if start <= 15 < start + 8]
    assert np.flatnonzero(seen.windows[:, -1]).tolist() == [start // 2 for start in held]
    assert set(seen.windows[seen.windows[:, -1] > 0, -1]) == {2}


def test_a_new_level_after_a_gap_does_not_ring(front_end: Make) -> None:
    """The strap was moved: three seconds invalid, and ten times the light."""
    end = replace(END, acc_hz=None)
    device = front_end(end)
    ppg = light(times(64, 60))
    moved = ppg.copy()
    moved[64 * 23 :] += 900_000
    order = np.full(len(ppg), PPG, np.uint8)
    exact = run(device, order, ppg, None)
    order[64 * 20 : 64 * 23] = NO_PPG
    device.reset()
    seen = run(device, order, moved, None)
    clear = seen.windows[:, -1] == 0
    assert not clear[7:12].any() and clear[12:].all()
    difference = seen.windows[12:, :-1].astype(int) - exact.windows[12:, :-1]
    scale = np.abs(exact.windows[12, :-1].astype(int)).max()
    # It starts as a recording starts; without that the new level would be 300 times the pulse.
    assert np.abs(difference[1:]).max() < scale / 20


def test_a_state_that_was_never_reset_gives_nothing(front_end: Make) -> None:
    for end in (END, SENSORS["PPG alone"]):
        device = front_end(end)
        for fill in (0, 0xA5, 0xFF):
            memset(byref(device.state), fill, sizeof(device.state))
            before = bytes(device.state)
            ppg, acc = np.zeros(2, np.int32), np.zeros(3, np.int16)
            assert {device.push_ppg(ppg) for _ in range(2000)} == {NOT_RESET}
            if end.acceleration:
                assert device.push_acc(acc) == NOT_RESET
            assert device.window()[0] == NO_WINDOW
            assert bytes(device.state) == before
        device.reset()
        assert device.push_ppg(ppg) == OK


def _heart_rate(window: NDArray[np.int8]) -> float:
    """A reading out of the network's input: the pulse that the acceleration does not explain."""
    signal = np.cumsum(window[:, 0].astype(float) - window[:, 0].mean())  # the input is a slope
    axes = window[:, 1:].astype(float)
    time = np.linspace(-1, 1, len(window))
    known = [*(np.roll(axes, lag, axis=0) for lag in range(-3, 4)), *(time**k for k in range(4))]
    explained = np.column_stack(known)
    rest = signal - explained @ np.linalg.lstsq(explained, signal, rcond=None)[0]
    power = np.abs(np.fft.rfft(rest * np.hanning(len(rest)), 8192))
    bpm = np.fft.rfftfreq(8192, 1 / END.rate_hz) * 60
    inside = np.flatnonzero((bpm > 45) & (bpm < 190))
    return float(bpm[inside][(power[inside] + power[2 * inside] / 2).argmax()])


@pytest.mark.slow
@pytest.mark.parametrize("drift", DRIFTS)
def test_readings_with_drift_are_as_good_as_without(front_end: Make, drift: float) -> None:
    recording = synthesize(people=1, minutes=60, seed=3)[0]
    assert recording.acc is not None and recording.acc_hz is not None
    seconds = len(recording.ppg) / recording.ppg_hz
    ppg_s, acc_s = times(64, seconds), times(32 * (1 + drift), seconds)
    taken_s = np.arange(len(recording.ppg)) / recording.ppg_hz
    ppg = np.interp(ppg_s, taken_s, recording.ppg[:, 0])[:, None]
    ppg *= 2e6 / np.abs(ppg).max()

    def acceleration(at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        assert recording.acc is not None and recording.acc_hz is not None
        known_s = np.arange(len(recording.acc)) / recording.acc_hz
        axes = [np.interp(at_s, known_s, axis) for axis in recording.acc.T]
        return np.clip(np.column_stack(axes) * 2048, -32768, 32767)

    device = front_end(END)
    exact_s = times(32, seconds)
    exact = run(device, in_time(ppg_s, exact_s), ppg, acceleration(exact_s))
    device.reset()
    seen = run(device, in_time(ppg_s, acc_s), ppg, acceleration(acc_s))
    count = min(len(exact.at), len(seen.at), len(recording.hr_bpm))
    bpm = np.array(
        [[_heart_rate(device.quantise(w)) for w in r.windows[:count]] for r in (exact, seen)]
    )
    errors = np.abs(np.array(bpm) - recording.hr_bpm[:count]).mean(axis=1)
    print(
        f"drift {drift:+.6f}: MAE {errors[1]:.2f} BPM, without drift {errors[0]:.2f}; "
        f"lost {len(exact.at) - len(seen.at)} of {len(exact.at)}"
    )
    assert abs(errors[1] - errors[0]) < 0.5
