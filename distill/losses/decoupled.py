"""Decoupled distillation: how sure the teacher is of the label, and what it thinks of the rest.

Zhao et al. 2022 (arXiv 2203.08679). With classes of 1 BPM the neighbours of the label are nearly
right, so the target is a group: the classes within k of it.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
