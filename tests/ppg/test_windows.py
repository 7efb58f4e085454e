"""Windows: clock, order, people, left-out labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import DataError


def _tone(bpm: float, *, subject: str = "a", seconds: float = 60, hz: float = 50) -> Recording:
    time = np.arange(int(seconds * hz)) / hz
    starts = np.arange(0, seconds - 8 + 0.1, 2.0)
    return Recording(
        subject=subject, dataset="tones", name=subject,
        ppg=np.sin(2 * np.pi * bpm / 60 * time).astype(np.float32)[:, None], ppg_hz=hz,
        acc=np.zeros((len(time), 3), np.float32), acc_hz=hz,
        window_start_s=starts, hr_bpm=np.full(len(starts), bpm),
        valid=np.ones(len(starts), bool), activity=np.zeros(len(starts), np.int64),
        activity_names=("rest",),
    )  # fmt: skip


@pytest.mark.parametrize("rate_hz", [16, 25, 32, 64])
def test_a_tone_stays_its_frequency_at_every_rate(rate_hz: int) -> None:
    windows = windows_of([_tone(96)], InputSpec(rate_hz, acceleration=True))
    assert windows.x.shape == (27, 4, 8 * rate_hz)
    spectrum = np.abs(np.fft.rfft(windows.x[-1, 0], 16 * 8 * rate_hz))
    peak_bpm = 60 * spectrum.argmax() / (16 * 8)
    assert peak_bpm == pytest.approx(96, abs=1)
    assert not windows.x[:, 1:].any()


def test_windows_start_where_their_labels_say() -> None:
    base = _tone(60)
    shifted = replace(
        base,
        window_start_s=base.window_start_s[:-1] + 1.0,
        hr_bpm=base.hr_bpm[:-1],
        valid=base.valid[:-1],
        activity=base.activity[:-1],
    )
    early = windows_of([base], InputSpec(32, acceleration=False)).x[10, 0]
    late = windows_of([shifted], InputSpec(32, acceleration=False)).x[10, 0]
    # a second later is the same phase of a 1 Hz tone
    np.testing.assert_allclose(early, late, atol=0.05)
    half = replace(shifted, window_start_s=shifted.window_start_s - 0.5)
    inverse = windows_of([half], InputSpec(32, acceleration=False)).x[10, 0]
    np.testing.assert_allclose(early, -inverse, atol=0.05)


def test_invalid_and_outside_windows_are_left_out() -> None:
    base = _tone(60)
    valid = base.valid.copy()
    valid[3] = False
    start = base.window_start_s.copy()
    start[-1] = 53.0  # would end after the signal
    windows = windows_of(
        [replace(base, valid=valid, window_start_s=start)], InputSpec(32, acceleration=False)
    )
    assert len(windows) == 25 and 6.0 not in windows.start_s


def test_windows_that_touch_a_gap_are_left_out() -> None:
    whole = _tone(90)
    holed = replace(whole, gaps=((10.0, 11.0),))
    start_s = windows_of([holed], InputSpec(32, acceleration=False)).start_s
    clear = (whole.window_start_s + 8 <= 10) | (whole.window_start_s >= 11)
    assert start_s.tolist() == whole.window_start_s[whole.usable & clear].tolist()
    with pytest.raises(DataError, match="each must end after it begins"):
        replace(whole, gaps=((3.0, 3.0),))


def test_people_and_recordings_are_indexed() -> None:
    recordings = [_tone(60, subject="b"), _tone(90, subject="a")]
    windows = windows_of(recordings, InputSpec(32, acceleration=True))
    assert windows.people == ("tones/a", "tones/b")
    assert windows.recordings == ("tones/b", "tones/a")
    assert windows.hr_bpm[windows.person == 0].tolist() == [90.0] * 27
    np.testing.assert_array_equal(windows.spread(2), windows.x[[0, -1]])
    assert len(windows.spread(1000)) == len(windows)
    assert windows.activity_names == ("rest",) and not windows.activity.any()


def test_bad_requests_say_what_to_do() -> None:
    bare = replace(_tone(60), acc=None, acc_hz=None)
    with pytest.raises(DataError, match=r"1 recording\(s\) have no acceleration \(tones/a\)"):
        windows_of([bare], InputSpec(32, acceleration=True))
    assert windows_of([bare], InputSpec(32, acceleration=False)).x.shape[1] == 1
    none = replace(_tone(60), valid=np.zeros(27, bool))
    with pytest.raises(DataError, match="no usable window in the recordings"):
        windows_of([none], InputSpec(32, acceleration=False))


def test_synthetic_people_give_windows_without_nan() -> None:
    windows = windows_of(synthesize(people=3, minutes=2, seed=1), InputSpec(32, acceleration=True))
    assert np.isfinite(windows.x).all() and np.abs(windows.x).max() <= 5


def test_the_wave_can_be_had_instead_of_its_slope() -> None:
    """The slope weighs each frequency by itself: the mean frequency rises, the rate stays."""
    people = synthesize(people=1, minutes=2, seed=3)
    hz = np.fft.rfftfreq(256, 1 / 32)

    def mean_hz(*, slope: bool) -> np.ndarray:
        x = windows_of(people, InputSpec(32, acceleration=False), slope=slope).x[:, 0]
        power = np.abs(np.fft.rfft(x)) ** 2
        return np.asarray((power * hz).sum(axis=1) / power.sum(axis=1))

    assert np.all(mean_hz(slope=True) > 1.1 * mean_hz(slope=False))
