"""Learning on the line of heart rates: a class that is 1 BPM off is better than one 50 off.

Logits `(batch, classes)`, heart rates `(batch,)`. F = cumulative sum of p = softmax(logits) over
the classes, which are 1 BPM apart; y = label; s, t = means of student and teacher, in BPM.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


def mse(student: Tensor, hr_bpm: Tensor) -> Tensor:
    """`(s - y)^2`."""
    return F.mse_loss(expected_bpm(student), hr_bpm)


def huber(student: Tensor, hr_bpm: Tensor, *, delta: float = 1.0) -> Tensor:
    """`(s - y)^2 / 2` up to `delta` BPM, then a line (Huber 1964)."""
    return F.huber_loss(expected_bpm(student), hr_bpm, delta=delta)


def pulse(
    student: Tensor, teacher: Tensor, hr_bpm: Tensor, *, b: float = 0.5, g: float = 0.667
) -> Tensor:
    """`g (b |s - y| + (1 - b) |s - t|) + (1 - g) MSE(softmax h_s, softmax h_t)`.

    The loss of KD-PULSE (zenodo 15837349), whose networks give one heart rate from features h.
    Ours give classes, so h are the logits.
    """
    s, t = expected_bpm(student), expected_bpm(teacher)
    rates = b * F.l1_loss(s, hr_bpm) + (1 - b) * F.l1_loss(s, t)
    return g * rates + (1 - g) * F.mse_loss(student.softmax(dim=1), teacher.softmax(dim=1))


def bounded(
    student: Tensor, teacher: Tensor, hr_bpm: Tensor, *, v: float = 0.5, m: float = 0.0
) -> Tensor:
    """`smoothL1(s, y) + v [|s - y| + m > |t - y|] (s - y)^2`.

    The teacher is a bound: a student that is better than it by `m` BPM is not driven further.
    After Chen et al. 2017 (Learning efficient object detection models with knowledge
    distillation).
    """
    s = expected_bpm(student)
    error = s - hr_bpm
    worse = error.abs() + m > (expected_bpm(teacher) - hr_bpm).abs()
    return F.smooth_l1_loss(s, hr_bpm) + v * (worse * error.square()).mean()
