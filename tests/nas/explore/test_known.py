"""Which published networks a search begins first."""

from __future__ import annotations

from dataclasses import replace

from nas.explore.known import known_networks
from search_spaces.published import MEDIUM, SMALL, TINY
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace.preset("default")


def test_those_of_the_default_space() -> None:
    found = known_networks(DEFAULT, lambda _: True)
    shapes = [(arch.stem_width, arch.head_spacing) for arch in found]
    assert shapes == [(8, 3), (8, 9), (8, 9), (12, 6), (24, 5)]
    assert MEDIUM in found and replace(SMALL, stem_width=8) in found
    assert TINY not in found  # whose first stride is 1
    assert all(arch.acceleration for arch in found)


def test_those_that_fit_the_budgets_alone() -> None:
    found = known_networks(DEFAULT, lambda arch: arch.rate_hz == 16)
    assert [arch.rate_hz for arch in found] == [16, 16, 16]


def test_without_acceleration_they_read_none() -> None:
    found = known_networks(DEFAULT.restricted(acceleration=False), lambda _: True)
    assert len(found) == 5 and not any(arch.acceleration for arch in found)
    assert replace(MEDIUM, acceleration=False) in found


def test_a_space_that_holds_nothing_like_them() -> None:
    assert known_networks(SearchSpace.preset("tiny"), lambda _: True) == []
