"""Clocks of references that are late, drift or jump, and rates that are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.inspection.inspection import inspect
from ppg.inspection.signals import reference_fault
from tests.ppg.inspection.wrists import wandering as _recording


@pytest.mark.parametrize(
    ("slope", "offset_s", "seconds"),
    [(0.02, 0.0, 600), (-0.03, 2.0, 600), (0.005, 3.0, 2400), (1215e-6, -0.7, 4500)],
)
def test_a_clock_that_drifts(slope: float, offset_s: float, seconds: float) -> None:
    """Found, said with what corrects it, and gone when it is corrected."""
    right = _recording(seconds=seconds)
    wrong = replace(right, window_start_s=(right.window_start_s - offset_s) / (1 + slope))
    found = inspect([wrong])
    (row,) = found.recordings
    assert row.drift is not None
    assert row.drift.slope == pytest.approx(slope, abs=0.6 / seconds + 0.03 * abs(slope))
    assert row.drift.offset_s == pytest.approx(offset_s, abs=0.6)
    ((kind, message),) = [(c.kind, c.message) for c in found.warnings]
    assert kind == "label clock drifts" and "--drift" in message
    words = message.split("--lag ")[1].split()
    lag_s, ppm = float(words[0]), float(words[2])
    mended = wrong.with_lag(lag_s, drift_ppm=ppm)
    np.testing.assert_allclose(mended.window_start_s, right.window_start_s, atol=1.0)
    assert inspect([mended]).warnings == []


@pytest.mark.parametrize("shift_s", [0.0, 1.0, -6.0])
def test_a_clock_that_is_only_off_does_not_drift(shift_s: float) -> None:
    for seed in range(3):
        recording = _recording(seed=seed, seconds=1200)
        moved = replace(recording, window_start_s=recording.window_start_s - shift_s)
        assert inspect([moved]).recordings[0].drift is None
    assert inspect([_recording(seconds=200)]).recordings[0].drift is None  # too short to say


@pytest.mark.parametrize(("jump_s", "at_s"), [(8.0, 600.0), (-6.0, 400.0), (-12.0, 850.0)])
def test_a_clock_that_was_set_jumps(jump_s: float, at_s: float) -> None:
    right = _recording(seconds=1200)
    late_s = np.where(right.window_start_s > at_s, jump_s, 0.0)
    found = inspect([replace(right, window_start_s=right.window_start_s + late_s)])
    (row,) = found.recordings
    assert row.drift is not None
    ((found_s, _),) = row.drift.jumps
    assert found_s == pytest.approx(at_s, abs=40)
    assert row.drift.end_s - row.drift.begin_s == pytest.approx(-jump_s, abs=1)
    ((kind, message),) = [(c.kind, c.message) for c in found.warnings]
    assert kind == "label clock jumps" and f"jumps by {jump_s:+.0f}" in message
    assert "make 2 recordings of it" in message


@pytest.mark.parametrize("seconds", [240, 300, 400])
def test_a_drift_in_a_short_reference(seconds: float) -> None:
    right = _recording(seconds=seconds, seed=4)
    found = inspect([replace(right, window_start_s=(right.window_start_s - 1) / (1 - 0.008))])
    (row,) = found.recordings
    assert row.drift is not None and not row.drift.jumps
    assert row.drift.slope * seconds == pytest.approx(-0.008 * seconds, abs=1.0)
    assert [c.kind for c in found.warnings] == ["label clock drifts"]


@pytest.mark.parametrize(
    "jumps",
    [
        [(150, 2.0), (300, 4.0), (450, 6.0)],
        [(200, -3.0), (400, -6.0)],
        [(160, 4.0), (320, 0.0), (480, 4.0)],
    ],
)
def test_a_clock_that_jumps_again_and_again_does_not_drift(
    jumps: list[tuple[float, float]],
) -> None:
    right = _recording(seconds=600, seed=5)
    at_s, late_s = np.array(jumps).T
    step = np.searchsorted(at_s, right.window_start_s, side="right")
    wrong = replace(
        right, window_start_s=right.window_start_s + np.concatenate([[0], late_s])[step]
    )
    found = inspect([wrong])
    (row,) = found.recordings
    assert row.drift is not None
    np.testing.assert_allclose(row.drift.jumps, [(at, -late) for at, late in jumps], atol=25)
    np.testing.assert_allclose([shift for _, shift in row.drift.jumps], -late_s, atol=0.6)
    ((kind, message),) = [(c.kind, c.message) for c in found.warnings]
    assert kind == "label clock jumps" and message.count(" s at ") == len(jumps)
    assert f"make {len(jumps) + 1} recordings of it" in message
    corrected = row.drift.corrected(wrong)
    away_s = np.abs(corrected.window_start_s - right.window_start_s)
    assert np.mean(away_s < 0.6) > 0.9


@pytest.mark.parametrize(
    ("seed", "begin_s", "end_s"), [(4, 250, 500), (8, 0, 250), (23, 250, 500)]
)
def test_without_a_pulse_no_clock_jumps(seed: int, begin_s: int, end_s: int) -> None:
    """Some clock fits the noise of a watch that was off the wrist for half of the time best."""
    worn = _recording(seconds=500, seed=seed, acc=False)
    rng = np.random.default_rng(seed)
    noise = 0.05 * rng.standard_normal((2, 12500))
    ppg = worn.ppg.copy()
    ppg[50 * begin_s : 50 * end_s, 0] = noise[0] + np.cumsum(noise[1])
    (row,) = inspect([replace(worn, ppg=ppg)]).recordings
    assert row.drift is None


@pytest.mark.parametrize("shift_s", [20.0, -31.0, 45.0])
def test_a_clock_that_is_far_off_is_late_and_does_not_drift(shift_s: float) -> None:
    right = _recording(seconds=1200, seed=1)
    late = replace(right, window_start_s=right.window_start_s + shift_s)
    ((kind, message),) = [
        (c.kind, c.message) for c in inspect([late]).warnings if "lie outside" not in c.message
    ]
    assert kind == "label clock"
    assert f"labels come {abs(shift_s):.0f} s too {'late' if shift_s > 0 else 'early'}" in message
    lag_s = float(message.split("--lag ")[1].split()[0])
    assert inspect([late.with_lag(lag_s)]).warnings == []


@pytest.mark.parametrize(
    ("error", "share", "late_s"), [(0.03, 0.35, 0), (-0.04, 0.3, 0), (0.05, 0, 5)]
)
def test_a_wrong_rate_among_movement_or_a_lag(error: float, share: float, late_s: float) -> None:
    """Some windows read something else, or the labels are late besides."""
    right = _recording(seconds=1200, seed=2)
    ppg = right.ppg.copy()
    noise = np.random.default_rng(0).standard_normal(ppg.shape)
    for begin in range(0, len(ppg), 3000):  # of each minute
        part = slice(begin, begin + round(3000 * share))
        ppg[part] = noise[part]
    wrong = replace(
        right,
        ppg=ppg,
        hr_bpm=right.hr_bpm * (1 - error),
        window_start_s=right.window_start_s + late_s,
    )
    found = inspect([wrong])
    assert found.recordings[0].rate_error == pytest.approx(error, abs=0.006)
    assert found.warnings[0].kind == "rate"
    assert inspect([replace(right, ppg=ppg)]).recordings[0].rate_error is None


def test_labels_that_are_no_numbers_are_not_said_to_lie_outside() -> None:
    right = _recording()
    bpm = right.hr_bpm.copy()
    bpm[::3] = np.nan
    (caution,) = inspect([replace(right, hr_bpm=bpm)]).warnings
    assert "of 297 reference values are no numbers" in caution.message


@pytest.mark.parametrize("taken_hz", [40.0, 62.5, 64.0])
def test_a_rate_of_another_sensor(taken_hz: float) -> None:
    """50 Hz taken for a rate that sensors often have: the right one is named."""
    wrong = replace(_recording(acc=False), ppg_hz=taken_hz)
    found = inspect([replace(wrong, valid=wrong.window_start_s + 8 <= wrong.duration_s)])
    assert found.recordings[0].rate_error == pytest.approx(taken_hz / 50 - 1, abs=0.01)
    (message,) = [c.message for c in found.warnings if c.kind == "rate"]
    right_hz = float(message.split("its rate is ")[1].split()[0])
    assert right_hz == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("taken_hz", [32.0, 40.0, 64.0, 80.0])
def test_a_wrong_rate_of_rows_that_hold_the_labels_too(taken_hz: float) -> None:
    """Then their clock is as wrong, and only beats tell; not where the labels do not change."""
    right, times = _recording(acc=False), taken_hz / 50
    wrong = replace(right, ppg_hz=taken_hz, window_start_s=right.window_start_s / times)
    inside = wrong.window_start_s + 8 <= wrong.duration_s
    found = inspect([replace(wrong, valid=inside)])
    assert found.recordings[0].rate_error == pytest.approx(times - 1, abs=0.01)
    steady = replace(wrong, valid=inside & (np.abs(right.hr_bpm / right.hr_bpm[0] - 1) < 0.05))
    assert inspect([steady]).recordings[0].rate_error is None


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_beats_that_are_slower_are_no_clock_that_jumps(seed: int) -> None:
    """Rows that hold the labels, in ticks of 1/1024 s that were taken for ms."""
    right = _recording(seconds=300, seed=seed, acc=False)
    slower = replace(right, ppg_hz=50 / 1.024, window_start_s=1.024 * right.window_start_s)
    (caution,) = inspect([slower]).warnings
    assert caution.kind == "rate" and "(ms that count 1/1024 s?)" in caution.message


@pytest.mark.parametrize("error", [0.04, 0.02, -0.03])
def test_a_rate_that_is_some_percent_wrong(error: float) -> None:
    wrong = replace(_recording(acc=False), ppg_hz=50 * (1 + error))
    found = inspect([wrong])
    (row,) = found.recordings
    assert row.rate_error == pytest.approx(error, abs=0.005)
    (message,) = [c.message for c in found.warnings if c.kind == "rate"]
    assert (
        f"% {'faster' if error > 0 else 'slower'} than the labels, and its clock runs" in message
    )
    assert "Hz rather than" in message
    labels = replace(_recording(), hr_bpm=_recording().hr_bpm * (1 - error))
    (message,) = [c.message for c in inspect([labels]).warnings if c.kind == "rate"]
    assert "or the reference counts with a wrong clock" in message and "its clock" not in message
    assert inspect([_recording()]).recordings[0].rate_error is None


@pytest.mark.parametrize("error", [0.01, -0.01, 0.015])
def test_a_rate_that_is_a_percent_wrong_for_five_minutes(error: float) -> None:
    """Noise and movement as of a wrist: neither a drift, nor jumps."""
    right = _recording(seconds=300, seed=4, acc=False)
    noise = np.random.default_rng(0).standard_normal(right.ppg.shape)
    noise[3000:6000] *= 4
    wrong = replace(right, ppg=right.ppg + noise.astype(np.float32), ppg_hz=50 * (1 + error))
    found = inspect([wrong])
    assert found.recordings[0].rate_error == pytest.approx(error, abs=0.002)
    assert [c.kind for c in found.warnings] == ["rate"]


@pytest.mark.parametrize("slope", [0.006, -0.004])
@pytest.mark.parametrize("offset_s", [-40.0, 25.0])
def test_a_clock_that_is_far_off_and_drifts(slope: float, offset_s: float) -> None:
    right = _recording(seconds=1200, seed=1)
    wrong = replace(right, window_start_s=(right.window_start_s - offset_s) / (1 + slope))
    found = inspect([wrong])
    (message,) = [c.message for c in found.warnings if c.kind == "label clock drifts"]
    words = message.split("--lag ")[1].split()
    mended = wrong.with_lag(float(words[0]), drift_ppm=float(words[2]))
    np.testing.assert_allclose(mended.window_start_s, right.window_start_s, atol=1.0)
    assert "are rows missing?" in message


@pytest.mark.parametrize("lost", [0.03, 0.05, 0.07])
@pytest.mark.parametrize("rows", [5, 20])
def test_rows_that_are_missing_without_a_trace(lost: float, rows: int) -> None:
    """Times are row numbers over a nominal rate: beats and clock scale together."""
    right = _recording(seconds=900)
    packet = np.arange(len(right.ppg)) // rows
    kept = (np.random.default_rng(rows).random(packet[-1] + 1) >= lost)[packet]
    short = replace(right, ppg=right.ppg[kept], acc=None, acc_hz=None)
    found = inspect([short])
    (row,) = found.recordings
    (message,) = [c.message for c in found.warnings if c.kind in ("rate", "label clock drifts")]
    assert row.drift is not None
    assert -row.drift.slope == pytest.approx(1 - kept.mean(), rel=0.35)
    assert "rows are missing" in message or "are rows missing?" in message
    (whole,) = inspect([replace(right, acc=None, acc_hz=None)]).recordings
    assert whole.rate_error is None and whole.drift is None


@pytest.mark.parametrize(("seconds", "lost"), [(240, 0.05), (300, 0.03), (300, 0.07)])
def test_rows_that_are_missing_from_short_recordings(seconds: float, lost: float) -> None:
    right = _recording(seconds=seconds, seed=3, acc=False)
    packet = np.arange(len(right.ppg)) // 20
    kept = (np.random.default_rng(1).random(packet[-1] + 1) >= lost)[packet]
    found = inspect([replace(right, ppg=right.ppg[kept])])
    said = " ".join(c.message for c in found.warnings)
    assert "rows are missing without a trace" in said or "are rows missing?" in said


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0, 3.9])
def test_a_rate_that_is_twice_what_it_is(times: float) -> None:
    """Labels in the rows of the PPG go with its rate, so that no clock tells it."""
    right = _recording(seconds=400)
    start_s = right.window_start_s / times
    bpm = np.interp((start_s + 4) * times, right.window_start_s + 4, right.hr_bpm)
    bare = replace(right, ppg_hz=50 * times, acc=None, acc_hz=None)
    wrong = replace(bare, window_start_s=start_s, hr_bpm=bpm)
    said = reference_fault(wrong)
    assert bool(said) == (times != 1)
    if said:
        told_hz = float(said.split("about ")[1].split(" Hz")[0])
        assert told_hz == pytest.approx(50, rel=0.06)
        assert f"times as {'fast' if times > 1 else 'slow'} as the heart rate" in said
        assert f"rather than {50 * times:g}" in said


def test_an_overtone_is_no_wrong_rate() -> None:
    right = _recording(seconds=400)
    phase = np.interp(np.arange(len(right.ppg)) / 50, right.window_start_s + 4, right.hr_bpm)
    beat = 2 * np.pi * np.cumsum(phase / 60 / 50)
    light = 0.6 * np.cos(beat) + np.cos(2 * beat)
    assert reference_fault(replace(right, ppg=light[:, None].astype(np.float32))) == ""
