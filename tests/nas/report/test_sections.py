"""The plain data behind each section of the report."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.report.figures import label
from nas.report.loading import Finalist, Predictions, RunData, load_run
from nas.report.page import cost, fixed
from nas.report.sections.bland_altman import (
    MOST_POINTS,
    _bland_altman_info,
    _draw_limits,
    _draw_windows,
)
from nas.report.sections.finalists import best_first, finalists_section
from nas.report.sections.history import _draw_history, _nearly_final
from nas.report.sections.layers import layers_section
from nas.report.sections.parallel import _draw_parallel, _parallel_info
from nas.report.sections.pareto import _draw_pareto, _pareto_info, knee
from nas.report.sections.people import _draw_datasets, _draw_people, worst_first
from nas.report.sections.provenance import _facts, _rest
from nas.report.sections.verdict import _verdict_info
from nas.run.candidates import Candidate
from nas.run.card import SearchErrors
from nas.run.config import Budgets, SearchConfig
from nas.run.unlabelled import UnlabelledFacts
from search_spaces.arch import Arch, StageArch
from tests.nas.report.report_run import make_run
from tests.nas.run.made import (
    made_candidate,
    made_candidates,
    made_card,
    made_report,
    run_document,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="module")
def data(run: Path) -> RunData:
    return load_run(run)


def finalist(*, number: int = 1, predictions: Predictions | None = None, **card: Any) -> Finalist:
    return Finalist(number, made_card(finalist=number, **card), predictions)


def small(*candidates: Candidate, budgets: Budgets | None = None, **parts: Any) -> RunData:
    document = run_document(config=SearchConfig(budgets=budgets or Budgets(flash_bytes=4096)))
    search = replace(made_candidates(), candidates=candidates) if candidates else None
    return RunData(Path("run"), document, search, **parts)


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
        "not evaluated": [3],
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
    points = next(t for t in drawn.data if t.name == "evaluated")
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
    points = next(t for t in drawn.data if t.name == "evaluated")
    assert "(inherited)" in points.hovertemplate and "90 %" not in points.hovertemplate
    errors = older.finalists[0].card.search_mae_bpm
    arrows = next(t for t in drawn.data if t.name == "inherited → retrained")
    assert arrows.y[:2] == (errors.inherited, errors.retrained_int8)


def test_pareto_range_ignores_a_few_hopeless_candidates() -> None:
    good = [made_candidate(n, 2.0 + n / 50) for n in range(50)]
    info = _pareto_info(small(*good, made_candidate(50, 90.0)))
    assert info.mae_range_bpm is not None and info.mae_range_bpm[1] < 4


def test_parallel_info_summarises_the_arch() -> None:
    stage = StageArch(2, 16, 5, 2, 1, 1, False)
    none = StageArch(0, 0, 0, 0, 0, 0, False)
    arch = Arch(True, 32, 8, 7, (stage, replace(stage, depth=1, width=24), none), "avg", 0)
    run = small(
        made_candidate(0, 2.5, latency_ms=1.5, arch=arch, on_front=True),
        made_candidate(1, None, arch=arch),
    )
    info = _parallel_info(run)
    assert info is not None
    values = dict(zip(info.axes, info.kinds["all"][0].tolist(), strict=True))
    assert len(info.kinds["all"]) == 1
    assert values == {
        "rate<br>(Hz)": 32,
        "input<br>channels": 4,
        "stem<br>width": 8,
        "blocks": 3,
        "widest<br>stage": 24,
        "largest<br>kernel": 5,
        "largest<br>dilation": 2,
        "largest<br>expansion": 1,
        "head<br>width": 0,
        "head<br>spacing": 1,
        "pooled<br>(s)": 8.0,
        "Latency<br>(ms)": 1.5,
        "Flash<br>(KB)": 2.0,
        "SRAM<br>(KB)": 1.0,
        "Energy<br>(mJ)": 0.1,
        "Weights<br>(KB)": 0.5,
        "MAE<br>(BPM)": 2.5,
    }
    assert "finalists" not in info.kinds


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ([5.157, 6.0, 39.9], ["5.16", "7", "10", "20", "39.9"]),
        ([0.98, 30.0, 51.2], ["0.98", "1.5", "2", "3", "5", "7", "10", "20", "51.2"]),
        ([2.0, 2.0], ["2"]),
    ],
)
def test_parallel_mae_axis_reaches_the_best_and_the_worst(
    errors: list[float], shown: list[str]
) -> None:
    """Plotly draws an axis from its first tick to its last."""
    info = _parallel_info(small(*(made_candidate(n, e) for n, e in enumerate(errors))))
    assert info is not None
    axis = _draw_parallel(info, "all", synthetic=False).data[0].dimensions[-1]
    assert list(axis.ticktext) == shown
    assert (axis.tickvals[0], axis.tickvals[-1]) == pytest.approx(
        (np.log10(min(errors)), np.log10(max(errors)))
    )


def test_people_are_worst_first() -> None:
    report = made_report({"a/a": 1.0, "a/c": 9.0})
    assert [person for person, _ in worst_first(report)] == ["a/c", "a/a"]
    drawn = _draw_people(report, synthetic=False)
    assert list(drawn.data[0].x) == [9.0, 1.0]
    assert list(drawn.layout.yaxis.ticktext) == ["a/c", "a/a"]


def test_bland_altman_of_two_people_by_hand() -> None:
    predictions = Predictions(
        np.array(["a", "a", "b", "b"]),
        np.array([60.0, 80.0, 100.0, 120.0]),
        np.array([61.0, 83.0, 100.0, 90.0]),
    )
    info = _bland_altman_info(finalist(predictions=predictions))
    assert info is not None
    assert info.mean_bpm.tolist() == [60.5, 81.5, 100.0, 105.0]
    assert info.difference_bpm.tolist() == [1.0, 3.0, 0.0, -30.0]
    assert [p.person for p in info.people] == ["b", "a"]
    assert info.person.tolist() == [1, 1, 0, 0]
    spread = np.sqrt(2.0)
    assert info.people[1].bias_bpm == 2.0
    assert info.people[1].limits_bpm == pytest.approx([2 - 1.96 * spread, 2 + 1.96 * spread])
    assert info.bias_bpm == 0.25  # the card's
    assert list(_draw_limits(info, synthetic=False).data[0].x) == [-15.0, 2.0]


def test_bland_altman_uses_the_card_and_keeps_the_farthest() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(60, 160, 9000)
    bpm = reference + rng.normal(0, 2, 9000)
    bpm[4321] = reference[4321] + 80
    predictions = Predictions(np.repeat(["a", "b", "c"], 3000), reference, bpm)
    info = _bland_altman_info(finalist(predictions=predictions))
    assert info is not None
    assert (info.bias_bpm, info.limits_bpm) == (0.25, (-4.0, 4.5))
    assert len(info.mean_bpm) <= MOST_POINTS
    assert info.difference_bpm.max() == pytest.approx(80)
    assert info.windows == 9000
    drawn = _draw_windows(info, synthetic=False)
    assert sum(len(trace.x) for trace in drawn.data) == len(info.mean_bpm)


def test_bland_altman_without_predictions() -> None:
    empty = Predictions(np.array([], dtype=str), np.array([]), np.array([]))
    assert _bland_altman_info(finalist()) is None
    assert _bland_altman_info(finalist(predictions=empty)) is None


def test_predictions_skip_unreadable_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=3)
    path = run / "front" / "1" / "predictions.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["person", "reference_bpm", "bpm"])
        writer.writerows(
            [["a,\n\u2028b", 60, 61], ["c", "", 61], ["c", "x", 61], ["c", 60, "nan"]]
        )
    predictions = load_run(run).finalists[0].predictions
    assert predictions is not None
    assert predictions.person.tolist() == ["a,\n\u2028b"]
    assert predictions.bpm.tolist() == [61.0]


def test_data_sets_of_all_finalists() -> None:
    run = small(
        finalists=(
            finalist(number=1, report=made_report({"a/1": 2.0, "a/2": 4.0})),
            finalist(number=2, report=replace(made_report({"b/1": 2.0}), datasets={})),
        )
    )
    drawn = _draw_datasets(run, lambda errors: errors.mae_bpm)
    assert list(drawn.layout.yaxis.ticktext) == ["a<br>2 people"]
    assert [list(trace.x) for trace in drawn.data] == [[3.0], [None]]


def test_table_is_sorted_and_marks_budgets() -> None:
    def one(number: int, mae: float, flash: int) -> Finalist:
        costs = made_card().costs
        bounds = replace(costs.flash_bytes, value=flash, low=flash - 5, high=flash + 5)
        return finalist(
            number=number,
            report=replace(made_report({f"a/{n}": mae for n in range(5)})),
            search_mae_bpm=SearchErrors(retrained_int8=mae),
            costs=replace(costs, flash_bytes=bounds),
        )

    run = small(
        budgets=Budgets(flash_bytes=100),
        finalists=(one(1, 9.0, 50), one(2, 3.0, 98), one(3, 2.0, 101)),
    )
    rows = best_first(run)
    assert [row.number for row in rows] == [3, 2, 1]
    assert [run.broken_budgets(row) for row in rows] == [["flash_bytes"], [], []]
    assert [run.broken_budgets(row, "high") for row in rows[1:]] == [["flash_bytes"], []]
    info = _verdict_info(run)
    assert {key: best.number for key, best in info.cards.items()} == {
        "best": 2,
        "smallest": 1,
        "fastest": 1,
    }
    assert info.cautions == [
        "Budget of flash kept by the estimate, not by its high end: finalist 2.",
        "Budget of flash exceeded: finalist 3.",
    ]


def test_the_table_has_what_the_onnx_file_errs_by() -> None:
    """And nothing of it in a run of an older version."""
    shown = finalists_section(small(finalists=(finalist(),)))
    assert shown is not None
    text = " ".join(re.sub(r"<[^>]+>", " ", shown.body).split())
    assert "model.onnx within 1 LSB, 12.50 BPM 3.80 MAE, 3.30 smoothed" in text
    older = finalists_section(small(finalists=(finalist(onnx=None),)))
    assert older is not None and "model.onnx" not in older.body


def test_layers_are_added_up_and_the_peak_is_marked(data: RunData) -> None:
    shown = layers_section(data)
    assert shown is not None
    panel = shown.body.split("<div data-panel=")[1]
    costs = data.finalists[0].card.costs
    assert panel.count('<tr><th scope="row">') == len(costs.layers) + 1
    assert panel.count("sets the SRAM peak") == 1
    total = panel[panel.index(">total</th>") :]
    for column in ("cycles", "macs", "weight_bytes"):
        added = sum(getattr(layer, column) for layer in costs.layers)
        assert f"<td>{fixed(added, 0)}</td>" in total
    peak = max(layer.live_bytes for layer in costs.layers)
    assert f"<td>peak {fixed(peak, 0)}</td>" in total


def test_history_says_when_it_was_nearly_there() -> None:
    volumes = [0.0, 0.5, 0.5, 0.995, 1.0]
    assert _nearly_final([made_candidate(n, hypervolume=v) for n, v in enumerate(volumes)]) == 3
    assert _nearly_final([made_candidate(0, hypervolume=0.0)]) is None


def test_history_axis_stays_a_share() -> None:
    """Around a constant, Plotly alone would show a range of 2."""
    axis = _draw_history(small(made_candidate(0), made_candidate(1))).layout.yaxis
    assert (axis.minallowed, axis.maxallowed) == (0, 1)


def test_provenance_shows_all(data: RunData) -> None:
    facts, rest = _facts(data), _rest(data)
    assert facts["seed"] == "7"
    assert facts["data fingerprint"] == "sha256:9b1c44f0a2"
    assert rest["search.objectives"] == "mae, latency, sram"
    assert not any(key.startswith(("split", "versions", "time_s", "taught_by")) for key in rest)
    whose = UnlabelledFacts(source="ward", fingerprint="1", recordings=40, people=35, hours=32.24)
    document = replace(data.document, unlabelled=whose)
    told = _facts(replace(data, document=document))
    assert told.pop("labelled by the teacher alone") == "35 people, 32.2 h of ward"
    assert told == facts


def test_numbers() -> None:
    assert fixed(None) == "\u2013"
    assert fixed(1234.5678, 1, unit="KB") == "1,234.6 KB"
    assert fixed(0.0004, 2) == "0.0004"
    assert fixed(0.0) == "0.00"
    assert cost("flash_bytes", 81920) == "80.0 KB"


def test_labels_are_one_short_inert_line() -> None:
    assert label("a\n\u202eb & <i>") == "a b &amp; &lt;i&gt;"
    assert label("x" * 90) == "x" * 16 + "…" + "x" * 9
    assert label(" \n") == "(no name)"
