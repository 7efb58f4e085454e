"""Learning distributions over the classes: those of labels, and a teacher's.

z = logits `(batch, classes)`, p = softmax(z / T); s student, t teacher.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with soft labels, both `(batch, classes)`."""
    return -(labels * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


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


def dkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    k: float = 3,
    t: float = 2.0,
    alpha: float = 1.0,
    beta: float = 2.0,
) -> Tensor:
    """`T^2 (alpha KL(b_t || b_s) + beta KL(h_t || h_s))`.

    b is the pair (target group, rest), h the distribution over the rest alone. The paper lets the
    term grow over 20 epochs; here it has its weight from the first step.

    Args:
        student, teacher: logits `(batch, classes)`.
        target: `(batch,)` class in the middle of each group.
        k: classes to each side that belong to the group.
    """
    classes = torch.arange(student.shape[1], device=student.device)
    group = (classes - target[:, None]).abs() <= k
    pair, outside, _ = parts(student / t, teacher / t, group)
    return t * t * (alpha * pair + beta * outside).mean()


def parts(student: Tensor, teacher: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three divergences that make up `KL(p_t || p_s)`, `(batch,)` each.

    With p_G the teacher's probability of the group, `KL = pair + (1 - p_G) outside + p_G inside`.
    Everything is a log-sum-exp over a part of the classes: subtracting a large constant from the
    others' logits, as published code does, is infinite in half precision.

    Args:
        student, teacher: logits `(batch, classes)`.
        group: `(batch, classes)` which classes are the target; never all of them.
    """
    inside, outside = (_within(student, teacher, part) for part in (group, ~group))
    sure_s, sure_t = _pair(student, group), _pair(teacher, group)
    return (sure_t.exp() * (sure_t - sure_s)).sum(dim=1), outside, inside


def _pair(logits: Tensor, group: Tensor) -> Tensor:
    """`(batch, 2)` log-probabilities of the group and of the rest."""
    both = [logits.masked_fill(~part, -torch.inf).logsumexp(dim=1) for part in (group, ~group)]
    return torch.stack(both, dim=1) - logits.logsumexp(dim=1, keepdim=True)


def _within(student: Tensor, teacher: Tensor, part: Tensor) -> Tensor:
    """`(batch,)` divergence of the distributions over a part of the classes alone."""
    guess, target = (
        logits - logits.masked_fill(~part, -torch.inf).logsumexp(dim=1, keepdim=True)
        for logits in (student, teacher)
    )
    return (target.masked_fill(~part, -torch.inf).exp() * (target - guess)).sum(dim=1)


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
