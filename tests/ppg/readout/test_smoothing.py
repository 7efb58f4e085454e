"""Clipping, and the smoother against a plain loop over windows."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.readout.classes import soft_labels
from ppg.readout.decode import expectation, probabilities, smooth
from ppg.readout.smoothing import clip, read_series, smoothing_of
from ppg.readout.transitions import Transitions
from ppgnas.errors import DataError
from ppgnas.task import CLASSES, TASK


def plain_loop(
    logits: np.ndarray, recording: np.ndarray, start_s: np.ndarray, how: Transitions
) -> np.ndarray:
    """Window after window, as a device would."""
    matrix = how.matrix()
    beliefs, seen = [], []
    belief = np.full(CLASSES, 1 / CLASSES)
    for index, p in enumerate(probabilities(logits)):
        if index == 0 or recording[index] != recording[index - 1]:
            belief = np.full(CLASSES, 1 / CLASSES)
        else:
            gap = int(np.clip(round((start_s[index] - start_s[index - 1]) / 2), 1, 30))
            for _ in range(gap):
                belief = matrix @ belief
        seen.append((p + how.floor) ** how.evidence)
        belief = belief * seen[-1]
        belief /= belief.sum()
        beliefs.append(belief)
    return expectation(np.array(beliefs), np.array(seen)).bpm


def test_all_recordings_at_once_equal_one_window_after_another() -> None:
    rng = np.random.default_rng(0)
    lengths = (7, 1, 30, 12)
    recording = np.repeat([3, 0, 1, 3], lengths)  # a recording's index may come again
    start = np.concatenate([np.cumsum(rng.choice([2.0, 2.0, 6.0, 100.0], n)) for n in lengths])
    logits = rng.normal(0, 3, (sum(lengths), CLASSES))
    how = Transitions(6.0, leave=0.01)
    found = smooth(probabilities(logits), recording, start, transitions=how).bpm
    np.testing.assert_allclose(found, plain_loop(logits, recording, start, how), rtol=1e-9)


def test_the_spread_counts_how_far_raw_readings_lie() -> None:
    logits = np.random.default_rng(0).normal(0, 1, (5, CLASSES))
    logits[np.arange(5), [60, 60, 150, 60, 90]] += [9, 9, 6, 6, 6]
    recording, start = np.array([0, 0, 0, 0, 1]), np.array([0.0, 2.0, 4.0, 6.0, 0.0])
    raw, smoothed = read_series(logits, recording, start, task=TASK)
    apart = np.abs(smoothed.bpm - raw.bpm)
    assert apart[2] > 1
    first = apart[0] / 16
    second = first * 15 / 16 + apart[1] / 16
    third = second * 15 / 16 + apart[2] / 16
    belief = smooth(probabilities(logits), recording, start).spread_bpm
    expected = [first / 2, second / 2, third / 2, apart[4] / 32]
    np.testing.assert_allclose((smoothed.spread_bpm - belief)[[0, 1, 2, 4]], expected)
    measured = np.array([True, True, False, True, True])
    raw, smoothed = read_series(logits, recording, start, task=TASK, measured=measured)
    said = np.where(measured[:, None], probabilities(logits), 1 / CLASSES)
    belief = smooth(said, recording, start).spread_bpm
    apart = np.abs(smoothed.bpm - raw.bpm)
    second = apart[0] / 16 * 15 / 16 + apart[1] / 16
    fourth = second * 15 / 16 + apart[3] / 16
    expected = [second / 2, second / 2, fourth / 2]
    np.testing.assert_allclose((smoothed.spread_bpm - belief)[1:4], expected)


def test_no_window_is_no_reading() -> None:
    none = np.empty(0)
    assert len(smooth(np.empty((0, CLASSES)), none.astype(int), none).bpm) == 0


def test_clip_by_hand() -> None:
    bpm = np.r_[np.full(10, 100.0), 150.0, 150.0, 20.0, 95.0]
    out = clip(bpm, np.zeros(14, int), 2.0 * np.arange(14))
    assert out[10] == pytest.approx(110)  # mean 100
    assert out[11] == pytest.approx(1.1 * 101)
    assert out[12] == pytest.approx(0.9 * (8 * 100 + 110 + 111.1) / 10)
    assert out[13] == 95.0


def test_the_first_ten_pass_and_a_gap_or_a_recording_starts_anew() -> None:
    bpm = np.tile([60.0, 180.0], 5)
    np.testing.assert_array_equal(clip(bpm, np.zeros(10, int), 2.0 * np.arange(10)), bpm)
    steady = np.r_[np.full(12, 60.0), 180.0]
    starts = 2.0 * np.arange(13)
    assert clip(steady, np.zeros(13, int), starts)[-1] == pytest.approx(66)
    late = np.r_[starts[:-1], starts[-2] + 21]
    assert clip(steady, np.zeros(13, int), late)[-1] == 180
    assert clip(steady, np.r_[np.zeros(12, int), 1], starts)[-1] == 180


def test_clip_looks_back_only() -> None:
    rng = np.random.default_rng(1)
    bpm, recording, starts = rng.uniform(50, 180, 60), np.zeros(60, int), 2.0 * np.arange(60)
    changed = np.r_[bpm[:30], rng.uniform(50, 180, 30)]
    np.testing.assert_array_equal(
        clip(bpm, recording, starts)[:30], clip(changed, recording, starts)[:30]
    )


def test_unmeasured_readings_limit_none_after_them() -> None:
    bpm = np.r_[np.full(10, 100.0), 180.0, 180.0, 180.0, 105.0]
    place = np.zeros(14, int), 2.0 * np.arange(14)
    measured = np.r_[np.ones(10, bool), np.zeros(3, bool), True]
    found = clip(bpm, *place, measured=measured)
    np.testing.assert_allclose(found[10:], [110.0, 110.0, 110.0, 105.0])
    long = np.r_[np.zeros(10, int), np.arange(1, 5)]  # strides; the last measured is 20 s before
    late = 2.0 * np.arange(14) + 2.0 * np.maximum(0, long - 1) * 3
    assert clip(bpm + 45, place[0], late, measured=measured)[-1] == 150.0


def test_unmeasured_windows_say_nothing_to_the_smoother() -> None:
    rng = np.random.default_rng(5)
    truth = np.r_[np.full(12, 90.0), np.full(8, 160.0)]
    logits = np.log(soft_labels(truth, width_bpm=4.0) + 1e-6)
    place = np.repeat([0, 1], 10), 2.0 * np.tile(np.arange(10), 2)
    measured = np.ones(20, bool)
    measured[[0, 1, 4, 10, 15, 19]] = False
    raw, smoothed = read_series(logits, *place, measured=measured, task=TASK)
    for first in (0, 1, 10):  # nothing was measured before
        assert smoothed.bpm[first] == raw.bpm[first]
    noise = np.where(measured[:, None], logits, rng.normal(size=logits.shape))
    _, again = read_series(noise, *place, measured=measured, task=TASK)
    np.testing.assert_array_equal(again.bpm[measured], smoothed.bpm[measured])
    _, plain = read_series(logits[2:4], place[0][2:4], place[1][2:4], task=TASK)
    np.testing.assert_allclose(smoothed.bpm[2:4], plain.bpm)
    assert smoothed.bpm[4] == pytest.approx(90, abs=0.5)
    for how in ("hmm", "clip", "none"):
        _, none = read_series(
            logits, *place, measured=np.zeros(20, bool), smoothing=smoothing_of(how), task=TASK
        )
        np.testing.assert_array_equal(none.bpm, raw.bpm)


def test_kinds_of_smoothing() -> None:
    truth = np.r_[np.full(20, 100.0), 170.0]
    logits = np.log(soft_labels(truth, width_bpm=4.0) + 1e-6)
    place = np.zeros(21, int), 2.0 * np.arange(21)
    raw, none = read_series(logits, *place, smoothing="none", task=TASK)
    assert none is raw and raw.bpm[-1] == pytest.approx(170, abs=0.5)
    assert read_series(logits, *place, smoothing="clip", task=TASK)[1].bpm[-1] == pytest.approx(
        110, abs=0.5
    )
    assert read_series(logits, *place, task=TASK)[1].bpm[-1] < 165
    with pytest.raises(DataError, match="`smoothing` is 'both'; allowed: none, clip, hmm"):
        read_series(logits, *place, smoothing="both", task=TASK)  # type: ignore[arg-type]
