"""Trainings on a GPU beside the same on the CPU: equal seeds see equal batches, so losses agree.

Not equal to the last bit: convolutions round to bfloat16, and sums have another order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.compression.retrain import retrain
from distill.evaluation import Retrained
from distill.finalist import FinalistJob, checkpoint_of, fit_finalist
from distill.first_rung import begin
from distill.supernet_training import SupernetJob, train_supernet
from distill.teachers.files import load_teacher
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.teachers.training import train_teacher
from distill.training.checkpoint import load_checkpoint, save_checkpoint
from distill.training.device import CPU, GPU_PROCESSES, placed, site_of
from distill.training.effort import EFFORTS, Progress
from distill.training.fit import ALONE
from distill.training.jobs import run_jobs
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from search_spaces.network import Network
from search_spaces.published import published
from search_spaces.space import SearchSpace
from tests.distill.killing import Killed, small_pool

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]

GPU = torch.device("cuda")
SMOKE = EFFORTS["smoke"]
SPACE, ARCH = SearchSpace.preset("tiny"), published("tiny")
LOSS_SHARE = 0.05


class Losses:
    """Sees the progress of a training; ends it after a step if told to."""

    def __init__(self, *, kill_at: int | None = None) -> None:
        self.seen: dict[int, float] = {}
        self.kill_at = kill_at

    def __call__(self, done: int, total: int, note: str) -> None:
        self.seen[done] = float(note.split()[-1])
        if done == self.kill_at:
            raise Killed


def agree(folder: Path, train: Callable[[torch.device, Path, Progress], object]) -> None:
    """The losses of each step on both devices, each in its folder."""
    on_cpu, on_gpu = Losses(), Losses()
    for device, name, losses in ((CPU, "cpu", on_cpu), (GPU, "gpu", on_gpu)):
        (folder / name).mkdir()
        train(device, folder / name, losses)
    assert list(on_cpu.seen) == list(on_gpu.seen)
    wanted, found = (list(each.seen.values()) for each in (on_cpu, on_gpu))
    np.testing.assert_allclose(found, wanted, rtol=LOSS_SHARE)


@pytest.fixture(scope="module")
def pool(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu") / "pool"
    bank = TrainingBank(people[:3], acceleration=True)
    small_pool(bank, None, folder, batches=4, batch=32, rate_hz=64)
    return folder


def job_on(device: torch.device, folder: Path, pool: Path) -> FinalistJob:
    """From the same weights, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    if not weights.exists():
        torch.manual_seed(0)
        save_checkpoint(weights, Network(ARCH))
    return FinalistJob(ARCH, weights, pool, SMOKE, 0, device=device)


def test_teacher(people: list[Recording], tmp_path: Path) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    search = windows_of(people[3:], InputSpec(32, True))
    answers = []

    def train(device: torch.device, own: Path, progress: Progress) -> None:
        path = own / "teacher.safetensors"
        taught = train_teacher(
            bank,
            search,
            make=partial(ResNetTeacher, ResNetShape(4, 32)),
            effort=SMOKE,
            seed=0,
            path=path,
            processes=1,
            progress=progress,
            device=device,
        )
        x = torch.from_numpy(search.x[:8])
        with torch.no_grad():
            # A finished file is the same teacher on either device.
            answers.append(taught(x.to(device)).cpu())
            torch.testing.assert_close(load_teacher(path)(x), answers[-1], rtol=1e-3, atol=1e-3)

    agree(tmp_path, train)
    assert len(answers) == 2


def test_supernet(pool: Path, tmp_path: Path) -> None:
    def train(device: torch.device, own: Path, progress: Progress) -> None:
        job = SupernetJob(SPACE, pool, SMOKE, 0, own / "supernet.safetensors", device)
        train_supernet(job, accept=lambda _: True, processes=1, progress=progress)

    agree(tmp_path, train)


def test_first_rung(people: list[Recording], pool: Path, tmp_path: Path) -> None:
    search, heard = windows_of(people[3:], ARCH), windows_of(people[:3], ARCH)
    said = []

    def train(device: torch.device, own: Path, progress: Progress) -> None:
        job = job_on(device, own, pool)
        job = replace(job, pause=4)
        said.append(begin(job, search, heard, own / "begun.safetensors", progress))

    agree(tmp_path, train)
    on_cpu, on_gpu = said
    assert on_gpu.expected_bpm == pytest.approx(on_cpu.expected_bpm, rel=LOSS_SHARE)


def test_finalist(people: list[Recording], pool: Path, tmp_path: Path) -> None:
    """Float training, simulated integers, and the integers themselves."""
    search, found = windows_of(people[3:], ARCH), []

    def train(device: torch.device, own: Path, progress: Progress) -> None:
        job = job_on(device, own, pool)
        found.append(retrain(job, search, progress))

    agree(tmp_path, train)
    on_cpu, on_gpu = found
    assert on_gpu.net.graph == on_cpu.net.graph and on_gpu.search_mae_bpm > 0


def test_a_training_of_the_cpu_goes_on_on_a_gpu_and_back(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 2)

    def fit_on(device: torch.device, folder: str, *, kill_at: int | None) -> Losses:
        job, losses = job_on(device, tmp_path / folder, pool), Losses(kill_at=kill_at)
        network = placed(Network(ARCH), device)
        load_checkpoint(job.weights, network)
        if kill_at is None:
            fit_finalist(job, network, ALONE, losses)
        else:
            with pytest.raises(Killed):
                fit_finalist(job, network, ALONE, losses)
            assert checkpoint_of(job, "float").steps() == kill_at - 1
        return losses

    whole = fit_on(CPU, "whole", kill_at=None)
    parts = [
        fit_on(CPU, "moved", kill_at=3),
        fit_on(GPU, "moved", kill_at=5),
        fit_on(CPU, "moved", kill_at=None),
    ]
    assert [min(each.seen) for each in parts] == [1, 3, 5]
    assert max(parts[-1].seen) == SMOKE.finetune_steps
    for part in parts:
        wanted = [whole.seen[step] for step in part.seen]
        np.testing.assert_allclose(list(part.seen.values()), wanted, rtol=LOSS_SHARE)


def test_finalists_share_a_gpu(people: list[Recording], pool: Path, tmp_path: Path) -> None:
    site = site_of("cuda", cores=2)
    assert site.side_by_side == min(2, GPU_PROCESSES) and site.name != "cpu"
    jobs = [job_on(site.device, tmp_path / name, pool) for name in "ab"]
    done: dict[int, Retrained] = {}
    run_jobs(
        retrain,
        [(job, windows_of(people[3:], job.arch)) for job in jobs],
        steps=[SMOKE.finetune_steps + SMOKE.qat_steps] * 2,
        what="finalists",
        processes=site.side_by_side,
        progress=lambda *_: None,
        on_done=done.__setitem__,
    )
    assert sorted(done) == [0, 1]
