"""A finalist that learns from its teacher's features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from distill.compression.retrain import retrain
from distill.finalist import FinalistJob, finetune_rate
from distill.pool import open_pool
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.effort import EFFORTS
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import windows_of
from ppgnas.errors import MixError, RunError
from search_spaces.blocks import upsample
from search_spaces.network import Network
from search_spaces.published import published
from tests.distill.killing import Killed, kill_at, silent, small_pool

ARCH = published("tiny")
SHORT = replace(EFFORTS["smoke"], finetune_steps=4, qat_steps=4, batch=16)


def _make_pool(people: list[Recording], teacher: nn.Module, folder: Path) -> None:
    small_pool(TrainingBank(people[:3], acceleration=True), teacher, folder, features=True)


@pytest.fixture(scope="module")
def pool(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "pool"
    torch.manual_seed(0)
    _make_pool(people, ResNetTeacher(ResNetShape(4, 32)).eval(), folder)
    return folder


def _job(pool: Path, folder: Path, distill: str) -> FinalistJob:
    folder.mkdir()
    torch.manual_seed(0)
    save_checkpoint(folder / "weights.safetensors", Network(ARCH))
    return FinalistJob(ARCH, folder / "weights.safetensors", pool, SHORT, 0, distill=distill)


def test_a_pool_keeps_features_that_are_wanted(people: list[Recording], pool: Path) -> None:
    batch = open_pool(pool).batch_at(0, seed=0)
    assert batch.teacher is not None and batch.teacher.features is not None
    assert batch.teacher.features.shape == (16, 96, 16)
    torch.manual_seed(0)
    logits, features = ResNetTeacher(ResNetShape(4, 32)).eval().view(batch.x)
    torch.testing.assert_close(batch.teacher.logits, logits, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(batch.teacher.features, features, rtol=1e-2, atol=1e-2)
    assert features.shape[2] == 16  # of 256 samples, halved four times


def test_a_teacher_without_features_is_told(people: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(MixError, match=r"the teacher \(Linear\) shows none; leave out feature"):
        _make_pool(people, nn.Linear(2, 2), tmp_path)


@pytest.mark.parametrize("stop", [3, 7])  # of 4 float and 4 quantised steps
def test_an_adaptor_goes_on_with_its_training_and_ends_with_it(
    people: list[Recording],
    pool: Path,
    tmp_path: Path,
    stop: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 2)
    search = windows_of(people[3:], ARCH)

    kill = kill_at(stop)
    mix = "soft:1,feature:1,attention:100,relation:1"
    whole = retrain(_job(pool, tmp_path / "whole", mix), search, silent)
    job = _job(pool, tmp_path / "killed", mix)
    with pytest.raises(Killed):
        retrain(job, search, kill)
    phase = "float" if stop == 3 else "int8"
    kept = [(path, read_facts(path)) for path in job.weights.parent.rglob("training-*")]
    ((path, facts),) = [each for each in kept if each[1]["identity"]["phase"] == phase]
    assert facts["step"] == 2 and facts["identity"]["distill"] == mix
    with pytest.raises(RunError, match="is of another network"):
        load_checkpoint(path, Network(ARCH))  # an adaptor lies beside it
    continued = retrain(job, search, silent)
    for name, values in whole.net.weights.items():
        np.testing.assert_array_equal(values, continued.net.weights[name])


def test_features_change_what_is_learnt(
    people: list[Recording], pool: Path, tmp_path: Path
) -> None:
    search = windows_of(people[3:], ARCH)
    plain, taught = (
        retrain(_job(pool, tmp_path / name, mix), search, silent).net.weights["stem"]
        for name, mix in (("plain", "none"), ("taught", "feature:10"))
    )
    assert not np.array_equal(plain, taught)


def test_a_network_shows_what_it_pools() -> None:
    torch.manual_seed(0)
    network, x = Network(ARCH).eval(), torch.randn(3, 4, ARCH.samples)
    logits, features = network.view(x)
    torch.testing.assert_close(logits, network(x))
    pooled = features.mean(dim=2) if ARCH.pooling == "avg" else features.amax(dim=2)
    assert pooled.shape == (3, network.plan.features)
    coarse = network.head(pooled)
    up = network.upsample
    whole = coarse if up is None else upsample(coarse, up.weight, up.bias)
    torch.testing.assert_close(logits, whole)


def test_long_trainings_begin_at_a_lower_rate() -> None:
    assert finetune_rate(8) == finetune_rate(1800) == pytest.approx(0.03)
    assert finetune_rate(4 * 1800) == pytest.approx(0.015)
    assert finetune_rate(135_000) == 0.006
