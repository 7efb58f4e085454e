"""Networks of a space that are like another, against every network of a small space."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search_spaces.arch import Arch
from search_spaces.nearest import nearest, neighbours
from search_spaces.published import OWN, published
from search_spaces.space import SearchSpace

TINY = SearchSpace.preset("tiny")
DEFAULT = SearchSpace.preset("default")


@pytest.mark.parametrize(
    ("name", "changed"),
    [("tiny", 1), ("small", 1), ("medium", 0), ("large", 0), ("timeppg-small", 2)],
)
def test_published_networks_in_the_default_space(name: str, changed: int) -> None:
    found = nearest(DEFAULT, published(name))
    assert found is not None and found[1] == changed
    choices = DEFAULT.choices_of(found[0])
    assert all(choices[key] in allowed for key, allowed in DEFAULT.dimensions.items())
    if not changed:
        absent = [stage for stage in found[0].stages if stage.depth == 0]
        whole = replace(published(name), stages=(*published(name).stages, *absent))
        assert found[0] == whole


def test_a_network_of_the_space_is_its_own_nearest() -> None:
    for number, arch in enumerate(TINY):
        if number % 97 == 0:
            assert nearest(TINY, arch) == (arch, 0)


def test_choices_are_rounded_and_counted() -> None:
    """Stem 12 of 8 and 16 is rounded down, kernel 11 to 9; the pooling has no order."""
    arch = next(iter(TINY))
    other = replace(arch, stem_width=12, stem_kernel=11, pooling="max")
    assert nearest(TINY, other) == (replace(arch, stem_width=8), 3)


def test_more_stages_than_the_space_has() -> None:
    four = replace(OWN["tiny"], stages=OWN["tiny"].stages[:1] * 4)
    assert nearest(DEFAULT, four) is None


def test_neighbours_are_those_that_differ_in_one_choice() -> None:
    arch = next(iter(TINY))
    own = TINY.choices_of(arch)

    def differences(other: Arch) -> int:
        return sum(value != own[name] for name, value in TINY.choices_of(other).items())

    found = list(neighbours(TINY, arch))
    assert len(found) == sum(len(values) - 1 for values in TINY.dimensions.values())
    assert all(TINY.build(TINY.choices_of(other)) == other for other in found)
    every = {other for other in TINY if differences(other) == 1}
    assert every and every <= set(found)
