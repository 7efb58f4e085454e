"""Budgets, several boards, streaming, a time a reading."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from nas.cli.search import as_text
from nas.run.job.progress import Lines
from nas.run.target import load_target
from ppgnas.errors import (
    BoardError,
    BudgetError,
    NothingFitsError,
    TaskError,
)
from ppgnas.tables import counted
from search_spaces.streaming import streamable
from tests.nas.search.runs import config_for, go


def test_a_search_for_several_boards_keeps_budgets_on_each(people: Path, tmp_path: Path) -> None:
    boards = {"board": "stm32h743,nrf5340", "latency": "3ms", "trials": 30, "finalists": 2}
    run = go(config_for(people, **boards), tmp_path / "run", page=True)
    config, candidates = run.document().config, run.candidates()
    assert candidates.board == "stm32h743" and config.also == ("nrf5340",)
    here, there = (
        load_target(name, config.engine, around=config.around) for name in ("stm32h743", "nrf5340")
    )
    for each in candidates.candidates:
        assert each.costs.latency_ms == pytest.approx(here.costs(each.arch).latency_ms)
        assert not each.feasible or there.costs(each.arch).latency_ms <= 3.0
    refused = [c for c in candidates.candidates if not c.feasible]
    assert any(each.costs.latency_ms <= 3.0 for each in refused)  # for the other board alone
    text, page = as_text(run), run.report.read_text()
    assert "| finalist | MAE search | MAE report | stm32h743 | nrf5340 |" in text
    assert "Best over all boards: finalist" in text and "Best over all boards: finalist" in page
    assert "All boards" in page


def test_a_search_in_streaming_takes_what_can_stream(people: Path, tmp_path: Path) -> None:
    few = {"trials": 12, "finalists": 1}
    asked = config_for(people, mode="streaming", space="default", **few)
    run = go(asked, tmp_path / "run")
    document, candidates = run.document(), run.candidates()
    assert document.config == asked and document.config.mode == "streaming"
    assert candidates.mode == "streaming"
    assert {streamable(candidate.arch) for candidate in candidates.candidates} == {None}
    first = candidates.candidates[0]
    target = load_target("stm32h743", "ppgnas-c", mode="streaming", around=asked.around)
    assert first.costs.latency_ms == pytest.approx(target.costs(first.arch).latency_ms)
    assert [run.card(number).mode for number in run.finalists()] == ["streaming"]
    assert "mode" not in config_for(people).to_tables()["search"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "stream"}, "`mode` is 'stream'; allowed: window, streaming"),
        ({"mode": "streaming", "rate": "4s"}, r"gives a reading every 2 s; leave `rate` out"),
    ],
)
def test_modes_that_are_none_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises((TaskError, BudgetError), match=message):
        config_for(Path("data"), **given)


def test_costs_of_a_stream_have_its_period() -> None:
    with pytest.raises(BudgetError, match=r"`rate` is 5 s, and a network that streams gives a"):
        load_target("stm32h743", "ppgnas-c", mode="streaming", period_s=5.0)


def test_an_engine_of_windows_does_not_stream(people: Path, tmp_path: Path) -> None:
    asked = config_for(people, mode="streaming", engine="tflm-cmsis-nn")
    with pytest.raises(BoardError, match="engine 'tflm-cmsis-nn' has no streaming"):
        go(asked, tmp_path / "run")


@pytest.mark.parametrize(
    ("given", "stops"),
    [
        ({"budget": "6KB"}, "`budget` stops it"),
        ({"latency": "0.001ms"}, "`latency` stops it"),
        ({"budget": "6KB", "space": "default", "student_inputs": "ppg"}, "`budget` stops it"),
        ({"board": "stm32h743,nrf5340", "latency": "1ms"}, "On nrf5340, nothing in the space"),
        ({"board": "stm32h743,nrf5340", "power": "0.0001mW"}, "`power` stops it"),
    ],
)
def test_what_fits_nothing_is_told_before_anything_is_read_or_written(
    tmp_path: Path, given: dict[str, str], stops: str
) -> None:
    """Recordings take minutes to read: these are not even there."""
    calls: list[str] = []
    with pytest.raises(NothingFitsError, match=stops):
        go(config_for(tmp_path / "none", **given), tmp_path / "run", calls)
    assert calls == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("latency", ["5ms", "0.1494ms"])  # all fit; the smallest alone does
def test_a_search_with_a_time(people: Path, tmp_path: Path, latency: str) -> None:
    config = config_for(people, time="10min", latency=latency, budget_scope="network")
    calls: list[str] = []
    said = io.StringIO()
    run = go(config, tmp_path / "run", calls, progress=Lines(said))
    found = len(run.finalists())
    assert run.finished and found and calls.count("teacher") == 1
    wanted = f"{counted(found, 'finalist')} of 3 wanted: the others"
    assert (wanted in said.getvalue()) is (found < 3)
    assert found == 1 or latency == "5ms"
    document = run.document()
    assert document.config == config and "finalists" in document.time_s
    decided = json.loads((run.path / "effort.json").read_text())
    assert decided.pop("plan")["time_s"] == config.time_s
    assert list(decided) == ["all", "first_rungs", "finalists"]
    steps = [effort["teacher_steps"] for effort in decided.values()]
    assert len(set(steps)) == 1


@pytest.mark.parametrize("step_s", [0.02, 5.0])
def test_a_late_search_trains_nobody_half_way(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """Steps take as long as was measured before, or far longer."""
    monkeypatch.setattr("tests.nas.fakes.STEP_S", step_s)
    calls: list[str] = []
    run = go(config_for(people, time="10min", budget_scope="network"), tmp_path / "run", calls)
    half_way = [call for call in calls if call.startswith("second rungs ")]
    assert len(half_way) == (4 if step_s == 0.02 else 0) and len(run.finalists()) == 3


def test_an_accelerometer_counts_where_networks_read_it(people: Path, tmp_path: Path) -> None:
    asked = {"space": "default", "trials": 30, "finalists": 1, "power": "4mW"}
    dear = config_for(people, **asked, accelerometer="5mW")
    run = go(dear, tmp_path / "dear")
    fitting = [row for row in run.candidates().candidates if row.mae_bpm is not None]
    assert fitting and not any(row.arch.acceleration for row in fitting)
    with pytest.raises(NothingFitsError):
        go(config_for(people, **asked, accelerometer="5mW", student_inputs="ppg+acc"), tmp_path)
