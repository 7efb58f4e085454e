"""What a finished search leaves, and that it is left alone."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from nas.cli.search import as_text
from nas.explore.problem import room_words
from nas.run.card import FileFacts
from nas.run.config import Budgets
from nas.run.folder import RunDir, choose
from ppg.npz.folder import read_folder
from ppgnas.errors import (
    RunError,
)
from tests.nas.fakes import TAUGHT_BY
from tests.nas.search.runs import TRIALS, config_for, go


def test_the_run_directory_is_complete(finished: RunDir) -> None:
    names = {path.name for path in finished.path.iterdir() if not path.name.startswith(".")}
    assert names >= {
        "run.toml",
        "study.journal",
        "baselines.json",
        "candidates.json",
        "candidates.csv",
        "front",
        "report.html",
        "log.txt",
    }
    log = finished.log.read_text()
    assert "Reading the recordings" in log and "retraining finalists: done in" in log
    assert not finished.retrained.exists()
    assert finished.finished
    for number in finished.finalists():
        assert {path.name for path in finished.finalist(number).iterdir()} == {
            "arch.json",
            "graph.json",
            "weights.safetensors",
            "model.tflite",
            "model.onnx",
            "model.c",
            "model.h",
            "card.json",
            "predictions.csv",
            "stretches.json",
        }


def test_run_toml_says_what_was_done(finished: RunDir, people: Path) -> None:
    document = finished.document()
    assert document.command == "ppgnas search"
    assert document.config.budgets == Budgets(flash_bytes=81920)
    assert document.config.board == "stm32h743"
    assert document.synthetic is True
    assert document.people == 6
    everybody = [person for part in document.split.to_json().values() for person in part]
    assert sorted(everybody) == sorted({r.person for r in read_folder(people)})
    assert len(set(everybody)) == 6
    times = document.time_s
    assert set(times) == {"teacher", "search", "finalists", "total"}
    assert times["total"] >= times["search"]
    assert {"torch", "optuna", "python", "ppgnas"} <= set(document.versions)
    assert document.devices == ("cpu",)
    assert document.taught_by == TAUGHT_BY
    page = finished.report.read_text(encoding="utf-8")
    for told in (TAUGHT_BY.name, "2,000,000", "1 min 15 s", "1.25", "0.125", "0.062"):
        assert told in page


def test_few_search_people_are_said(finished: RunDir) -> None:
    words = "One search person chose the order of the finalists: it says nothing of others."
    page = finished.report.read_text(encoding="utf-8")
    assert words in as_text(finished) and words in page
    assert "Expected errors rest on 1 search person" in page


def test_a_budget_that_never_acts_is_said(finished: RunDir) -> None:
    candidates = finished.candidates()
    assert all(c.feasible for c in candidates.candidates)
    words = "The budget of flash never acted: the largest of 70 networks keeps it (room "
    assert words in room_words(candidates) and words in as_text(finished)
    assert words in finished.report.read_text(encoding="utf-8")


def test_candidates_are_marked(finished: RunDir) -> None:
    document = finished.candidates()
    rows = document.candidates
    assert (document.considered, len(rows)) == (TRIALS, TRIALS)
    assert document.evaluated == sum(row.mae_bpm is not None for row in rows)
    assert 0 < document.begun == sum(row.first_bpm is not None for row in rows)
    words = as_text(finished)
    assert f"{document.begun} trained briefly, to foretell the rest; " in words
    assert document.synthetic is True
    assert document.reference_point["mae_bpm"] == 30.0
    picked = [row for row in rows if row.finalist is not None]
    chosen = {row.finalist: row.arch.id for row in picked}
    assert chosen == {n: finished.card(n).id for n in finished.finalists()}
    # The others are larger networks, see `nas.explore.finalists.larger`.
    assert sum(row.on_front for row in picked) >= math.ceil(len(picked) / 4)
    best = min((row for row in rows if row.on_front), key=lambda row: row.mae_bpm or 0.0)
    assert best.finalist is not None
    with finished.candidates_csv.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["id"] for row in table] == [row.arch.id for row in rows]


def test_finalists_stand_in_the_order_of_search_people(finished: RunDir) -> None:
    cards = [finished.card(number) for number in finished.finalists()]
    assert [card.finalist for card in cards] == [1, 2, 3]
    errors = [card.search_mae_bpm.retrained_int8 for card in cards]
    assert errors == sorted(errors)


def test_a_card_agrees_with_the_files_beside_it(finished: RunDir) -> None:
    import hashlib

    card, folder = finished.card(1), finished.finalist(1)
    assert card.parity.tflite_rule_max_lsb == 0
    assert card.parity.windows > 0
    for name, facts in card.files.items():
        content = (folder / name).read_bytes()
        assert facts == FileFacts(len(content), hashlib.sha256(content).hexdigest())
    with (folder / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == card.report.windows
    assert {row["person"] for row in rows} == set(finished.document().split.report)
    error = np.mean([abs(float(row["bpm"]) - float(row["reference_bpm"])) for row in rows])
    assert error == pytest.approx(card.report.mae_bpm, abs=0.01)


def test_a_finished_run_is_left_alone(finished: RunDir, people: Path) -> None:
    calls: list[str] = []
    before = finished.report.stat().st_mtime_ns
    go(config_for(people), finished.path, calls)
    assert calls == []
    assert finished.report.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"another configuration \(`seed`: 0 in the run, 1"):
        go(config_for(people, seed=1), finished.path)


def test_the_seed_repeats_a_run(finished: RunDir, people: Path, tmp_path: Path) -> None:
    again = go(config_for(people), tmp_path / "run")
    assert again.candidates() == finished.candidates()
    for number in again.finalists():
        assert again.card(number) == finished.card(number)


def test_choose_and_search_agree_on_what_is_claimed(finished: RunDir) -> None:
    with pytest.raises(RunError, match="holds a finished run"):
        choose(finished.path, resume=False)
