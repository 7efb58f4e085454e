"""From spread to expected error: the fit, and what is said of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ppg.people.metrics import mae_by_person, mean_mae
from ppg.readout import typical
from ppg.readout.confidence import (
    PRIOR_PEOPLE,
    QUANTILES,
    Confidence,
    HeldOut,
    fit_confidence,
    leave_one_out,
    reliability,
    risk_coverage,
)
from ppgnas.errors import DataError


def test_a_known_law_is_found_again() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(1, 20, 40_000)
    error = rng.choice([-1, 1], spread.size) * 0.4 * spread
    found = fit_confidence(spread, error, rng.integers(0, 5, spread.size))
    assert len(found.spread_bpm) == 12
    at = np.array([3.0, 8.0, 15.0])
    np.testing.assert_allclose(found.expected_error_bpm(at), 0.4 * at, rtol=0.05)
    # flat beyond the ends
    assert found.expected_error_bpm([0.0])[0] == found.error_bpm[0]
    assert found.expected_error_bpm([99.0])[0] == found.error_bpm[-1]


def test_every_person_weighs_the_same() -> None:
    person = np.r_[np.zeros(900, int), np.ones(100, int)]
    error = np.where(person == 0, 1.0, 5.0)
    found = fit_confidence(np.full(1000, 2.0), error, person)
    assert found == Confidence((2.0,), (3.0,))


def test_a_falling_law_becomes_a_flat_one() -> None:
    spread = np.linspace(1, 10, 1000)
    found = fit_confidence(spread, 11 - spread, np.zeros(1000, int))
    assert np.ptp(found.error_bpm) == pytest.approx(0, abs=1e-3)


def flat(error_bpm: float) -> Confidence:
    """A prior that says one thing, from 1 to 12 BPM of spread."""
    knots = len(QUANTILES) - 1
    return Confidence(tuple(range(1, knots + 1)), (error_bpm,) * knots)


def test_typical_people_count_beside_few() -> None:
    """Two people who err by 1, and four of a prior who err by 7: 2 / 6 + 7 * 4 / 6 = 5."""
    spread, error = np.tile(np.arange(1.0, 13), 2), np.ones(24)
    share = np.diff(QUANTILES)
    shares = np.rint(1000 * np.tile(share, 2)).astype(int)
    person = np.repeat(np.repeat([0, 1], 12), shares)
    found = fit_confidence(
        np.repeat(spread, shares), np.repeat(error, shares), person, prior=flat(7)
    )
    expected = (2 * 1 + PRIOR_PEOPLE * 7) / (2 + PRIOR_PEOPLE)
    assert found.expected_error_bpm(spread) @ np.tile(share, 2) / 2 == pytest.approx(
        expected, rel=0.02
    )
    alone = fit_confidence([], [], [], prior=flat(7))
    np.testing.assert_allclose(alone.error_bpm, 7)


@pytest.mark.parametrize("prior", [typical.RAW, typical.SMOOTHED])
def test_many_people_outweigh_the_typical_table(prior: Confidence) -> None:
    assert len(prior.spread_bpm) == len(QUANTILES) - 1
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(500), 20)
    spread = rng.uniform(1, 40, person.size)
    found = fit_confidence(spread, 3 * spread, person, prior=prior)
    np.testing.assert_allclose(found.expected_error_bpm([10, 30]), [30, 90], rtol=0.1)


def test_two_easy_people_do_not_make_a_sure_table() -> None:
    """A hard person's spread lies beyond what the easy ones show: the typical table knows it."""
    easy, hard = np.linspace(2, 6, 200), np.linspace(10, 40, 200)
    alone = fit_confidence(easy, 0.2 * easy, np.arange(200) % 2)
    with_prior = fit_confidence(easy, 0.2 * easy, np.arange(200) % 2, prior=typical.RAW)
    assert alone.expected_error_bpm(hard).mean() < 2
    assert with_prior.expected_error_bpm(hard).mean() > 8


def test_each_person_is_left_out_once() -> None:
    spread, person = np.full(6, 5.0), np.repeat(["a", "b", "c"], 2)
    error = np.array([1.0, -1, 2, -2, 6, -6])
    prior = flat(0.0)
    held_out = leave_one_out(spread, error, person, prior=prior)
    assert (held_out.people, held_out.error_bpm) == (3, 3.0)
    each = [
        fit_confidence(
            spread[person != one], error[person != one], person[person != one], prior=prior
        ).expected_error_bpm([5.0])[0]
        for one in "abc"
    ]
    assert held_out.expected_bpm == pytest.approx(np.mean(each), abs=1e-4)
    assert not held_out.holds and HeldOut(3, 2.2, 3.0).holds and not HeldOut(3, 4.3, 3.0).holds


@pytest.mark.parametrize(
    ("errors", "known"),
    [
        ([2.0] * 8, True),
        ([2.1, 1.9] * 4, True),
        ([2.0] * 7 + [14.0], False),  # one person makes the mean, and may be missing
        ([0.5, 3.5], False),
    ],
)
def test_what_people_of_one_kind_would_have_said_is_an_interval(
    errors: list[float], known: bool
) -> None:
    person = np.repeat(np.arange(len(errors)), 5)
    error = np.repeat(errors, 5)
    mean = float(np.mean(errors))
    held_out = leave_one_out(np.full(len(error), 5.0), error, person, prior=flat(mean))
    assert held_out.ratio_low is not None and held_out.ratio_high is not None
    middle = held_out.expected_bpm / held_out.error_bpm
    assert held_out.ratio_low <= middle + 1e-3 and middle <= held_out.ratio_high + 1e-3
    assert held_out.known is known
    assert held_out == leave_one_out(np.full(len(error), 5.0), error, person, prior=flat(mean))


def test_a_card_of_an_older_version_has_no_interval() -> None:
    assert HeldOut(9, 2.0, 2.1).known
    assert not HeldOut(9, 2.0, 2.1, 0.6, 1.2).known and not HeldOut(9, 2.0, 2.1, 0.9, 1.5).known


def test_risk_at_full_coverage_is_the_mae() -> None:
    rng = np.random.default_rng(1)
    person = rng.integers(0, 4, 500)
    error = rng.normal(0, 3, 500)
    reference = np.full(500, 80.0)
    mae = mean_mae(mae_by_person(reference, reference + error, person, list("abcd")))
    perfect = risk_coverage(np.abs(error), error, person, [0.1, 0.5, 1.0])
    assert perfect[-1] == pytest.approx(mae)
    assert perfect[0] < perfect[1] < perfect[2]
    blind = risk_coverage(rng.random(500), error, person, [0.5])
    assert blind[0] == pytest.approx(mae, rel=0.2)


def test_reliability_parts_are_equal_and_true() -> None:
    expected = np.repeat([1.0, 2.0, 3.0, 4.0], 25)
    parts = reliability(expected, 2 * expected, np.zeros(100, int), parts=4)
    assert [p["expected_bpm"] for p in parts] == pytest.approx([1, 2, 3, 4])
    assert [p["error_bpm"] for p in parts] == pytest.approx([2, 4, 6, 8])
    assert [p["share"] for p in parts] == pytest.approx([0.25] * 4)


def test_tied_readings_share_one_risk() -> None:
    """The surest reading errs by 1, three tied ones by 2, 4 and 6: a fraction of them by 4."""
    expected, error = np.array([0.5, 1.0, 1.0, 1.0]), np.array([1.0, 2.0, -4.0, 6.0])
    for order in itertools.permutations(range(4)):
        seen = risk_coverage(
            expected[list(order)], error[list(order)], np.zeros(4), [0.1, 0.25, 0.5, 0.75, 1.0]
        )
        assert seen == pytest.approx([1, 1, (1 + 4) / 2, (1 + 2 * 4) / 3, (1 + 3 * 4) / 4])


def test_tied_readings_keep_their_weights() -> None:
    """`a` has one tied reading, of half of all weight, and `b` two, of a quarter each."""
    person, error = np.array(["a", "b", "b"]), np.array([8.0, 2.0, 4.0])
    assert risk_coverage(np.ones(3), error, person, [0.02, 0.5, 1.0]) == pytest.approx([5.5] * 3)
    (part,) = reliability(np.ones(3), error, person)
    assert part == pytest.approx({"expected_bpm": 1.0, "error_bpm": 5.5, "share": 1.0})


def test_tied_readings_fall_in_one_part() -> None:
    rng = np.random.default_rng(2)
    expected = np.repeat([1.0, 2.0, 3.0], [10, 75, 15])
    error = rng.normal(0, expected)
    wanted = [np.abs(error[expected == value]).mean() for value in (1.0, 2.0, 3.0)]
    for order in (np.arange(100), rng.permutation(100)):
        parts = reliability(expected[order], error[order], np.zeros(100))
        assert [p["expected_bpm"] for p in parts] == pytest.approx([1, 2, 3])
        assert [p["error_bpm"] for p in parts] == pytest.approx(wanted)
        assert [p["share"] for p in parts] == pytest.approx([0.1, 0.75, 0.15])


def test_refusals() -> None:
    for spread, error in (((2.0, 1.0), (1.0, 2.0)), ((1.0, 2.0), (2.0, 1.0)), ((1.0,), (-1.0,))):
        with pytest.raises(DataError, match="spreads that rise"):
            Confidence(spread, error)
    with pytest.raises(DataError, match="allowed: one error a spread"):
        Confidence((1.0,), (1.0, 2.0))
    with pytest.raises(DataError, match="no window to learn from"):
        fit_confidence([], [], [])
