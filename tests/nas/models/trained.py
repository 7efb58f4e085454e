"""`ppgnas train` with a training that takes no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.evaluation import Retrained
from nas.models.train import train_model
from nas.run.card import Card
from nas.run.config import TrainConfig
from nas.run.job.progress import Progress, Silent
from nas.run.people import People
from search_spaces.arch import Arch
from search_spaces.published import published
from tests.nas.fakes import fake_net

ARCH = published("small")
Training = Callable[..., Any]


def train_nothing(
    arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
) -> Retrained:
    (cache / "pool").touch()
    return Retrained(fake_net(arch), 7.0, arch)


def make_model(
    config: TrainConfig,
    out: Path,
    *,
    arch: Arch = ARCH,
    train: Training = train_nothing,
    progress: Progress | None = None,
) -> Card:
    """What `ppgnas train` leaves in `out`."""
    progress = progress or Silent()
    return train_model(arch, config, out, command="ppgnas train", progress=progress, train=train)
