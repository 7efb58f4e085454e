"""Baselines are as large as asked, and learn from a pool as students do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.baselines.networks import BASELINES, baseline
from distill.baselines.train import train_baseline
from distill.finalist import FinalistJob
from distill.pool import make_pool
from distill.training.effort import EFFORTS
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
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


@pytest.mark.parametrize("name", BASELINES)
def test_they_learn_from_the_pool(people: list[Recording], tmp_path: Path, name: str) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    pool, rate_hz = tmp_path / "pool", 32
    make_pool(
        bank,
        None,
        folder=pool,
        batches=2,
        batch=16,
        rate_hz=rate_hz,
        seed=0,
        progress=lambda *_: None,
    )
    notes: list[float] = []

    def train(folder: str) -> torch.Tensor:
        (tmp_path / folder).mkdir()
        weights, effort = (
            tmp_path / folder / "initial",
            replace(EFFORTS["smoke"], finetune_steps=16),
        )
        torch.manual_seed(0)
        found = train_baseline(
            baseline(name, 2_000, acceleration=True),
            FinalistJob(published("medium"), weights, pool, effort, 0),
            lambda done, total, note: notes.append(float(note.split()[-1])),
        )
        assert not found.training
        return found(torch.ones(1, 4, 128))

    first, again = train("a"), train("b")
    assert torch.equal(first, again)
    assert notes[15] < notes[0] and len(notes) == 32
