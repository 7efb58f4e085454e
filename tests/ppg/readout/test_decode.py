"""Targets and decoding."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.readout.classes import bin_centres_bpm, soft_labels
from ppg.readout.decode import decode, probabilities, smooth


def test_soft_labels_are_gaussians_around_the_rate() -> None:
    labels = soft_labels(np.array([72.0, 100.5, 10.0, 500.0]))
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)
    centres = bin_centres_bpm()
    np.testing.assert_allclose(labels[:2] @ centres, [72.0, 100.5], atol=1e-3)
    spread = np.sqrt(labels[0] @ (centres - 72) ** 2)
    assert spread == pytest.approx(2.0, abs=0.01)
    assert labels[2].argmax() == 0 and labels[3].argmax() == 179


def test_decoding_recovers_fractions_of_a_bin() -> None:
    hr = np.array([45.25, 88.8, 150.5])
    decoded = decode(np.log(soft_labels(hr) + 1e-12))
    np.testing.assert_allclose(decoded.bpm, hr, atol=0.02)
    np.testing.assert_allclose(decoded.spread_bpm, 2.0, atol=0.1)


def test_the_mode_wins_over_a_far_second_peak() -> None:
    both = 0.6 * soft_labels(np.array([80.0])) + 0.4 * soft_labels(np.array([160.0]))
    decoded = decode(np.log(both + 1e-12))
    assert decoded.bpm[0] == pytest.approx(80, abs=0.1)
    assert decoded.spread_bpm[0] > 30  # and says that it is not sure


def test_probabilities_take_large_logits() -> None:
    p = probabilities(np.array([[1e4, 0.0], [-1e4, 0.0]]))
    np.testing.assert_allclose(p, [[1, 0], [0, 1]])


def _track(truth: np.ndarray, wrong: list[int]) -> np.ndarray:
    p = soft_labels(truth) + 1e-4
    for index in wrong:
        p[index] = 0.7 * soft_labels(truth[index : index + 1] / 2)[0] + 0.3 * p[index]
    return np.log(p)


def test_smoothing_removes_a_half_rate_slip_and_looks_back_only() -> None:
    truth = np.linspace(140, 160, 60)
    logits = _track(truth, [20, 21, 40])
    recording, start = np.zeros(60, np.int64), 2.0 * np.arange(60)
    raw = np.abs(decode(logits).bpm - truth)
    smoothed = np.abs(smooth(probabilities(logits), recording, start).bpm - truth)
    assert raw.max() > 60 and smoothed.max() < 6
    later = logits.copy()
    later[30:] = 0
    np.testing.assert_array_equal(
        smooth(probabilities(later), recording, start).bpm[:30],
        smooth(probabilities(logits), recording, start).bpm[:30],
    )


def test_smoothing_does_not_lag_behind_a_fast_rise() -> None:
    truth = np.linspace(70, 130, 40)  # 46 BPM a minute
    logits = np.log(soft_labels(truth) + 1e-4)
    smoothed = smooth(probabilities(logits), np.zeros(40, np.int64), 2.0 * np.arange(40)).bpm
    assert np.abs(smoothed - truth)[3:].max() < 0.6


def test_a_network_that_is_sure_and_wrong_is_left_only_for_lasting_evidence() -> None:
    truth = np.full(60, 80.0)
    read = truth.copy()
    read[20:22] = 160  # two windows, with no doubt at all
    logits = 50 * np.log(soft_labels(read) + 1e-12)
    recording, start = np.zeros(60, np.int64), 2.0 * np.arange(60)
    assert np.abs(smooth(probabilities(logits), recording, start).bpm - truth).max() < 1
    read[20:] = 160  # and for good
    logits = 50 * np.log(soft_labels(read) + 1e-12)
    assert smooth(probabilities(logits), recording, start).bpm[26] == pytest.approx(160, abs=1)


def test_smoothing_starts_anew_in_every_recording() -> None:
    truth = np.r_[np.full(20, 150.0), np.full(20, 70.0)]
    recording = np.r_[np.zeros(20, np.int64), np.ones(20, np.int64)]
    start = np.r_[2.0 * np.arange(20), 2.0 * np.arange(20)]
    smoothed = smooth(probabilities(_track(truth, [])), recording, start).bpm
    assert smoothed[20] == pytest.approx(70, abs=1)


def test_a_gap_lets_the_belief_spread() -> None:
    truth = np.r_[np.full(10, 100.0), [130.0]]
    logits = np.log(soft_labels(truth, width_bpm=8.0) + 1e-6)
    recording = np.zeros(11, np.int64)
    near = smooth(probabilities(logits), recording, 2.0 * np.arange(11)).bpm[-1]
    far = smooth(probabilities(logits), recording, np.r_[2.0 * np.arange(10), 80.0]).bpm[-1]
    assert near < far <= 131
