"""Graphs of the default space, quick enough for fifty a test."""

from __future__ import annotations

import random

from hwmodels.graph import Graph
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


def random_graph(seed: int) -> Graph:
    """A sample of the default space, lowered."""
    return lower(SearchSpace.preset("default").sample(random.Random(seed)))
