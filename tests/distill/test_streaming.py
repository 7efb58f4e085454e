"""Training with the real past, and integers read by one pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deploy.integers import reference
from distill.evaluation import predict_windows
from distill.fixed import train_fixed
from distill.pool import open_pool
from distill.training.device import Site
from ppg.augment.bank import TrainingBank
from ppg.people.metrics import mean_over_people
from ppg.recording import Recording
from ppg.windows import windows_of
from ppgnas.errors import SpaceError
from search_spaces.published import published
from tests.distill.killing import silent, small_pool

TINY = published("tiny")


class _Shown(nn.Module):
    """A teacher that remembers what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.bias = nn.Parameter(torch.zeros(180))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return torch.zeros(len(x), 180) + self.bias


def test_students_get_the_past_and_the_teacher_the_window(
    people: list[Recording], tmp_path: Path
) -> None:
    bank, teacher = TrainingBank(people[:2], acceleration=True), _Shown()
    pool = small_pool(bank, teacher, tmp_path / "pool", batches=2, batch=8, past_s=12.0)
    assert pool.x.shape == (16, 4, 20 * 32) and pool.past_s == 12
    assert open_pool(tmp_path / "pool").past_s == 12
    assert [x.shape for x in teacher.seen] == [(8, 4, 8 * 32)] * 2
    newest = pool.x[:8, :, -64:].astype(np.float32)
    np.testing.assert_allclose(newest, teacher.seen[0][..., -64:], atol=2e-3)
    batch = pool.batch_at(0, seed=0)
    own = pool.of(batch.x, TINY)  # at 16 Hz, with the three blocks of past that it reads
    assert own.shape == (8, 4, (6 + 8) * 16)
    torch.testing.assert_close(own, batch.x[:, :, 6 * 32 :: 2])


def test_a_network_is_trained_to_stream(people: list[Recording], tmp_path: Path) -> None:
    result = train_fixed(
        TINY, train=people[:3], search=people[3:], effort="smoke", seed=0, teacher="none",
        cache=tmp_path, site=Site(), progress=silent, mode="streaming",
    )  # fmt: skip
    assert open_pool(tmp_path / "pool").x.shape[2] == (6 + 8) * 16
    windows = windows_of(people[3:], TINY, mode="streaming")
    read = predict_windows(result.net, windows)
    error = mean_over_people(abs(read.raw.bpm - windows.hr_bpm), windows.person)
    assert result.search_mae_bpm == error
    # the first one has no past, and is that of the window to the last bit
    alone = predict_windows(result.net, replace(windows, passes=None))
    assert windows.passes is not None and windows.passes.reading[0] == 0
    assert read.raw.bpm[0] == alone.raw.bpm[0] and (read.raw.bpm != alone.raw.bpm).any()
    x = result.net.quantize_input(windows.x[:1])
    np.testing.assert_array_equal(result.net.quantize_signal(windows.x[0]), x[0, 0])
    assert reference.run(result.net, x).shape == (1, 180)


def test_what_cannot_stream_is_not_trained_to(people: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="cannot stream: its head pools by max"):
        train_fixed(
            replace(TINY, pooling="max"), train=people[:3], search=people[3:], effort="smoke",
            seed=0, teacher="none", cache=tmp_path, site=Site(), progress=silent,
            mode="streaming",
        )  # fmt: skip
