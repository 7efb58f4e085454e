"""Which published networks a search begins first."""

from __future__ import annotations

from dataclasses import replace

from nas.explore.evidence import known_networks
from ppgnas.task import Task
from search_spaces.nearest import holds, nearest
from search_spaces.published import (
    KD_PULSE_STUDENT,
    LARGE,
    MEDIUM,
    SMALL,
    TIMEPPG_SMALL,
    TINY,
)
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace.preset("default")


def test_those_that_the_default_space_names_as_they_are() -> None:
    found = known_networks(DEFAULT, lambda _: True)
    assert [TINY, SMALL, MEDIUM, KD_PULSE_STUDENT] == found[1:5] and found[0] == TIMEPPG_SMALL
    assert found[5] == nearest(DEFAULT, LARGE)[0]  # type: ignore[index] # of three stages
    assert [holds(DEFAULT, arch) for arch in found] == [False, False, False, True, False, True]
    assert all(arch.acceleration for arch in found)


def test_at_windows_of_another_length() -> None:
    found = known_networks(DEFAULT.at_tasks([Task(6)]), lambda _: True)
    assert len(found) == 6 and {arch.window_s for arch in found} == {6}


def test_a_space_that_names_none_has_the_nearest() -> None:
    for space in (replace(DEFAULT, published=()), DEFAULT.streaming()):
        found = known_networks(space, lambda _: True)
        assert len(found) >= 5 and all(holds(space, arch) for arch in found)
    assert replace(SMALL, stem_width=8) in known_networks(
        replace(DEFAULT, published=()), lambda _: True
    )


def test_those_that_fit_the_budgets_alone() -> None:
    found = known_networks(DEFAULT, lambda arch: arch.rate_hz == 16)
    assert found == [TIMEPPG_SMALL, TINY, SMALL, KD_PULSE_STUDENT]


def test_without_acceleration_they_read_none() -> None:
    found = known_networks(DEFAULT.restricted(acceleration=False), lambda _: True)
    assert len(found) == 6 and not any(arch.acceleration for arch in found)
    assert replace(MEDIUM, acceleration=False) in found


def test_a_space_that_holds_nothing_like_them() -> None:
    assert known_networks(SearchSpace.preset("tiny"), lambda _: True) == []
