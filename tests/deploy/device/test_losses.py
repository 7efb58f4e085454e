"""Two sensors that run freely: losses are told, invalid samples are marked."""

from __future__ import annotations

from ctypes import byref, memset, sizeof
from dataclasses import replace

import numpy as np
import pytest

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
from tests.deploy.device.c_device import (
    NO_WINDOW,
    NOT_RESET,
    OK,
    OUT_OF_STEP,
    FrontEndC,
)
from tests.deploy.device.pushing import NO_PPG, PPG, Run, in_time, run


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
