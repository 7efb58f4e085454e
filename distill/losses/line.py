"""Learning on the line of heart rates: a class that is 1 BPM off is better than one 50 off.

F = cumulative sum of p = softmax(logits) over the classes, which are 1 BPM apart.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ppg.readout.classes import FIRST_BPM


def expected_bpm(logits: Tensor) -> Tensor:
    """`(batch,)` mean heart rate of the distributions of logits `(batch, classes)`."""
    classes = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    return logits.softmax(dim=1) @ (FIRST_BPM + classes)


def w1(student: Tensor, teacher: Tensor) -> Tensor:
    """`sum_k |F_s(k) - F_t(k)|` in BPM: how far probability must be carried, Wasserstein-1.

    Optimal transport has this closed form on a line; the idea of distilling by it is of Lv et al.
    2024 (arXiv 2412.08139). Logits `(batch, classes)`.
    """
    return _carried(student, teacher).abs().sum(dim=1).mean()


def rps(student: Tensor, teacher: Tensor) -> Tensor:
    """`sum_k (F_s(k) - F_t(k))^2`: ranked probability score, the smooth relative of `w1`.

    Epstein 1969 (J. Appl. Meteorol. 8, 985), with the teacher as what happened. Logits
    `(batch, classes)`.
    """
    return _carried(student, teacher).square().sum(dim=1).mean()


def _carried(student: Tensor, teacher: Tensor) -> Tensor:
    return (student.softmax(dim=1) - teacher.softmax(dim=1)).cumsum(dim=1)
