"""Residual networks over time, of blocks with two convolutions or of bottlenecks.

They see the whole window (no causality). Reference for the shapes: He et al. 2016 (arXiv
1512.03385), here with five taps over time. Batch normalisation as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.teachers.base import Shape, Teacher

SIZES: Mapping[str, Mapping[str, Any]] = {
    "resnet-small": {},
    "resnet-medium": {
        "stem": 48,
        "widths": (64, 96, 128, 160),
        "blocks": (2, 2, 2, 2),
        "dropout": 0.1,
    },
    "resnet-50": {
        "stem": 32,
        "widths": (128, 224, 384, 512),
        "blocks": (3, 4, 6, 3),
        "expansion": 4,
        "dropout": 0.1,
    },
}


@dataclass(frozen=True)
class ResNetShape(Shape):
    """Stem width, width and blocks of each stage that halves time.

    Attributes:
        stem, widths, blocks, kernel: channels of the stem and the stages, blocks, taps.
        expansion: 1 for blocks of two convolutions, else what a bottleneck divides its width by.
    """

    stem: int = 32
    widths: tuple[int, ...] = (48, 64, 96)
    blocks: tuple[int, ...] = (2, 2, 2)
    kernel: int = 5
    expansion: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.stem, self.kernel, self.expansion, *self.widths, *self.blocks)
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"{self} has other numbers of widths and blocks")
        if sum(self.blocks) > 16 or not 0 <= self.dropout < 1:
            raise ValueError(f"{self} has more than 16 blocks, or a dropout outside of 0 to 1")


def convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """Over time; as two dimensions, channels last: several times as fast as one on a CPU."""
    return nn.Conv2d(
        inputs,
        outputs,
        (1, kernel),
        stride=(1, stride),
        padding=(0, kernel // 2 * dilation),
        dilation=(1, dilation),
        bias=False,
    )


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two convolutions, the first one dilated, and a shortcut."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, kernel, stride, dilation)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = convolution(outputs, outputs, kernel)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        value = F.relu_(self.first_norm(self.first(x)))
        return F.relu_(self.second_norm(self.second(value)).add_(self.shortcut(x)))


class _Bottleneck(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, *, expansion: int
    ) -> None:
        super().__init__()
        width = max(1, outputs // expansion)
        self.body = nn.Sequential(
            convolution(inputs, width),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            convolution(width, width, kernel, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            convolution(width, outputs),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class ResNetTeacher(Teacher):
    """Stem, stages, mean over time, one dense layer."""

    def __init__(self, shape: ResNetShape) -> None:
        super().__init__(shape)
        self.stem = convolution(shape.channels, shape.stem, 9, 2)
        self.stem_norm = nn.BatchNorm2d(shape.stem)
        layers: list[nn.Module] = []
        width = shape.stem
        for out, blocks in zip(shape.widths, shape.blocks, strict=True):
            for index in range(blocks):
                sizes = (width, out, shape.kernel, 2 if index == 0 else 1)
                layers.append(
                    Residual(*sizes)
                    if shape.expansion == 1
                    else _Bottleneck(*sizes, expansion=shape.expansion)
                )
                width = out
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(width, shape.task.classes)

    def encode(self, x: Tensor) -> Tensor:
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        features: Tensor = self.layers(F.relu(self.stem_norm(self.stem(x))))
        return features.squeeze(2)
