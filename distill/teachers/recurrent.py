"""Convolutions that halve time twice, then gated recurrent units that read it both ways.

Reference for the order of the two: DeepConvLSTM (Ordóñez and Roggen 2016, Sensors 16(1) 115); the
units are those of Cho et al. 2014 (arXiv 1406.1078).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from distill.teachers.base import Shape, Teacher

SIZES: Mapping[str, Mapping[str, Any]] = {"recurrent": {}}


@dataclass(frozen=True)
class RecurrentShape(Shape):
    """Channels of the convolutions, units of each direction, recurrent layers, dropout."""

    width: int = 64
    units: int = 96
    layers: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.width, self.units, self.layers)
        if self.layers > 8 or not 0 <= self.dropout < 1:
            raise ValueError(f"{self} has more than 8 layers, or a dropout outside of 0 to 1")


class RecurrentTeacher(Teacher):
    """Two convolutions, recurrent layers, mean over time, one dense layer."""

    peak_rate = 2e-3

    def __init__(self, shape: RecurrentShape) -> None:
        super().__init__(shape)
        self.first = nn.Conv2d(
            shape.channels, shape.width, (1, 9), stride=(1, 2), padding=(0, 4), bias=False
        )
        self.first_norm = nn.BatchNorm2d(shape.width)
        self.second = nn.Conv2d(
            shape.width, shape.width, (1, 5), stride=(1, 2), padding=(0, 2), bias=False
        )
        self.second_norm = nn.BatchNorm2d(shape.width)
        self.recurrent = nn.GRU(
            shape.width,
            shape.units,
            shape.layers,
            batch_first=True,
            bidirectional=True,
            dropout=shape.dropout if shape.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(2 * shape.units, shape.task.classes)

    def encode(self, x: Tensor) -> Tensor:
        value = F.relu(self.first_norm(self.first(x[:, :, None])))
        value = F.relu(self.second_norm(self.second(value)))
        features: Tensor = self.recurrent(value.squeeze(2).transpose(1, 2))[0]
        return features.transpose(1, 2)
