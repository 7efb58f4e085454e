"""What the search asks of `distill`, as an interface: so that torch is imported late, and tests
can hand in something that takes no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nas.run.progress import Tick
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from deploy.integers.reference import Rule
    from distill.evaluation import Predictions


class Retrained(Protocol):
    """A finalist in integers and its int8 MAE on search people."""

    @property
    def net(self) -> QuantizedNet: ...
    @property
    def search_mae_bpm(self) -> float: ...


class Trainer(Protocol):
    """Teacher, supernet, ranking and retraining of one run; see `distill.trainer.Trainer`."""

    def prepare_teacher(self, progress: Tick) -> None:
        """Train the teacher, or return at once when it is there."""

    def train_supernet(self, progress: Tick) -> None:
        """Train the supernet, or return at once when it is there."""

    def search_mae(self, arch: Arch) -> float:
        """Inherited MAE on search people in BPM; the same for the same arch."""

    def retrain_many(
        self, archs: Sequence[Arch], progress: Tick, on_done: Callable[[int, Retrained], None]
    ) -> None:
        """Retrain all; `on_done(index, result)` in this process, in any order."""

    def drop_cache(self) -> None:
        """Remove what only an unfinished run needs."""


class MakeTrainer(Protocol):
    """Makes the trainer of a run."""

    def __call__(
        self,
        space: SearchSpace,
        *,
        train: Sequence[Recording],
        search: Sequence[Recording],
        effort: str,
        seed: int,
        teacher: str,
        folder: Path,
        threads: int,
        accept: Callable[[Arch], bool],
    ) -> Trainer: ...


class Predict(Protocol):
    """int8 predictions of a network on recordings, by a rule of `deploy.integers.reference`."""

    def __call__(
        self,
        net: QuantizedNet,
        arch: Arch,
        recordings: Sequence[Recording],
        *,
        transitions: Transitions | None = None,
        rule: Rule = "tflm",
    ) -> Predictions: ...


@dataclass(frozen=True)
class Distillery:
    """The functions of `distill` that a search calls.

    Attributes:
        make_trainer: see `MakeTrainer`.
        predict: see `Predict`.
        input_windows: up to so many windows `(windows, channels, time)` as an arch reads them.
    """

    make_trainer: MakeTrainer
    predict: Predict
    input_windows: Callable[[Arch, Sequence[Recording], int], NDArray[np.float32]]


def distillery() -> Distillery:
    """The real one; imports torch."""
    from distill.evaluation import input_windows, predict
    from distill.trainer import Trainer

    return Distillery(Trainer, predict, input_windows)
