"""An encoder over patches of a segment, all of which it sees, or a few of them.

As `distill.teachers.transformer`, but patches do not overlap: a masked one must not show through
its neighbours (He et al. 2022, arXiv 2111.06377).

What PPG and acceleration of one moment share is above all when the wrist moved. The mean over
patches does not say when, so an embedding may hold a few numbers of each patch as well. A patch is
read as samples and as a log spectrum: a linear layer does not see strength and rate of what comes
at any phase, and learning to takes long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.teachers.transformer import Block
from ppg.segments.cut import HZ, SAMPLES

TOP_HZ = 5.0
QUIET, LOG_UNIT = 1e-3, 3.0  # of a spectrum's power, and what its logarithm is divided by


@dataclass(frozen=True)
class EncoderShape:
    """Channels of its input, samples of a patch, width of a token, blocks and heads.

    Attributes:
        spectra: whether a patch is also read as its log spectrum, summed over channels.
        times: numbers that an embedding holds of each patch, beside the mean of all.
    """

    channels: int
    patch: int = 16
    width: int = 64
    blocks: int = 3
    heads: int = 4
    spectra: bool = False
    times: int = 0

    def __post_init__(self) -> None:
        sizes = (self.channels, self.patch, self.width, self.blocks, self.heads)
        if not 1 <= min(sizes) <= max(sizes) <= 512 or self.blocks > 16:
            raise ValueError(f"{self} has a size outside of 1 to 512, or more than 16 blocks")
        if not 0 <= self.times <= 64:
            raise ValueError(f"{self}: an embedding holds 0 to 64 numbers of each patch")
        if self.width % self.heads or SAMPLES % self.patch:
            raise ValueError(f"{self}: heads must divide the width, a patch {SAMPLES} samples")

    @property
    def tokens(self) -> int:
        """Patches of a segment."""
        return SAMPLES // self.patch

    @property
    def bins(self) -> int:
        """Of a patch's spectrum, up to where the front end passes."""
        return int(TOP_HZ * self.patch / HZ) if self.spectra else 0


SIZES: Mapping[str, Mapping[str, Any]] = {
    "small": {"patch": 64, "spectra": True, "times": 4},
    "large": {"patch": 32, "width": 128, "blocks": 4, "spectra": True, "times": 4},
}


class TransformerEncoder(nn.Module):
    """Segments `(batch, channels, time)` to embeddings `(batch, dimensions)`."""

    waves: Tensor

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.dimensions = shape.width + shape.tokens * shape.times
        self.patches = nn.Linear(shape.channels * shape.patch + shape.bins, shape.width)
        self.positions = nn.Parameter(0.02 * torch.randn(1, shape.tokens, shape.width))
        self.blocks = nn.Sequential(
            *(Block(shape.width, shape.heads, dropout=0.0) for _ in range(shape.blocks))
        )
        self.norm = nn.LayerNorm(shape.width)
        self.times = nn.Linear(shape.width, shape.times) if shape.times else None
        if shape.spectra:
            self.register_buffer("waves", _waves(shape), persistent=False)

    def cut(self, x: Tensor) -> Tensor:
        """`(batch, tokens, channels * patch)` samples of each patch."""
        batch, channels, _ = x.shape
        parts = x.view(batch, channels, self.shape.tokens, self.shape.patch)
        return parts.permute(0, 2, 1, 3).reshape(batch, self.shape.tokens, -1)

    def tokens(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Features of patches.

        Args:
            x: `(batch, channels, time)`.
            seen: `(batch, count)` numbers of the patches that are read; None reads all.

        Returns:
            `(batch, count, width)`.
        """
        parts = self.cut(x)
        if self.shape.spectra:
            parts = torch.cat([parts, self._spectra(parts)], dim=2)
        tokens = self.patches(parts) + self.positions
        if seen is not None:
            tokens = tokens.gather(1, seen[..., None].expand(-1, -1, tokens.shape[2]))
        features: Tensor = self.norm(self.blocks(tokens))
        return features

    def _spectra(self, parts: Tensor) -> Tensor:
        """`(batch, tokens, bins)` of `cut`."""
        batch, tokens, _ = parts.shape
        waves = parts.view(batch, tokens, self.shape.channels, -1) @ self.waves
        power = waves.square().sum(dim=2).view(batch, tokens, 2, -1).sum(dim=2)
        return (power + QUIET).log() / LOG_UNIT

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.tokens(x)
        mean = tokens.mean(dim=1)
        return mean if self.times is None else torch.cat([mean, self.times(tokens).flatten(1)], 1)


def _waves(shape: EncoderShape) -> Tensor:
    """`(patch, 2 bins)` cosines and sines under a Hann window."""
    at = torch.arange(shape.patch)[:, None] / shape.patch
    phase = 2 * torch.pi * at * torch.arange(1, shape.bins + 1)
    window = torch.hann_window(shape.patch)[:, None] * 2 / shape.patch
    return torch.cat([phase.cos(), phase.sin()], dim=1) * window
