"""Candidates and finalists in the plane of error and cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.report.loading import RunData, load_run
from nas.report.sections.pareto import _draw_pareto, _pareto_info, knee
from nas.run.config import Budgets
from tests.nas.report.report_run import make_run
from tests.nas.report.small_run import finalist, small
from tests.nas.run.made import (
    made_candidate,
)


def test_pareto_info_sorts_candidates_into_groups() -> None:
    info = _pareto_info(
        small(
            made_candidate(0, 2.0, on_front=True),
            made_candidate(1, 3.0),
            made_candidate(2, 1.0, feasible=False),
            made_candidate(3, None),
        )
    )
    assert {k: v[:, 0].tolist() for k, v in info.groups.items()} == {
        "front": [0],
        "feasible": [1],
        "infeasible": [2],
        "unjudged": [3],
    }
    assert info.groups["front"].shape == (1, 10)
    assert info.groups["front"][0, :8].tolist() == [0, 2.0, 2.0, 2.0, 1.0, 0.1, 1.0, 0.5]
    assert info.axes["flash_bytes"].budget == 4.0
    assert info.axes["latency_ms"].budget is None
    assert info.axes["latency_ms"].front == [[2.0, 2.0]]
    assert info.first_axis == "flash_bytes"


def test_budget_of_the_model_alone_limits_the_weights() -> None:
    run = small(made_candidate(), budgets=Budgets(flash_bytes=4096, scope="model"))
    assert run.budgets == {"weight_bytes": 4096.0}
    assert run.broken_budgets(finalist(weight_bytes=5000)) == ["weight_bytes"]
    assert _pareto_info(run).axes["weight_bytes"].budget == 4.0


def test_pareto_front_is_per_cost() -> None:
    figures = ((1, 5), (2, 3), (3, 4), (4, 1))
    listed = (made_candidate(n, mae, latency_ms=ms) for n, (mae, ms) in enumerate(figures))
    info = _pareto_info(small(*listed))
    assert info.axes["latency_ms"].front == [[1, 4], [3, 2], [5, 1]]
    assert not info.axes["latency_ms"].log


def test_pareto_finalists_are_foretold_and_retrained(data: RunData) -> None:
    info = _pareto_info(data)
    first = data.finalists[0]
    drawn = _draw_pareto(info, "flash_bytes", synthetic=False)
    arrows = next(t for t in drawn.data if t.name == "foretold → retrained")
    errors, flash = first.card.search_mae_bpm, first.card.costs.flash_bytes.value / 1024
    assert arrows.y[:2] == (errors.foretold, errors.retrained_int8)
    assert arrows.x[:2] == (flash, flash)
    ended = next(t for t in drawn.data if t.name == "finalist (retrained, int8, search people)")
    assert (ended.x[0], ended.y[0], ended.text[0]) == (flash, errors.retrained_int8, "<b>1</b>")
    # Both errors of a finalist, named: who chose, and who was read at the end.
    reported = next(t for t in drawn.data if t.name == "the same on report people")
    assert (reported.x[0], reported.y[0]) == (flash, first.card.report.mae_bpm)
    assert ended.customdata[0][0] == 1
    assert ended.customdata[0][8] == first.card.report.mae_bpm == reported.customdata[0][8]


def test_the_knee_by_hand() -> None:
    # (10, 2) lies farthest below the line from (1, 16) to (100, 1)
    assert knee([100.0, 10.0, 5.0, 1.0, 50.0], [1.0, 2.0, 9.0, 16.0, 3.0]) == 1
    assert knee([1.0, 2.0], [2.0, 1.0]) is None
    assert knee([1.0, 10.0, 100.0], [100.0, 10.0, 1.0]) is None  # a straight line
    assert knee([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) is None


def test_pareto_draws_budget_and_arrows(data: RunData) -> None:
    info = _pareto_info(data)
    drawn = _draw_pareto(info, "flash_bytes", synthetic=False)
    assert [shape.x0 for shape in drawn.layout.shapes] == [80.0]
    assert _draw_pareto(info, "latency_ms", synthetic=False).layout.shapes == ()
    arrows = next(t for t in drawn.data if t.name == "foretold → retrained")
    assert len(arrows.x) == 3 * 6
    assert info.mae_range_bpm is not None
    low, high = info.mae_range_bpm
    assert all(low <= y <= high for y in arrows.y if y is not None)


def test_pareto_hover_says_the_interval(data: RunData) -> None:
    drawn = _draw_pareto(_pareto_info(data), "flash_bytes", synthetic=False)
    points = next(t for t in drawn.data if t.name == "foretold")
    assert "(foretold; 90 %: %{customdata[8]:.2f} to %{customdata[9]:.2f})" in points.hovertemplate
    number, mae, *_, low, high = points.customdata[0]
    candidate = data.candidates[int(number)]
    assert [mae, low, high] == pytest.approx(
        [candidate.mae_bpm, candidate.mae_low_bpm, candidate.mae_high_bpm]
    )


def test_pareto_front_after_retraining(data: RunData) -> None:
    drawn = _draw_pareto(_pareto_info(data), "latency_ms", synthetic=False)
    before, after = (
        next(t for t in drawn.data if t.name == f"best for this cost, {what}")
        for what in ("foretold", "retrained")
    )
    errors = [f.card.search_mae_bpm.retrained_int8 for f in data.finalists]
    assert min(after.y) == min(errors) and set(after.y) <= set(errors)
    assert list(after.y) == sorted(after.y, reverse=True) and list(after.x) == sorted(after.x)
    assert min(before.y) > min(after.y)


def test_pareto_of_an_older_version_is_inherited(tmp_path: Path) -> None:
    older = _pareto_info(load_run(make_run(tmp_path / "run", calibrated=False)))
    drawn = _draw_pareto(older, "flash_bytes", synthetic=False)
    names = {trace.name for trace in drawn.data}
    assert {"inherited → retrained", "best for this cost, inherited"} <= names
    points = next(t for t in drawn.data if t.name == "inherited")
    assert "(inherited)" in points.hovertemplate and "90 %" not in points.hovertemplate
    errors = older.finalists[0].card.search_mae_bpm
    arrows = next(t for t in drawn.data if t.name == "inherited → retrained")
    assert arrows.y[:2] == (errors.inherited, errors.retrained_int8)


def test_pareto_range_ignores_a_few_hopeless_candidates() -> None:
    good = [made_candidate(n, 2.0 + n / 50) for n in range(50)]
    info = _pareto_info(small(*good, made_candidate(50, 90.0)))
    assert info.mae_range_bpm is not None and info.mae_range_bpm[1] < 4
