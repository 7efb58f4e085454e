"""What the contest asks of `distill`, as an interface, so that tests can hand in a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nas.models.backend import site_of
from nas.models.readout import RULES
from nas.run.config import SearchConfig
from nas.run.job.progress import Tick
from nas.run.people import People
from nas.run.target import Target
from ppg.readout.transitions import Transitions
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from distill.scratch import Trained


class SideTrainer(Protocol):
    """See `distill.scratch.ScratchTrainer`."""

    def prepare_teacher(self, progress: Tick) -> None:
        """Teacher and pool, or return at once when they are there."""

    def train(
        self,
        archs: Iterator[Arch],
        *,
        go_on: Callable[[float], bool],
        beat: Callable[[float], None],
        on_done: Callable[[Arch, Trained], None],
    ) -> None:
        """Train networks from random weights while `go_on(seconds in training)` says so."""


MakeSideTrainer = Callable[..., SideTrainer]
"""The arguments are those of `torch_side_trainer`."""


def torch_side_trainer(
    config: SearchConfig,
    *,
    space: SearchSpace,
    people: People,
    target: Target,
    transitions: Transitions,
    teacher: str,
    folder: Path,
) -> SideTrainer:
    """The real one; imports torch."""
    from distill.scratch import ScratchTrainer
    from distill.trainer import Trainer
    from distill.training.effort import effort_by_name

    trainer = Trainer(
        space,
        train=people.train,
        search=people.search,
        effort=effort_by_name(config.effort),
        seed=config.seed,
        teacher=teacher,
        folder=folder,
        site=site_of(config.device),
        accept=lambda _: True,  # whom it is asked for, the sides say
        rule=RULES[target.file],
        distill=config.distill,
    )
    return ScratchTrainer(trainer, people.report, transitions)
