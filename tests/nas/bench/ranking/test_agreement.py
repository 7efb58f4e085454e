"""Figures of an order against hand-computed values and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from nas.bench.ranking.agreement import agreement, alike, tau

TRUTH = np.array([2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5])


def test_a_perfect_order() -> None:
    found = agreement(TRUTH**2, TRUTH)
    for figure in (found.tau, found.sparse_tau, found.spearman):
        assert (figure.value, figure.low, figure.high) == pytest.approx((1, 1, 1))
    assert found.precision.value == 3 / 8  # the best quarter has three, and all are there
    assert found.regret_bpm.value == found.regret_bpm.high == 0


def test_a_reversed_order() -> None:
    found = agreement(-TRUTH, TRUTH)
    for figure in (found.tau, found.sparse_tau, found.spearman):
        assert (figure.value, figure.low, figure.high) == pytest.approx((-1, -1, -1))
    assert found.precision.value == 0
    assert found.regret_bpm.value == 6.0 - 2.0  # the last four, of which 6.0 is the best


def test_by_hand_with_ties() -> None:
    """Six pairs: (1, 2) tie in the score; (2, 3) tie in the truth; of four left one is wrong."""
    score, truth = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0, 1.5])
    # Right: (1, 3), (1, 4). Wrong: (2, 4), (3, 4). Tied somewhere: (1, 2), (2, 3).
    assert tau(score, truth).value == 0
    truth[3] = 2.5  # now (2, 4) and (3, 4) are right too: 4 of sqrt(5 x 5)
    assert tau(score, truth).value == pytest.approx(4 / 5)


def test_an_order_that_ties_everything_says_nothing() -> None:
    found = agreement(np.ones(12), TRUTH)
    assert found.tau.value == found.spearman.value == 0
    assert found.tau.low == found.tau.high == 0


def test_small_differences_are_ties_in_the_sparse_tau() -> None:
    truth = np.array([2.01, 2.04, 3.0, 3.5])
    found = agreement(np.array([2.0, 1.0, 3.0, 4.0]), truth)
    assert found.tau.value == pytest.approx((5 - 1) / 6)
    assert found.sparse_tau.value == pytest.approx(5 / np.sqrt(6 * 5))


@pytest.mark.parametrize("seed", range(5))
def test_as_scipy_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(20, 40, 30) / 10
    score = truth + rng.integers(-10, 10, 30) / 10
    found = agreement(score, truth)
    assert found.tau.value == pytest.approx(kendalltau(score, truth).statistic)
    assert found.spearman.value == pytest.approx(spearmanr(score, truth).statistic)


def test_intervals_cover_the_tau_of_the_population() -> None:
    """Of a normal pair with correlation r it is 2 / pi asin r; 90 % intervals of 60 networks."""
    rng = np.random.default_rng(0)
    true = 2 / np.pi * np.arcsin(0.8)
    drawn = [rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 60).T for _ in range(100)]
    found = [tau(score, truth) for score, truth in drawn]
    assert 80 <= sum(each.low <= true <= each.high for each in found) <= 98
    assert all(each.low <= each.value <= each.high for each in found)


def test_draws_of_the_bootstrap_are_as_scipy_says() -> None:
    """A network that is drawn twice is a tie of both orders."""
    rng = np.random.default_rng(3)
    score, truth = rng.normal(size=(2, 20))
    places = np.random.default_rng(0).integers(0, 20, (1000, 20))
    by_scipy = [kendalltau(score[row], truth[row]).statistic for row in places]
    found = tau(score, truth)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(by_scipy, [0.05, 0.95])))


def test_pairs_of_other_classes_do_not_count() -> None:
    """Right within both classes, wrong between them."""
    score = np.array([4.0, 5.0, 6.0, 1.0, 2.0, 3.0])
    truth = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert tau(score, truth).value < 0
    assert tau(score, truth, np.array([0, 0, 0, 1, 1, 1])).value == 1


def test_classes_are_values_or_thirds() -> None:
    assert alike(np.array([5.0, 4.0, 5.0, 6.0])).tolist() == [1, 0, 1, 2]
    assert alike(np.arange(9.0)).tolist() == [0] * 3 + [1] * 3 + [2] * 3
    ties = alike(np.array([1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 4.0]))
    assert len(set(ties[1:5])) == 1
