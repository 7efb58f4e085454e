"""Which windows and which signals a search reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from nas.models.evaluate import evaluate
from nas.models.names import find_model
from nas.run.config import ConfigError
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.people import fitting_space, gather
from nas.run.resolve import resolve
from nas.search import search
from ppg.npz.folder import read_folder, write_recording
from ppgnas.errors import (
    DataError,
    PpgnasError,
    RunError,
)
from ppgnas.task import TASK, Task
from search_spaces.space import load_space
from tests.nas.fakes import FakeTrainer
from tests.nas.search.runs import config_for, go


def test_a_run_of_other_training_windows_does_not_go_on(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def stop(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.run.claim.PREPARATION", {"front_end": "slope-1"})
    with pytest.raises(KeyboardInterrupt):
        search(config_for(people), RunDir(run), command="", progress=Silent(), make_trainer=stop)
    monkeypatch.undo()
    with pytest.raises(
        RunError, match=r"in another way \(front_end slope-1, recipe unnamed; here"
    ):
        go(config_for(people), run)


def test_recordings_without_acceleration(people: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    for recording in read_folder(people):
        bare = replace(recording, acc=None, acc_hz=None)
        write_recording(tmp_path / "data" / "bare" / f"{recording.subject}.npz", bare)
    with pytest.raises(DataError, match=r"6 recordings have no acceleration \(the first is "):
        go(config_for(tmp_path / "data"), tmp_path / "run")
    run = go(config_for(tmp_path / "data", space="default", trials=30), tmp_path / "run")
    assert {row.arch.acceleration for row in run.candidates().candidates} == {False}


def test_the_few_without_acceleration_are_left_out(people: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    for number, recording in enumerate(read_folder(people)):
        kept = replace(recording, acc=None, acc_hz=None) if number < 2 else recording
        write_recording(tmp_path / "data" / "mixed" / f"{recording.subject}.npz", kept)
    config = config_for(tmp_path / "data", space="default")
    gathered = gather(config, load_space("default"))
    assert gathered.notes[0].startswith(
        "2 recordings without acceleration are left out. Most have it"
    )
    assert all(recording.acc is not None for recording in gathered.recordings)
    assert fitting_space(load_space("default"), gathered) == load_space("default")


def test_networks_of_ppg_alone_are_searched_with_a_teacher_that_reads_more(
    people: Path, tmp_path: Path
) -> None:
    asked = {"space": "default", "trials": 30, "finalists": 1}
    inputs = {"student_inputs": "ppg", "teacher_inputs": "ppg+acc"}
    told: list[dict[str, Any]] = []

    def make(*space: Any, **options: Any) -> FakeTrainer:
        told.append(options)
        return FakeTrainer(*space, **options)

    run, config = RunDir(tmp_path / "run"), config_for(people, **asked, **inputs)
    search(config, run, command="", progress=Silent(), make_trainer=make)
    assert {row.arch.acceleration for row in run.candidates().candidates} == {False}
    assert told[0]["taught_with_acceleration"] and told[0]["teacher"] == "spectral"
    assert run.document().config == config
    model = find_model(f"{run.path}:1")
    assert evaluate(model, read_folder(people)).windows > 0
    with pytest.raises(RunError, match=r"`teacher_inputs`: 'ppg.acc' in the run, 'ppg' asked"):
        go(config_for(people, **asked, student_inputs="ppg", teacher_inputs="ppg"), run.path)
    with pytest.raises(ConfigError, match="no network of the space 'tiny' reads PPG alone; choo"):
        go(config_for(people, **inputs), tmp_path / "tiny")


def test_a_search_chooses_among_windows(people: Path, tmp_path: Path) -> None:
    few = {"trials": 12, "finalists": 1}
    asked = config_for(people, window="4s,6s", stride="1s", bpm="40-199", **few)
    assert asked.period_s == 1.0
    run = go(asked, tmp_path / "run", page=True)
    document, candidates = run.document(), run.candidates()
    assert document.config == asked
    tasks = {candidate.arch.task for candidate in candidates.candidates}
    assert tasks == {Task(4, 1, 40, 199), Task(6, 1, 40, 199)}
    assert all(run.card(n).arch.task in tasks for n in run.finalists())
    rows = list(csv.DictReader((run.path / "candidates.csv").read_text().splitlines()))
    assert {row["window_s"] for row in rows} == {"4", "6"} and rows[0]["lowest_bpm"] == "40"
    page = (run.path / "report.html").read_text()
    assert "4 s every 1 s, 40-199 BPM or 6 s every 1 s, 40-199 BPM" in page
    assert "window<br>(s)" in page or "window\\u003cbr\\u003e(s)" in page
    again = resolve({"config": None, "window": "8s"}, asked)  # what is not asked stays
    assert again.windows.tasks((TASK,)) == (Task(8, 1, 40, 199),)


def test_a_supernet_is_trained_where_it_is_asked_for(people: Path, tmp_path: Path) -> None:
    asked = config_for(people, supernet=True, trials=12, finalists=1)
    run = go(asked, tmp_path / "run")
    assert run.document().config == asked
    assert "supernet = true" in (run.path / "run.toml").read_text()
    assert set(run.document().time_s) >= {"supernet", "teacher"}
    assert run.card(1).search_mae_bpm.inherited is not None
    assert resolve({"config": None, "supernet": False}, asked).supernet is False


def test_the_usual_windows_are_told_nowhere(finished: RunDir) -> None:
    files = ("run.toml", "candidates.csv")
    text = "".join((finished.path / name).read_text() for name in files)
    assert not any(name in text for name in ("window_s", "stride_s", "bpm = [", "lowest_bpm"))


def test_windows_that_cannot_be_searched_are_refused(people: Path, tmp_path: Path) -> None:
    for asked, message in (
        ({"window": "6s,7s"}, "`window` is 7 s and `stride` 2 s; allowed: a window of whole"),
        ({"window": "6s,8s", "mode": "streaming"}, "a stream is normalised over one: give one"),
        ({"stride": "1s", "mode": "streaming", "window": "4s", "rate": "2s"}, "every 1 s; leave"),
        ({"bpm": "40-200"}, "161 classes of 1 BPM; allowed: an even number"),
    ):
        with pytest.raises(PpgnasError, match=message):
            go(config_for(people, **asked), tmp_path / "run")
    assert not (tmp_path / "run").exists()
