"""Losses over heart-rate classes.

z = logits, p = softmax(z / T); s student, t teacher. The label is a Gaussian over the bins.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with soft labels, both `(batch, classes)`."""
    return -(labels * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def soft_target_loss(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """`T^2 KL(p_t || p_s)` (Hinton et al. 2015, arXiv 1503.02531), logits `(batch, classes)`."""
    target = F.log_softmax(teacher / temperature, dim=1)
    guess = F.log_softmax(student / temperature, dim=1)
    return temperature**2 * F.kl_div(guess, target, reduction="batchmean", log_target=True)


def distillation_loss(
    student: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    *,
    label_share: float = 0.5,
    temperature: float = 1.0,
) -> Tensor:
    """`a CE(labels, s) + (1 - a) T^2 KL(p_t || p_s)`; the labels alone without a teacher."""
    if teacher is None:
        return label_loss(student, labels)
    soft = soft_target_loss(student, teacher, temperature=temperature)
    return label_share * label_loss(student, labels) + (1 - label_share) * soft


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
