"""Learning how probabilities vary instead of their values."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def dist(
    student: Tensor, teacher: Tensor, *, t: float = 1.0, beta: float = 1.0, gamma: float = 1.0
) -> Tensor:
    """`T^2 (beta (1 - corr over classes) + gamma (1 - corr over windows))`, means of both.

    Pearson's correlation of p_s with p_t, within each window and within each class over the
    batch. Huang et al. 2022 (arXiv 2205.10536, DIST).

    Args:
        student, teacher: logits `(batch, classes)`.
    """
    p_s, p_t = (logits.div(t).softmax(dim=1) for logits in (student, teacher))
    between, within = 1 - _correlation(p_s, p_t), 1 - _correlation(p_s.T, p_t.T)
    return t * t * (beta * between.mean() + gamma * within.mean())


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """`(rows,)` of two tensors `(rows, columns)`; 0 where one hardly varies."""
    a, b = (each - each.mean(dim=1, keepdim=True) for each in (a, b))
    return F.cosine_similarity(a, b, dim=1)
