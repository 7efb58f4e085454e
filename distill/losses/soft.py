"""Learning a teacher's distribution over the classes.

z = logits `(batch, classes)`, p = softmax(z / T); s student, t teacher.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

STD_FLOOR = 1e-7


def hard(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy with the class that the teacher finds likeliest.

    Hinton et al. 2015 (arXiv 1503.02531), as the limit T -> 0.
    """
    return F.cross_entropy(student, teacher.argmax(dim=1))


def soft(student: Tensor, teacher: Tensor, *, t: float = 1.0) -> Tensor:
    """`T^2 KL(p_t || p_s)` (Hinton et al. 2015, arXiv 1503.02531).

    T^2 keeps gradients as large as at T = 1.
    """
    target, guess = F.log_softmax(teacher / t, dim=1), F.log_softmax(student / t, dim=1)
    return t * t * F.kl_div(guess, target, reduction="batchmean", log_target=True)


def standard(student: Tensor, teacher: Tensor, *, t: float = 2.0) -> Tensor:
    """`soft` on logits that have mean 0 and deviation 1 over the classes of each window.

    So a small student need not reach the range of its teacher's logits, only their shape (Sun et
    al. 2024, arXiv 2403.01427, base temperature 2).
    """
    return soft(_standardised(student), _standardised(teacher), t=t)


def _standardised(logits: Tensor) -> Tensor:
    centred = logits - logits.mean(dim=1, keepdim=True)
    return centred / (logits.std(dim=1, keepdim=True) + STD_FLOOR)
