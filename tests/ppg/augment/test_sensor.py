"""Another sensor: harmonics, gain over frequency and sign change, the rate does not."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.augment.sensor import bend, polarity, tilt

HZ = 32


def _tones(hz: float, count: int = 50) -> np.ndarray:
    time = np.arange(8 * HZ) / HZ
    return np.tile(np.sqrt(2) * np.sin(2 * np.pi * hz * time), (count, 1)).astype(np.float32)


def _amplitude(trace: np.ndarray, hz: float) -> np.ndarray:
    time = np.arange(trace.shape[1]) / HZ
    return 2 * np.abs(trace @ np.exp(-2j * np.pi * hz * time)) / trace.shape[1]


def test_bending_adds_the_second_harmonic_alone() -> None:
    bent = bend(np.random.default_rng(0), _tones(1.5), largest=0.3)
    # sin^2 = (1 - cos 2x) / 2: a share s of 2 sin^2 - 1 has amplitude s at twice the rate
    second = _amplitude(bent, 3.0)
    assert second.max() == pytest.approx(0.3, abs=0.02) and second.min() < 0.05
    np.testing.assert_allclose(_amplitude(bent, 1.5), np.sqrt(2), rtol=1e-3)
    assert np.abs(bent.mean(axis=1)).max() < 1e-3


def test_a_tilt_keeps_frequencies_and_changes_gains_smoothly() -> None:
    both = _tones(1.0) + _tones(4.0)
    tilted = tilt(np.random.default_rng(1), both, rate_hz=HZ, largest=0.7)
    left_over = tilted.var(axis=1)
    for hz in (1.0, 4.0):
        left_over = left_over - _amplitude(tilted, hz) ** 2 / 2
    assert np.abs(left_over).max() < 1e-3 * tilted.var(axis=1).min()
    ratio = np.log(_amplitude(tilted, 4.0) / _amplitude(tilted, 1.0))
    assert ratio.min() < -0.5 and ratio.max() > 0.5
    assert np.abs(ratio).max() < 2 * 0.7 + 2 * 0.3 * 0.7 + 1e-3  # two octaves and two ripples


def test_no_strength_changes_nothing() -> None:
    rng, trace = np.random.default_rng(2), _tones(1.5)
    np.testing.assert_array_equal(bend(rng, trace, largest=0.0), trace)
    np.testing.assert_allclose(tilt(rng, trace, rate_hz=HZ, largest=0.0), trace, atol=1e-5)
    np.testing.assert_array_equal(polarity(rng, trace, share=0.0), trace)


def test_polarity_turns_a_share() -> None:
    trace = _tones(1.5, count=400)
    sign = (polarity(np.random.default_rng(3), trace, share=0.5) * trace).sum(axis=1) > 0
    assert 0.4 < sign.mean() < 0.6
