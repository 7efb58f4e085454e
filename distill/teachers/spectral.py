"""A network over the axis of heart rates, of spectra that are stacked by harmonics.

At every class stands how strong the PPG and the acceleration are at that rate, at half of it, at
one and a half and at twice as much; convolutions along the axis then see a pulse or a gait look
alike at every rate. What a network over time must learn of periods, a transform knows. Stacking
by harmonics as in Bittner et al. 2017 (Deep salience representations for f0 estimation, ISMIR),
there for pitch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.teachers.base import Shape, Teacher
from distill.teachers.resnet import Residual, convolution
from ppg.readout.classes import bin_centres_bpm
from ppgnas.task import Task

HARMONICS = (0.5, 1.0, 1.5, 2.0)
PIECES = ((0, 4), (0, 2), (1, 3), (2, 4))
"""Start and end, in quarters of the window, of what each spectrum is of: the whole, and how its
rate moves."""
POWER_FLOOR = 1e-4
MEAN_LOG, SPREAD_LOG = -3.3, 3.3
"""Roughly, of log power: what lies outside the axis is padded with 0, neither peak nor silence."""
DILATIONS = (1, 2, 4, 8)
SIZES: Mapping[str, Mapping[str, Any]] = {"spectral": {}}


@dataclass(frozen=True)
class SpectralShape(Shape):
    """Channels, residual blocks of two convolutions, and taps along the axis of heart rates."""

    width: int = 32
    blocks: int = 6
    kernel: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.width, self.kernel, self.blocks)
        if self.blocks > 16:
            raise ValueError(f"{self} has more than 16 blocks")


class SpectralTeacher(Teacher):
    """Power spectra, stacked by harmonics; residual blocks; one logit a class."""

    def __init__(self, shape: SpectralShape) -> None:
        super().__init__(shape)
        grid_bpm, places = _grid(shape.task)
        self.waves: Tensor
        self.register_buffer("waves", _waves(grid_bpm, shape), persistent=False)
        self.places: Tensor
        self.register_buffer("places", torch.from_numpy(places), persistent=False)
        kinds = 2 if shape.channels > 1 else 1
        width = shape.width
        self.stem = convolution(kinds * len(PIECES) * len(HARMONICS), width, shape.kernel)
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(
            Residual(width, width, shape.kernel, dilation=DILATIONS[index % len(DILATIONS)])
            for index in range(shape.blocks)
        )
        self.context = nn.Linear(width, width)
        self.head = nn.Conv1d(width, 1, 1)
        self.bias = nn.Parameter(torch.zeros(shape.task.classes))

    def spectra(self, x: Tensor) -> Tensor:
        """Scaled log power `(batch, kinds * pieces * harmonics, classes)`; the axes are summed."""
        pieces = len(PIECES)
        parts = (x @ self.waves).view(*x.shape[:2], 2, pieces, -1)
        power = parts.square().sum(dim=2)  # (batch, channels, pieces, grid)
        kinds = [power[:, 0]] if x.shape[1] == 1 else [power[:, 0], power[:, 1:].sum(dim=1)]
        logs = torch.stack([torch.log(kind + POWER_FLOOR) for kind in kinds], dim=1)
        return ((logs - MEAN_LOG) / SPREAD_LOG)[..., self.places].flatten(1, 3)

    def encode(self, x: Tensor) -> Tensor:
        with torch.autocast("cuda", enabled=False):  # powers span more than bfloat16 resolves
            spectra = self.spectra(x.float())
        value = spectra[:, :, None].contiguous(memory_format=torch.channels_last)
        value = F.relu_(self.stem_norm(self.stem(value)))
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index == len(self.blocks) // 2:  # what the whole window is like
                value = value + self.context(value.mean(dim=(2, 3)))[:, :, None, None]
        return value.squeeze(2)

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features)[:, 0] + self.bias
        return logits


def _grid(task: Task) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rates in BPM, 1 apart, and where in them each harmonic of each class is."""
    wanted = np.rint(np.outer(HARMONICS, bin_centres_bpm(task))).astype(np.int64)
    first = int(wanted.min())
    return np.arange(first, wanted.max() + 1, dtype=np.float64), wanted - first


def _waves(grid_bpm: NDArray[np.float64], shape: Shape) -> Tensor:
    """Cosines and sines under a Hann window of each piece, `(samples, 2 * pieces * grid)`."""
    samples = shape.task.window_s * shape.rate_hz
    phase = 2 * np.pi * np.outer(np.arange(samples) / shape.rate_hz, grid_bpm / 60)
    windows = []
    for quarters in PIECES:
        start, end = (samples * quarter // 4 for quarter in quarters)
        window = np.zeros(samples)
        inner = np.hanning(end - start + 2)[1:-1]
        window[start:end] = inner / inner.sum()
        windows.append(window[:, None])
    waves = [
        np.concatenate([wave * w for w in windows], 1) for wave in (np.cos(phase), np.sin(phase))
    ]
    return torch.from_numpy(np.concatenate(waves, axis=1).astype(np.float32))
