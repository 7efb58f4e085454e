"""The pool is drawn once, and a trainer makes integers of networks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.pool import Pool
from distill.trainer import Trainer
from distill.training.device import Site
from distill.training.effort import Progress
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import windows_of
from search_spaces.network import Network
from search_spaces.space import SearchSpace
from tests.distill.killing import SMOKE, Killed, kill_at, silent, small_pool


class LastSamples(torch.nn.Linear):
    """A teacher whose answer is the window's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, -180:]


def test_a_pool_is_the_same_with_any_number_of_threads(
    people: list[Recording], tmp_path: Path
) -> None:
    bank, teacher = TrainingBank(people[:2], acceleration=True), LastSamples(1, 1)

    def make(threads: int, progress: Progress = silent) -> Pool:
        return small_pool(
            bank,
            teacher,
            tmp_path / str(threads),
            batches=7,
            batch=4,
            seed=1,
            progress=progress,
            threads=threads,
        )

    with pytest.raises(Killed):
        make(3, kill_at(2))
    one, three = make(1), make(3)
    assert one.teacher is not None and three.teacher is not None
    np.testing.assert_array_equal(one.x, three.x)
    np.testing.assert_array_equal(one.hr_bpm, three.hr_bpm)
    np.testing.assert_array_equal(one.teacher, three.teacher)


def test_pool_is_drawn_once(people: list[Recording], tmp_path: Path) -> None:
    bank = TrainingBank(people[:2], acceleration=True)

    class Uniform(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 180)

    teacher = Uniform(1, 1)

    def make(progress):  # type: ignore[no-untyped-def]
        return small_pool(bank, teacher, tmp_path, batch=8, seed=1, progress=progress)

    pool = make(silent)
    assert pool.x.shape == (24, 4, 256) and pool.batches == 3
    again = make(kill_at(1))  # nothing is drawn: no progress, no kill
    np.testing.assert_array_equal(again.x, pool.x)
    with torch.no_grad():
        teacher.bias.add_(1)  # whose file became another one: it is asked anew
    with pytest.raises(Killed):
        make(kill_at(1))
    make(silent)
    drawn = np.array(pool.x)
    for name in ("x.npy", "hr_bpm.npy", "teacher.npy", "pool.json"):
        content = (tmp_path / name).read_bytes()
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        for damaged in (b"", content[:-1], flipped):
            (tmp_path / name).write_bytes(damaged)
            pool = make(silent)
            np.testing.assert_array_equal(pool.x, drawn)
            assert (tmp_path / name).read_bytes() == content
    seen = [pool.batch_at(step, seed=0).x for step in range(3)]
    flat = torch.cat(seen).sum(dim=(1, 2)).sort().values
    stored = torch.from_numpy(pool.x.astype(np.float32)).sum(dim=(1, 2)).sort().values
    torch.testing.assert_close(flat, stored)  # a pass sees every window once


def test_the_whole_trainer(people: list[Recording], tmp_path: Path) -> None:
    from deploy.integers import reference
    from distill.evaluation import predict_windows

    space = SearchSpace.preset("tiny")
    trainer = Trainer(
        space,
        train=people[:3],
        search=people[3:],
        effort=SMOKE,
        seed=0,
        teacher="resnet-small",
        folder=tmp_path,
        site=Site(cores=2),
        accept=lambda arch: True,
    )
    trainer.prepare_teacher(silent)
    archs = [space.smallest(), space.largest()]
    results = {}
    trainer.retrain_many(
        archs, silent, lambda index, result: results.update({index: result}), enough=bool
    )
    assert sorted(results) == [0, 1]
    for index, arch in enumerate(archs):
        net = results[index].net
        predictions = predict_windows(net, windows_of(people[3:], arch))
        error = np.abs(predictions.raw.bpm - predictions.windows.hr_bpm)
        assert results[index].search_mae_bpm == pytest.approx(error.mean())
        assert reference.run(net, net.quantize_input(np.zeros((2, 4, 256)))).shape == (2, 180)
    trainer.drop_cache()
    assert not (tmp_path / "cache" / "pool").exists()


def test_network_folds_its_normalisation() -> None:
    torch.manual_seed(0)
    arch = SearchSpace.preset("tiny").smallest()
    network = Network(arch)
    for _ in range(3):
        network.train()(torch.randn(8, 4, 256))
    network.eval()
    conv = network.plan.stem
    weight, bias = network.folded(conv)
    x = torch.randn(256 * 2, 4)  # (time * batch, channels)
    from search_spaces.blocks import causal_conv

    torch.testing.assert_close(
        causal_conv(x, weight, conv, 2, bias), network._convolve(x, conv, 2), rtol=1e-4, atol=1e-5
    )


def test_a_full_disk_is_told_before_the_pool_is_drawn(
    people: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def full(file: int, start: int, size: int) -> None:
        asked.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        small_pool(
            TrainingBank(people[:1], acceleration=True),
            None,
            tmp_path / "pool",
            batches=2,
            batch=8,
            rate_hz=16,
        )
    assert asked == [128 + 2 * 2 * 8 * 4 * 128]  # the header, then float16
    assert not (tmp_path / "pool" / "pool.json").exists()
