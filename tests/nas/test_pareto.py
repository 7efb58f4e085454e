"""Pareto maths against hand cases, brute force and Monte Carlo."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nas.pareto import (
    gain,
    hypervolume,
    hypervolume_share,
    nondominated,
    pick_spread,
)

STAIRS = [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]


def grids(objectives: int, most: int = 8) -> st.SearchStrategy[np.ndarray]:
    """Small integer points: volumes are exact and ties are common."""
    shape = st.tuples(st.integers(0, most), st.just(objectives))
    return shape.flatmap(lambda s: arrays(np.int64, s, elements=st.integers(0, 5)))


def cells(values: np.ndarray, side: int) -> int:
    """Unit cells of the grid that some point dominates: an oracle without rounding."""
    corners = itertools.product(range(side), repeat=values.shape[1])
    return sum(bool((values <= np.array(c)).all(axis=1).any()) for c in corners)


def test_nondominated_hand_case() -> None:
    values = [[1, 3], [2, 2], [3, 1], [2, 3], [2, 2], [3, 3]]
    assert nondominated(values).tolist() == [True, True, True, False, True, False]


@given(st.integers(1, 4).flatmap(grids))
def test_nondominated_is_the_definition(values: np.ndarray) -> None:
    expected = [not any((b <= a).all() and (b < a).any() for b in values) for a in values]
    assert nondominated(values).tolist() == expected


@pytest.mark.parametrize(
    ("values", "reference", "expected"),
    [
        (STAIRS, [4, 4], 6.0),
        ([[1, 1]], [3, 4], 6.0),
        ([[1, 1], [1, 1], [2, 2]], [3, 3], 4.0),
        ([[3, 0], [0, 3]], [3, 3], 0.0),  # on the border of the box
        ([[5, 0]], [3, 3], 0.0),
        ([[2.0], [1.0]], [4], 3.0),
        ([[0, 0, 1], [0, 1, 0], [1, 0, 0]], [2, 2, 2], 7.0),
        ([[0, 0, 0, 1], [1, 1, 1, 0]], [2, 2, 2, 2], 9.0),
    ],
)
def test_hypervolume_hand_cases(values: list, reference: list, expected: float) -> None:
    assert hypervolume(values, reference) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60)
@given(st.integers(1, 4).flatmap(grids))
def test_hypervolume_counts_grid_cells(values: np.ndarray) -> None:
    reference = np.full(values.shape[1], 5)
    assert hypervolume(values, reference) == pytest.approx(cells(values, 5))


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
def test_hypervolume_against_monte_carlo(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    values = np.abs(rng.normal(size=(25, objectives)))
    values /= np.linalg.norm(values, axis=1, keepdims=True)  # a curved front
    points = rng.random((200_000, objectives)) * 1.1
    covered = np.zeros(len(points), dtype=bool)
    for value in values:
        covered |= (points >= value).all(axis=1)
    expected = covered.mean() * 1.1**objectives
    error = 5 * 1.1**objectives * np.sqrt(covered.mean() * (1 - covered.mean()) / len(points))
    assert hypervolume(values, np.full(objectives, 1.1)) == pytest.approx(expected, abs=error)


def test_share_of_the_box() -> None:
    assert hypervolume_share([[1, 2]], [2, 4]) == pytest.approx(0.25)
    assert hypervolume_share([[0, 0]], [2, 1e9]) == pytest.approx(1.0)
    assert hypervolume_share(np.empty((0, 2)), [2, 4]) == 0
    with pytest.raises(ValueError, match="reference above 0"):
        hypervolume_share([[1, 2]], [2, 0])


def test_pick_spread_takes_knee_and_ends_of_a_line() -> None:
    values = np.array([[i, 20 - i] for i in range(21)], dtype=float)
    chosen = pick_spread(values, [100, 100], 3)
    assert chosen[0] == 10
    assert min(chosen) <= 5 and max(chosen) >= 15


def test_pick_spread_ignores_units() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((40, 3))
    scale = np.array([1.0, 1e5, 1e-3])
    reference = np.full(3, 2.0)
    assert pick_spread(values, reference, 6) == pick_spread(values * scale, reference * scale, 6)


def test_pick_spread_stops_when_nothing_is_added() -> None:
    values = [[1, 3], [1, 3], [3, 1], [3, 3], [50, 0]]
    assert sorted(pick_spread(values, [10, 10], 8)) == [0, 2]
    assert pick_spread([[20, 20]], [10, 10], 3) == []
    assert pick_spread([[1, 1]], [10, 10], 3) == [0]
    assert pick_spread(values, [10, 10], 0) == []


def test_pick_spread_includes_first() -> None:
    chosen = pick_spread([*STAIRS, [9.0, 9.0]], [10, 10], 3, include=[3, 0])
    assert chosen[:2] == [3, 0]
    assert len(chosen) == 3


@settings(max_examples=40)
@given(grids(3, most=10), st.integers(1, 4))
def test_pick_spread_first_pick_is_best_and_set_is_front(values: np.ndarray, count: int) -> None:
    reference = np.full(3, 6)
    chosen = pick_spread(values, reference, count)
    assert len(set(chosen)) == len(chosen) <= count
    assert nondominated(values)[chosen].all()
    if len(values):
        assert len(chosen) == min(count, len(np.unique(values[nondominated(values)], axis=0)))


@pytest.mark.parametrize(
    ("values", "reference", "message"),
    [
        ([1.0, 2.0], [1.0], r"shape \(2,\); expected \(points, objectives\)"),
        ([[np.nan, 1.0]], [1.0, 1.0], "values hold NaN"),
        ([[1.0, 1.0]], [1.0], r"reference has shape \(1,\)"),
        ([[1.0, 1.0]], [1.0, np.inf], "every entry must be finite"),
    ],
)
def test_bad_input(values: list, reference: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hypervolume(values, reference)


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(grids(n), grids(n))))
def test_gain_is_a_difference_of_hypervolumes(both: tuple[np.ndarray, np.ndarray]) -> None:
    front, points = both
    corner = [5.0] * front.shape[1]
    before = hypervolume_share(front, corner)
    for point in points:
        after = hypervolume_share(np.vstack([front, point]), corner)
        assert gain(tuple(point), front, corner) == pytest.approx(after - before, abs=1e-12)


def test_gain_by_hand() -> None:
    """A square of 1 by 1 in a box of 4 by 4; nothing where dominated, equal or outside."""
    assert gain((1.0, 2.0), STAIRS, (4.0, 4.0)) == pytest.approx(1 / 16)
    assert gain((2.0, 2.0), STAIRS, (4.0, 4.0)) == 0.0
    assert gain((0.0, 4.0), STAIRS, (4.0, 4.0)) == 0.0
    assert gain((2.0, 2.0), np.empty((0, 2)), (4.0, 4.0)) == 0.25
