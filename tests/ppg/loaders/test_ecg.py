"""R peaks of leads whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.ecg import heart_rate, r_peaks
from tests.ppg.loaders.upstream import ecg


def _beats(seconds: float, *, seed: int, bpm: float = 75) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    intervals = 60 / bpm * (1 + 0.05 * rng.standard_normal(int(seconds * bpm / 60) + 20))
    times = 0.5 + np.cumsum(intervals)
    return times[times < seconds - 0.5]


def _hits(found: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[int, int]:
    """Missed and made-up beats, within 50 ms."""
    apart = np.abs(found[:, None] - true)
    return int((apart.min(axis=0) > 0.05).sum()), int((apart.min(axis=1) > 0.05).sum())


@pytest.mark.parametrize("hz", [125.0, 700.0])
@pytest.mark.parametrize("bpm", [45, 75, 170])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_clean_lead(hz: float, bpm: float, sign: int) -> None:
    true = _beats(60, seed=1, bpm=bpm)
    found = r_peaks(sign * 3.0 * ecg(hz, true, 60), hz)
    assert len(found) == len(true)
    assert np.abs(found - true).max() < 0.003


@pytest.mark.parametrize("seed", range(4))
def test_noise_drift_and_mains(seed: int) -> None:
    hz = 700.0
    true = _beats(120, seed=seed, bpm=80)
    time_s = np.arange(120 * 700) / hz
    rng = np.random.default_rng(seed)
    lead = ecg(hz, true, 120) + 0.2 * rng.standard_normal(len(time_s))
    lead += 2 * np.sin(2 * np.pi * 0.2 * time_s) + 0.3 * np.sin(2 * np.pi * 50 * time_s)
    found = r_peaks(lead, hz)
    assert _hits(found, true) == (0, 0)
    start_s = np.arange(0, 112, 2.0)
    reference, _ = heart_rate(true, start_s)
    hr_bpm, valid = heart_rate(found, start_s)
    assert valid.mean() > 0.95
    assert np.abs(hr_bpm - reference)[valid].mean() < 0.3


def test_beats_that_come_early_are_beats() -> None:
    """Every eighth beat comes at 65 % of the interval and is lower; the next waits."""
    intervals = np.full(100, 0.8)
    intervals[8::8], intervals[9::8] = 0.52, 1.08
    true = 0.5 + np.cumsum(intervals)
    lead = ecg(250, true, 82)
    low = np.flatnonzero(np.isclose(intervals, 0.52))
    lead -= 0.3 * ecg(250, true[low], 82)
    found = r_peaks(lead, 250)
    assert _hits(found, true) == (0, 0)
    _, valid = heart_rate(found, np.arange(0, 72, 2.0))
    assert valid.all()


def test_growing_and_shrinking_beats() -> None:
    true = _beats(120, seed=3)
    gain = 1 + 0.8 * np.sin(2 * np.pi * np.arange(120 * 250) / 250 / 60)
    assert _hits(r_peaks(gain * ecg(250, true, 120), 250), true) == (0, 0)


def test_nothing_to_find() -> None:
    assert len(r_peaks(np.zeros(10_000), 250)) == 0
    assert len(r_peaks(np.ones(100), 250)) == 0


def test_means_by_hand() -> None:
    beats = np.array([0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    (rates,), (valid,) = heart_rate(beats, np.array([0.0]))
    # Intervals that end in (0, 8]: six of 1 s, four of 0.5 s.
    assert rates == pytest.approx((6 * 60 + 4 * 120) / 10) and not valid  # 0.5 of 1: an extra
    (intervals,), _ = heart_rate(beats, np.array([0.0]), of="intervals")
    assert intervals == pytest.approx(60 / 0.8)


def test_a_lost_beat_marks_the_windows_around_it() -> None:
    beats = np.delete(np.arange(0, 60, 0.75), 40)  # lost at 30 s
    start_s = np.arange(0, 52, 2.0)
    _, valid = heart_rate(beats, start_s)
    # The interval ends at 30.75 s: in windows that begin from 22.75 - and before 30.75.
    assert start_s[~valid].tolist() == [24.0, 26.0, 28.0, 30.0]


def test_a_hole_is_no_heart_rate() -> None:
    beats = np.concatenate([np.arange(0, 20, 0.8), np.arange(40, 60, 0.8)])
    hr_bpm, valid = heart_rate(beats, np.array([24.0, 36.0, 50.0]))
    assert np.isnan(hr_bpm[0]) and valid.tolist() == [False, False, True]
