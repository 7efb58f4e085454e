"""Learning how windows lie to each other, whatever the axes: relational distillation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SMALLEST = 1e-8


def relation(
    student: Tensor, teacher: Tensor, *, distances: float = 25.0, angles: float = 50.0
) -> Tensor:
    """Smooth L1 of distances over their mean, and of the angles at each corner of each triplet.

    Park et al. 2019 (arXiv 1904.05068, RKD) on features `(batch, channels, steps)` averaged over
    time; the channels may differ. Takes memory with the cube of the batch.
    """
    s, t = student.mean(dim=2), teacher.mean(dim=2)
    far = F.smooth_l1_loss(_distances(s), _distances(t))
    return distances * far + angles * F.smooth_l1_loss(_angles(s), _angles(t))


def _distances(points: Tensor) -> Tensor:
    """`(pairs,)` over their mean."""
    found = F.pdist(points)
    return found / found.mean().clamp(min=SMALLEST)


def _angles(points: Tensor) -> Tensor:
    """`(batch, batch, batch)` cosine at the first of three."""
    ways = F.normalize(points[None] - points[:, None], dim=2)
    return ways @ ways.transpose(1, 2)
