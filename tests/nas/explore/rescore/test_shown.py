"""What the tables, the page and the verb say of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nas.explore.rescore import report_path, rescore
from nas.explore.rescored import Names
from nas.report.boards import best_over_all, markdown_boards
from nas.report.page import cost
from nas.report.rescore import (
    _PLOT_PX,
    MOST_ROWS,
    _draw_slope,
    _slope_info,
    _spread,
    markdown,
    rescore_page,
)
from nas.run.folder import RunDir
from tests.nas.cli.leaving import leave, run_json
from tests.nas.explore.rescore.made import BOARD, ENGINE, FLASH_BUDGET_BYTES, change_board


def test_markdown_is_tables_of_equal_width(run: RunDir) -> None:
    words = markdown(rescore(run, board="stm32u575", engine="st-edge-ai"))
    assert "→ stm32u575 (st-edge-ai" in words.splitlines()[0]
    tables = [part for part in words.split("\n\n") if part.startswith("|")]
    assert tables
    for part in tables:
        assert len({line.count("|") for line in part.splitlines()}) == 1
        assert len(part.splitlines()) <= MOST_ROWS + 2


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


def test_sensors_are_those_of_every_board(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("rescore", str(run.path), "--ppg-sensor", "5mW", "--budget-scope", "total")
    boards = run_json(capsys, *asked, "--board", "nrf5340,stm32u585")["boards"]
    for name, together in zip(("nrf5340", "stm32u585"), boards, strict=True):
        alone = run_json(capsys, *asked, "--board", name)
        assert together["finalists"] == alone["finalists"]
        assert alone["finalists"] != run_json(capsys, *asked[:2], "--board", name)["finalists"]


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
    assert f"no candidate of {run.path} with an inherited error fits nrf5340" in seen.err
