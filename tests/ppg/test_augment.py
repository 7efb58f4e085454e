"""Augmentation: labels follow the stretch, artefacts follow the acceleration."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.augment import PLAIN, Augmentation, TrainingBank, _artefacts, _rarity, _rotations
from ppg.recording import Recording
from ppg.synthetic import synthesize
from ppg.windows import windows_of
from ppgnas.errors import DataError
from tests.ppg.test_windows import _tone


def _peak_bpm(trace: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(trace * np.hanning(len(trace)), 16 * len(trace)))
    return float(60 * spectrum.argmax() / (16 * len(trace) / rate_hz))


@pytest.fixture(scope="module")
def bank() -> TrainingBank:
    return TrainingBank(synthesize(people=3, minutes=3, seed=2), acceleration=True)


def test_a_stretched_tone_has_the_scaled_label() -> None:
    bank = TrainingBank([_tone(90), _tone(120, subject="b", hz=64)], acceleration=False)
    how = Augmentation(stretch=1.4, noise=0.0)
    x, hr_bpm = bank.draw(np.random.default_rng(0), 200, rate_hz=32, augmentation=how)
    assert x.shape == (200, 1, 256)
    assert hr_bpm.min() < 80 and hr_bpm.max() > 150
    for trace, label in zip(x[:, 0], hr_bpm, strict=True):
        assert _peak_bpm(trace, 32) == pytest.approx(label, abs=1.5)


def test_labels_stay_inside_the_classes() -> None:
    bank = TrainingBank([_tone(200)], acceleration=False)
    _, hr_bpm = bank.draw(
        np.random.default_rng(1), 300, rate_hz=32, augmentation=Augmentation(stretch=1.4)
    )
    assert hr_bpm.max() <= 209 and hr_bpm.min() >= 30


def test_plain_draws_are_evaluation_windows() -> None:
    people = synthesize(people=1, minutes=2, seed=3)
    windows = windows_of(people, rate_hz=32, acceleration=True)
    bank = TrainingBank(people, acceleration=True)
    x, hr_bpm = bank.draw(np.random.default_rng(2), 20, rate_hz=32, augmentation=PLAIN)
    for trace, label in zip(x, hr_bpm, strict=True):
        distance = np.abs(windows.x - trace).max(axis=(1, 2))
        nearest = distance.argmin()
        assert distance[nearest] < 1e-3
        assert windows.hr_bpm[nearest] == pytest.approx(label)


def test_draws_repeat_by_seed_and_are_finite(bank: TrainingBank) -> None:
    one = bank.draw(np.random.default_rng(7), 64, rate_hz=32)
    two = bank.draw(np.random.default_rng(7), 64, rate_hz=32)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert np.isfinite(one[0]).all() and one[0].dtype == np.float32
    assert not np.array_equal(one[0], bank.draw(np.random.default_rng(8), 64, rate_hz=32)[0])


def test_artefacts_are_driven_by_the_acceleration() -> None:
    rng = np.random.default_rng(4)
    time = np.arange(256) / 32
    acc = 0.5 * np.sin(2 * np.pi * 1.5 * time)[None, :, None] * np.ones((20, 1, 3))
    traces = _artefacts(rng, acc.astype(np.float32))
    np.testing.assert_allclose(traces.std(axis=1), 1, rtol=1e-3)
    power = np.abs(np.fft.rfft(traces[:, 32:], axis=1)) ** 2
    hz = np.fft.rfftfreq(224, 1 / 32)
    near = np.zeros(len(hz), bool)
    for harmonic in (1.5, 3.0):
        near |= np.abs(hz - harmonic) < 0.3
    assert (power[:, near].sum(axis=1) / power[:, 1:].sum(axis=1) > 0.9).mean() > 0.8


def test_rotations_are_rotations() -> None:
    turned = _rotations(np.random.default_rng(5), 50)
    identity = np.einsum("nij,nkj->nik", turned, turned)
    np.testing.assert_allclose(identity, np.tile(np.eye(3), (50, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-5)


def test_rare_heart_rates_weigh_more() -> None:
    hr = np.r_[np.full(900, 75.0), np.full(100, 165.0)]
    rarity = _rarity(hr, np.ones(1000))
    assert rarity[-1] == pytest.approx(rarity[0] * (0.5 * 900 + 18) / (0.5 * 100 + 18), rel=1e-6)


def test_the_highest_valid_label_has_a_bin() -> None:
    assert np.isfinite(_rarity(np.array([60.0, 249.9]), np.ones(2))).all()


def test_channels_are_repeated_where_sensors_differ(bank: TrainingBank) -> None:
    narrow: Recording = _tone(80)
    mixed = TrainingBank([*synthesize(people=1, minutes=2, seed=6), narrow], acceleration=True)
    x, _ = mixed.draw(np.random.default_rng(0), 32, rate_hz=16)
    assert x.shape == (32, 4, 128)


def test_nothing_usable_is_refused() -> None:
    from dataclasses import replace

    none = replace(_tone(60), valid=np.zeros(27, bool))
    with pytest.raises(DataError, match="no usable training window"):
        TrainingBank([none], acceleration=False)
