"""Pulse and rest: a labelled tone is the pulse, another tone is the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.augment.bank import pulse_part
from tests.ppg.test_windows import _tone


def test_the_labelled_rate_and_its_harmonics_are_the_pulse() -> None:
    recording = _tone(90, hz=64)
    time = np.arange(len(recording.ppg)) / 64
    beat = np.cos(2 * np.pi * 1.5 * time) + 0.4 * np.sin(2 * np.pi * 3.0 * time + 1)
    steps = 2 * np.sin(2 * np.pi * 2.2 * time)
    ppg = (beat + steps).astype(np.float32)[:, None]
    pulse = pulse_part(recording, ppg, hz=64)
    inner = slice(8 * 64, -8 * 64)  # the filters settle at the ends
    np.testing.assert_allclose(pulse[inner, 0], beat[inner], atol=0.1)
    np.testing.assert_allclose((ppg - pulse)[inner, 0], steps[inner], atol=0.1)


def test_a_changing_rate_is_followed() -> None:
    recording = _tone(60, seconds=120, hz=64)
    time = np.arange(len(recording.ppg)) / 64
    bpm = 60 + 0.5 * time
    recording = replace(recording, hr_bpm=60 + 0.5 * (recording.window_start_s + 4))
    beat = np.cos(2 * np.pi * np.cumsum(bpm / 60) / 64).astype(np.float32)[:, None]
    inner = slice(10 * 64, -10 * 64)
    rest = (beat - pulse_part(recording, beat, hz=64))[inner]
    assert rest.std() < 0.1 * beat.std()
    steady = replace(recording, hr_bpm=np.full(len(recording.hr_bpm), 90.0))
    rest = (beat - pulse_part(steady, beat, hz=64))[inner]
    assert rest.std() > 0.5 * beat.std()


def test_invalid_labels_are_not_read() -> None:
    recording = _tone(90, hz=64)
    wrong = recording.hr_bpm.copy()
    wrong[10] = 200.0
    valid = recording.valid.copy()
    valid[10] = False
    told = replace(recording, hr_bpm=wrong, valid=valid)
    same = pulse_part(recording, recording.ppg, hz=64)
    np.testing.assert_allclose(pulse_part(told, recording.ppg, hz=64), same, atol=1e-5)
    assert np.corrcoef(same[:, 0], recording.ppg[:, 0])[0, 1] == pytest.approx(1, abs=0.02)
