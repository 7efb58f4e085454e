"""Networks that a search need not find: published ones that its space names, or like them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from search_spaces.arch import Arch
from search_spaces.nearest import nearest
from search_spaces.published import PUBLISHED, published
from search_spaces.space import SearchSpace
from search_spaces.stages import at_task

MOST_CHANGED = 3
"""Choices of a published network that the space may not have; the nearest stand for them."""


def known_networks(space: SearchSpace, fits: Callable[[Arch], bool]) -> list[Arch]:
    """The published networks that the space names, as they are; where it names none, all that are
    or resemble one of its own.

    All fit the budgets. They read acceleration where the space has networks that do.
    """
    asked = map(published, space.published) if space.published else PUBLISHED.values()
    most = 0 if space.published else MOST_CHANGED
    found: dict[Arch, None] = {}
    for arch in asked:
        arch = replace(arch, acceleration=True in space.acceleration)
        near = nearest(space, arch)
        if near is not None and near[1] <= most:
            found[near[0]] = None
        elif space.published:
            found[at_task(arch, space.task)] = None
    return [arch for arch in found if fits(arch)]
