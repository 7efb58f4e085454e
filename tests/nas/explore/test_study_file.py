"""The journal of a search, as this package and as Optuna reads it."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from nas.explore.problem import Problem
from nas.explore.study import frozen_of
from nas.explore.study_file import CANDIDATES, FINALISTS, StudyFile
from nas.run.candidates import Candidate
from ppgnas.errors import RunError
from search_spaces.space import SearchSpace
from tests.nas.explore.made import COSTS

TINY = SearchSpace.preset("tiny")
PROBLEM = Problem(
    ("mae", "latency"),
    {"flash": 1024.0, "latency": 4.0},
    "total",
    {"mae_bpm": 30.0, "latency_ms": 5.0},
)
CANDIDATES_ = [
    Candidate(0, TINY.smallest(), COSTS, True, 0.1 + 0.2, 1 / 3, 0.1, 0.7, first_bpm=2 / 3),
    Candidate(1, TINY.largest(), COSTS, False, None, 1 / 3),
]


def opened(path: Path) -> StudyFile:
    return StudyFile(path, PROBLEM, TINY)


def test_the_file_gives_back_what_it_was_given(tmp_path: Path) -> None:
    with opened(tmp_path / "s.journal") as file:
        assert file.candidates() == [] and file.trials("search") == []
        file.write(CANDIDATES, CANDIDATES_)
    with opened(tmp_path / "s.journal") as file:
        assert file.candidates() == CANDIDATES_
        judged = [replace(CANDIDATES_[0], mae_bpm=0.2)]
        file.write(CANDIDATES, judged)
        assert file.candidates() == judged
    assert opened(tmp_path / "s.journal").candidates() == judged


def test_any_client_of_optuna_reads_it(tmp_path: Path) -> None:
    with opened(tmp_path / "s.journal") as file:
        for each in CANDIDATES_:
            file.add("search", frozen_of(each, TINY, PROBLEM))
        file.write(FINALISTS, [replace(CANDIDATES_[0], finalist=1)])
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "s.journal")))
    assert optuna.get_all_study_names(storage) == ["search", FINALISTS]
    study = optuna.load_study(study_name="search", storage=storage)
    assert study.metric_names == ["mae", "latency"]
    fits, large = study.trials
    assert fits.params == TINY.choices_of(TINY.smallest())
    assert fits.values == [0.1 + 0.2, 2.0] and large.values == [100.0, 2.0]
    assert fits.constraints == {"flash": 1.0, "latency": -0.5}
    assert fits.user_attrs["id"] == TINY.smallest().id
    assert fits.user_attrs["sram_bytes"] == 512.0 and fits.user_attrs["first_bpm"] == 2 / 3
    (finalist,) = optuna.load_study(study_name=FINALISTS, storage=storage).trials
    assert finalist.user_attrs["finalist"] == 1


def test_a_killed_write_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    with opened(path) as file:
        file.write(CANDIDATES, CANDIDATES_)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with opened(path) as file:
            # only the last line says that all candidates are there
            assert file.candidates() == []
            file.write(CANDIDATES, CANDIDATES_)
        assert opened(path).candidates() == CANDIDATES_


def test_it_is_written_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now_s = tmp_path / "s.journal", 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    trial = frozen_of(CANDIDATES_[0], TINY, PROBLEM)
    with opened(path) as file:
        file.add("search", trial)
        assert not path.exists()
        now_s = 1.5
        file.add("search", trial)
        lines = len(path.read_bytes().splitlines())
        file.add("search", trial)
        assert len(path.read_bytes().splitlines()) == lines
    assert len(path.read_bytes().splitlines()) == lines + 1


def edited(edit: Callable[[dict[str, object]], None]) -> Callable[[str], str]:
    def damage(line: str) -> str:
        document = json.loads(line)
        if "user_attrs" in document:
            edit(document)
        return json.dumps(document)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: "{",
        lambda line: "[1]",
        lambda line: line.replace('"op_code":4', '"op_code":99'),
        lambda line: line.replace('"op_code"', '"op"'),
        lambda line: line.replace("2.0", "9e999"),
        lambda line: "[" * 100_000,
        edited(lambda document: document.update(user_attrs={})),
        edited(lambda document: document.update(user_attrs={"id": TINY.smallest().id})),
        edited(lambda document: document.update(user_attrs=7)),
        edited(lambda document: document.update(params={"depth": 1})),
        edited(lambda document: document.update(study_id="x")),
    ],
)
def test_a_damaged_line_is_refused(damage: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    with opened(path) as file:
        file.write(CANDIDATES, CANDIDATES_)
    path.write_text("\n".join(map(damage, path.read_text().splitlines())) + "\n")
    with pytest.raises(RunError, match=r"s\.journal is damaged \([^\n]*another `out`"):
        opened(path).candidates()


@pytest.mark.parametrize(
    "damage",
    [
        edited(lambda document: document.update(user_attrs={"id": TINY.largest().id})),
        edited(lambda document: document.update(params={"rate_hz": 1})),
    ],
)
def test_a_damaged_trial_is_no_start(damage: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    with opened(path) as file:
        file.add("search", frozen_of(CANDIDATES_[0], TINY, PROBLEM))
    path.write_text("\n".join(map(damage, path.read_text().splitlines())) + "\n")
    with pytest.raises(RunError, match=r"s\.journal is damaged \("):
        opened(path).trials("search")


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_trial_that_was_taken_out_is_missed(lost: int, tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    trial = frozen_of(CANDIDATES_[0], TINY, PROBLEM)
    with opened(path) as file:
        for _ in range(4):
            file.add("search", trial)
        assert len(file.trials("search")) == 4
    assert len(opened(path).trials("search")) == 4
    lines = path.read_text().splitlines()
    trials = [index for index, line in enumerate(lines) if '"op_code":4' in line]
    del lines[trials[lost]]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match=rf"s\.journal is damaged \(trial {lost} of search is mis"):
        opened(path).trials("search")


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(b"SQLite format 3\0\xff\xfe\n")
    with pytest.raises(RunError, match="is damaged"):
        opened(path)


def test_a_full_disk_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        opened(tmp_path / "s.journal").write(CANDIDATES, CANDIDATES_)
