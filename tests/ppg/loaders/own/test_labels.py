"""Beats from intervals, and activities of windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.labels import activity_of_windows, beats_of_intervals

RNG = np.random.default_rng(3)
RR_S = 0.8 + 0.1 * np.sin(np.arange(600) / 20)
BEATS_S = np.cumsum(RR_S)


def _off(found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each true beat from the next found one, and its sign."""
    nearest = np.abs(found[:, None] - true).argmin(axis=0)
    return np.asarray(found[nearest] - true)


def test_intervals_alone_begin_with_the_recording() -> None:
    np.testing.assert_allclose(beats_of_intervals(RR_S, None), np.r_[0.0, BEATS_S])


def test_late_notifications_set_the_place_and_not_the_intervals() -> None:
    stamps = np.maximum.accumulate(np.ceil(BEATS_S + RNG.uniform(0, 0.5, len(BEATS_S))))
    found = beats_of_intervals(RR_S, stamps + 100)
    np.testing.assert_allclose(np.diff(found), RR_S)
    assert 0 < np.median(found[1:] - 100 - BEATS_S) < 0.5


def test_a_strap_that_loses_contact_is_set_anew() -> None:
    kept = np.ones(len(RR_S), np.bool_)
    kept[200:260] = False
    stamps = np.maximum.accumulate(BEATS_S + RNG.uniform(0, 0.6, len(BEATS_S)))
    found = beats_of_intervals(RR_S[kept], stamps[kept])
    assert np.abs(_off(found, BEATS_S[kept])).max() < 0.4
    assert np.diff(found).max() > 40 and (np.diff(found) > 1.2).sum() == 1


def test_times_of_beats_are_taken_as_they_are() -> None:
    """As a device gives them that leaves out what it does not trust."""
    kept = np.arange(len(RR_S)) % 20 < 7
    found = beats_of_intervals(RR_S[kept], BEATS_S[kept])
    assert np.abs(_off(found, BEATS_S[kept])).max() < 1e-9
    assert len(found) == kept.sum() + 30  # the beat before each run, too


def test_an_activity_fills_more_than_half_of_a_window() -> None:
    time_s = np.arange(0, 40, 0.5)
    names = ["rest" if t < 13 else "" if t < 20 else "walk" for t in time_s]
    found, known = activity_of_windows(names, time_s, np.array([0.0, 8.0, 12.0, 20.0]))
    assert known == ("rest", "walk") and found.tolist() == [0, 0, -1, 1]
