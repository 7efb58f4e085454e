"""The forecast on errors that are made up, so that the truth is known."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from nas.explore.forecast import PRIOR_LINE, PRIOR_SD, RESIDUAL, Forecaster, _covariance, _process
from search_spaces.arch import Arch
from search_spaces.figures import figures_matrix
from search_spaces.space import SearchSpace

SPACE = SearchSpace.preset("default")
DRAWN = [SPACE.sample(random.Random(seed)) for seed in range(300)]
BEGUN, OTHERS = DRAWN[:40], DRAWN[40:140]
Floats = NDArray[np.float64]


def figures_of(archs: list[Arch]) -> Floats:
    """In standard deviations over the space, as the forecast measures them."""
    drawn = figures_matrix(DRAWN)
    found = (figures_matrix(archs) - drawn.mean(axis=0)) / np.maximum(drawn.std(axis=0), 1e-9)
    return np.asarray(found)


def first_of(archs: list[Arch], *, seed: int = 0, noise: float = 0.1) -> dict[Arch, float]:
    """First rungs around a log error that is linear in all figures, the size among them."""
    rng = np.random.default_rng(seed)
    x = figures_of(archs)
    weights = np.random.default_rng(7).normal(0, 0.1, x.shape[1])
    y = 2.0 + x @ weights + rng.normal(0, noise, len(archs))
    return dict(zip(archs, np.exp(y).tolist(), strict=True))


def size_first_of(archs: list[Arch], *, noise: float = 0.3) -> dict[Arch, float]:
    """First rungs that follow the size, and else are noise."""
    rng = np.random.default_rng(1)
    y = 2.0 - 0.3 * figures_of(archs)[:, 0] + rng.normal(0, noise, len(archs))
    return dict(zip(archs, np.exp(y).tolist(), strict=True))


def tau(a: Floats, b: Floats) -> float:
    return float(kendalltau(a, b).statistic)


def test_a_known_order_comes_back_from_noisy_first_rungs() -> None:
    truth = np.array(list(first_of(OTHERS, noise=0.0).values()))
    found = Forecaster(first_of(BEGUN), {}, DRAWN).forecast(OTHERS)
    by_size = -figures_of(OTHERS)[:, 0]
    assert tau(found.bpm, truth) > 0.6
    assert tau(found.bpm, truth) > tau(by_size, truth) + 0.2


def test_a_network_is_pulled_to_its_own_first_rung() -> None:
    one = BEGUN[0]
    begun = first_of(BEGUN)
    before = Forecaster(begun, {}, DRAWN).forecast([one])
    after = Forecaster({**begun, one: 1.5 * begun[one]}, {}, DRAWN).forecast([one])
    assert before.bpm[0] < after.bpm[0] < 1.5 * before.bpm[0]


def test_leave_one_out_takes_the_size_alone_where_the_rest_is_noise() -> None:
    assert Forecaster(size_first_of(BEGUN), {}, DRAWN)._process.shape[0] == "size"
    assert Forecaster(first_of(BEGUN), {}, DRAWN)._process.shape[0] == "all"


def test_the_surprise_is_that_of_each_foretold_from_the_others_alone() -> None:
    """Against covariances of the others, solved anew."""
    x, y = figures_of(BEGUN), np.log(list(first_of(BEGUN).values()))
    shape = ("all", 0.3, 0.7, 0.3)
    missed, left = np.empty(len(x)), np.empty(len(x))
    for place in range(len(x)):
        rest = np.arange(len(x)) != place
        own, others = x[place : place + 1], x[rest]
        covariance = _covariance(others, others, shape) + 0.3 * np.eye(len(others))
        cross = _covariance(own, others, shape)
        alone = y.mean() + cross @ np.linalg.solve(covariance, y[rest] - y.mean())
        within = cross @ np.linalg.solve(covariance, cross.T)
        missed[place] = y[place] - alone[0]
        left[place] = (_covariance(own, own, shape) - within)[0, 0] + 0.3
    process = _process(x, y, shape)
    scale = np.mean(missed**2 / left)
    assert process.scale == pytest.approx(scale)
    variance = scale * left
    assert process.surprise == pytest.approx(np.mean(missed**2 / variance + np.log(variance)) / 2)


def test_whole_trainings_shift_the_line() -> None:
    begun = first_of(BEGUN)
    before = Forecaster(begun, {}, DRAWN).forecast(OTHERS)
    whole = {arch: 0.3 * begun[arch] for arch in BEGUN[:8]}
    after = Forecaster(begun, whole, DRAWN).forecast(BEGUN[:8])
    plain = Forecaster(begun, {}, DRAWN).forecast(BEGUN[:8])
    truth = np.log(list(whole.values()))
    assert np.abs(after.mean - truth).mean() < 0.5 * np.abs(plain.mean - truth).mean()
    assert (after.sd <= plain.sd).all()
    others = Forecaster(begun, whole, DRAWN).forecast(OTHERS)
    assert (others.sd <= before.sd).all() and (others.bpm != before.bpm).all()


def test_a_forecast_of_nothing_but_the_prior_by_hand() -> None:
    """All first rungs alike: the line alone is left, from its own constants."""
    begun = dict.fromkeys(BEGUN, 8.0)
    found = Forecaster(begun, {}, DRAWN).forecast(OTHERS)
    size = figures_of(OTHERS)[:, 0]
    line = np.log(8.0) + PRIOR_LINE[0] + PRIOR_LINE[2] * size
    np.testing.assert_allclose(found.mean, line, atol=1e-6)
    rows = np.column_stack([np.ones(len(size)), np.zeros(len(size)), size])
    spread = (rows**2) @ np.square(PRIOR_SD) + RESIDUAL**2
    np.testing.assert_allclose(found.sd, np.sqrt(spread), rtol=1e-2)
    np.testing.assert_allclose(found.quantile(1.0), np.exp(found.mean + found.sd))


def test_a_network_far_from_the_few_that_are_known_stays_in_sight() -> None:
    """Where one network was drawn no figure varies; another still errs by some BPM."""
    one, *others = BEGUN
    found = Forecaster(first_of([one]), {}, [one]).forecast(others)
    assert ((found.bpm > 0.1) & (found.bpm < 100)).all()


def test_the_order_of_what_was_begun_plays_no_role() -> None:
    begun = first_of(BEGUN)
    whole = {arch: 0.5 * begun[arch] for arch in BEGUN[:5]}
    turned = dict(reversed(begun.items())), dict(reversed(whole.items()))
    a = Forecaster(begun, whole, DRAWN).forecast(OTHERS)
    b = Forecaster(*turned, DRAWN).forecast(OTHERS)
    assert a.mean.tolist() == b.mean.tolist() and a.sd.tolist() == b.sd.tolist()


@pytest.mark.parametrize("whole", [0, 20])
def test_intervals_hold_nine_in_ten(whole: int) -> None:
    """Truths drawn from the line's prior and residual over first rungs that are drawn as well."""
    archs, inside = [*BEGUN, *OTHERS], []
    quiet = np.log(list(first_of(archs, noise=0.0).values()))
    middle = quiet[: len(BEGUN)].mean()
    rows = np.column_stack([np.ones(len(archs)), quiet - middle, figures_of(archs)[:, 0]])
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        line = np.array(PRIOR_LINE) + rng.normal(size=3) * PRIOR_SD
        seen = np.exp(quiet + rng.normal(0, 0.1, len(archs)))
        truth = np.exp(middle + rows @ line + rng.normal(0, RESIDUAL, len(archs)))
        begun = dict(zip(BEGUN, seen.tolist(), strict=False))
        trained = dict(zip(archs[:whole], truth.tolist(), strict=False))
        found = Forecaster(begun, trained, DRAWN).forecast(archs[whole:])
        low, high = found.quantile(-1.645), found.quantile(1.645)
        inside.append((low < truth[whole:]) & (truth[whole:] < high))
    assert 0.8 < np.mean(inside) < 0.97
