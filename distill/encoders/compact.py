"""Encoders that fit a chip: networks of a search space, with an embedding where classes were.

Which one of a space is taken for a size is decided without a training: of networks drawn at random
that fit, the one with the most multiply-accumulates. Counting them orders networks of equal size
as well as any figure that needs no training (docs/search.md).
"""

from __future__ import annotations

import random
from dataclasses import replace

from ppg.segments.cut import HZ, SAMPLES
from ppgnas.errors import BudgetError, SpaceError
from ppgnas.task import WINDOW_S
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.plan import Ends, plan
from search_spaces.space import SearchSpace

EMBEDDING = 32
MOST_MACS = 4_000_000  # of a segment: what `published:large` takes for the same time
DRAWN = 1000


def ends_of(channels: int) -> Ends:
    """A segment of so many channels in, an embedding out."""
    return Ends(channels, SAMPLES, EMBEDDING)


def compact_arch(space: SearchSpace, limit_bytes: int, *, channels: int, seed: int) -> Arch:
    """The network of a size.

    Args:
        space: to draw from; its networks read segments at `ppg.segments.cut.HZ`.
        limit_bytes: of weights and biases.

    Raises:
        SpaceError: the space has no network at this rate.
        BudgetError: none that was drawn fits.
    """
    if HZ not in space.rate_hz:
        raise SpaceError(
            f"space {space.name}: encoders read {HZ} Hz; its networks read {space.rate_hz}. "
            "Choose another space"
        )
    rng = random.Random(seed)
    ends = ends_of(channels)
    best: tuple[int, Arch] | None = None
    smallest = 0
    for _ in range(DRAWN):
        drawn = space.sample(rng)
        drawn = replace(drawn, rate_hz=HZ, acceleration=True, head_spacing=1, pool_s=WINDOW_S)
        arch = space.canonical(drawn)
        # A neck narrower than the embedding would be all that it says.
        if not _folds(arch, ends) or 0 < arch.head_width < EMBEDDING:
            continue
        graph = lower(arch, ends)
        size = graph.total_weight_bytes
        smallest = min(smallest or size, size)
        if size <= limit_bytes and graph.total_macs <= MOST_MACS:
            best = max(best or (0, arch), (graph.total_macs, arch))
    if best is None:
        raise BudgetError(
            f"`size` is {limit_bytes} B, and no encoder of the space {space.name} is smaller than "
            f"{smallest} B; allow more, or choose the space tiny"
        )
    return best[1]


def _folds(arch: Arch, ends: Ends) -> bool:
    """Whether each dilation divides the steps that it acts on, as a view of them needs."""
    what = plan(arch, ends)
    return all(
        block.depthwise.dilation == 1 or time % block.depthwise.dilation == 0
        for block, time in zip(what.blocks, what.times, strict=True)
    )
