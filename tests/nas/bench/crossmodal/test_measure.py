from __future__ import annotations

import numpy as np
import pytest

from nas.bench.crossmodal.measure import (
    flat,
    logistic,
    profiles,
    read_class,
    read_number,
    retrieval,
    ridge,
)
from ppg.segments.cut import SAMPLES
from ppg.segments.draw import Pairs


def test_ridge_by_hand() -> None:
    x, y = np.array([[-1.0], [1.0]]), np.array([0.0, 4.0])
    weights, offset = ridge(x, y, penalty=1.0)
    assert offset == 2.0
    assert weights.tolist() == [1.0]  # 4 / (2 + 1 * 2)


def test_probes_read_what_is_linear() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4))
    person = np.repeat(np.arange(10), 30)
    y = 70 + 10 * x[:, 0] - 5 * x[:, 2]
    read = read_number(x[:240], y[:240], person[:240], x[240:])
    within = np.clip(y[240:], y[:240].min(), y[:240].max())
    np.testing.assert_allclose(read, within, atol=0.1)
    kind = (x[:, 1] > 0).astype(np.int64)
    told = read_class(x[:240], kind[:240], person[:240], x[240:], classes=2)
    assert (told == kind[240:]).mean() > 0.93


def test_a_penalty_without_end_leaves_the_shares_of_the_classes() -> None:
    y = np.array([0, 0, 0, 1])
    weights = logistic(np.ones((4, 1)) * [[1], [-1], [1], [-1]], y, 2, penalty=1e6)
    odds = np.exp(weights[-1, 0] - weights[-1, 1])
    assert odds == pytest.approx(3.0, rel=2e-2)


def test_retrieval_by_hand() -> None:
    ppg = np.eye(4)
    acc = ppg[[0, 1, 3, 2]]  # the last two are mistaken for each other
    found = retrieval(acc, ppg, [np.arange(4)])
    assert found.acc_to_ppg == (50.0, 100.0)
    assert found.chance == (25.0, 100.0)
    assert found.times_chance == 2.0
    within = retrieval(acc, ppg, [np.array([0, 1]), np.array([2, 3]), np.array([1])])
    assert within.acc_to_ppg[0] == 50.0
    assert (within.candidates, within.queries) == (2.0, 4)


def test_profiles_rise_where_both_signals_do() -> None:
    rng = np.random.default_rng(0)
    acc, ppg = np.full((2, 3, SAMPLES), 0.02), np.full((2, 1, SAMPLES), 1.0)
    for place, first in ((0, 0), (1, 640)):  # moved in the first, and in the last third
        acc[place, :, first : first + 320] = rng.standard_normal((3, 320))
        ppg[place, :, first : first + 320] *= 3
    none = np.zeros(2, np.int64)
    moved = profiles(Pairs(ppg, acc, none, none.astype(float), np.zeros(2, np.float32)))
    assert moved[0].shape == moved[1].shape == (2, 15)
    for each in moved:
        np.testing.assert_allclose(np.linalg.norm(each, axis=1), 1)
    assert retrieval(*moved, [np.arange(2)]).acc_to_ppg[0] == 100
    still = profiles(Pairs(ppg * 0, acc, none, none.astype(float), np.zeros(2, np.float32)))
    assert (still[1] == 0).all()


def test_a_collapsed_embedding_finds_nothing() -> None:
    same = np.tile([1.0, 0.0], (6, 1))
    assert retrieval(same, same, [np.arange(6)]).acc_to_ppg[0] == 0.0


def test_a_picture_keeps_two_heaps_apart() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 0.1, (20, 5)), rng.normal(9, 0.1, (20, 5))])
    places, how = flat(x, seed=0)
    assert places.shape == (40, 2)
    assert how
    middle = [places[:20].mean(axis=0), places[20:].mean(axis=0)]
    spread = max(places[:20].std(), places[20:].std())
    assert np.linalg.norm(middle[0] - middle[1]) > spread
