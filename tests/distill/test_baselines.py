"""Baselines are as large as asked."""

from __future__ import annotations

import pytest
import torch

from distill.baselines import BASELINES, baseline
from ppgnas.errors import SpaceError
from search_spaces.lower import lower
from search_spaces.published import published


def test_parameters_are_counted_as_a_device_would_hold_them() -> None:
    found = baseline("mlp", 6_366, acceleration=True)
    width = 11
    head = (width + 1) * 20 + 9 * 3 + 9
    assert found.parameters_folded == (4 * 128 + 1) * width + (width + 1) * width + head
    assert found.parameters_folded <= 6_366


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("student", ["tiny", "medium", "large"])
def test_they_are_about_as_large_as_a_student(name: str, student: str) -> None:
    parameters = lower(published(student)).total_parameters
    found = baseline(name, parameters, acceleration=True)
    assert 0.75 * parameters < found.parameters_folded <= parameters
    found.eval()
    fine = torch.randn(2, 4, 512)
    assert found(fine).shape == (2, 180)
    torch.testing.assert_close(found(fine), found(fine[:, :, ::4]))


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(SpaceError, match="baseline 'svm' is unknown; allowed: mlp, cornet"):
        baseline("svm", 1000, acceleration=True)
    with pytest.raises(SpaceError, match="mlp: the smallest has 591 parameters, and 100 are all"):
        baseline("mlp", 100, acceleration=True)
