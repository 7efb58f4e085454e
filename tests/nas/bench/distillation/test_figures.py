"""Differences, gaps and laws on errors that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nas.bench.distillation import laws
from nas.bench.distillation.figures import Difference, gap, interval
from nas.bench.distillation.laws import (
    FEWEST_SIZES,
    LAWS,
    fit_law,
    law_figures,
    left_out_bpm,
)
from nas.bench.interval import Interval

SIZES = np.array([700.0, 1700, 4000, 11000, 27000, 75000])


def test_a_difference_is_paired_over_people() -> None:
    # People differ by far more than the networks do, and each person's two errors by one value.
    control = np.array([[1.0, 5.0, 20.0], [1.2, 5.2, 20.2]])
    found = Difference.of(control - 0.3, control)
    assert (found.bpm.low, found.bpm.value, found.bpm.high) == pytest.approx((-0.3, -0.3, -0.3))
    assert found.verdict == "better"
    # 0.3 of 8.77 on all, of 20.2 where the worst person is drawn alone, of 1 where the best is.
    assert found.percent.value == pytest.approx(-30 / control.mean())
    assert -30.1 < found.percent.low < found.percent.value < found.percent.high < -1.4
    assert Difference(Interval(0.1, 0.01, 0.2), found.percent).verdict == "worse"
    assert Difference(Interval(0.1, -0.01, 0.2), found.percent).verdict == "within noise"


def test_an_interval_knows_people_and_seeds() -> None:
    # One seed and many people that agree, and the reverse: either spread alone must be seen.
    of_people = interval(np.array([[0.0, 1.0] * 8]))
    of_seeds = interval(np.array([[0.0] * 8, [1.0] * 8]))
    assert of_people.low < 0.4 and of_people.high > 0.6
    assert (of_seeds.low, of_seeds.high) == (0.0, 1.0)


def test_the_gap_is_undefined_within_noise() -> None:
    alone = np.array([[2.0, 3.0, 4.0]])
    known, share = gap(alone, alone - 0.25, alone - 1.0)
    assert known and share is not None
    assert share.value == pytest.approx(0.25)
    unclear = alone + np.array([[0.5, -0.5, 0.1]])
    assert gap(alone, alone - 0.25, unclear) == (False, None)


def test_a_law_is_found_again() -> None:
    power = 1.2 + 3 * (SIZES / 5000) ** -0.7
    law = fit_law("power", SIZES, power)
    assert (law.floor_bpm, law.rate) == pytest.approx((1.2, 0.7), rel=1e-3)
    assert law.bpm(SIZES) == pytest.approx(power, rel=1e-4)
    falling = 1.5 + 4 * np.exp(-SIZES / 9000)
    assert fit_law("exponential", SIZES, falling).bpm(SIZES) == pytest.approx(falling, rel=1e-3)
    for truth, errors in (("power", power), ("exponential", falling)):
        missed = {name: left_out_bpm(name, SIZES, errors) for name in LAWS}
        assert min(missed, key=lambda name: missed[name]) == truth


def test_the_exponential_of_a_logarithm_is_a_power() -> None:
    b = 1.3
    published = 1.1 + 9 * np.exp(-b * np.log10(SIZES))
    law = fit_law("power", SIZES, published)
    assert law.bpm(SIZES) == pytest.approx(published, rel=1e-4)
    assert law.rate == pytest.approx(b / np.log(10), rel=1e-2)


def test_figures_of_a_law_have_the_spread_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "FITS", 50)
    rng = np.random.default_rng(1)
    person = rng.normal(0, 0.3, (1, 5))
    errors = [np.full((2, 5), 1.2 + 3 * (n / 5000) ** -0.7) + person for n in SIZES]
    found = law_figures("power", SIZES.astype(int).tolist(), errors)
    assert found.floor_bpm is not None
    assert found.floor_bpm.low < found.floor_bpm.value < found.floor_bpm.high
    assert law_figures("no floor", SIZES.astype(int).tolist(), errors).floor_bpm is None
    assert FEWEST_SIZES == 4
