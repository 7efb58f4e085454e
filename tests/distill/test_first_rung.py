"""First rungs: what they say, that they continue, and where the finalist goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from distill.compression.retrain import parts_of, retrain
from distill.evaluation import Retrained
from distill.finalist import FinalistJob
from distill.first_rung import Begun, begin, expected_error, read_begun
from distill.trainer import Trainer
from distill.training.checkpoint import load_checkpoint
from distill.training.device import Site
from distill.training.effort import EFFORTS, FIRST_RUNG, MOST_FIRST_STEPS, Effort
from distill.training.metrics import search_rows
from distill.training.recipe import load_recipe
from ppg.recording import Recording
from ppg.windows import windows_of
from ppgnas.task import CLASSES
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.plan import plan
from search_spaces.space import SearchSpace
from tests.distill.killing import Killed, kill_at, silent

SPACE = SearchSpace.preset("tiny")
ARCH = SPACE.smallest()


@pytest.fixture(scope="module")
def trainer(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    made = Trainer(
        SPACE,
        train=people[:3],
        search=people[3:],
        effort=EFFORTS["smoke"],
        seed=0,
        teacher="none",
        folder=tmp_path_factory.mktemp("run"),
        site=Site(cores=2),
        accept=lambda arch: True,
    )
    made.prepare_teacher(silent)
    return made


def weights(path: Path, arch: Arch = ARCH) -> dict[str, torch.Tensor]:
    network = Network(arch)
    load_checkpoint(path, network)
    return dict(network.state_dict())


def test_expected_error_by_hand() -> None:
    """A quarter on 60 BPM and three on 100; all on one class; nothing known."""
    logits = np.full((3, CLASSES), -1e9, np.float32)
    logits[0, [30, 70]] = np.log([0.25, 0.75])
    logits[1, 50] = 0.0
    logits[2] = 0.0
    hr_bpm = np.array([70.0, 81.5, 30.0])
    every = (CLASSES - 1) / 2
    expected = [0.25 * 10 + 0.75 * 30, 1.5, every]
    np.testing.assert_allclose(expected_error(logits, hr_bpm), expected, rtol=1e-6)


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
@pytest.mark.parametrize("values", [1, 30_000])
def test_a_first_rung_is_a_part_of_the_whole(effort: Effort, values: int) -> None:
    whole = effort.of_finalist(values)
    assert whole.first_rung == min(whole.finetune_steps // FIRST_RUNG, MOST_FIRST_STEPS)


def test_a_killed_first_rung_continues_to_the_same_weights(
    trainer: Trainer,
    people: list[Recording],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distill.finalist.CHECKPOINT_EVERY", 2)
    search, train = windows_of(people[3:], ARCH), windows_of(people[:3], ARCH)
    given = trainer.from_nothing(ARCH)
    steps: list[int] = []

    def job(name: str) -> tuple[FinalistJob, Path]:
        """With a pause after 5 steps, and a folder of its own for its checkpoint."""
        own = tmp_path / name / given.weights.name
        own.parent.mkdir()
        own.write_bytes(given.weights.read_bytes())
        return replace(given, weights=own, pause=5), own.with_name("begun.safetensors")

    kill = kill_at(4)
    whole, whole_kept = job("whole")
    said = begin(whole, search, train, whole_kept, silent)
    killed, kept = job("killed")
    with pytest.raises(Killed):
        begin(killed, search, train, kept, kill)
    assert not kept.exists()
    clock = SimpleNamespace(perf_counter=iter([10.0, 16.0]).__next__)
    monkeypatch.setattr("distill.first_rung.time", clock)
    again = begin(killed, search, train, kept, lambda done, *_: steps.append(done))
    assert again.step_s == 2.0  # of the steps that were left
    assert replace(again, step_s=said.step_s) == said
    assert steps == [3, 4, 5]  # the state after 2 steps was kept
    assert read_begun(kept) == again and read_begun(whole_kept) == said
    own, other = weights(kept), weights(whole_kept)
    assert all(torch.equal(own[name], other[name]) for name in own)
    before = weights(given.weights)
    assert any(not torch.equal(own[name], before[name]) for name in own)


def test_the_pace_is_known_where_nothing_drawn_fits(trainer: Trainer) -> None:
    pace = replace(trainer, accept=lambda _: False).pace()
    assert min(vars(pace).values()) > 0


@pytest.mark.parametrize("fewer", [0, 2])  # a search in a hurry gives a finalist fewer steps
def test_a_finalist_goes_on_from_its_first_rung(
    trainer: Trainer, people: list[Recording], tmp_path: Path, fewer: int
) -> None:
    search, train = windows_of(people[3:], ARCH), windows_of(people[:3], ARCH)
    given = trainer.from_nothing(ARCH)
    steps: list[int] = []

    def job(name: str) -> FinalistJob:
        own = tmp_path / name / given.weights.name
        own.parent.mkdir()
        own.write_bytes(given.weights.read_bytes())
        return replace(given, weights=own)

    begun = replace(job("begun"), log=tmp_path / "metrics" / "network")
    begin(replace(begun, pause=5), search, train, tmp_path / "begun.safetensors", silent)
    effort = replace(begun.effort, finetune_steps=begun.effort.finetune_steps - fewer)
    found = retrain(replace(begun, effort=effort), search, lambda done, *_: steps.append(done))
    assert steps == list(range(6, effort.finetune_steps + effort.qat_steps + 1))
    kept = search_rows(tmp_path / "metrics" / "network-search.csv")
    seen = [(int(row["step"]), row["arithmetic"]) for row in kept]
    assert seen == [(5, "float"), (steps[-1], "int8")]
    whole = retrain(job("whole"), search, silent)
    same = all(np.array_equal(found.net.weights[k], v) for k, v in whole.net.weights.items())
    assert same is (fewer == 0)


@pytest.mark.parametrize(
    ("recipe", "share"), [("direct", 1.0), ("prune-60", 0.25), ("progressive", 1.0)]
)
def test_a_first_rung_begins_the_first_stage(trainer: Trainer, recipe: str, share: float) -> None:
    """An assistant's is not of the network, which is begun as without a recipe."""
    whole = replace(trainer, recipe=load_recipe(recipe)).from_nothing(ARCH)
    job = trainer._rung(whole, "first rungs")
    first = next(parts_of(whole))  # goes on from there, on the same fall of the rate
    assert recipe == "progressive" or (job.before, job.course) == (first.before, first.course)
    assert job.effort.finetune_steps == round(share * whole.effort.finetune_steps)
    assert job.pause == whole.effort.first_rung


def test_what_was_begun_is_taken(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    archs = [ARCH, SPACE.largest()]
    said = trainer.begin_many(archs, lambda done, total, note: trained.append(total))
    assert trained and all(isinstance(each, Begun) for each in said)
    assert all(0 < each.mae_bpm < 180 and each.expected_bpm > 0 for each in said)
    for arch, each in zip(archs, said, strict=True):
        _, heard = trainer._judges(arch)
        assert set(heard.people) == {each.person for each in trainer.train}
        assert len(heard) <= trainer.effort.search_windows
        assert each.first_score_bpm == pytest.approx((each.score_bpm * each.train_mae_bpm) ** 0.5)
        assert 0 < each.train_mae_bpm < 180 and each.train_mae_bpm != each.mae_bpm
    again: list[int] = []
    assert trainer.begin_many(archs, lambda *_: again.append(1)) == said and again == []

    given: list[FinalistJob] = []
    monkeypatch.setattr(
        "distill.trainer.run_jobs", lambda _, jobs, **__: given.extend(job for job, _ in jobs)
    )

    def ignore(index: int, result: Retrained) -> None:
        """Nothing is trained."""

    trainer.retrain_many(archs, silent, ignore, enough=bool)
    assert [job.weights.name for job in given] == [
        f"initial-{arch.id}.safetensors" for arch in archs
    ]
    assert [job.effort for job in given] == [
        EFFORTS["smoke"].of_finalist(plan(arch).values) for arch in archs
    ]
    own = weights(given[0].weights)
    torch.manual_seed(trainer.seed)
    drawn = dict(Network(ARCH).state_dict())
    assert all(torch.equal(own[name], value) for name, value in drawn.items())
    assert all(job.weights.is_file() for job in given)
    trainer.drop_cache()
    assert list((trainer.folder / "cache").glob("begun-*")) == []
    assert not any(job.weights.exists() for job in given)
