"""Plain networks to compare students with, at as many parameters and the same training.

A perceptron, and convolutions that a recurrent layer reads. They are no architectures of a search
space and stay in float: no file for a device is made of them. Both end in the head of
`search_spaces.plan`, spaced like that of `small`: a dense head of 180 classes would take all
parameters of a small network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ppgnas.errors import SpaceError
from ppgnas.task import CLASSES, WINDOW_S
from search_spaces.blocks import linear_upsample, upsample
from search_spaces.plan import UPSAMPLE_TAPS

RATE_HZ, SPACING = 16, 9
WIDEST = 1024


class Baseline(nn.Module, ABC):
    """Reads windows `(batch, channels, time)` at `RATE_HZ`, gives `(batch, classes)` logits.

    Args:
        features: channels that enter the head.
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.channels = channels
        self.head = nn.Linear(features, CLASSES // SPACING)
        self.fine = nn.Parameter(linear_upsample(SPACING, UPSAMPLE_TAPS))
        self.fine_bias = nn.Parameter(torch.zeros(SPACING))

    @abstractmethod
    def pooled(self, x: Tensor) -> Tensor:
        """`(batch, features)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits of windows at any multiple of `RATE_HZ`; further channels are not read."""
        x = x[:, : self.channels, :: x.shape[2] // (WINDOW_S * RATE_HZ)]
        return upsample(self.head(self.pooled(x)), self.fine, self.fine_bias)

    @property
    def parameters_folded(self) -> int:
        """Weights and biases, normalisation folded: of it a bias a channel is left."""
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm1d)]
        return sum(p.numel() for p in self.parameters()) - sum(m.num_features for m in norms)


class Perceptron(Baseline):
    """Two hidden layers over the whole window, 128 samples a channel."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * WINDOW_S * RATE_HZ, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )

    def pooled(self, x: Tensor) -> Tensor:
        """See `Baseline`."""
        out: Tensor = self.layers(x)
        return out


class ConvolutionsAndRecurrence(Baseline):
    """Two convolutions, each with a pool of two, two LSTM layers, and a dense head.

    The layers are those of CorNET (Biswas et al. 2019, doi 10.1109/TBCAS.2019.2892297), the sizes
    are not: the width is that of the parameters allowed, heart rates are classified, and
    acceleration may be read. No file for a device can hold an LSTM here.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs, width, 9, bias=False) for inputs in (channels, width)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.recurrence = nn.LSTM(width, width, num_layers=2, batch_first=True)

    def pooled(self, x: Tensor) -> Tensor:
        """See `Baseline`."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.max_pool1d(F.relu(norm(convolution(F.pad(x, (8, 0))))), 2)
        states: Tensor = self.recurrence(x.transpose(1, 2))[0]
        return states[:, -1]


BASELINES: dict[str, Callable[[int, int], Baseline]] = {
    "mlp": Perceptron,
    "cornet": ConvolutionsAndRecurrence,
}


def baseline(name: str, parameters: int, *, acceleration: bool) -> Baseline:
    """The widest network of a kind with at most so many parameters, random weights.

    Args:
        parameters: see `Baseline.parameters_folded`.
        acceleration: whether it reads three axes beside the PPG.

    Raises:
        SpaceError: there is no such kind, or none so small.
    """
    if name not in BASELINES:
        raise SpaceError(f"baseline {name!r} is unknown; allowed: {', '.join(BASELINES)}")
    make, channels = BASELINES[name], 4 if acceleration else 1
    found = make(channels, 1)
    if found.parameters_folded > parameters:
        raise SpaceError(
            f"baseline {name}: the smallest has {found.parameters_folded} parameters, and "
            f"{parameters} are allowed; allow as many"
        )
    for width in range(2, WIDEST + 1):
        wider = make(channels, width)
        if wider.parameters_folded > parameters:
            break
        found = wider
    return found
