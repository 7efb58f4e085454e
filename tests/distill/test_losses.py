"""Losses against hand-made cases and finite oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from distill.losses import distillation_loss, fit_temperature, label_loss, soft_target_loss


def test_label_loss_of_a_uniform_guess_is_log_classes() -> None:
    labels = torch.eye(4)[:2]
    assert label_loss(torch.zeros(2, 4), labels).item() == pytest.approx(math.log(4))


def test_soft_target_loss_is_zero_for_equals_and_hinton_otherwise() -> None:
    teacher, student = torch.randn(5, 7), torch.randn(5, 7)
    assert soft_target_loss(teacher, teacher).item() == pytest.approx(0, abs=1e-6)
    p = torch.softmax(teacher, 1).double().numpy()
    q = torch.softmax(student, 1).double().numpy()
    expected = (p * np.log(p / q)).sum(axis=1).mean()
    assert soft_target_loss(student, teacher).item() == pytest.approx(expected, rel=1e-4)


def test_distillation_halves_labels_and_teacher() -> None:
    student, teacher = torch.randn(3, 6), torch.randn(3, 6)
    labels = torch.softmax(torch.randn(3, 6), 1)
    label, soft = label_loss(student, labels), soft_target_loss(student, teacher)
    mixed = distillation_loss(student, labels, teacher).item()
    assert mixed == pytest.approx(0.5 * label.item() + 0.5 * soft.item())
    assert distillation_loss(student, labels, None).item() == label.item()


def test_temperature_undoes_a_known_overconfidence() -> None:
    torch.manual_seed(0)
    honest = 2 * torch.randn(4000, 10)
    labels = torch.eye(10)[torch.multinomial(torch.softmax(honest, 1), 1)[:, 0]]
    assert fit_temperature(3 * honest, labels) == pytest.approx(3.0, rel=0.1)
