"""What is pre-trained, and the module that learns it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.encoders.compact import EMBEDDING, ends_of
from distill.encoders.objectives import Aligned, Contrast, Masked
from distill.encoders.transformer import EncoderShape, TransformerEncoder
from search_spaces.arch import Arch
from search_spaces.network import Network

Sensor = Literal["ppg", "acc"]
Method = Literal["masked", "contrast", "aligned", "supervised"]
CHANNELS: Mapping[Sensor, int] = {"ppg": 1, "acc": 3}
STEPS: Mapping[str, int] = {"smoke": 6, "quick": 500, "standard": 6000, "thorough": 60000}
INTEGER_SHARE = 0.2  # of the steps of a compact encoder, that simulate integers
BATCH = 128
TOGETHER = 8
BPM_MEAN, BPM_SPREAD = 100.0, 30.0  # what a supervised head is scaled by


@dataclass(frozen=True, kw_only=True)
class Job:
    """One pre-training.

    Attributes:
        shape: of an encoder with attention; None where `arch` is given.
        arch: of a compact encoder, between `compact.ends_of`.
        together: segments of each person in a batch that is contrasted within itself.
        labels: share of the labelled segments that a supervised training sees.
    """

    sensor: Sensor
    method: Method
    shape: EncoderShape | None = None
    arch: Arch | None = None
    steps: int
    batch: int = BATCH
    seed: int = 0
    together: int = TOGETHER
    labels: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain values, by which a checkpoint is known again."""
        arch = None if self.arch is None else self.arch.to_json()
        return {**asdict(self), "arch": arch}

    @property
    def peak_rate(self) -> float:
        """Highest learning rate: wide networks want small steps."""
        return 3e-3 if self.shape is None else 1.5e-3 * math.sqrt(64 / self.shape.width)

    def encoder(self) -> tuple[nn.Module, int]:
        """The encoder with weights from torch's random state, and the size of its embedding."""
        if self.arch is not None:
            return Network(self.arch, ends_of(CHANNELS[self.sensor])), EMBEDDING
        assert self.shape is not None
        made = TransformerEncoder(self.shape)
        return made, made.dimensions

    def module(self, teacher: TransformerEncoder | None = None) -> Pretrained:
        """What `distill.training.fit` trains.

        Args:
            teacher: of a student that is aligned.
        """
        encoder, dimensions = self.encoder()
        if self.method == "aligned":
            assert teacher is not None
            return Aligned(encoder, dimensions, teacher, teacher.dimensions)
        if self.method == "contrast":
            return Contrast(encoder, dimensions)
        if self.method == "supervised":
            return Supervised(encoder, dimensions)
        assert isinstance(encoder, TransformerEncoder)
        return Masked(encoder)


class Supervised(nn.Module):
    """An encoder that learns heart rate from labels, to compare with."""

    def __init__(self, encoder: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(dimensions, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Heart rate in BPM, `(batch,)`."""
        scaled: Tensor = self.head(self.encoder(x))[:, 0]
        return BPM_MEAN + BPM_SPREAD * scaled

    def loss(self, x: Tensor, hr_bpm: Tensor) -> Tensor:
        """Of segments and their heart rate."""
        return F.smooth_l1_loss((self(x) - hr_bpm) / BPM_SPREAD, torch.zeros_like(hr_bpm))


Pretrained = Masked | Contrast | Aligned | Supervised
