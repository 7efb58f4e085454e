from __future__ import annotations

import math

import numpy as np
import pytest

from ppg.segments.cut import variability_ms

HZ = 128.0


def wave_of(intervals_s: list[float]) -> np.ndarray:
    """One smooth pulse at the end of each interval."""
    time_s = np.arange(0, sum(intervals_s) + 0.3, 1 / HZ)
    beats = np.cumsum(intervals_s)
    return sum(np.exp(-(((time_s - beat) / 0.06) ** 2)) for beat in beats)


def test_intervals_give_their_spread() -> None:
    intervals_s = [0.8, 0.84] * 15
    sdnn, rmssd = variability_ms(wave_of(intervals_s), HZ)
    seen = 1e3 * np.array(intervals_s[1:])
    assert sdnn == pytest.approx(seen.std(ddof=1), abs=1.0)
    assert rmssd == pytest.approx(40.0, abs=1.0)


def test_a_missed_beat_a_flat_line_and_noise_have_none() -> None:
    missed = wave_of([0.8] * 15 + [1.55] + [0.8] * 15)
    noise = np.random.default_rng(0).standard_normal(30 * 128)
    for wave in (missed, np.zeros(30 * 128), noise):
        assert all(math.isnan(value) for value in variability_ms(wave, HZ))


def test_regular_steps_are_no_pulse_where_the_reference_says_another_rate() -> None:
    wave = wave_of([0.8] * 35)  # 75 a minute
    assert np.isfinite(variability_ms(wave, HZ, reference_bpm=76.0)).all()
    assert np.isnan(variability_ms(wave, HZ, reference_bpm=140.0)).all()
