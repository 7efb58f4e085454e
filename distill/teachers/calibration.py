"""How far a teacher's probabilities can be believed, and what it errs by."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from distill.evaluation import float_logits, raw_mae_bpm
from distill.losses.distributions import fit_temperature
from distill.teachers.base import Ensemble, Teacher
from distill.teachers.foreign import ForeignTeacher
from distill.teachers.names import TeacherFacts
from ppg.readout.classes import soft_labels
from ppg.readout.decode import probabilities
from ppg.windows import WindowSet
from ppgnas.task import TASK, Task

NEAR_BPM = 3
BINS = 15


def answers(teacher: Teacher, windows: WindowSet) -> Tensor:
    """Logits `(windows, classes)` on the CPU."""
    return torch.from_numpy(float_logits(teacher, windows))


def calibrate(teacher: Teacher, windows: WindowSet) -> None:
    """Set the temperature by people that the teacher was not trained on."""
    labels = torch.from_numpy(soft_labels(windows.hr_bpm, windows.task))
    teacher.temperature.fill_(1.0)
    teacher.temperature.fill_(fit_temperature(answers(teacher, windows), labels))


def expected_calibration_error(
    logits: Tensor, hr_bpm: NDArray[np.float64], task: Task = TASK
) -> float:
    """How far confidence is from how often a reading is right (Guo et al. 2017, arXiv 1706.04599).

    A reading is the mode, right within 3 BPM; its confidence is the probability of the classes
    within 3 BPM of the mode. Over 15 bins of confidence,
    `sum n_b / n abs(right_b - confidence_b)`.

    Args:
        logits: `(windows, classes)`.
        hr_bpm: `(windows,)` reference.

    Returns:
        0 (calibrated) to 1.
    """
    p = probabilities(logits.numpy())
    mode = p.argmax(axis=1)
    near = np.abs(np.arange(task.classes)[None, :] - mode[:, None]) <= NEAR_BPM
    confidence = (p * near).sum(axis=1)
    right = np.abs(task.lowest_bpm + mode - hr_bpm) <= NEAR_BPM
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(p))


def uncalibrated(teacher: Teacher, windows: WindowSet) -> Tensor:
    """`answers` as they would be without any temperature."""
    if not isinstance(teacher, Ensemble):
        return answers(teacher, windows) * teacher.temperature.cpu()
    told = [F.softmax(uncalibrated(member, windows), dim=1) for member in teacher.teachers]
    return torch.stack(told).mean(dim=0).log()


def measured(teacher: Teacher, windows: WindowSet, *, name: str, train_s: float) -> TeacherFacts:
    """What is to be known of a finished teacher.

    Args:
        teacher: calibrated, in evaluation mode.
    """
    after = answers(teacher, windows)
    members = teacher.teachers if isinstance(teacher, Ensemble) else []
    return TeacherFacts(
        name=name,
        parameters=teacher.size,
        macs=macs_of(teacher),
        train_s=round(train_s, 1),
        temperature=float(teacher.temperature),
        search_mae_bpm=raw_mae_bpm(after.numpy(), windows),
        ece_before=expected_calibration_error(
            uncalibrated(teacher, windows), windows.hr_bpm, windows.task
        ),
        ece_after=expected_calibration_error(after, windows.hr_bpm, windows.task),
        members=tuple(member.facts for member in members if member.facts is not None),
    )


def macs_of(teacher: Teacher) -> int | None:
    """Multiply-accumulate operations of matrix products and convolutions for one window.

    None where a part of it runs in an ONNX file.
    """
    if any(isinstance(part, ForeignTeacher) for part in teacher.modules()):
        return None
    inputs = teacher.inputs
    x = torch.zeros(1, inputs.channels, inputs.task.window_s * inputs.rate_hz)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        teacher(x.to(teacher.temperature.device))
    return int(counter.get_total_flops()) // 2
