"""Held-out errors and conformal intervals, on cases that can be counted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwmodels.fit.regression import (
    HeldOut,
    half_width,
    leave_groups_out,
    leave_groups_out_linear,
    pair_width,
    share_inside,
    solve,
)


def test_a_law_without_noise_is_found() -> None:
    features = np.array([[1.0, 10.0], [2.0, 1.0], [5.0, 5.0], [1.0, 0.0]])
    assert solve(features, features @ [3.0, 0.5]) == pytest.approx([3.0, 0.5])
    fixed = np.full(4, 7.0)
    assert solve(features, features @ [3.0, 0.5] + fixed, fixed) == pytest.approx([3.0, 0.5])


def test_coefficients_are_never_negative() -> None:
    features = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    assert min(solve(features, np.array([3.0, 2.0, 1.0]))) >= 0


def test_a_group_is_left_out_whole() -> None:
    """The mean of the others: of groups a (2, 4) and b (10), a is predicted 10 and b 3."""
    measured = np.array([2.0, 4.0, 10.0])
    held_out = leave_groups_out(
        ["a", "a", "b"], measured, lambda seen, out: np.full(len(out), measured[seen].mean())
    )
    assert list(held_out.predicted) == [10, 10, 3]
    assert held_out.mape == pytest.approx((4 + 1.5 + 0.7) / 3)


def test_linear_law_predicts_a_group_from_the_others() -> None:
    features = np.array([[1.0], [2.0], [4.0]])
    held_out = leave_groups_out_linear(features, np.array([2.0, 4.0, 16.0]), ["a", "b", "c"])
    assert held_out.predicted[2] == pytest.approx(8.0)


def test_half_width_is_the_order_statistic() -> None:
    """Of 19 residuals the 18th (0.9 * 20), of 9 the last (0.9 * 10), of 5 the last."""
    assert half_width(-np.arange(1.0, 20.0)) == 18
    assert half_width(np.arange(1.0, 10.0)) == 9
    assert half_width(np.arange(1.0, 6.0)) == 5


def test_interval_of_a_point_does_not_know_it() -> None:
    """Ten equal residuals and one of ten times: the large one lies outside, the others inside."""
    measured = np.exp(np.array([0.1] * 10 + [1.0]))
    assert share_inside(HeldOut(measured, np.ones(11), tuple(range(11)))) == pytest.approx(10 / 11)


@given(seed=st.integers(0, 10_000), points=st.integers(100, 400))
def test_share_inside_is_the_level_for_any_noise(seed: int, points: int) -> None:
    """Exchangeable residuals of any law: 90 %, but for the draw."""
    noise = np.random.default_rng(seed).standard_t(3, points)
    held_out = HeldOut(np.exp(noise / 10), np.ones(points), tuple(range(points)))
    assert 0.88 <= share_inside(held_out) <= 0.92


def test_pairs_of_residuals_by_hand() -> None:
    """0, 1, 3 lie 1, 2 and 3 apart; 90 % of three pairs is the widest, a half the middle one."""
    residuals = np.array([0.0, 1.0, 3.0])
    assert pair_width(residuals) == 3
    assert pair_width(residuals, ["a", "a", "b"]) == 1


@pytest.mark.parametrize(("network", "board"), [(0.0, 0.09), (0.05, 0.08), (0.08, 0.05)])
@pytest.mark.parametrize("heavy", [False, True])
def test_nine_of_ten_of_few_networks_on_several_boards(
    network: float, board: float, heavy: bool
) -> None:
    """8 networks on 5 boards each, of a known distribution: points are counted, and a new
    network lies inside nine times in ten, whether networks or boards differ more."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> NDArray[np.float64]:
        if heavy:
            return np.asarray(rng.standard_t(4, shape) / math.sqrt(2))
        return rng.standard_normal(shape)

    inside = []
    for _ in range(600):
        seen = draw(8, 1) * network + draw(8, 5) * board
        new = draw(200) * network + draw(200) * board
        inside.append(np.mean(np.abs(new) <= half_width(seen.ravel())))
    assert 0.86 <= np.mean(inside) <= 0.93
