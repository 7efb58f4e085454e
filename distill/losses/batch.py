"""What a loss sees: of a student or a teacher, and of the windows that both were shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Viewed(Protocol):
    """A network that shows its features."""

    def view(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(batch, classes)` and features before pooling `(batch, channels, steps)`."""


@dataclass(frozen=True)
class View:
    """What a network makes of a batch.

    Attributes:
        logits: `(batch, classes)`.
        features: before pooling, `(batch, channels, steps)`; None where no term wants them.
        adapted: a student's features in the channels of its teacher, likewise.
    """

    logits: Tensor
    features: Tensor | None = None
    adapted: Tensor | None = None

    def only(self, rows: Tensor) -> View:
        """Of the windows at `rows`, `(windows,)` indices."""
        features, adapted = (
            None if each is None else each[rows] for each in (self.features, self.adapted)
        )
        return View(self.logits[rows], features, adapted)


@dataclass(frozen=True)
class Batch:
    """Windows of a step.

    Attributes:
        x: `(batch, channels, time)` at the rate of the pool.
        hr_bpm: `(batch,)` heart rates, counted so that the first class is `FIRST_BPM`; they mean
            nothing where there is no label.
        labels: `(batch, classes)` soft labels of them.
        labelled: `(batch,)` whether a window has a label, on the CPU wherever the others lie.
        teacher: what it makes of the windows, or None without one.
    """

    x: Tensor
    hr_bpm: Tensor
    labels: Tensor
    labelled: Tensor
    teacher: View | None = None

    @property
    def taught(self) -> View:
        """What the teacher says, of a batch that has one."""
        assert self.teacher is not None, "Mix.check was not asked"
        return self.teacher

    def only(self, rows: Tensor) -> Batch:
        """The windows at `rows`, `(windows,)` indices where the batch lies."""
        return replace(
            self,
            x=self.x[rows],
            hr_bpm=self.hr_bpm[rows],
            labels=self.labels[rows],
            labelled=self.labelled[rows.cpu()],
            teacher=None if self.teacher is None else self.teacher.only(rows),
        )
