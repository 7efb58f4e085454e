"""Metrics against hand-computed cases and independent formulas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from ppg.people.metrics import (
    ActivityErrors,
    Summary,
    bootstrap_mean,
    by_activity,
    mae_by_person,
    mean_mae,
    mean_over_people,
    summary,
)
from ppg.windows import WindowSet
from tests.ppg.npz.npz_files import message

PEOPLE = ("x/ann", "x/bob", "y/cid", "y/nobody")
PERSON = [0, 0, 1, 2, 2, 2, 2]
TRUE = [60.0, 80, 100, 120, 120, 120, 120]
READ = [62.0, 76, 110, 120, 121, 119, 126]  # ann 3, bob 10, cid 2


def _of(true: ArrayLike, read: ArrayLike, person: ArrayLike, people: Sequence[str]) -> Summary:
    return summary(_windows(true, person, people), read, read)


def _windows(
    true: ArrayLike, person: ArrayLike, people: Sequence[str], activity: ArrayLike = ()
) -> WindowSet:
    reference = np.asarray(true, dtype=np.float64)
    none = np.zeros(len(reference))
    return WindowSet(
        x=np.zeros((len(reference), 1, 1), np.float32),
        hr_bpm=reference,
        person=np.asarray(person, dtype=np.int64),
        people=tuple(people),
        recording=none.astype(np.int64),
        recordings=("r",),
        start_s=none,
        activity=np.asarray(activity, dtype=np.int64),
        activity_names=("rest", "walk", "run"),
    )


def test_hand_computed() -> None:
    by_person = mae_by_person(TRUE, READ, PERSON, PEOPLE)
    assert by_person == {"x/ann": 3.0, "x/bob": 10.0, "y/cid": 2.0}  # nobody has no window
    assert mean_mae(by_person) == 5.0
    assert _of(TRUE, READ, PERSON, PEOPLE).median_person_mae_bpm == 3.0
    assert _of(TRUE, READ, PERSON, PEOPLE).within_5_bpm == pytest.approx((1 + 0 + 0.75) / 3)
    assert _of([60, 60], [63, 56], [0, 0], ["a"]).rmse_bpm == pytest.approx(np.sqrt((9 + 16) / 2))
    assert _of([60, 60, 60], [63, 57, 60], [0, 0, 1], "ab").rmse_bpm == pytest.approx(
        np.sqrt(9 / 2)
    )
    assert _of([50, 100], [55, 80], [0, 0], ["a"]).mape_percent == pytest.approx(15.0)
    assert _of([50, 50, 100], [55, 55, 100], [0, 0, 1], "ab").mape_percent == pytest.approx(5.0)


def test_a_mean_over_people_weighs_people_not_windows() -> None:
    assert mean_over_people([1.0, 1, 5], [0, 0, 2]) == 3.0


def test_an_error_of_exactly_5_counts_as_within() -> None:
    assert _of([60, 60], [65, 54.99], [0, 0], ["a"]).within_5_bpm == 0.5


def test_bland_altman_by_hand() -> None:
    # ann +2 and -4, bob +10, cid 0 +1 -1 +6: means -1, 10, 1.5
    found = _of(TRUE, READ, PERSON, PEOPLE)
    bias, (low, high) = found.bias_bpm, found.limits_bpm
    assert bias == pytest.approx((-1 + 10 + 1.5) / 3)
    weights = np.array([1 / 6, 1 / 6, 1 / 3, 1 / 12, 1 / 12, 1 / 12, 1 / 12])
    error = np.array([2, -4, 10, 0, 1, -1, 6.0])
    sd = np.sqrt((weights * (error - 3.5) ** 2).sum() / (1 - (weights**2).sum()))
    assert (low, high) == pytest.approx((3.5 - 1.96 * sd, 3.5 + 1.96 * sd))


def test_bland_altman_of_one_window_each_is_the_textbook_one() -> None:
    rng = np.random.default_rng(0)
    true, read = rng.uniform(50, 150, (2, 30))
    found = _of(true, read, range(30), [f"p{i}" for i in range(30)])
    bias, (low, high) = found.bias_bpm, found.limits_bpm
    error = read - true
    assert bias == pytest.approx(error.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * error.std(ddof=1))


def test_bland_altman_of_one_window() -> None:
    found = _of([60], [63], [0], ["a"])
    assert (found.bias_bpm, found.limits_bpm) == (3.0, (3.0, 3.0))


def test_bootstrap_agrees_with_the_normal_interval_for_many_people() -> None:
    values = np.random.default_rng(1).normal(4, 2, 400)
    low, high = bootstrap_mean(values)
    half = 1.6449 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_mean(rng.normal(4, 2, 25))
        hits += low <= 4 <= high
    assert 0.80 <= hits / 200 <= 0.96


def test_bootstrap_of_two_people_by_enumeration() -> None:
    # means of two draws from {0, 1}: 0, 0.5, 0.5, 1 -> the 5 % and 95 % quantiles are 0 and 1
    assert bootstrap_mean([0.0, 1.0]) == (0.0, 1.0)
    assert bootstrap_mean([3.0]) == (3.0, 3.0)
    values = [1.0, 2.0, 4.0]
    assert bootstrap_mean(values) == bootstrap_mean(values)


def test_summary_is_the_report_block() -> None:
    smooth = [60.0, 80, 101, 120, 120, 120, 120]  # bob 1, the others 0
    block = asdict(summary(_windows(TRUE, PERSON, PEOPLE), READ, smooth))
    assert list(block) == [
        "windows",
        "mae_bpm",
        "mae_bpm_smoothed",
        "mae_bpm_low",
        "mae_bpm_high",
        "median_person_mae_bpm",
        "rmse_bpm",
        "mape_percent",
        "within_5_bpm",
        "bias_bpm",
        "limits_bpm",
        "people",
        "datasets",
    ]
    assert block["windows"] == 7
    assert block["mae_bpm"] == 5.0
    assert block["mae_bpm_smoothed"] == pytest.approx(1 / 3)
    # Of 27 draws of three people the lowest mean is 2 (1 draw, 3.7 %), the next (2, 2, 3) / 3 (3
    # draws); the highest is 10 (3.7 %), the next (10, 10, 3) / 3.
    assert block["mae_bpm_low"] == pytest.approx(7 / 3)
    assert block["mae_bpm_high"] == pytest.approx(23 / 3)
    assert block["median_person_mae_bpm"] == 3.0
    assert block["bias_bpm"] == pytest.approx(3.5)
    assert block["limits_bpm"][0] < 3.5 < block["limits_bpm"][1]
    assert block["people"]["x/bob"] == {"mae_bpm": 10.0, "mae_bpm_smoothed": 1.0, "windows": 1}
    assert block["people"]["y/cid"]["windows"] == 4
    assert "y/nobody" not in block["people"]
    assert block["datasets"] == {
        "x": {"mae_bpm": 6.5, "mae_bpm_smoothed": 0.5, "people": 2},
        "y": {"mae_bpm": 2.0, "mae_bpm_smoothed": 0.0, "people": 1},
    }
    assert json.dumps(block, allow_nan=False)


def test_summary_takes_float32_as_networks_give_it() -> None:
    read = np.array(READ, dtype=np.float32)
    block = asdict(_of(TRUE, read, PERSON, PEOPLE))
    assert json.dumps(block)
    assert block["mae_bpm"] == block["mae_bpm_smoothed"] == 5.0


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(30, 210), st.floats(30, 210)),
        min_size=1,
        max_size=40,
    ),
)
def test_order_of_windows_does_not_matter(rows: list[tuple[int, float, float]]) -> None:
    results = []
    for order in (rows, rows[::-1]):
        person, true, read = zip(*order, strict=True)
        results.append(asdict(summary(_windows(true, person, PEOPLE), read, true)))
    for key in ("windows", "mae_bpm", "mae_bpm_low", "mae_bpm_high", "within_5_bpm", "bias_bpm"):
        assert results[0][key] == pytest.approx(results[1][key], abs=1e-9)
    block = results[0]
    assert block["mae_bpm_low"] <= block["mae_bpm"] + 1e-9
    assert block["mae_bpm"] <= block["mae_bpm_high"] + 1e-9
    assert abs(block["bias_bpm"]) <= block["mae_bpm"] + 1e-9
    assert block["mae_bpm_smoothed"] == 0
    assert sum(person["windows"] for person in block["people"].values()) == len(rows)


def test_bad_input() -> None:
    assert "bpm is nan at 1" in message(lambda: _of([60, 60], [60, np.nan], [0, 0], ["a"]))
    assert "reference_bpm has the shape (0,)" in message(lambda: _of([], [], [], ["a"]))
    assert "2 references, 1 readings" in message(lambda: _of([60, 60], [60], [0, 0], ["a"]))
    text = message(lambda: mae_by_person([60], [60], [4], PEOPLE))
    assert "a person is 4 or 4; allowed: 0 to 3" in text
    assert "a name stands twice" in message(lambda: mae_by_person([60], [6], [0], ["a", "a"]))
    assert "reference heart rate is 0" in message(lambda: _of([0.0], [60], [0], ["a"]))
    assert "values has the shape (0,)" in message(lambda: bootstrap_mean([]))


def test_activities_weigh_people_alike() -> None:
    """Walking: a errs by 1 and 3, b by 5; resting: b alone, by 2; one window is unknown."""
    windows = _windows(np.full(5, 70.0), [0, 0, 1, 1, 1], ("d/a", "d/b"), [1, 1, 1, 0, -1])
    table = by_activity(windows, 70 + np.array([1.0, 3.0, 5.0, 2.0, 9.0]), np.full(5, 71.0))
    assert list(table) == ["rest", "unknown", "walk"]
    assert table["walk"] == ActivityErrors((2 + 5) / 2, 1.0, windows=3, people=2)
    assert (table["rest"].people, table["unknown"].mae_bpm) == (1, 9.0)
