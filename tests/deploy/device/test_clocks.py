"""Two sensors that run freely: drift is followed and readings stay as good."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.device.front_end_c import front_end_c
from deploy.device.settings import slack_of_fifo
from deploy.emulation.host import HostCompiler
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import ExportError
from tests.deploy.device.bursts import (
    END,
    SENSORS,
    Make,
    late_ms,
    light,
    motion,
    pushed,
    times,
    without,
)
from tests.deploy.device.c_device import FrontEndC, standalone
from tests.deploy.device.clock_rule import pushed_windows
from tests.deploy.device.pushing import Run, bursts, in_time, run

DRIFTS = (20e-6, 100e-6, 0.005, 0.02, 0.05)
BURSTS = ((17, 8), (16, 8), (24, 12), (32, 1), (1, 16))
_known: dict[float, Run] = {}


def without_drift(device: FrontEndC, seconds: float) -> Run:
    """What many drifts and bursts are compared with, of a front end of `END`."""
    if seconds not in _known:
        _known[seconds] = pushed(device, seconds)
    return _known[seconds]


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
    seconds = hours * 3600.0 + 1
    exact, seen = without_drift(device, seconds), pushed(device, seconds, drift=drift, fifos=fifos)
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
    exact, seen = (
        pushed(device, 7201.0, drift=by, fifos=swing)
        for by, swing in ((0.0, (1, 1)), (drift, fifos))
    )
    assert len(exact.at) - len(seen.at) <= 1  # the last one still lies in the FIFO
    assert not (seen.results < 0).any() and not seen.windows[:, -1].any()
    late = np.abs(late_ms(seen.windows, exact.windows[: len(seen.at)], END))
    print(f"FIFOs of {fifo_s} s, drift {drift}: acceleration at most {late.max():.0f} ms off")


@pytest.mark.parametrize("fifo_s", [-0.1, 3.1, float("nan")])
def test_a_fifo_is_as_long_as_the_rings_can_be(fifo_s: float) -> None:
    with pytest.raises(ExportError, match=r"`fifo_s` is .*; allowed: 0 to 3 s"):
        slack_of_fifo(fifo_s)


@pytest.mark.parametrize("fifos", [(1, 1), (32, 16), (16, 8), (33, 16), (5, 30)])
def test_at_the_nominal_rates_nothing_changes(front_end: Make, fifos: tuple[int, int]) -> None:
    device = front_end(END)
    exact, seen = without_drift(device, 7201.0), pushed(device, 7201.0, fifos=fifos)
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
    host: HostCompiler, tmp_path: Path, name: str
) -> None:
    if not host.sanitizers():
        pytest.skip(f"{host.name} has no sanitizer that works here")
    part = front_end_c(SENSORS[name], scale=0.0375, zero_point=-3)
    source, header = standalone([part], header_name="device.h")
    for file, text in (("device.h", header), ("device.c", source), ("main.c", SANITIZED)):
        (tmp_path / file).write_text(text)
    program = host.build_program(
        [tmp_path / "device.c", tmp_path / "main.c"], tmp_path / "pushes", include=[tmp_path]
    )
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _heart_rates(windows: NDArray[np.int8]) -> NDArray[np.float64]:
    """Readings out of the network's inputs: the pulse that the acceleration does not explain."""
    light, axes = windows[:, :, 0].astype(float), windows[:, :, 1:].astype(float)
    signal = np.cumsum(light - light.mean(axis=1, keepdims=True), axis=1)  # the input is a slope
    time = np.vander(np.linspace(-1, 1, windows.shape[1]), 4)
    known = [*(np.roll(axes, lag, axis=1) for lag in range(-3, 4))]
    known.append(np.broadcast_to(time, (len(windows), *time.shape)))
    ways = np.linalg.qr(np.concatenate(known, axis=2))[0]
    rest = signal - np.einsum("wtk,wsk,ws->wt", ways, ways, signal, optimize=True)
    power = np.abs(np.fft.rfft(rest * np.hanning(len(time)), 8192))
    bpm = np.fft.rfftfreq(8192, 1 / END.rate_hz) * 60
    inside = np.flatnonzero((bpm > 45) & (bpm < 190))
    return bpm[inside][(power[:, inside] + power[:, 2 * inside] / 2).argmax(axis=1)]


@pytest.mark.slow
def test_readings_with_drift_are_as_good_as_without(front_end: Make) -> None:
    recording = synthesize(people=1, minutes=60, seed=3)[0]
    assert recording.acc is not None and recording.acc_hz is not None
    seconds = len(recording.ppg) / recording.ppg_hz
    ppg_s = times(64, seconds)
    taken_s = np.arange(len(recording.ppg)) / recording.ppg_hz
    ppg = np.interp(ppg_s, taken_s, recording.ppg[:, 0])[:, None]
    ppg *= 2e6 / np.abs(ppg).max()
    known_s = np.arange(len(recording.acc)) / recording.acc_hz
    axes, device = recording.acc.T * 2048, front_end(END)

    def error(drift: float) -> tuple[float, int]:
        """MAE in BPM, and readings."""
        at_s = times(32 * (1 + drift), seconds)
        acc = np.column_stack([np.interp(at_s, known_s, axis) for axis in axes])
        device.reset()
        seen = run(device, in_time(ppg_s, at_s), ppg, np.clip(acc, -32768, 32767))
        windows = seen.windows[: len(recording.hr_bpm)]
        bpm = _heart_rates(np.array([device.quantise(window) for window in windows]))
        return float(np.abs(bpm - recording.hr_bpm[: len(bpm)]).mean()), len(seen.at)

    exact, due = error(0.0)
    for drift in DRIFTS:
        found, count = error(drift)
        print(
            f"drift {drift:+.6f}: MAE {found:.2f} BPM, without drift {exact:.2f}; "
            f"lost {due - count} of {due}"
        )
        assert abs(found - exact) < 0.5
