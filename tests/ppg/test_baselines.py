"""Hand-built readers on signals whose rate is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.baselines import BASELINES, RATE_HZ, baseline, reads_slope, spectra
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.errors import DataError


def windows(
    rate_bpm: np.ndarray, *, motion_bpm: float | None = None, leak: float = 0.0
) -> WindowSet:
    """Sinusoids at a rate; acceleration at another one, which leaks into the PPG."""
    count = len(rate_bpm)
    at_s = np.arange(8 * RATE_HZ) / RATE_HZ
    ppg = np.sin(2 * np.pi * rate_bpm[:, None] / 60 * at_s)
    acc = np.random.default_rng(0).normal(0, 0.01, (count, 3, len(at_s)))
    if motion_bpm is not None:
        swing = np.sin(2 * np.pi * motion_bpm / 60 * at_s + 1.0)
        acc += 1.5 * swing
        ppg = ppg + leak * swing
    return WindowSet(
        x=np.concatenate([ppg[:, None], acc], axis=1).astype(np.float32),
        hr_bpm=rate_bpm,
        person=np.zeros(count, np.int64),
        people=("d/a",),
        recording=np.zeros(count, np.int64),
        recordings=("d/r",),
        start_s=np.arange(0, 2.0 * count, 2.0),
        activity=np.full(count, -1),
        activity_names=(),
    )


def test_a_bin_is_a_beat_per_minute() -> None:
    seen = windows(np.array([30.0, 72.0, 209.0]))
    assert spectra(seen.x[:, :1], RATE_HZ)[:, 0].argmax(axis=1).tolist() == pytest.approx(
        [0, 42, 179], abs=1
    )


def test_slow_swings_are_taken_away_by_the_slope() -> None:
    recording = synthesize(people=1, minutes=1.0, seed=2)[0]
    at_s = np.arange(len(recording.ppg)) / recording.ppg_hz
    pulse, swing = np.sin(2 * np.pi * 80 / 60 * at_s), 1.6 * np.sin(2 * np.pi * 36 / 60 * at_s)
    swung = replace(recording, ppg=(pulse + swing)[:, None].astype(np.float32))
    for name, bpm in (("spectral-peak", 36), ("spectral-peak-slope", 80)):
        seen = windows_of([swung], InputSpec(RATE_HZ, acceleration=True), slope=reads_slope(name))
        np.testing.assert_allclose(baseline(name)(seen, RATE_HZ), bpm, atol=4)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_calm_pulse_is_read(name: str) -> None:
    seen = windows(np.linspace(65, 95, 40))
    np.testing.assert_allclose(baseline(name)(seen, RATE_HZ), seen.hr_bpm, atol=4)


def test_peaks_are_counted_between_samples_and_odd_intervals_left_out() -> None:
    """75.3 BPM to a tenth, also where one beat is missing; noise falls back to the spectrum."""
    seen = windows(np.full(3, 75.3))
    x = seen.x.copy()
    at_s = np.arange(x.shape[-1]) / RATE_HZ
    x[1, 0, (at_s > 3.2) & (at_s < 4.0)] = -1.0
    x[2, 0] = 0.0
    x[2, 0, 100] = 1.0
    read = baseline("peaks")(replace(seen, x=x), RATE_HZ)
    np.testing.assert_allclose(read[:2], 75.3, atol=0.3)
    assert read[2] == baseline("spectral-peak")(replace(seen, x=x), RATE_HZ)[2]


def test_motion_fools_the_peak_alone() -> None:
    seen = windows(np.full(20, 80.0), motion_bpm=150.0, leak=1.5)
    assert baseline("spectral-peak")(seen, RATE_HZ)[-1] == pytest.approx(150, abs=2)
    for name in ("spectral-motion", "wiener"):
        assert baseline(name)(seen, RATE_HZ)[-1] == pytest.approx(80, abs=4), name


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_they_look_back_only_and_start_anew(name: str) -> None:
    rng = np.random.default_rng(2)
    seen = windows(rng.uniform(60, 150, 30), motion_bpm=110.0, leak=0.5)
    noisy = seen.x.copy()
    noisy[20:] = rng.normal(size=noisy[20:].shape)
    read = baseline(name)(seen, RATE_HZ)
    np.testing.assert_array_equal(read[:20], baseline(name)(replace(seen, x=noisy), RATE_HZ)[:20])
    two = replace(seen, recording=np.repeat([0, 1], 15))
    alone = replace(
        seen,
        x=seen.x[15:],
        recording=seen.recording[15:],
        start_s=seen.start_s[15:],
    )
    np.testing.assert_allclose(
        baseline(name)(two, RATE_HZ)[15:], baseline(name)(alone, RATE_HZ), rtol=1e-6
    )


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(DataError, match="allowed: spectral-peak, spectral-motion, wiener"):
        baseline("kalman")
