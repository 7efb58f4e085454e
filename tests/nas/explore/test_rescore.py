"""A run whose costs are known, under another board: who enters, who leaves, what is left."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas.run.target
from hwmodels.boards import Board, load_board
from hwmodels.costs import costs
from hwmodels.engines.load import load_engine
from nas.cli.main import main
from nas.explore.rescore import report_path, rescore
from nas.explore.rescored import SHOWN, Names
from nas.report.boards import best_over_all, markdown_boards
from nas.report.page import cost
from nas.report.rescore import _PLOT_PX, _draw_slope, _slope_info, _spread, rescore_page
from nas.report.rescore_text import MOST_ROWS, markdown
from nas.run.card import ErrorsInTflite, InTflite, SearchErrors
from nas.run.folder import RunDir
from ppgnas.errors import BoardError, RunError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.run.made import made_card, run_document

BOARD, ENGINE = "stm32h743", "tflm-cmsis-nn"
FLASH_BUDGET_BYTES = 81920


def dominated(values: Sequence[tuple[float, ...]], mine: tuple[float, ...]) -> bool:
    return any(
        all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in values
    )


def candidates(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Random architectures, costed on the run's board, with made-up errors where they fit."""
    rng, space = random.Random(seed), SearchSpace.preset("default")
    board, engine = load_board(BOARD), load_engine(ENGINE)
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < count:
        arch = space.sample(rng)
        if arch.id in rows:
            continue
        found = costs(lower(arch), board, engine)
        fits = found.flash_bytes <= FLASH_BUDGET_BYTES
        rows[arch.id] = {
            "number": len(rows),
            "id": arch.id,
            "arch": arch.to_json(),
            "feasible": fits,
            "mae_bpm": 3 + rng.expovariate(1) + 2e5 / found.macs if fits else None,
            "latency_ms": found.latency_ms,
            "flash_bytes": round(found.flash_bytes),
            "sram_bytes": round(found.sram_bytes),
            "power_mw": found.power_mw,
            "energy_mj": found.energy_mj,
            "weight_bytes": found.weight_bytes,
            "macs": found.macs,
            "hypervolume": 0.5,
            "on_front": False,
            "finalist": None,
        }
    listed = list(rows.values())
    judged = [row for row in listed if row["mae_bpm"] is not None]
    values = [(row["mae_bpm"], row["latency_ms"], row["sram_bytes"]) for row in judged]
    for row, mine in zip(judged, values, strict=True):
        row["on_front"] = not dominated(values, mine)
    front = [row for row in judged if row["on_front"]]
    for finalist, row in enumerate(front[:2], start=1):
        row["finalist"] = finalist
    return listed


def write_run(path: Path, listed: list[dict[str, Any]], **changes: Any) -> RunDir:
    document = {
        "format": "ppgnas-candidates",
        "version": 1,
        "objectives": ["mae", "latency", "sram"],
        "budgets": {
            "flash_bytes": FLASH_BUDGET_BYTES,
            "latency_ms": None,
            "sram_bytes": None,
            "power_mw": None,
        },
        "budget_scope": "total",
        "board": BOARD,
        "engine": ENGINE,
        "synthetic": False,
        "considered": len(listed),
        "evaluated": sum(row["mae_bpm"] is not None for row in listed),
        "reference_point": {"mae_bpm": 30.0, "latency_ms": 10.0, "sram_bytes": 60_000},
        "candidates": listed,
        **changes,
    }
    path.mkdir(parents=True)
    run = RunDir(path)
    run.write_document(run_document(finished="2026-11-21T02:53:45+00:00"))
    run.candidates_json.write_text(json.dumps(document))
    return run


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


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    return candidates(250)


@pytest.fixture
def run(tmp_path: Path, listed: list[dict[str, Any]]) -> RunDir:
    return write_run(tmp_path / "run", listed)


def document_of(run: RunDir, **changes: Any) -> Any:
    """What `rescore --json` prints."""
    return json.loads(json.dumps(rescore(run, **changes).to_json()))


def change_board(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Boards that are loaded for a rescore differ in these figures."""

    def load(name: str) -> Board:
        found = load_board(name)
        return found if name == BOARD else replace(found, **changes)

    monkeypatch.setattr(nas.run.target, "load_board", load)


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
        found = costs(lower(Arch.from_json(row["arch"])), target, runtime)
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
        found = costs(lower(arch), board, engine)
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
    assert f"{unjudged:,} candidates fit but were never evaluated" in markdown(
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


def test_markdown_is_tables_of_equal_width(run: RunDir) -> None:
    words = markdown(rescore(run, board="stm32u575", engine="st-edge-ai"))
    assert "→ stm32u575 (st-edge-ai" in words.splitlines()[0]
    tables = [part for part in words.split("\n\n") if part.startswith("|")]
    assert tables
    for part in tables:
        assert len({line.count("|") for line in part.splitlines()}) == 1
        assert len(part.splitlines()) <= MOST_ROWS + 2


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


def test_markdown_holds_the_bounds_of_the_document(run: RunDir) -> None:
    found = rescore(run, board="nrf5340")
    words = markdown(found)
    for row in found.finalists:
        assert row.estimates is not None
        for key in ("latency_ms", "flash_bytes", "sram_bytes", "energy_mj", "power_mw"):
            low, high = (cost(key, row.estimates[key][end], bare=True) for end in ("low", "high"))
            assert f"{cost(key, row.after[key])} ({low} to {high})" in words
    assert "Between readings nrf5340 sleeps at " in words
    assert "Between readings nrf5340 sleeps at " in rescore_page(found)


def test_slope_info_is_what_was_found(run: RunDir) -> None:
    found = rescore(run, board="nrf5340")
    info = _slope_info(found)
    assert (info.left, info.right) == (BOARD, "nrf5340")
    assert [row for row, kind in info.lines if kind == "finalist"] == list(found.finalists)
    front = found.front
    shown = (*front.stays, *front.enters, *front.leaves, *found.finalists)
    assert len(info.lines) == len({row.number for row in shown})
    assert info.budgets == {"flash_bytes": FLASH_BUDGET_BYTES}
    assert _draw_slope(info, "latency_ms").layout.yaxis.type == "log"


def test_labels_keep_their_order_and_distance() -> None:
    placed = _spread([100.0, 101.0, 300.0, 99.0])
    assert placed == [116.0, 133.0, 300.0, 99.0]
    crowded = _spread([_PLOT_PX] * 3)
    assert max(crowded) == _PLOT_PX and sorted(crowded) == crowded


def test_slopes_are_drawn_as_they_are(run: RunDir) -> None:
    info = _slope_info(rescore(run, board="nrf5340"))
    drawn = _draw_slope(info, "flash_bytes")
    for (row, kind), trace in zip(info.lines, drawn.data, strict=True):
        assert list(trace.y) == [row.before["flash_bytes"] / 1024, row.after["flash_bytes"] / 1024]
        assert ("markers" in trace.mode) == (kind == "finalist")
    texts = [note.text for note in drawn.layout.annotations]
    assert texts[:2] == [f"<b>{BOARD}</b>", "<b>nrf5340</b>"]
    assert texts[2:4] == ["Flash (KB), linear", "budget 80.0 KB"]
    assert len(texts) == 4 + 2 * sum(kind == "finalist" for _, kind in info.lines)


def test_the_page_holds_a_chart_a_cost_and_inert_names(run: RunDir) -> None:
    found = rescore(run, board="nrf5340")
    page = rescore_page(replace(found, run="<script>alert(1)</script>"))
    (figures,) = re.findall(r'data-plot="plot-slope">(.*?)</script>', page)
    charted = ["latency_ms", "energy_mj", "power_mw", "flash_bytes", "sram_bytes"]
    assert list(json.loads(figures)) == charted
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; on nrf5340</h1>" in page


def test_path_of_the_page(run: RunDir) -> None:
    before = Names("a", "e")
    assert report_path(run, before, Names("../x y", "e")).name == "rescore-.._x_y.html"
    other = Names("b", "st-edge-ai")
    assert report_path(run, before, other).name == "rescore-b-st_edge_ai.html"


def damaged(listed: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    return [listed[0], {**listed[1], **changes}]


def test_bad_input(tmp_path: Path, run: RunDir, listed: list[dict[str, Any]]) -> None:
    with pytest.raises(BoardError, match="nosuchboard"):
        rescore(run, board="nosuchboard")
    with pytest.raises(RunError, match=r"holds no run \(no run\.toml\)"):
        rescore(RunDir(tmp_path), board=BOARD)
    run.candidates_json.unlink()
    with pytest.raises(
        RunError, match=r"candidates\.json does not exist: the run is not complete"
    ):
        rescore(run, board=BOARD)
    for place, (rows, message) in enumerate(
        (
            ([], r"candidates: Tuple should have at least 1 item"),
            (damaged(listed, arch={"stages": 3}), r"candidates\.1\.arch\.\w+: Field required"),
            (damaged(listed, number=None), r"candidates\.1\.number: .* integer, found None"),
            ([{"number": 0}], r"candidates\.0\.arch: Field required\); pass a folder that"),
        )
    ):
        made = write_run(tmp_path / f"bad{place}", rows, evaluated=0) if not rows else None
        if made is None:
            made = write_run(tmp_path / f"bad{place}", listed)
            document = json.loads(made.candidates_json.read_text())
            made.candidates_json.write_text(json.dumps({**document, "candidates": rows}))
        with pytest.raises(RunError, match=message):
            rescore(made, board=BOARD)
    changed: list[tuple[dict[str, Any], str]] = [
        ({"format": "other"}, r"format is 'other', version 1; allowed: 'ppgnas-candidates'"),
        ({"version": 2}, r"version 2; allowed"),
        (
            {"objectives": ["mae", "beauty"]},
            r"objectives\.1: Input should be 'mae', .*, found 'beauty'",
        ),
    ]
    for place, (changes, message) in enumerate(changed):
        made = write_run(tmp_path / f"worse{place}", listed, **changes)
        with pytest.raises(RunError, match=message):
            rescore(made, board=BOARD)


def leave(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_verb(run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("rescore", str(run.path), "--board", "nrf5340") == 0
    words = capsys.readouterr().out
    assert words.startswith(f"# {run.path}: {BOARD} ({ENGINE}) → nrf5340 ({ENGINE})")
    page = run.path / "rescore-nrf5340.html"
    assert str(page) in words and page.is_file()
    out = tmp_path / "there" / "page.html"
    options = ["--board", "nrf5340", "--out", str(out), "--rate", "4s", "--json"]
    assert leave("rescore", str(run.path), *options) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["report"], document["period_s"]) == (str(out), 4.0)
    assert out.is_file()


def test_several_boards_are_one_table(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("nrf5340", "stm32u585", BOARD)
    options = ["--board", ", ".join(names)]
    assert leave("rescore", str(run.path), *options) == 0
    words = capsys.readouterr().out
    assert f"| {' | '.join(names)} |" in words.splitlines()[0]
    assert all((run.path / f"rescore-{name}.html").is_file() for name in names[:2])
    assert leave("rescore", str(run.path), *options, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    boards = document["boards"]
    assert [each["after"]["board"] for each in boards] == [*names]
    best = document["best_over_all"]
    fitting = [
        rows[0]
        for rows in zip(*(each["finalists"] for each in boards), strict=True)
        if all(row["fits"] for row in rows)
    ]
    least = min(fitting, key=lambda row: row["retrained_mae_bpm"] or row["mae_bpm"])
    assert best == least["finalist"] and f"Best over all boards: finalist {best}," in words
    out = str(tmp_path / "page.html")
    assert leave("rescore", str(run.path), *options, "--out", out) == 2
    assert "--out names one page, and there are 3 boards" in capsys.readouterr().err


def test_who_breaks_a_limit_on_one_board_does_not_suit_all(run: RunDir) -> None:
    one, other = rescore(run, board=BOARD), rescore(run, board="nrf5340")
    best = best_over_all([one, other])
    assert best is not None
    broken = tuple(replace(r, fits=r.finalist != best.finalist) for r in other.finalists)
    second = best_over_all([one, replace(other, finalists=broken)])
    assert second is not None and second.finalist != best.finalist
    none = tuple(replace(row, fits=False) for row in other.finalists)
    assert best_over_all([one, replace(other, finalists=none)]) is None
    assert "No finalist fits every board." in markdown_boards(
        [one, replace(other, finalists=none)]
    )


def test_the_verb_on_bad_input(
    run: RunDir,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert leave("rescore", str(run.path)) == 2
    assert leave("rescore", str(run.path), "--board", "nosuchboard") == 2
    assert leave("rescore", str(tmp_path), "--board", BOARD) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(run.path.glob("*.html"))
    change_board(monkeypatch, sram_bytes=1024)
    assert leave("rescore", str(run.path), "--board", "nrf5340") == 3
    seen = capsys.readouterr()
    assert "Of " in seen.out and "0 fit nrf5340" in seen.out
    assert f"no evaluated candidate of {run.path} fits nrf5340" in seen.err
