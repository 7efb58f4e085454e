"""The training of one fixed architecture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.evaluation import Retrained
from distill.fixed import train_fixed
from distill.pool import open_pool
from distill.teachers.files import description, load_teacher
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.training.checkpoint import save_checkpoint
from distill.training.device import Site
from distill.training.effort import Progress, effort_by_name
from ppg.frontend import FRONT_END
from ppg.recording import Recording
from ppgnas.errors import RunError, SpaceError
from search_spaces.published import published
from tests.distill.killing import Killed, silent


def small(
    people: list[Recording],
    folder: Path,
    *,
    seed: int = 0,
    teacher: str = "none",
    progress: Progress = silent,
) -> Retrained:
    """`published:small`, hardly trained."""
    return train_fixed(
        published("small"),
        train=people[:3],
        search=people[3:],
        effort="smoke",
        seed=seed,
        teacher=teacher,
        cache=folder,
        site=Site(),
        progress=progress,
    )


@pytest.fixture(scope="module")
def whole(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    return small(people, tmp_path_factory.mktemp("whole"))


def test_efforts_are_named() -> None:
    with pytest.raises(SpaceError, match="effort 'much' is unknown; allowed: smoke, quick"):
        effort_by_name("much")


@pytest.mark.parametrize("teacher", ["none", "resnet-small"])
def test_a_fixed_network_is_trained_from_scratch(
    people: list[Recording], tmp_path: Path, teacher: str
) -> None:
    first, again, other = (
        small(people, tmp_path / name, seed=seed, teacher=teacher)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.search_mae_bpm == again.search_mae_bpm != other.search_mae_bpm
    np.testing.assert_array_equal(first.net.weights["head"], again.net.weights["head"])
    # the pool stands at the teacher's rate, so that a slow network has a teacher that sees more
    rate = {"none": 16, "resnet-small": 32}[teacher]
    pool = open_pool(tmp_path / "a" / "pool")
    assert pool.x.shape[2] == 8 * rate
    assert (pool.teacher is not None) == (teacher != "none")


@pytest.mark.parametrize("stop", [3, 8, 9, 14, 16])  # of 8 float and 8 quantised steps
def test_a_killed_training_continues_to_the_same_integers(
    people: list[Recording],
    whole: Retrained,
    tmp_path: Path,
    stop: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 3)
    steps: list[int] = []

    def watch(done: int, total: int, note: str) -> None:
        if note.startswith("loss"):
            steps.append(done)

    def kill(done: int, total: int, note: str) -> None:
        if note.startswith("loss") and done == stop:
            raise Killed

    with pytest.raises(Killed):
        small(people, tmp_path, progress=kill)
    continued = small(people, tmp_path, progress=watch)
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
