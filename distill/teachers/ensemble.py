"""Several teachers that answer as one: the mean of their calibrated probabilities.

Lakshminarayanan et al. 2017 (arXiv 1612.01474) average networks of several seeds; members that
read other inputs or see them in another way (spectrum, PPG alone) differ more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.teachers.base import Shape, Teacher


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
