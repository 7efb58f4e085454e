"""A transformer over patches of a few samples.

Pre-norm blocks (Xiong et al. 2020, arXiv 2002.04745), learned positions, patches that overlap by
half; the mean of all tokens is read, as Dosovitskiy et al. 2021 (arXiv 2010.11929) found no worse
than a token of its own.
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
    "transformer-small": {},
    "transformer-large": {"width": 256, "blocks": 6, "heads": 8},
}


@dataclass(frozen=True)
class TransformerShape(Shape):
    """Samples to the next patch, width of a token, blocks, heads, dropout of what blocks add."""

    patch: int = 8
    width: int = 96
    blocks: int = 4
    heads: int = 6
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.patch, self.width, self.blocks, self.heads)
        if self.blocks > 16 or not 0 <= self.dropout < 1:
            raise ValueError(f"{self} has more than 16 blocks, or a dropout outside of 0 to 1")
        samples = self.task.window_s * self.rate_hz
        if self.width % self.heads or self.patch % 2 or samples % self.patch:
            raise ValueError(
                f"{self}: heads must divide the width, an even patch the samples of "
                f"{self.task.window_s} s"
            )

    @property
    def tokens(self) -> int:
        """Patches of a window."""
        return self.task.window_s * self.rate_hz // self.patch


class Block(nn.Module):
    """Attention, then a layer of its own for each token: `(batch, tokens, width)` to the same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.query_key_value(self.attention_norm(x)).view(batch, tokens, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, tokens, depth)
        # Without dropout of its own: that takes a slow path on CPUs.
        seen = F.scaled_dot_product_attention(query, key, value)
        mixed = self.mix(seen.transpose(1, 2).reshape(batch, tokens, width))
        x = x + F.dropout(mixed, self.dropout, self.training)
        total: Tensor = x + self.feed_forward(x)
        return total


class TransformerTeacher(Teacher):
    """Patches, positions, blocks, mean over tokens, one dense layer."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__(shape)
        # Wide networks want small steps.
        self.peak_rate = 1e-3 * (96 / shape.width) ** 0.5
        self.patches = nn.Conv1d(
            shape.channels,
            shape.width,
            2 * shape.patch,
            stride=shape.patch,
            padding=shape.patch // 2,
        )
        self.positions = nn.Parameter(0.02 * torch.randn(1, shape.tokens, shape.width))
        self.blocks = nn.Sequential(
            *(Block(shape.width, shape.heads, shape.dropout) for _ in range(shape.blocks))
        )
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.task.classes)

    def encode(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).transpose(1, 2) + self.positions
        features: Tensor = self.norm(self.blocks(tokens))
        return features.transpose(1, 2)
