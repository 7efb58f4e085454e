"""Records of networks that were never trained, and a trainer that trains none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from distill.evaluation import Retrained
from distill.first_rung import Begun
from distill.training.jobs import Rung
from nas.bench.ranking.networks import FullTraining, NetworkRecord
from nas.run.job.progress import Tick
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer, fake_mae, fake_net


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
        first_train_mae_bpm=6.0 + (place % 2),
        full={0: full(0), 1: full(1)},
    )


def made_records(count: int, space: str = "tiny") -> list[NetworkRecord]:
    """Records of different networks, best first."""
    return [made_record(arch, place) for place, arch in enumerate(made_archs(count, space))]


@dataclass
class Log:
    """Trainings that were done, and how many there are before the bench is killed."""

    trained: list[tuple[str, int]] = field(default_factory=list)
    dies_at: int | None = None


class BenchTrainer(FakeTrainer):
    """Trains nothing, and notes it."""

    def __init__(
        self, space: SearchSpace, *, folder: Path, log: Log | None = None, **_: object
    ) -> None:
        super().__init__(space, folder=folder)
        self.log = log or Log()

    def batches(self, count: int) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        yield from (torch.randn(4, 4, 256, generator=generator) for _ in range(count))

    def begin_many(
        self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs"
    ) -> list[Begun]:
        errors = map(fake_mae, archs)
        return [Begun(error, error, error, 0.02) for error in errors]

    def train_alone(
        self,
        archs: Sequence[Arch],
        progress: Tick,
        on_done: Callable[[int, Retrained], None],
        *,
        seed: int,
    ) -> None:
        for index, arch in enumerate(archs):
            if len(self.log.trained) == self.log.dies_at:
                raise KeyboardInterrupt
            self.log.trained.append((arch.id, seed))
            on_done(index, Retrained(fake_net(arch), fake_mae(arch), arch))
