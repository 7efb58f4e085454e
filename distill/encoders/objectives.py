"""What an encoder learns: two views or two sensors told apart, or what was masked filled in.

The contrastive loss is symmetric InfoNCE with a learnt scale (Radford et al. 2021, arXiv
2103.00020). KoLeo keeps it from collapsing: it spreads embeddings (Sablayrolles et al. 2019, arXiv
1806.03198), as Abbaspourazad et al. 2024 (arXiv 2312.05409) use it for PPG.

Masked autoencoding goes from a quarter of a segment's patches to the samples of the others. He et
al. 2022 (arXiv 2111.06377): the encoder reads what is left alone, a small decoder fills in the
rest, and each patch is normalised before it is compared.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.encoders.transformer import TransformerEncoder
from distill.teachers.transformer import Block

FIRST_TEMPERATURE = 0.07
LARGEST_SCALE = 100.0
PROJECTED = 128
SPREAD_WEIGHT = 0.1
NEAR_S = 60.0  # two segments of a recording that begin closer are nearly the same


class Projection(nn.Module):
    """What the loss sees of an embedding: `(batch, dimensions)` to unit vectors."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.layers = nn.Sequential(
            nn.Linear(dimensions, dimensions), nn.GELU(), nn.Linear(dimensions, PROJECTED)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.layers(x), dim=1)


class Scale(nn.Module):
    """The learnt inverse temperature, held below `LARGEST_SCALE`."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor([math.log(1 / FIRST_TEMPERATURE)]))

    def forward(self) -> Tensor:
        return self.log.clamp(max=math.log(LARGEST_SCALE)).exp()


def too_near(sitting: Tensor, start_s: Tensor) -> Tensor:
    """`(batch, batch)` True where two segments are no fair negatives for each other.

    Args:
        sitting: `(batch,)` recording of each.
        start_s: `(batch,)` when each begins.
    """
    same = sitting[:, None] == sitting[None]
    near = (start_s[:, None] - start_s[None]).abs() < NEAR_S
    return same & near & ~torch.eye(len(sitting), dtype=torch.bool, device=sitting.device)


def contrastive_loss(left: Tensor, right: Tensor, scale: Tensor, excluded: Tensor) -> Tensor:
    """Symmetric InfoNCE: row i of one side belongs to row i of the other.

    Args:
        left, right: `(batch, dimensions)` unit vectors.
        scale: what similarities are multiplied by.
        excluded: `(batch, batch)` of `too_near`: left out of the denominator.
    """
    similar = (scale * left @ right.T).masked_fill(excluded, -torch.inf)
    places = torch.arange(len(left), device=left.device)
    return (F.cross_entropy(similar, places) + F.cross_entropy(similar.T, places)) / 2


def spread_loss(x: Tensor) -> Tensor:
    """KoLeo: the mean of minus the logarithm of the distance to the nearest other vector.

    Args:
        x: `(batch, dimensions)` unit vectors, at least two.
    """
    similar = (x @ x.T).detach()
    similar.fill_diagonal_(-2)
    nearest = x[similar.argmax(dim=1)]
    return -(((x - nearest).square().sum(dim=1) + 1e-8).sqrt() + 1e-6).log().mean()


def _paired(left: Tensor, right: Tensor, scale: Tensor, excluded: Tensor) -> Tensor:
    """Both losses of two views."""
    spread = (spread_loss(left) + spread_loss(right)) / 2
    return contrastive_loss(left, right, scale, excluded) + SPREAD_WEIGHT * spread


class Contrast(nn.Module):
    """An encoder, compared with itself on another view."""

    def __init__(self, encoder: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = Projection(dimensions)
        self.scale = Scale()

    def loss(self, first: Tensor, second: Tensor, excluded: Tensor) -> Tensor:
        """Of two views `(batch, channels, time)` of the same moments."""
        left, right = (self.projection(self.encoder(x)) for x in (first, second))
        return _paired(left, right, self.scale(), excluded)


class Aligned(nn.Module):
    """A student of one sensor beside a frozen teacher of another."""

    def __init__(
        self, encoder: nn.Module, dimensions: int, teacher: nn.Module, teacher_dimensions: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.teacher = teacher.requires_grad_(False)
        self.projection = Projection(dimensions)
        self.teacher_projection = Projection(teacher_dimensions)
        self.scale = Scale()

    def loss(self, own: Tensor, other: Tensor, excluded: Tensor) -> Tensor:
        """Of segments of the student's and of the teacher's sensor at the same times."""
        with torch.no_grad():
            taught = self.teacher(other)
        left, right = self.projection(self.encoder(own)), self.teacher_projection(taught)
        return _paired(left, right, self.scale(), excluded)


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
