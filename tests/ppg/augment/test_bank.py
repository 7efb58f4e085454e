"""Augmentation: labels follow the stretch, artefacts follow the acceleration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.augment.bank import TrainingBank, _rarity
from ppg.augment.streams import Augmentation
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import DataError
from tests.ppg.inspection.test_inspection import _recording
from tests.ppg.test_windows import _tone

PLAIN = Augmentation(1.0, 0.0, 0.0, 0.0, 0.0, False, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


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


def test_no_draw_reads_in_a_gap() -> None:
    """However a window is moved or stretched."""
    person = replace(synthesize(people=1, minutes=2, seed=3)[0], gaps=((30.0, 42.0), (70, 71)))
    assert not person.usable[(person.window_start_s > 22) & (person.window_start_s < 42)].any()
    bank = TrainingBank([person], acceleration=True)
    rng = np.random.default_rng(0)
    pick = rng.integers(len(bank), size=2000)
    factor, shift_s = rng.uniform(0.5, 2.0, 2000), rng.uniform(-3, 3, 2000)
    position, factor, _ = bank._streams.place(pick, factor, shift_s, rate_hz=32)
    for begin, end in person.gaps:
        assert not ((position > begin * 64 - 1) & (position < end * 64)).any()
    assert factor.max() > 1.5


def test_plain_draws_are_evaluation_windows() -> None:
    people = synthesize(people=1, minutes=2, seed=3)
    windows = windows_of(people, InputSpec(32, True))
    bank = TrainingBank(people, acceleration=True)
    x, hr_bpm = bank.draw(np.random.default_rng(2), 20, rate_hz=32, augmentation=PLAIN)
    for trace, label in zip(x, hr_bpm, strict=True):
        distance = np.abs(windows.x - trace).max(axis=(1, 2))
        nearest = distance.argmin()
        assert distance[nearest] < 1e-2  # draws are scaled once more after clipping
        assert windows.hr_bpm[nearest] == pytest.approx(label)


def test_draws_repeat_by_seed_and_are_finite(bank: TrainingBank) -> None:
    one = bank.draw(np.random.default_rng(7), 64, rate_hz=32)
    two = bank.draw(np.random.default_rng(7), 64, rate_hz=32)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert np.isfinite(one[0]).all() and one[0].dtype == np.float32
    assert not np.array_equal(one[0], bank.draw(np.random.default_rng(8), 64, rate_hz=32)[0])


def _moving(bpm: float, *, steps_bpm: float, acc_g: float, subject: str) -> Recording:
    """A pulse, and a movement that disturbs it as strongly as it is."""
    base = _tone(bpm, subject=subject, hz=64)
    time = np.arange(len(base.ppg)) / 64
    steps = acc_g * np.sin(2 * np.pi * steps_bpm / 60 * time)
    acc = (steps[:, None] * np.array([[1.0, 0.5, 0.2]])).astype(np.float32)
    return replace(base, ppg=base.ppg + steps.astype(np.float32)[:, None], acc=acc)


def test_composed_windows_break_the_tie_between_movement_and_rate() -> None:
    slow = _moving(70, steps_bpm=100, acc_g=0.1, subject="slow")
    fast = _moving(150, steps_bpm=170, acc_g=1.0, subject="fast")
    bank = TrainingBank([slow, fast], acceleration=True)

    def tie(composed: float) -> float:
        how = replace(PLAIN, composed=composed)
        x, hr_bpm = bank.draw(np.random.default_rng(0), 400, rate_hz=32, augmentation=how)
        return float(np.corrcoef(x[:, 1:].std(axis=(1, 2)), hr_bpm)[0, 1])

    assert tie(0.0) > 0.95
    assert abs(tie(1.0)) < 0.15


def test_composed_windows_hold_the_labelled_pulse_and_the_artefact_of_their_movement() -> None:
    bank = TrainingBank(
        [_moving(80, steps_bpm=110, acc_g=0.4, subject=s) for s in "ab"], acceleration=True
    )
    how = replace(PLAIN, composed=1.0)
    x, hr_bpm = bank.draw(np.random.default_rng(1), 200, rate_hz=32, augmentation=how)
    assert hr_bpm.min() < 60 and hr_bpm.max() > 145
    time = np.arange(256) / 32
    shares = []
    for trace, axis, label in zip(x[:, 0], x[:, 1], hr_bpm, strict=True):
        steps_bpm = _peak_bpm(axis, 32)
        turns = np.exp(2j * np.pi / 60 * np.outer([label, steps_bpm], time))
        basis = np.concatenate([turns.real, turns.imag]).T
        explained = basis @ np.linalg.lstsq(basis, trace, rcond=None)[0]
        shares.append(explained.var() / trace.var())
    assert np.mean(np.array(shares) > 0.9) > 0.85  # the filters settle at the ends


def test_artefacts_come_from_acceleration_that_is_not_given_out() -> None:
    moving = _moving(80, steps_bpm=110, acc_g=0.4, subject="a")
    still = replace(moving, acc=None, acc_hz=None)
    how = replace(PLAIN, artefact=1.0)
    purity = []
    for recording in (moving, still):
        bank = TrainingBank([recording], acceleration=False)
        x, _ = bank.draw(np.random.default_rng(3), 100, rate_hz=32, augmentation=how)
        plain, _ = bank.draw(np.random.default_rng(3), 100, rate_hz=32, augmentation=PLAIN)
        purity.append((x[:, 0] * plain[:, 0]).mean())  # both have unit spread
    assert purity[0] < 0.95 and purity[1] > 0.999


def test_without_acceleration_windows_are_composed_as_well() -> None:
    bank = TrainingBank(
        [_moving(80, steps_bpm=110, acc_g=0.4, subject=s) for s in "ab"], acceleration=False
    )
    x, hr_bpm = bank.draw(np.random.default_rng(2), 64, rate_hz=32)
    assert x.shape == (64, 1, 256) and np.isfinite(x).all() and hr_bpm.max() > 110


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
    none = replace(_tone(60), valid=np.zeros(27, bool))
    with pytest.raises(DataError, match="no usable training window"):
        TrainingBank([none], acceleration=False)


def test_labels_with_a_wrong_clock_are_drawn_where_they_fit() -> None:
    wandering = _recording()  # by up to 2 BPM a second
    late = replace(wandering, window_start_s=wandering.window_start_s + 6)
    bank = TrainingBank([late], acceleration=True)
    x, hr_bpm = bank.draw(np.random.default_rng(0), 100, rate_hz=32, augmentation=PLAIN)
    peaks = [_peak_bpm(trace, 32) for trace in x[:, 0]]
    assert np.median(np.abs(peaks - hr_bpm)) < 1.5
    windows = windows_of([late], InputSpec(32, True))  # those of a test are not moved
    peaks = [_peak_bpm(trace, 32) for trace in windows.x[:, 0]]
    assert np.median(np.abs(peaks - windows.hr_bpm)) > 2.5
