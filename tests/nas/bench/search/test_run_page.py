"""The Markdown page of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas.bench.search.run_page import hypervolume_after, search_page
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from tests.nas.report.report_run import make_run
from tests.nas.run.made import made_candidates


def test_hypervolume_counts_evaluations_not_trials() -> None:
    made = made_candidates()
    first, second = made.candidates
    judged = replace(second, mae_bpm=4.0, hypervolume=0.3)
    rows = replace(made, candidates=(second, first, second, judged))
    assert hypervolume_after(rows, 1) == 0.25
    assert hypervolume_after(rows, 2) == 0.3
    with pytest.raises(RunError, match="the run has 2 evaluations, 3 were asked for"):
        hypervolume_after(rows, 3)


def test_the_page_shows_every_finalist_and_says_synthetic(tmp_path: Path) -> None:
    run = RunDir(make_run(tmp_path / "run", synthetic=True))
    run.finish()
    page = search_page(run)
    assert "Synthetic recordings" in page
    for number in run.finalists():
        card = run.card(number)
        assert f"| {number} | model.tflite | {card.report.mae_bpm:.2f} (" in page
    for person in run.card(1).report.people:
        assert f"\n| {' '.join(person.split()).replace('<', '&lt;')} | " in page
    assert "<script>" not in page


def test_a_baseline_of_the_same_errors_is_compared_and_no_other(tmp_path: Path) -> None:
    runs = [
        RunDir(make_run(tmp_path / name, finalists=1, calibrated=known))
        for name, known in (("run", True), ("like", True), ("older", False))
    ]
    for run in runs:
        run.finish()
    run, like, older = runs
    assert "Hypervolume of foretold accuracy after the same" in search_page(run, like)
    with pytest.raises(
        RunError, match=r"older holds inherited errors, .*run foretold ones; their"
    ):
        search_page(run, older)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        search_page(RunDir(tmp_path))
