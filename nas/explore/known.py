"""Networks that a search need not find: those of `search_spaces.published` in its space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from search_spaces.arch import Arch
from search_spaces.nearest import nearest
from search_spaces.published import PUBLISHED
from search_spaces.space import SearchSpace

MOST_CHANGED = 3
"""Choices of a published network that the space may not have; the nearest stand for them."""


def known_networks(space: SearchSpace, fits: Callable[[Arch], bool]) -> list[Arch]:
    """The networks of the space that are or resemble a published one, and fit the budgets.

    They read acceleration where the space has networks that do.
    """
    acceleration = True in space.acceleration
    found: dict[Arch, None] = {}
    for arch in PUBLISHED.values():
        near = nearest(space, replace(arch, acceleration=acceleration))
        if near is not None and near[1] <= MOST_CHANGED and fits(near[0]):
            found[near[0]] = None
    return list(found)
