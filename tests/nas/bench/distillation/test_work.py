"""One cell, trained for a few steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation import Predictions
from distill.training.effort import EFFORTS
from nas.bench.distillation import work
from nas.bench.distillation.cells import Cell, Recipe, Steps, student_arch
from nas.bench.distillation.records import CellJob, GroundJob, Judges
from nas.bench.distillation.work import Spent, errors_of, measure_pace, prepare_ground, train_cell
from nas.run.target import load_target
from ppg.readout.decode import Decoded
from ppg.readout.transitions import fit_transitions
from ppg.synthetic.recordings import synthesize
from ppg.windows import WindowSet
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.errors import DataError
from search_spaces.lower import lower
from tests.nas.fakes import silent


def test_a_cell_from_ground_to_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PACE_STEPS", 8)
    people = synthesize(people=4, minutes=0.5, seed=3)
    judges = Judges(people[2:3], people[3:], fit_transitions(people[:2]), "c")
    arch = student_arch("medium@0.2")
    recipe = Recipe(student="medium@0.2", people=1, quantisation="float")
    cell = Cell(recipe, 0)
    effort = EFFORTS["smoke"]
    ground = prepare_ground(
        GroundJob(
            cell.ground,
            people[:2],
            [],
            judges,
            effort,
            32,
            True,
            False,
            tmp_path / "ground",
            tmp_path,
        ),
        silent,
    )
    assert ground.teacher_s == 0 < ground.pool_s and ground.teacher_errors is None
    target = load_target(DEFAULT_BOARD, DEFAULT_ENGINE)

    def job(cell: Cell, folder: str) -> CellJob:
        pool = tmp_path / "ground" / "pool"
        return CellJob(cell, arch, target, Steps(3, 0), judges, effort, pool, tmp_path / folder)

    unrounded = train_cell(job(cell, "float"), silent)
    post = Cell(Recipe(student="medium@0.2", people=1, quantisation="post"), 0)
    rounded = train_cell(job(post, "post"), silent)
    # In one folder nothing is trained twice, and the seconds of the training count for both.
    shared = train_cell(job(post, "float"), silent)
    assert (shared.errors, shared.search_bpm) == (rounded.errors, rounded.search_bpm)
    assert shared.seconds > unrounded.seconds
    assert set(unrounded.errors.raw) == {people[3].person}
    # The same weights, read before and after rounding: near each other, and not the same.
    assert unrounded.errors != rounded.errors
    pace = measure_pace(job(cell, "pace"), silent)
    assert pace.float_s > 0 and pace.int8_s > 0


def test_errors_by_activity() -> None:
    """Two people; one never runs, one window is of nobody knows what."""
    windows = WindowSet(
        x=np.zeros((6, 1, 8), np.float32),
        hr_bpm=np.full(6, 60.0),
        person=np.array([0, 0, 0, 0, 1, 1]),
        people=("a", "b"),
        recording=np.array([0, 0, 0, 0, 1, 1]),
        recordings=("d/a", "d/b"),
        start_s=np.arange(6.0),
        activity=np.array([0, 1, 2, -1, 0, 2]),
        activity_names=("rest", "run", "walk", "swim"),
    )
    bpm = 60.0 + np.array([1, 4, 2, 9, 3, 5])
    raw, smoothed = (Decoded(each, np.ones(6)) for each in (bpm, np.full(6, 61.0)))
    found = errors_of(Predictions(windows, raw, smoothed))
    assert found.raw == {"a": 4.0, "b": 4.0} and found.smoothed == {"a": 1.0, "b": 1.0}
    assert {name: dict(each.raw) for name, each in found.activities.items()} == {
        "all but rest": {"a": 3.0, "b": 5.0},
        "rest": {"a": 1.0, "b": 3.0},
        "run": {"a": 4.0},
        "walk": {"a": 2.0, "b": 5.0},
    }


def test_seconds_go_on_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "work" / "seconds.json"
    first = Spent(path)
    sum(range(300_000))
    first.keep()
    kept_s = json.loads(path.read_text())["seconds"]
    assert kept_s > 0
    assert Spent(path).seconds > kept_s


@pytest.mark.parametrize("name", ["mlp:medium", "cornet:medium"])
def test_a_plain_student_has_as_many_parameters(tmp_path: Path, name: str) -> None:
    people = synthesize(people=4, minutes=0.5, seed=3)
    judges = Judges(people[2:3], people[3:], fit_transitions(people[:2]), "c")
    cell = Cell(Recipe(student=name, quantisation="float"), 0)
    effort = EFFORTS["smoke"]
    folders = tmp_path / "ground", tmp_path
    prepare_ground(
        GroundJob(cell.ground, people[:2], [], judges, effort, 32, True, False, *folders), silent
    )
    target = load_target(DEFAULT_BOARD, DEFAULT_ENGINE)
    arch = student_arch(name)
    pool = tmp_path / "ground" / "pool"
    job = CellJob(cell, arch, target, Steps(16, 0), judges, effort, pool, tmp_path / "cell")
    losses: list[float] = []
    record = train_cell(job, lambda _, __, note: losses.append(float(note.split()[-1])))
    assert losses[-1] < losses[0] and len(losses) == 16
    again = train_cell(replace(job, folder=tmp_path / "again"), silent)
    assert again.errors == record.errors
    assert record.arch is None and record.costs is None
    assert 0.8 < record.parameters / lower(arch).total_parameters <= 1
    assert measure_pace(job, silent).float_s > 0
    with pytest.raises(DataError, match=f"student {name} is a network in float alone"):
        Recipe(student=name)
