"""Losses over heart-rate classes.

z = logits, p = softmax(z); s student, t teacher. The label is a Gaussian over the bins.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LABEL_SHARE = 0.5


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with soft labels, both `(batch, classes)`."""
    return -(labels * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def soft_target_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """`KL(p_t || p_s)` (Hinton et al. 2015, arXiv 1503.02531), logits `(batch, classes)`."""
    target, guess = F.log_softmax(teacher, dim=1), F.log_softmax(student, dim=1)
    return F.kl_div(guess, target, reduction="batchmean", log_target=True)


def distillation_loss(student: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor:
    """`a CE(labels, s) + (1 - a) KL(p_t || p_s)`; the labels alone without a teacher."""
    label = label_loss(student, labels)
    if teacher is None:
        return label
    return LABEL_SHARE * label + (1 - LABEL_SHARE) * soft_target_loss(student, teacher)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The one scalar T that makes `softmax(logits / T)` least surprised by the labels.

    Args:
        logits, labels: `(windows, classes)` of people the network was not trained on.

    Returns:
        T in 0.25 to 8; above 1 the network was over-confident (Guo et al. 2017).
    """
    candidates = torch.exp2(torch.linspace(-2, 3, 101))
    losses = torch.stack([label_loss(logits / t, labels) for t in candidates])
    return float(candidates[losses.argmin()])
