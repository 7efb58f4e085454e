"""Teacher, pool, supernet, finalists: they learn, continue where they were killed, repeat."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.evaluation import Retrained
from distill.fixed import train_fixed
from distill.inherited import InheritedAccuracy, thin
from distill.pool import FACTS, make_pool, open_pool
from distill.supernet_training import SupernetJob, draw_networks, train_supernet
from distill.teachers.files import check_unseen, load_teacher
from distill.teachers.names import TeacherNameError
from distill.teachers.registry import description
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.teachers.training import train_teacher
from distill.trainer import Trainer
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.device import Site
from distill.training.effort import EFFORTS, effort_by_name
from distill.training.progress import Progress
from ppg.augment.bank import TrainingBank
from ppg.frontend import FRONT_END
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import RunError, SpaceError
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.published import published
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet

SMOKE = EFFORTS["smoke"]


def silent(done: int, total: int, note: str) -> None:
    """No progress display."""


class _Killed(Exception):
    pass


def _kill_at(step: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int, note: str) -> None:
        if done == step:
            raise _Killed

    return progress


def test_efforts_are_named() -> None:
    with pytest.raises(SpaceError, match="effort 'much' is unknown; allowed: smoke, quick"):
        effort_by_name("much")


def test_teacher_learns_and_is_taken_from_its_file(
    people: list[Recording], tmp_path: Path
) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    search = windows_of(people[3:], InputSpec(32, True))
    shape = ResNetShape(4, 32, stem=8, widths=(8, 8), blocks=(1, 1))
    path = tmp_path / "teacher.safetensors"
    notes: list[float] = []

    def keep(done: int, total: int, note: str) -> None:
        notes.append(float(note.split()[-1]))

    arguments = {
        "make": partial(ResNetTeacher, shape),
        "effort": SMOKE,
        "seed": 0,
        "path": path,
        "processes": 1,
    }
    first = train_teacher(bank, search, progress=keep, **arguments)  # type: ignore[arg-type]
    assert notes[-1] < notes[0]
    again = train_teacher(bank, search, progress=_kill_at(1), **arguments)  # type: ignore[arg-type]
    x = torch.from_numpy(search.x[:4])
    assert torch.equal(again(x), first(x))
    assert torch.equal(load_teacher(path)(x), first(x))


def test_a_teacher_that_knows_a_judge_is_refused(people: list[Recording], tmp_path: Path) -> None:
    def judge(dataset: str, subject: str, *also_in: str) -> Recording:
        return replace(people[0], dataset=dataset, subject=subject, also_in=also_in)

    path = tmp_path / "teacher.safetensors"
    taught = {"people": ["a/1", "a/2"], "also_in": ["CR_05"]}
    save_checkpoint(path, torch.nn.Linear(2, 2), identity=taught)
    check_unseen(path, [judge("a", "3"), judge("b", "1"), judge("c", "CR_06", "7")])
    with pytest.raises(RunError, match=r"was trained on a/2, who is a search or report person"):
        check_unseen(path, [judge("a", "2"), judge("a", "3")])
    with pytest.raises(RunError, match="was trained on c/CR_05, who is"):
        check_unseen(path, [judge("c", "CR_05")])
    with pytest.raises(RunError, match="was trained on c/9, who is"):
        check_unseen(path, [judge("c", "9", "2")])
    save_checkpoint(path, torch.nn.Linear(2, 2), identity={})
    with pytest.raises(RunError, match="does not say whom the teacher was trained on"):
        check_unseen(path, [judge("a", "3")])


def test_a_teacher_remembers_the_other_names_of_its_people(people: list[Recording]) -> None:
    bank = TrainingBank([replace(people[0], also_in=("CR_05",)), people[1]], acceleration=True)
    assert bank.also_in == ("CR_05",)


def test_a_file_that_is_no_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TeacherNameError, match="nor none nor a file; name"):
        load_teacher(tmp_path / "missing")
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, torch.nn.Linear(2, 2))
    with pytest.raises(RunError, match="is not a finished teacher"):
        load_teacher(path)
    facts: dict[str, Any] = {
        "identity": {"steps": 4},
        "step": 4,
        "shape": {"channels": 4, "rate_hz": 32},
    }
    for odd, message in (
        ({"step": 3}, "is not a finished teacher; pass"),
        ({"step": "x"}, r"is not a finished teacher \(step: Input should be a valid integer"),
        ({"identity": 3}, r"is not a finished teacher \(identity: "),
        ({"shape": {"channels": 4}}, r"\(rate_hz: Field required"),
        ({"shape": {"channels": 4, "rate_hz": 10**9}}, "has a size outside of 1 to 512"),
        ({"shape": {"channels": 4, "rate_hz": 32, "widths": [8]}}, "other numbers of widths"),
    ):
        save_checkpoint(path, torch.nn.Linear(2, 2), **{**facts, **odd})
        with pytest.raises(RunError, match=message):
            load_teacher(path)
    save_checkpoint(path, torch.nn.Linear(2, 2), identity={"people": 3}, step=4)
    with pytest.raises(RunError, match=r"is no teacher \(people: Input should be a valid tuple"):
        check_unseen(path, [])
    save_checkpoint(path, torch.nn.Linear(2, 2), **facts)
    with pytest.raises(RunError, match="whose networks read another front end; train it again"):
        load_teacher(path)
    path.write_bytes(b"garbage")
    with pytest.raises(RunError, match="cannot be read"):
        load_teacher(path)


def test_checkpoint_restores_weights_and_moments(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    module(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, module, optimiser=optimiser, step=7)
    other = torch.nn.Linear(3, 2)
    moments = torch.optim.AdamW(other.parameters())
    load_checkpoint(path, other, optimiser=moments)
    assert read_facts(path) == {"step": 7}
    assert torch.equal(other.weight, module.weight)
    x = torch.randn(4, 3)
    for net, opt in ((module, optimiser), (other, moments)):
        opt.zero_grad()
        net(x).square().sum().backward()
        opt.step()
    assert torch.equal(other.weight, module.weight)
    with pytest.raises(RunError, match="is of another network"):
        load_checkpoint(path, torch.nn.Linear(4, 2))
    assert read_facts(tmp_path / "none") == {}


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_flipped_bit_in_a_checkpoint_is_told(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, torch.nn.Linear(30, 20), step=7)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    for read in (lambda: load_checkpoint(path, torch.nn.Linear(30, 20)), lambda: read_facts(path)):
        with pytest.raises(RunError, match="cannot be read: its checksum is another; remove"):
            read()


def test_pool_is_drawn_once(people: list[Recording], tmp_path: Path) -> None:
    bank = TrainingBank(people[:2], acceleration=True)

    class Uniform(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 180)

    teacher = Uniform(1, 1)

    def make(progress):  # type: ignore[no-untyped-def]
        return make_pool(
            bank,
            teacher,
            folder=tmp_path,
            batches=3,
            batch=8,
            rate_hz=32,
            seed=1,
            progress=progress,
        )

    pool = make(silent)
    assert pool.x.shape == (24, 4, 256) and pool.batches == 3
    again = make(_kill_at(1))  # nothing is drawn: no progress, no kill
    np.testing.assert_array_equal(again.x, pool.x)
    with torch.no_grad():
        teacher.bias.add_(1)  # whose file became another one: it is asked anew
    with pytest.raises(_Killed):
        make(_kill_at(1))
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


@pytest.mark.parametrize("stop", [3, 10])
def test_a_killed_supernet_training_continues(
    people: list[Recording], tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.supernet_training.CHECKPOINT_EVERY", 2)
    space = SearchSpace.preset("tiny")
    bank = TrainingBank(people[:2], acceleration=True)
    make_pool(
        bank,
        None,
        folder=tmp_path / "pool",
        batches=4,
        batch=16,
        rate_hz=32,
        seed=0,
        progress=silent,
    )

    def train(path: Path, progress, processes: int = 1):  # type: ignore[no-untyped-def]
        job = SupernetJob(space, tmp_path / "pool", SMOKE, 0, path)
        net = job.supernet()
        train_supernet(job, net, accept=lambda a: True, processes=processes, progress=progress)
        return net

    whole = train(tmp_path / "whole.safetensors", silent)
    with pytest.raises(_Killed):
        train(tmp_path / "killed.safetensors", _kill_at(stop))
    continued = train(tmp_path / "killed.safetensors", silent)
    for (name, one), two in zip(whole.named_parameters(), continued.parameters(), strict=True):
        assert torch.equal(one, two), name
    assert read_facts(tmp_path / "killed.safetensors")["step"] == 12
    facts = tmp_path / "pool" / FACTS  # answers of another teacher are another training
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "teacher": "other"}))
    with pytest.raises(_Killed):
        train(tmp_path / "killed.safetensors", _kill_at(stop))
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
    trainer.train_supernet(silent)
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
    x = torch.randn(256, 4, 1, 2)  # (time, channels, 1, batch)
    from search_spaces.blocks import causal_conv

    torch.testing.assert_close(
        causal_conv(x, weight, conv, bias), network._convolve(x, conv), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("teacher", ["none", "resnet-small"])
def test_a_fixed_network_is_trained_from_scratch(
    people: list[Recording], tmp_path: Path, teacher: str
) -> None:
    arch = published("small")

    def train(folder: Path, seed: int) -> Retrained:
        return train_fixed(
            arch,
            train=people[:3],
            search=people[3:],
            effort="smoke",
            seed=seed,
            teacher=teacher,
            cache=folder,
            site=Site(),
            progress=silent,
        )

    first, again, other = (
        train(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.search_mae_bpm == again.search_mae_bpm != other.search_mae_bpm
    np.testing.assert_array_equal(first.net.weights["head"], again.net.weights["head"])
    # the pool stands at the teacher's rate, so that a slow network has a teacher that sees more
    rate = {"none": 16, "resnet-small": 32}[teacher]
    pool = open_pool(tmp_path / "a" / "pool")
    assert pool.x.shape[2] == 8 * rate
    assert (pool.teacher is not None) == (teacher != "none")


def test_a_full_disk_is_told_before_the_pool_is_drawn(
    people: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def full(file: int, start: int, size: int) -> None:
        asked.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        make_pool(
            TrainingBank(people[:1], acceleration=True),
            None,
            folder=tmp_path / "pool",
            batches=2,
            batch=8,
            rate_hz=16,
            seed=0,
            progress=silent,
        )
    assert asked == [128 + 2 * 2 * 8 * 4 * 128]  # the header, then float16
    assert not (tmp_path / "pool" / "pool.json").exists()


@pytest.mark.parametrize("stop", [3, 8, 9, 14, 16])  # of 8 float and 8 quantised steps
def test_a_killed_training_continues_to_the_same_integers(
    people: list[Recording], tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 3)
    steps: list[int] = []

    def train(folder: Path, progress: Progress) -> Retrained:
        return train_fixed(
            published("small"),
            train=people[:3],
            search=people[3:],
            effort="smoke",
            seed=0,
            teacher="none",
            cache=tmp_path / folder,
            site=Site(),
            progress=progress,
        )

    def watch(done: int, total: int, note: str) -> None:
        if note.startswith("loss"):
            steps.append(done)

    def kill(done: int, total: int, note: str) -> None:
        if note.startswith("loss") and done == stop:
            raise _Killed

    whole = train(Path("whole"), silent)
    with pytest.raises(_Killed):
        train(Path("killed"), kill)
    continued = train(Path("killed"), watch)
    kept = {3: 0, 8: 6, 9: 8, 14: 11, 16: 14}[stop]
    assert steps == list(range(kept + 1, 17))
    for name, values in whole.net.weights.items():
        np.testing.assert_array_equal(values, continued.net.weights[name])
    assert whole.search_mae_bpm == continued.search_mae_bpm


_PPG_ALONE = torch.tensor([1.0, 0.0, 0.0, 0.0])[:, None]


def test_a_network_of_ppg_alone_learns_from_one_that_reads_more_if_that_is_asked_for(
    people: list[Recording], tmp_path: Path
) -> None:
    """The teacher answers for the very windows of which the student gets the PPG."""
    path = tmp_path / "teacher.safetensors"
    teacher = ResNetTeacher(ResNetShape(4, 32))
    identity = {"steps": 1, "people": [], "front_end": FRONT_END}
    save_checkpoint(path, teacher, identity=identity, step=1, **description(teacher))
    train = partial(
        train_fixed,
        replace(published("small"), acceleration=False),
        train=people[:3],
        search=people[3:],
        effort="smoke",
        seed=0,
        teacher=str(path),
        cache=tmp_path / "cache",
        site=Site(),
        progress=silent,
    )
    with pytest.raises(RunError, match=r"its students read PPG alone; let it by `teacher_inputs`"):
        train()
    result = train(taught_with_acceleration=True)
    assert result.net.graph.shape(result.net.graph.input)[-1] == 1
    pool = open_pool(tmp_path / "cache" / "pool")
    assert pool.teacher is not None
    x = torch.from_numpy(np.array(pool.x[:8])).float()
    with torch.no_grad():
        own, still = (load_teacher(path)(each).numpy() for each in (x, x[:, :1] * _PPG_ALONE))
    np.testing.assert_allclose(pool.teacher[:8], own, atol=1e-3)
    assert abs(own - still).max() > 5e-3  # it does read the movement
