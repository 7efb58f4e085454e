"""Whom a search has to beat: networks that nobody searched for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from math import log

from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED
from search_spaces.space import SearchSpace

DRAWN = 400
_REPEATS_BEFORE_END = 2000  # hardly any other network is left

HAND_MADE = ("tiny", "small", "medium", "large", "timeppg-small", "kd-pulse-student")


def drawn(space: SearchSpace, fits: Callable[[Arch], bool], *, seed: str) -> Iterator[Arch]:
    """Different random networks that fit, until the space has hardly any other."""
    rng = random.Random(seed)
    seen: set[Arch] = set()
    repeats = 0
    while repeats < _REPEATS_BEFORE_END:
        arch = space.sample(rng)
        repeats += 1
        if arch not in seen and fits(arch):
            seen.add(arch)
            repeats = 0
            yield arch


def by_size(
    archs: Iterator[Arch], weights_of: Callable[[Arch], float], *, classes: int
) -> list[Arch]:
    """The first `DRAWN` of `archs` in the order in which their sizes say to train them.

    Classes are of equal width in the logarithm of the weights. One of each class, the largest
    first, then the next of each.
    """
    found = list(islice(archs, DRAWN))
    if not found:
        return []
    sizes = [log(weights_of(arch)) for arch in found]
    low, width = min(sizes), (max(sizes) - min(sizes)) / classes or 1.0
    members: list[list[Arch]] = [[] for _ in range(classes)]
    for arch, size in zip(found, sizes, strict=True):
        members[min(int((size - low) / width), classes - 1)].append(arch)
    rounds = zip_longest(*reversed(members))
    return [arch for each in rounds for arch in each if arch is not None]


def hand_made(*, acceleration: bool, rates_hz: Sequence[int]) -> dict[str, Arch]:
    """Hand-made networks that recordings can feed, by name; without acceleration all read PPG."""
    archs = {name: replace(PUBLISHED[name], acceleration=acceleration) for name in HAND_MADE}
    return {name: arch for name, arch in archs.items() if arch.rate_hz <= max(rates_hz)}
