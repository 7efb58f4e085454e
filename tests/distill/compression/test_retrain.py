"""A recipe is done stage by stage, and goes on where it was killed to the same integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.compression.retrain import parts_of, retrain
from distill.evaluation import Retrained
from distill.finalist import FinalistJob
from distill.pool import open_pool
from distill.training.checkpoint import save_checkpoint
from distill.training.effort import EFFORTS
from distill.training.recipe import (
    Assistant,
    BornAgain,
    Prune,
    Quantise,
    Recipe,
    Train,
    load_recipe,
)
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import windows_of
from search_spaces.lower import lower
from search_spaces.network import Network
from search_spaces.published import published
from tests.distill.killing import Killed, kill_at, small_pool

ARCH = published("tiny")
SMOKE = replace(EFFORTS["smoke"], batch=8)
EVERYTHING = Recipe(
    stages=(
        Assistant(do="assistant", arch="published:small", steps=0.5),
        Train(do="train", steps=0.5),
        Prune(do="prune", removed=0.5, rounds=2, steps=0.5),
        BornAgain(do="born-again", generations=2, steps=0.25),
        Quantise(do="quantise", how="aware"),
    )
)
STEPS = [4, 4, 2, 2, 2, 2, 8]


def make(folder: Path, people: list[Recording], teacher: Network | None) -> Path:
    small_pool(
        TrainingBank(people[:3], acceleration=True),
        teacher,
        folder,
        batches=4,
        batch=8,
        rate_hz=16,
        features=teacher is not None,
    )
    return folder


@pytest.fixture(scope="module")
def pool(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("pool"), people, None)


class Watch:
    """Sees the steps, and stops at one."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.steps, self.notes = stop, list[int](), list[str]()

    def __call__(self, done: int, total: int, note: str) -> None:
        if done == self.stop:
            raise Killed
        assert total == sum(STEPS)
        self.steps.append(done)
        self.notes.append(note)


def job_in(folder: Path, pool: Path, recipe: Recipe) -> FinalistJob:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    save_checkpoint(folder / "initial.safetensors", Network(ARCH))
    return FinalistJob(ARCH, folder / "initial.safetensors", pool, SMOKE, 0, recipe=recipe)


def test_parts_follow_the_stages(pool: Path, tmp_path: Path) -> None:
    parts = list(parts_of(job_in(tmp_path, pool, EVERYTHING)))
    assert [part.steps for part in parts] == STEPS
    have = lower(ARCH).total_parameters
    goals = [None, None, round(have * 0.5**0.5), round(have * 0.5), None, None, None]
    assert [part.parameters for part in parts] == goals
    # what trains one network has one fall of the rate; those that begin anew have their own
    falls = [(part.before, part.course) for part in parts]
    assert falls == [(0, None), (0, 8), (4, 8), (6, 8), (0, None), (0, None), (0, None)]


def test_a_killed_recipe_continues_to_the_same_integers(
    people: list[Recording], pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the assistant, in a round of pruning, and in the integers."""
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 2)
    search = windows_of(people[3:], ARCH)

    def run(folder: str, watch: Watch) -> Retrained:
        return retrain(job_in(tmp_path / folder, pool, EVERYTHING), search, watch)

    whole = run("whole", Watch())
    for stop in (3, 10, 20):
        with pytest.raises(Killed):
            run("killed", Watch(stop))
    last = Watch()
    continued = run("killed", last)
    assert last.steps == [19, 20, 21, 22, 23, 24] and last.notes[0].endswith(", quantise, 7 of 7")
    for name, values in whole.net.weights.items():
        np.testing.assert_array_equal(values, continued.net.weights[name])
    assert whole.arch == continued.arch and whole.search_mae_bpm == continued.search_mae_bpm
    assert (
        0.35 * lower(ARCH).total_parameters
        < lower(whole.arch).total_parameters
        < 0.5 * lower(ARCH).total_parameters
    )


def test_networks_label_the_windows_for_those_after_them(
    people: list[Recording], pool: Path, tmp_path: Path
) -> None:
    job = job_in(tmp_path, pool, EVERYTHING)
    retrain(job, windows_of(people[3:], ARCH), Watch())
    labelled = [open_pool(tmp_path / f"recipe-{ARCH.id}" / f"pool-{n}") for n in (0, 4, 5)]
    assert open_pool(pool).teacher is None
    seen: set[bytes] = set()
    for one in labelled:
        np.testing.assert_array_equal(one.x, open_pool(pool).x)
        assert one.teacher is not None and one.teacher.std() > 0
        seen.add(one.teacher.tobytes())
    assert len(seen) == 3


def test_what_is_learnt_beside_a_network_goes_on_into_the_integers(
    people: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 2)
    torch.manual_seed(1)
    taught = make(tmp_path / "pool", people, Network(ARCH).eval())
    search = windows_of(people[3:], ARCH)
    assistant, train, *_, quantise = EVERYTHING.stages
    assisted = Recipe(stages=(assistant, train, quantise))

    def run(folder: str, stop: int | None) -> Retrained:
        job = job_in(tmp_path / folder, taught, assisted)
        return retrain(replace(job, distill="feature:1"), search, kill_at(stop))

    whole = run("whole", None)
    with pytest.raises(Killed):
        run("killed", 9)
    continued = run("killed", None)
    for name, values in whole.net.weights.items():
        np.testing.assert_array_equal(values, continued.net.weights[name])
    kept = tmp_path / "whole" / f"recipe-{ARCH.id}"
    assert (kept / "adaptor.safetensors").exists()
    features = open_pool(kept / "pool-0").features
    assert features is not None and features.shape[1:] == (20, 16)  # of the assistant


def test_an_assistant_between_training_and_integers_gets_an_adaptor_of_its_own(
    people: list[Recording], tmp_path: Path
) -> None:
    torch.manual_seed(1)  # a teacher of 16 channels, an assistant of 20
    taught = make(tmp_path / "pool", people, Network(published("timeppg-small")).eval())
    assistant, train, *_, quantise = EVERYTHING.stages
    job = job_in(tmp_path, taught, Recipe(stages=(train, assistant, quantise)))
    search = windows_of(people[3:], ARCH)
    found = retrain(replace(job, distill="feature:1"), search, lambda *_: None)
    assert np.isfinite(found.search_mae_bpm)


def test_integers_without_training_are_those_of_the_float_network(
    people: list[Recording], pool: Path, tmp_path: Path
) -> None:
    search, steps = windows_of(people[3:], ARCH), list[int]()
    job = job_in(tmp_path, pool, load_recipe("post-training"))
    found = retrain(job, search, lambda done, total, note: steps.append(total - done))
    assert steps == list(range(SMOKE.finetune_steps - 1, -1, -1))
    assert found.arch == ARCH and found.net.graph.total_weight_bytes > 0
    aware = retrain(job_in(tmp_path, pool, load_recipe("direct")), search, lambda *_: None)
    apart = [np.any(found.net.weights[n] != aware.net.weights[n]) for n in found.net.weights]
    assert any(apart)
