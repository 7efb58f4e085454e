"""A run whose costs are known, under another board: who enters, who leaves, what is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from nas.explore.rescore import rescore
from nas.explore.rescored import SHOWN
from nas.report.rescore import markdown, rescore_page
from nas.run.card import ErrorsInTflite, InTflite, SearchErrors
from nas.run.folder import RunDir
from ppgnas.errors import BoardError, RunError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.explore.rescore.made import (
    BOARD,
    ENGINE,
    FLASH_BUDGET_BYTES,
    candidates,
    change_board,
    dominated,
    write_run,
)
from tests.nas.run.made import made_card


def with_card(run: RunDir, number: int, mae_bpm: float) -> None:
    folder = run.finalist(number)
    folder.mkdir(parents=True)
    made = made_card()
    card = replace(
        made,
        search_mae_bpm=SearchErrors(retrained_int8=mae_bpm - 0.1),
        report=replace(made.report, mae_bpm=mae_bpm),
        file="model.tflite",
        tflite=InTflite(ErrorsInTflite(mae_bpm - 0.1, 2.0), ErrorsInTflite(mae_bpm, 2.0)),
    )
    (folder / "card.json").write_text(json.dumps(card.to_json()))


def document_of(run: RunDir, **changes: Any) -> Any:
    """What `rescore --json` prints."""
    return json.loads(json.dumps(rescore(run, **changes).to_json()))


def test_under_its_own_board_nothing_changes(run: RunDir, listed: list[dict[str, Any]]) -> None:
    document = document_of(run, board=BOARD)
    front = [row["number"] for row in listed if row["on_front"]]
    assert [row["number"] for row in document["front"]["stays"]] == front
    assert document["front"]["enters"] == document["front"]["leaves"] == []
    assert document["notes"] == []
    for row in document["front"]["stays"]:
        for key, value in row["before"].items():
            assert row["after"][key] == pytest.approx(value)
    assert document["fit_without_accuracy"] == 0
    assert document["evaluated"] == document["feasible"]["after"]


def test_the_front_is_named_by_the_errors_that_make_it(
    listed: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Without intervals they are those of a run of an older version: inherited."""
    rows = [{**row, "mae_low_bpm": row["mae_bpm"]} for row in listed]
    named = (("inherited", listed), ("foretold", rows))
    for word, candidates_ in named:
        found = rescore(write_run(tmp_path / word, candidates_), board="nrf5340")
        assert found.to_json()["judged_by"] == word
        assert f"The front by {word} error had" in markdown(found)
        page = rescore_page(found)
        assert (
            f"The front by {word} error" in page and f"candidates of the front by {word}" in page
        )


@pytest.mark.parametrize(
    ("board", "engine"),
    [("nrf5340", None), ("stm32u575", None), ("stm32u575", "st-edge-ai"), (BOARD, "st-edge-ai")],
)
def test_front_equals_the_oracle(
    board: str, engine: str | None, run: RunDir, listed: list[dict[str, Any]]
) -> None:
    document = document_of(run, board=board, engine=engine)
    target, runtime = load_board(board), load_engine(engine or ENGINE)
    values = {}
    for row in listed:
        found = costing(target, runtime)(lower(Arch.from_json(row["arch"])))
        if row["mae_bpm"] is not None and found.flash_bytes <= FLASH_BUDGET_BYTES:
            values[row["number"]] = (row["mae_bpm"], found.latency_ms, found.sram_bytes)
    expected = {n for n, mine in values.items() if not dominated(list(values.values()), mine)}
    before = {row["number"] for row in listed if row["on_front"]}
    seen = document["front"]
    assert {row["number"] for row in (*seen["stays"], *seen["enters"])} == expected
    assert {row["number"] for row in seen["enters"]} == expected - before
    assert {row["number"] for row in seen["leaves"]} == before - expected
    assert document["feasible"] == {
        "before": sum(row["mae_bpm"] is not None for row in listed),
        "after": len(values),
    }


def test_a_board_too_small_for_some(
    run: RunDir, listed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = sorted((row for row in listed if row["on_front"]), key=lambda row: row["sram_bytes"])
    limit = front[len(front) // 2]["sram_bytes"]
    change_board(monkeypatch, sram_bytes=limit)
    document = document_of(run, board="stm32f767")
    leaves = {row["number"]: row for row in document["front"]["leaves"]}
    assert {row["number"] for row in front if row["sram_bytes"] > limit} <= set(leaves)
    largest = leaves[front[-1]["number"]]
    over = front[-1]["sram_bytes"] / limit - 1
    assert largest["fits"] is False
    assert largest["why"] == f"exceeds the board SRAM by {100 * over:.0f} %"
    assert largest["margins"]["board sram"] == pytest.approx(-over, abs=1e-3)
    assert all(
        not why.startswith("was not") for why in (r["why"] for r in document["front"]["enters"])
    )
    change_board(monkeypatch, sram_bytes=front[-1]["sram_bytes"] - 1)
    (*_, hardly) = document_of(run, board="stm32f767")["front"]["leaves"]
    assert hardly["why"] == "exceeds the board SRAM by 0.1 %"


def test_who_enters_because_another_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large network beats a small one in error; on a board without room for it, it goes."""
    space = SearchSpace.preset("tiny")
    rows = candidates(1)[:1]
    board, engine = load_board(BOARD), load_engine(ENGINE)
    small, large = space.smallest(), space.largest()
    made = []
    for place, (arch, mae) in enumerate(((small, 5.0), (large, 2.0))):
        found = costing(board, engine)(lower(arch))
        figures = {key: getattr(found, key) for key in SHOWN}
        changed = {"number": place, "id": arch.id, "arch": arch.to_json(), "mae_bpm": mae}
        made.append({**rows[0], **figures, **changed, "feasible": True, "on_front": mae == 2.0})
    run = write_run(tmp_path / "run", made, objectives=["mae"])
    middle = round((made[0]["sram_bytes"] + made[1]["sram_bytes"]) / 2)
    change_board(monkeypatch, sram_bytes=middle)
    front = document_of(run, board="stm32f767")["front"]
    assert [(row["number"], row["why"]) for row in front["enters"]] == [
        (0, "candidate 1, which was better in everything, does not fit")
    ]
    assert [row["number"] for row in front["leaves"]] == [1]


def test_budgets_and_margins_of_finalists(tmp_path: Path, listed: list[dict[str, Any]]) -> None:
    first, second = sorted(
        (row for row in listed if row["finalist"]), key=lambda row: row["latency_ms"]
    )
    limit_ms = (first["latency_ms"] + second["latency_ms"]) / 2
    budgets = {"flash_bytes": None, "latency_ms": limit_ms, "sram_bytes": None, "power_mw": None}
    run = write_run(tmp_path / "run", listed, budgets=budgets)
    with_card(run, first["finalist"], 2.5)
    found = {row["finalist"]: row for row in document_of(run, board=BOARD)["finalists"]}
    fast, slow = found[first["finalist"]], found[second["finalist"]]
    assert (fast["fits"], slow["fits"]) == (True, False)
    assert slow["margins"]["latency"] == pytest.approx(1 - second["latency_ms"] / limit_ms)
    assert (fast["report_mae_bpm"], fast["retrained_mae_bpm"]) == (2.5, 2.4)
    assert slow["report_mae_bpm"] is None
    estimate = fast["estimates"]["latency_ms"]
    assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert estimate["value"] == pytest.approx(fast["after"]["latency_ms"])
    assert ("latency" in fast["high_end_exceeds"]) == (estimate["high"] > limit_ms)


def test_a_budget_on_the_model_counts_weights(
    tmp_path: Path, listed: list[dict[str, Any]]
) -> None:
    weights = sorted(row["weight_bytes"] for row in listed if row["mae_bpm"] is not None)
    limit = weights[len(weights) // 2]
    budgets = {"flash_bytes": limit, "latency_ms": None, "sram_bytes": None, "power_mw": None}
    run = write_run(tmp_path / "run", listed, budgets=budgets, budget_scope="model")
    document = document_of(run, board="nrf52840")
    assert document["feasible"]["after"] == sum(weight <= limit for weight in weights)


def test_candidates_that_fit_now_but_have_no_accuracy_are_counted(
    tmp_path: Path, listed: list[dict[str, Any]]
) -> None:
    budgets = {"flash_bytes": 10**9, "latency_ms": None, "sram_bytes": None, "power_mw": None}
    run = write_run(tmp_path / "run", listed, budgets=budgets)
    document = document_of(run, board=BOARD)
    unjudged = sum(row["mae_bpm"] is None for row in listed)
    assert document["fit_without_accuracy"] == unjudged > 0
    assert f"{unjudged:,} candidates fit but have no inherited error" in markdown(
        rescore(run, board=BOARD)
    )


def test_other_cost_models_are_noted(tmp_path: Path, listed: list[dict[str, Any]]) -> None:
    changed = [{**row, "latency_ms": 1.25 * row["latency_ms"]} for row in listed]
    (note,) = document_of(write_run(tmp_path / "a", changed), board="nrf5340")["notes"]
    assert note.startswith("Costs recorded in the run are up to 20 % off what today's cost models")
    (note,) = document_of(write_run(tmp_path / "b", listed, board="gone.toml"), board=BOARD)[
        "notes"
    ]
    assert note.startswith("The run's own board gone.toml or engine tflm-cmsis-nn cannot be read")


def test_the_period_changes_power_alone(run: RunDir) -> None:
    usual, seldom = (
        document_of(run, board=BOARD, period_s=p)["front"]["stays"] for p in (None, 20.0)
    )
    for a, b in zip(usual, seldom, strict=True):
        assert b["after"]["power_mw"] < a["after"]["power_mw"]
        assert b["after"]["latency_ms"] == a["after"]["latency_ms"]


def test_errors_are_those_of_the_file_that_the_new_engine_runs(run: RunDir) -> None:
    with_card(run, 1, 2.5)
    for engine, file, *told in (
        ("ppgnas-c", "model.c", 4.0, 3.5, 2.5),
        ("tflm-cmsis-nn", "model.tflite", 2.5, 2.4, 4.0),
    ):
        found = rescore(run, board="nrf5340", engine=engine)
        row = next(row for row in found.finalists if row.finalist == 1)
        errors = [row.report_mae_bpm, row.retrained_mae_bpm, row.other_file_mae_bpm]
        assert (row.file, errors) == (file, told)
        assert f"| 1 | {file} | {told[0]:.2f} | {told[2]:.2f} |" in markdown(found)
        assert file in rescore_page(found)


def test_bad_input(tmp_path: Path, run: RunDir) -> None:
    with pytest.raises(BoardError, match="nosuchboard"):
        rescore(run, board="nosuchboard")
    with pytest.raises(RunError, match=r"holds no run \(no run\.toml\)"):
        rescore(RunDir(tmp_path), board=BOARD)
    run.candidates_json.unlink()
    with pytest.raises(
        RunError, match=r"candidates\.json does not exist: the run came to its end"
    ):
        rescore(run, board=BOARD)
