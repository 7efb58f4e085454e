"""Shared samples of architectures."""

from __future__ import annotations

import random

import pytest

from search_spaces.arch import Arch
from search_spaces.space import SearchSpace


@pytest.fixture(scope="session")
def default_space() -> SearchSpace:
    return SearchSpace.preset("default")


@pytest.fixture(scope="session")
def random_archs(default_space: SearchSpace) -> list[Arch]:
    """150 networks of the default space and 30 of the wide one, with both ends of each."""
    rng = random.Random(20)
    wide = SearchSpace.preset("wide")
    archs = [default_space.sample(rng) for _ in range(150)]
    archs += [wide.sample(rng) for _ in range(30)]
    return [*archs, *(end for s in (default_space, wide) for end in (s.smallest(), s.largest()))]
