"""The supernet: continued where it was killed, repeatable, and where networks begin with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.pool import FACTS
from distill.supernet_training import (
    InheritedAccuracy,
    SupernetJob,
    draw_networks,
    thin,
    train_supernet,
)
from distill.trainer import Trainer
from distill.training.checkpoint import load_checkpoint, read_facts
from distill.training.device import Site
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from tests.distill.killing import SMOKE, Killed, kill_at, silent, small_pool


@pytest.mark.parametrize("stop", [3, 10])
def test_a_killed_supernet_training_continues(
    people: list[Recording], tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.supernet_training.CHECKPOINT_EVERY", 2)
    space = SearchSpace.preset("tiny")
    bank = TrainingBank(people[:2], acceleration=True)
    small_pool(bank, None, tmp_path / "pool", batches=4)

    def train(path: Path, progress, processes: int = 1):  # type: ignore[no-untyped-def]
        job = SupernetJob(space, tmp_path / "pool", SMOKE, 0, path)
        train_supernet(job, accept=lambda a: True, processes=processes, progress=progress)
        net = job.supernet()
        load_checkpoint(path, net)
        return net

    whole = train(tmp_path / "whole.safetensors", silent)
    with pytest.raises(Killed):
        train(tmp_path / "killed.safetensors", kill_at(stop))
    continued = train(tmp_path / "killed.safetensors", silent)
    for (name, one), two in zip(whole.named_parameters(), continued.parameters(), strict=True):
        assert torch.equal(one, two), name
    assert read_facts(tmp_path / "killed.safetensors")["step"] == 12
    facts = tmp_path / "pool" / FACTS  # answers of another teacher are another training
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "teacher": "other"}))
    with pytest.raises(Killed):
        train(tmp_path / "killed.safetensors", kill_at(stop))
    if stop == 10:  # two processes come to the same bits as one
        shared = train(tmp_path / "shared.safetensors", silent, processes=2)
        for (name, one), two in zip(whole.named_parameters(), shared.parameters(), strict=True):
            assert torch.equal(one, two), name


def test_random_networks_fit_where_any_does() -> None:
    import random

    space = SearchSpace.preset("default")

    def narrow(arch: Arch) -> bool:
        return arch.stem_width == 8

    drawn = [draw_networks(space, random.Random(i), accept=narrow) for i in range(20)]
    assert all(narrow(arch) for pair in drawn for arch in pair)
    share = np.mean([arch.acceleration for pair in drawn for arch in pair])
    assert share > 0.6


def test_inherited_accuracy_is_repeatable(people: list[Recording]) -> None:
    windows = windows_of(people[2:], InputSpec(32, True))
    picked = thin(windows, 20)
    assert len(picked) == 20 and np.bincount(windows.person[picked]).tolist() == [10, 10]
    torch.manual_seed(0)
    net = Supernet(SearchSpace.preset("tiny"))
    judge = InheritedAccuracy(net, [torch.randn(16, 4, 256)], windows, count=40)
    small, large = net.space.smallest(), net.space.largest()
    first = judge.mae_bpm(small)
    judge.mae_bpm(large)
    assert judge.mae_bpm(small) == first


def test_inherited_weights_are_judged_by_passes(people: list[Recording]) -> None:
    space = SearchSpace.preset("tiny").streaming()
    torch.manual_seed(0)
    supernet, arch = Supernet(space), space.smallest()
    search = windows_of(people[3:], InputSpec(32, True), mode="streaming")
    batch = torch.randn(16, 4, 20 * 32)
    judge = InheritedAccuracy(supernet, [batch], search, count=40, past_s=12.0)
    with torch.no_grad():
        assert judge.mae_bpm(arch) == judge.mae_bpm(arch) > 0
        x = torch.randn(1, 4, 10 * 32)
        statistics = supernet.recalibrate(arch, [x])
        network: Network = supernet.extract(arch, statistics)
        whole = supernet(x, arch, statistics=statistics, whole=True)
        torch.testing.assert_close(whole, network.read(x[0]), atol=1e-4, rtol=1e-4)
        assert whole.shape == (2, 180)


def test_networks_begin_with_inherited_weights(people: list[Recording], tmp_path: Path) -> None:
    space = SearchSpace.preset("tiny")
    trainer = Trainer(
        space,
        train=people[:2],
        search=people[2:],
        effort=SMOKE,
        seed=0,
        teacher="none",
        folder=tmp_path,
        site=Site(),
        accept=lambda _: True,
        inherit=True,
    )
    arch = space.smallest()
    trainer.prepare_teacher(silent)
    trainer.train_supernet(silent)
    assert trainer.search_mae(arch) == trainer.search_mae(arch) > 0
    assert trainer.begin_many([arch], silent)[0].mae_bpm > 0
    begun = Network(arch)
    load_checkpoint(tmp_path / "cache" / f"inherited-{arch.id}.safetensors", begun)
    trained = Supernet(space)
    load_checkpoint(tmp_path / "supernet.safetensors", trained)
    calibration = [x[:, : arch.channels] for x in trainer.batches(2)]
    expected = trained.extract(arch, trained.recalibrate(arch, calibration))
    for (name, own), given in zip(begun.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(own, given), name
    trainer.drop_cache()
    assert not list((tmp_path / "cache").glob("inherited-*"))
    assert (tmp_path / "supernet.safetensors").exists()
