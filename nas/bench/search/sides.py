"""Whom a search has to beat: networks that nobody searched for, and what is kept of all sides.

One JSON file a network, one a side that is complete.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from math import log
from pathlib import Path
from typing import Literal, get_args

from hwmodels.costs import Costs
from nas.run.documents import read_kept
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED
from search_spaces.space import SearchSpace

Side = Literal["found", "random", "sizes", "hand-made"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, kw_only=True)
class NetworkRecord:
    """One trained network, in int8; errors are MAE in BPM.

    Attributes:
        side, seed: who offers it, and the seed of its side.
        name: of a hand-made network, or the number of a finalist; empty otherwise.
        fits: whether it keeps every budget.
        seconds: of one core for the training; None for a found one, whose search paid for it.
        search_bpm: mean over search people, of raw readings; the only error that chooses.
        report_bpm, report_smoothed_bpm: by report person.
    """

    side: Side
    seed: int
    name: str
    arch: Arch
    costs: Costs
    fits: bool
    seconds: float | None
    search_bpm: float
    report_bpm: Mapping[str, float]
    report_smoothed_bpm: Mapping[str, float]


def read_records(folder: Path) -> list[NetworkRecord]:
    """All records of a side; none where there is no folder yet.

    Raises:
        RunError: a file is damaged.
    """
    found = [read_kept(path, NetworkRecord) for path in sorted(folder.glob("[!.]*.json"))]
    return [record for record in found if record]


@dataclass(frozen=True)
class Complete:
    """A side that is complete: core-seconds that it was allowed (None: any) and that it took."""

    allowed_s: float | None
    spent_s: float


def mark_of(folder: Path) -> Path:
    """Where it stands that a side is complete: beside its folder."""
    return folder.with_name(f"{folder.name}.json")


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
