"""Networks of the bench: spread over the sizes, and pairs that differ in one dimension."""

from __future__ import annotations

import numpy as np
import pytest

from nas.bench.ranking.networks import PAIRED, Pair, bench_networks
from ppgnas.errors import NothingFitsError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace

SPACE = SearchSpace.preset("default")
LIMIT_MACS = 1_000_000


def accept(arch: Arch) -> bool:
    return lower(arch).total_macs <= LIMIT_MACS


@pytest.fixture(scope="module")
def both() -> tuple[list[Arch], list[Pair]]:
    return bench_networks(SPACE, accept, count=52, seed=0)


@pytest.fixture
def chosen(both: tuple[list[Arch], list[Pair]]) -> list[Arch]:
    return both[0]


def test_enough_different_ones_and_all_fit(chosen: list[Arch]) -> None:
    assert 48 <= len(chosen) <= 52
    assert len(set(chosen)) == len(chosen)
    assert all(map(accept, chosen))
    assert all(arch.acceleration for arch in chosen)


def test_every_class_of_sizes_has_some(chosen: list[Arch]) -> None:
    macs = np.log2([lower(arch).total_macs for arch in chosen])
    counts, _ = np.histogram(macs, bins=4)
    assert counts.min() >= 5
    assert macs.max() - macs.min() > 3
    assert {arch.rate_hz for arch in chosen} == set(SPACE.rate_hz)


def test_each_pair_differs_in_its_dimension_alone(both: tuple[list[Arch], list[Pair]]) -> None:
    archs, pairs = both
    assert [pair.dimension for pair in pairs] == list(PAIRED)
    for pair in pairs:
        low, high = (SPACE.choices_of(archs[place]) for place in (pair.low, pair.high))
        differing = {name for name in low if low[name] != high[name]}
        assert {name.split(".")[-1] for name in differing} == {pair.dimension}
        for name in differing:
            assert low[name] < high[name]  # type: ignore[operator]


def test_the_same_seed_gives_the_same_networks(chosen: list[Arch]) -> None:
    assert bench_networks(SPACE, accept, count=52, seed=0)[0] == chosen
    assert bench_networks(SPACE, accept, count=52, seed=1)[0] != chosen


def test_a_budget_that_nothing_drawn_fits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    space = SearchSpace.preset("tiny")
    monkeypatch.setattr("nas.bench.ranking.networks.TRIES", 1500)
    with pytest.raises(NothingFitsError, match="none of 1,500 networks drawn from the space"):
        bench_networks(space, lambda _: False, count=20, seed=0)
