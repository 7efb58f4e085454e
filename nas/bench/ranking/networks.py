"""The networks of the bench: spread over the space, with pairs that differ in one dimension.

Of each one JSON file is kept, so that a killed bench goes on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distill.training.effort import first_score, rung_score
from nas.explore.spread import spread
from ppgnas.errors import NothingFitsError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

DRAWN, TRIES = 1500, 15000
PAIRED = ("rate_hz", "dilation", "depth", "kernel", "width", "stride")
"""Dimensions of which there is a pair; those of the stages change in all stages at once."""


@dataclass(frozen=True)
class Pair:
    """Two networks, by their place in the list, that differ in one dimension alone."""

    dimension: str
    low: int
    high: int


def bench_networks(
    space: SearchSpace, accept: Callable[[Arch], bool], *, count: int, seed: int
) -> tuple[list[Arch], list[Pair]]:
    """Networks for the bench.

    They are stratified by multiply-accumulates; within a class the one is taken that is furthest
    from those already there in the other figures (rate, dilation, depth, kernels and so on).

    Args:
        accept: whether a network fits the budgets; others are not taken.
        count: of networks, pairs included; where a space gives fewer, there are fewer.

    Raises:
        NothingFitsError: no network that was drawn fits.
    """
    rng = random.Random(f"{seed} networks of the bench")
    drawn: dict[str, Arch] = {}
    for _ in range(TRIES):
        arch = space.sample(rng)
        if arch.acceleration == max(space.acceleration) and arch.id not in drawn and accept(arch):
            drawn[arch.id] = arch
        if len(drawn) == DRAWN:
            break
    if not drawn:
        raise NothingFitsError(
            f"none of {TRIES:,} networks drawn from the space {space.name!r} fits the budget; "
            "raise `budget`"
        )
    archs = spread(list(drawn.values()), count - 2 * len(PAIRED))
    pairs = []
    bases = sorted(archs, key=lambda arch: abs(archs.index(arch) - len(archs) // 2))
    for dimension in PAIRED:
        both = [
            (_with_end(space, base, dimension, 0), _with_end(space, base, dimension, -1))
            for base in bases
        ]
        fitting = [
            ends
            for ends in both
            if _differing(space, *ends) == {dimension} and all(map(accept, ends))
        ]
        if fitting:
            # Of a dimension with two choices one end is the base itself; two new ones add more.
            ends = max(fitting, key=lambda ends: len(set(ends) - set(archs)))
            archs += [arch for arch in ends if arch not in archs]
            pairs.append(Pair(dimension, *map(archs.index, ends)))
    return archs, pairs


def _with_end(space: SearchSpace, base: Arch, dimension: str, end: int) -> Arch:
    """With the lowest (0) or highest (-1) choice of a dimension everywhere; depth is never 0."""
    chosen = {
        name: [value for value in values if value != 0 or dimension != "depth"][end]
        for name, values in space.dimensions.items()
        if name == dimension or name.endswith(f".{dimension}")
    }
    return space.build({**space.choices_of(base), **chosen})


def _differing(space: SearchSpace, low: Arch, high: Arch) -> set[str]:
    """Dimensions in which two differ: a choice can take away what makes another act."""
    here, there = space.choices_of(low), space.choices_of(high)
    return {name.split(".")[-1] for name in here if here[name] != there[name]}


SEEDS = (0, 1)  # of the whole trainings


@dataclass(frozen=True)
class FullTraining:
    """Int8 MAE in BPM by person after a whole training."""

    search: Mapping[str, float]
    report: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.search or not self.report:
            raise ValueError("a training has errors of no search person, or of no report person")


@dataclass(frozen=True)
class NetworkRecord:
    """One network of the bench; every error in BPM.

    Attributes:
        macs, weights: multiply-accumulates; weights in bytes.
        latency_ms: on the default board.
        inherited_bpm: raw error on search people with the supernet's weights.
        jacobian: covariance score at random weights; higher is better.
        first_expected_bpm, first_mae_bpm, first_train_mae_bpm: see `distill.first_rung.Begun`.
    """

    arch: Arch
    macs: int
    weights: int
    latency_ms: float
    inherited_bpm: float
    jacobian: float
    first_expected_bpm: float
    first_mae_bpm: float
    first_train_mae_bpm: float
    full: Mapping[int, FullTraining] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it was trained with every seed."""
        return set(SEEDS) <= set(self.full)

    @property
    def first_score_bpm(self) -> float:
        """See `distill.first_rung.Begun.first_score_bpm`."""
        score_bpm = rung_score(self.first_expected_bpm, self.first_mae_bpm)
        return first_score(score_bpm, self.first_train_mae_bpm)


def file_of(folder: Path, arch: Arch) -> Path:
    """Where the record of a network lies."""
    return folder / f"{arch.id}.json"
