"""Made-up records of networks that were never trained."""

from __future__ import annotations

import random

from nas.bench.ranking.records import FullTraining, NetworkRecord
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


def made_archs(count: int, space: str = "tiny") -> list[Arch]:
    """Different networks."""
    rng = random.Random(0)
    preset = SearchSpace.preset(space)
    found: dict[str, Arch] = {}
    while len(found) < count:
        arch = preset.sample(rng)
        found[arch.id] = arch
    return list(found.values())


def made_record(arch: Arch, place: int = 0) -> NetworkRecord:
    """True errors rise with `place`: 2, 2.5, ... BPM on search, 1 more on report people.

    The seeds are 0.2 apart, the two people 1. The inherited error orders the other way round.
    """

    def full(seed: int) -> FullTraining:
        middle = 2 + place / 2 + (seed - 0.5) / 5
        search = {"a/1": middle - 0.5, "a/2": middle + 0.5}
        return FullTraining(search, {"a/3": middle + 1})

    macs = lower(arch).total_macs
    return NetworkRecord(
        arch=arch,
        macs=macs,
        weights=macs // 40,
        latency_ms=macs / 1e6,
        inherited_bpm=20.0 - place,
        jacobian=-30.0 - place,
        first_expected_bpm=5.0 + place,
        first_mae_bpm=4.0,
        first_train_bpm=6.0 + (place % 2),
        full={0: full(0), 1: full(1)},
    )


def made_records(count: int, space: str = "tiny") -> list[NetworkRecord]:
    """Records of different networks, best first."""
    return [made_record(arch, place) for place, arch in enumerate(made_archs(count, space))]
