"""What every teacher is: a network that answers with calibrated logits and shows its features.

Several may answer as one, by the mean of their calibrated probabilities. Lakshminarayanan et al.
2017 (arXiv 1612.01474) average networks of several seeds; members that read other inputs or see
them in another way (spectrum, PPG alone) differ more.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.teachers.names import TeacherFacts
from ppgnas.task import TASK, Task


@dataclass(frozen=True)
class Shape:
    """What a teacher reads; families add their sizes.

    Attributes:
        channels: 1 (PPG) or 4 (and acceleration).
    """

    channels: int
    rate_hz: int
    task: Task = field(default=TASK, kw_only=True, repr=False)  # files know shapes by their text

    def __post_init__(self) -> None:
        self.check(self.channels, self.rate_hz)

    def check(self, *sizes: int, most: int = 512) -> None:
        """Refuse sizes that no teacher has: a file may say anything."""
        if not 1 <= min(sizes) <= max(sizes) <= most:
            raise ValueError(f"{self} has a size outside of 1 to {most}")


class Teacher(nn.Module, ABC):
    """`(batch, channels, time)` to `(batch, classes)` logits, already divided by `temperature`.

    A family gives `encode` and, where a mean over steps and `head` are not all, `classify`.

    Attributes:
        facts: what is known of it; None before its training ends and in files of older versions.
        peak_rate: highest learning rate of its training.
    """

    shape: Shape
    head: nn.Module
    peak_rate: float = 3e-3

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.facts: TeacherFacts | None = None
        self.dropout: nn.Module = nn.Identity()
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def inputs(self) -> Shape:
        """Channels and rate."""
        return self.shape

    @property
    def size(self) -> int:
        """Parameters."""
        return sum(each.numel() for each in self.parameters())

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """`(batch, channels, steps)` features of windows that `read` has brought to `inputs`."""

    def classify(self, features: Tensor) -> Tensor:
        """Logits before they are divided by the temperature."""
        logits: Tensor = self.head(self.dropout(features.mean(dim=2)))
        return logits

    def read(self, x: Tensor) -> Tensor:
        """Windows `(batch, channels, time)` of any rate, brought to what `inputs` says."""
        x = x[:, : self.inputs.channels]
        samples = self.inputs.task.window_s * self.inputs.rate_hz
        if x.shape[2] != samples:
            x = F.interpolate(x, size=samples, mode="linear", align_corners=False)
        return x

    def features(self, x: Tensor) -> Tensor:
        """`(batch, channels, steps)` before they are pooled."""
        return self.encode(self.read(x))

    def view(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features, computed at once."""
        features = self.features(x)
        return self.classify(features) / self.temperature, features

    def forward(self, x: Tensor) -> Tensor:
        return self.view(x)[0]


class Ensemble(Teacher):
    """Members are trained and calibrated already; features are those of the first."""

    def __init__(self, members: Sequence[Teacher]) -> None:
        shapes = [member.shape for member in members]
        super().__init__(
            Shape(
                max(s.channels for s in shapes),
                max(s.rate_hz for s in shapes),
                task=shapes[0].task,
            )
        )
        self.members = nn.ModuleList(members)

    @property
    def teachers(self) -> list[Teacher]:
        """The members."""
        return [member for member in self.members if isinstance(member, Teacher)]

    @property
    def size(self) -> int:
        return sum(member.size for member in self.teachers)

    def read(self, x: Tensor) -> Tensor:
        """As they are: each member brings them to what it reads."""
        return x

    def encode(self, x: Tensor) -> Tensor:
        """Of the first member."""
        return self.teachers[0].features(x)

    def view(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log of the mean of probabilities, and the features of the first member."""
        first, *others = self.teachers
        logits, features = first.view(x)
        told = [F.log_softmax(each, dim=1) for each in (logits, *(other(x) for other in others))]
        mean = torch.logsumexp(torch.stack(told), dim=0) - math.log(len(told))
        return mean / self.temperature, features
