"""Masked autoencoding: from a quarter of a segment's patches to the samples of the others.

He et al. 2022 (arXiv 2111.06377): the encoder reads what is left alone, a small decoder fills in
the rest, and each patch is normalised before it is compared.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distill.encoders.transformer import TransformerEncoder
from distill.teachers.transformer import Block

HIDDEN = 0.75  # of the patches
DECODER_WIDTH, DECODER_HEADS = 32, 4
SMALLEST_VARIANCE = 1e-4


class Masked(nn.Module):
    """An encoder and what fills in; only the encoder is kept."""

    def __init__(self, encoder: TransformerEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        shape = encoder.shape
        self.narrow = nn.Linear(shape.width, DECODER_WIDTH)
        self.missing = nn.Parameter(0.02 * torch.randn(1, 1, DECODER_WIDTH))
        self.positions = nn.Parameter(0.02 * torch.randn(1, shape.tokens, DECODER_WIDTH))
        self.decoder = Block(DECODER_WIDTH, DECODER_HEADS, dropout=0.0)
        self.samples = nn.Linear(DECODER_WIDTH, shape.channels * shape.patch)

    def loss(self, x: Tensor, order: Tensor) -> Tensor:
        """Mean squared error on the patches that were hidden.

        Args:
            x: `(batch, channels, time)`.
            order: `(batch, tokens)` a random order of the patches; the first quarter is seen.
        """
        shape = self.encoder.shape
        count = max(1, round((1 - HIDDEN) * shape.tokens))
        seen, hidden = order[:, :count], order[:, count:]
        known = self.narrow(self.encoder.tokens(x, seen))
        blank = self.missing.expand(len(x), shape.tokens - count, -1)
        # Back to their places: `order` says where each came from.
        back = order.argsort(dim=1)[..., None].expand(-1, -1, DECODER_WIDTH)
        everything = torch.cat([known, blank], dim=1).gather(1, back) + self.positions
        filled = self.samples(self.decoder(everything))
        wanted = self.encoder.cut(x)
        mean, variance = wanted.mean(dim=2, keepdim=True), wanted.var(dim=2, keepdim=True)
        wanted = (wanted - mean) / (variance + SMALLEST_VARIANCE).sqrt()
        places = hidden[..., None].expand(-1, -1, wanted.shape[2])
        error: Tensor = filled.gather(1, places) - wanted.gather(1, places)
        return error.square().mean()
