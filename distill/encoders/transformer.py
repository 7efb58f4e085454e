"""An encoder over patches of a segment, all of which it sees, or a few of them.

As `distill.teachers.transformer`, but patches do not overlap: a masked one must not show through
its neighbours (He et al. 2022, arXiv 2111.06377).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distill.teachers.transformer import Block
from ppg.segments.cut import SAMPLES


@dataclass(frozen=True)
class EncoderShape:
    """Channels of its input, samples of a patch, width of a token, blocks and heads."""

    channels: int
    patch: int = 16
    width: int = 64
    blocks: int = 3
    heads: int = 4

    def __post_init__(self) -> None:
        sizes = (self.channels, self.patch, self.width, self.blocks, self.heads)
        if not 1 <= min(sizes) <= max(sizes) <= 512 or self.blocks > 16:
            raise ValueError(f"{self} has a size outside of 1 to 512, or more than 16 blocks")
        if self.width % self.heads or SAMPLES % self.patch:
            raise ValueError(f"{self}: heads must divide the width, a patch {SAMPLES} samples")

    @property
    def tokens(self) -> int:
        """Patches of a segment."""
        return SAMPLES // self.patch


SIZES: Mapping[str, Mapping[str, int]] = {
    "small": {},
    "large": {"patch": 8, "width": 128, "blocks": 4},
}


class TransformerEncoder(nn.Module):
    """Segments `(batch, channels, time)` to embeddings `(batch, width)`.

    Attributes:
        shape: its sizes.
        dimensions: of an embedding.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.dimensions = shape.width
        self.patches = nn.Linear(shape.channels * shape.patch, shape.width)
        self.positions = nn.Parameter(0.02 * torch.randn(1, shape.tokens, shape.width))
        self.blocks = nn.Sequential(
            *(Block(shape.width, shape.heads, dropout=0.0) for _ in range(shape.blocks))
        )
        self.norm = nn.LayerNorm(shape.width)

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
        tokens = self.patches(self.cut(x)) + self.positions
        if seen is not None:
            tokens = tokens.gather(1, seen[..., None].expand(-1, -1, tokens.shape[2]))
        features: Tensor = self.norm(self.blocks(tokens))
        return features

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens(x).mean(dim=1)
