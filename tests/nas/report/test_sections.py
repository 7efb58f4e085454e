"""The plain data behind each section of the report."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.report.loading import Finalist, Predictions, RunData, load_run
from nas.report.page import cost, fixed, label
from nas.report.sections.bland_altman import (
    MOST_POINTS,
    _bland_altman_info,
    _draw_limits,
    _draw_windows,
)
from nas.report.sections.finalists import _table_info
from nas.report.sections.history import _draw_history, _history_info
from nas.report.sections.layers import _layers_info
from nas.report.sections.parallel import _draw_parallel, _parallel_info
from nas.report.sections.pareto import _draw_pareto, _pareto_info
from nas.report.sections.people import _datasets_info, _draw_people, _people_info
from nas.report.sections.provenance import _provenance_info
from nas.report.sections.verdict import _verdict_info, broken_budgets
from tests.nas.report.report_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="module")
def data(run: Path) -> RunData:
    return load_run(run)


def finalist(*, number: int = 1, predictions: Predictions | None = None, **card: Any) -> Finalist:
    return Finalist(number, card, predictions)


def small(*candidates: dict[str, Any], budgets: dict[str, float] | None = None) -> RunData:
    return RunData(Path("run"), {}, {"budgets": budgets or {}}, candidates)


def test_pareto_info_sorts_candidates_into_groups() -> None:
    base = {"latency_ms": 2.0, "flash_bytes": 2048, "sram_bytes": 1024, "power_mw": 1.0}
    base |= {"weight_bytes": 512}
    run = small(
        {"number": 0, "feasible": True, "on_front": True, "mae_bpm": 2.0, **base},
        {"number": 1, "feasible": True, "on_front": False, "mae_bpm": 3.0, **base},
        {"number": 2, "feasible": False, "mae_bpm": 1.0, **base},
        {"number": 3, "feasible": False, "mae_bpm": None, **base},
        budgets={"flash_bytes": 4096},
    )
    info = _pareto_info(run)
    assert {k: v[:, 0].tolist() for k, v in info["groups"].items()} == {
        "front": [0],
        "feasible": [1],
        "infeasible": [2],
        "not evaluated": [3],
    }
    assert info["groups"]["front"].tolist() == [[0, 2.0, 2.0, 2.0, 1.0, 1.0, 0.5]]
    assert info["axes"]["flash_bytes"]["budget"] == 4.0
    assert info["axes"]["latency_ms"]["budget"] is None
    assert info["axes"]["latency_ms"]["front"] == [[2.0, 2.0]]
    assert info["first_axis"] == "flash_bytes"


def test_budget_of_the_model_alone_limits_the_weights() -> None:
    limits = {"flash_bytes": 4096.0, "latency_ms": None}
    budgets = {"budgets": {"flash_bytes": 4096, "scope": "model"}}
    run = RunData(Path("run"), budgets, {"budgets": limits})
    assert run.budgets == {"weight_bytes": 4096.0}
    heavy = finalist(weight_bytes=5000, costs={"flash_bytes": {"value": 60_000}})
    assert broken_budgets(run, heavy) == ["weight_bytes"]
    assert _pareto_info(run)["axes"]["weight_bytes"]["budget"] == 4.0


def test_pareto_front_is_per_cost() -> None:
    def one(number: int, mae: float, latency: float) -> dict[str, Any]:
        return {"number": number, "feasible": True, "mae_bpm": mae, "latency_ms": latency}

    info = _pareto_info(small(one(0, 1, 5), one(1, 2, 3), one(2, 3, 4), one(3, 4, 1)))
    assert info["axes"]["latency_ms"]["front"] == [[1, 4], [3, 2], [5, 1]]
    assert info["axes"]["flash_bytes"]["front"] == []
    assert not info["axes"]["latency_ms"]["log"]


def test_pareto_finalists_are_inherited_and_retrained(data: RunData) -> None:
    first = _pareto_info(data)["finalists"][0]
    card = data.finalists[0].card
    assert first["finalist"] == 1
    assert first["inherited_bpm"] == card["search_mae_bpm"]["inherited"]
    assert first["retrained_bpm"] == card["search_mae_bpm"]["retrained_int8"]
    assert first["flash_bytes"] == card["costs"]["flash_bytes"]["value"] / 1024


def test_pareto_draws_budget_and_arrows(data: RunData) -> None:
    info = _pareto_info(data)
    drawn = _draw_pareto(info, "flash_bytes")
    assert [shape.x0 for shape in drawn.layout.shapes] == [80.0]
    assert _draw_pareto(info, "latency_ms").layout.shapes == ()
    arrows = next(t for t in drawn.data if t.name == "inherited → retrained")
    assert len(arrows.x) == 3 * 6
    low, high = info["mae_range_bpm"]
    assert all(low <= y <= high for y in arrows.y if y is not None)


def test_pareto_range_ignores_a_few_hopeless_candidates() -> None:
    good = [{"number": n, "feasible": True, "mae_bpm": 2.0 + n / 50} for n in range(50)]
    info = _pareto_info(small(*good, {"number": 50, "feasible": True, "mae_bpm": 90.0}))
    assert info["mae_range_bpm"][1] < 4


def test_parallel_info_summarises_the_arch() -> None:
    stage = {"width": 16, "kernel": 5, "dilation": 2, "expansion": 1, "stride": 1}
    arch = {
        "acceleration": True,
        "rate_hz": 32,
        "stem_width": 8,
        "stem_kernel": 7,
        "stages": [{"depth": 2, **stage}, {"depth": 1, **stage, "width": 24}, {"depth": 0}],
        "head_width": 0,
    }
    run = small(
        {"number": 0, "mae_bpm": 2.5, "latency_ms": 1.5, "arch": arch, "on_front": True},
        {"number": 1, "mae_bpm": None, "latency_ms": 9.0, "arch": arch},
    )
    info = _parallel_info(run)
    values = dict(zip(info["axes"], info["kinds"]["all"][0], strict=True))
    assert len(info["kinds"]["all"]) == 1
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
        "Latency<br>(ms)": 1.5,
        "MAE<br>(BPM)": 2.5,
    }
    assert "finalists" not in info["kinds"]


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
    run = small(*({"number": n, "latency_ms": 1.0, "mae_bpm": e} for n, e in enumerate(errors)))
    axis = _draw_parallel(_parallel_info(run), "all").data[0].dimensions[-1]
    assert list(axis.ticktext) == shown
    assert (axis.tickvals[0], axis.tickvals[-1]) == pytest.approx(
        (np.log10(min(errors)), np.log10(max(errors)))
    )


def test_people_are_worst_first_and_unknown_last() -> None:
    people = {"a": {"mae_bpm": 1.0}, "b": {"mae_bpm": None}, "c": {"mae_bpm": 9.0, "windows": 4}}
    info = _people_info(finalist(report={"people": people, "mae_bpm": 5.0}))
    assert [p["person"] for p in info["people"]] == ["c", "a", "b"]
    drawn = _draw_people(info, synthetic=False)
    assert list(drawn.data[0].x) == [9.0, 1.0]
    assert list(drawn.layout.yaxis.ticktext) == ["c", "a"]


def test_bland_altman_of_two_people_by_hand() -> None:
    predictions = Predictions(
        np.array(["a", "a", "b", "b"]),
        np.array([60.0, 80.0, 100.0, 120.0]),
        np.array([61.0, 83.0, 100.0, 90.0]),
    )
    info = _bland_altman_info(finalist(predictions=predictions))
    assert info is not None
    assert info["mean_bpm"].tolist() == [60.5, 81.5, 100.0, 105.0]
    assert info["difference_bpm"].tolist() == [1.0, 3.0, 0.0, -30.0]
    assert [p["person"] for p in info["people"]] == ["b", "a"]
    assert info["person"].tolist() == [1, 1, 0, 0]
    spread = np.sqrt(2.0)
    assert info["people"][1]["bias_bpm"] == 2.0
    assert info["people"][1]["limits_bpm"] == pytest.approx([2 - 1.96 * spread, 2 + 1.96 * spread])
    assert info["bias_bpm"] == -6.5
    assert list(_draw_limits(info, synthetic=False).data[0].x) == [-15.0, 2.0]


def test_bland_altman_uses_the_card_and_keeps_the_farthest() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(60, 160, 9000)
    bpm = reference + rng.normal(0, 2, 9000)
    bpm[4321] = reference[4321] + 80
    predictions = Predictions(np.repeat(["a", "b", "c"], 3000), reference, bpm)
    report = {"bias_bpm": 0.25, "limits_bpm": [-4, 4.5]}
    info = _bland_altman_info(finalist(predictions=predictions, report=report))
    assert info is not None
    assert (info["bias_bpm"], info["limits_bpm"]) == (0.25, [-4.0, 4.5])
    assert len(info["mean_bpm"]) <= MOST_POINTS
    assert info["difference_bpm"].max() == pytest.approx(80)
    assert info["windows"] == 9000
    drawn = _draw_windows(info, synthetic=False)
    assert sum(len(trace.x) for trace in drawn.data) == len(info["mean_bpm"])


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


def test_datasets_info_collects_finalists() -> None:
    def card(value: float) -> dict[str, Any]:
        return {"datasets": {"bami2": {"mae_bpm": value, "mae_bpm_smoothed": 1, "people": 7}}}

    run = RunData(
        Path("run"),
        {},
        finalists=(finalist(number=1, report=card(2)), finalist(number=2, report={})),
    )
    info = _datasets_info(run)
    assert info["people"] == {"bami2": 7}
    assert [f["mae_bpm"] for f in info["finalists"]] == [{"bami2": 2.0}, {}]


def test_table_is_sorted_and_marks_budgets() -> None:
    def card(mae: float | None, flash: float) -> dict[str, Any]:
        return {
            "report": {"mae_bpm": mae},
            "search_mae_bpm": {"retrained_int8": mae},
            "costs": {"flash_bytes": {"value": flash, "low": flash - 5, "high": flash + 5}},
        }

    run = RunData(
        Path("run"),
        {"budgets": {"flash_bytes": 100}},
        finalists=(
            finalist(number=1, **card(None, 50)),
            finalist(number=2, **card(3.0, 98)),
            finalist(number=3, **card(2.0, 101)),
        ),
    )
    rows = _table_info(run)
    assert [row["finalist"] for row in rows] == [3, 2, 1]
    assert [row["over"] for row in rows] == [["flash_bytes"], [], []]
    info = _verdict_info(run)
    assert info["cards"]["best"]["finalist"] == 2
    assert info["cards"]["smallest"]["finalist"] == 1
    assert "fastest" not in info["cards"]
    assert info["cautions"] == [
        "Budget of flash kept by the estimate, not by its high end: finalist 2.",
        "Budget of flash exceeded: finalist 3.",
    ]


def test_layers_info_sums_and_finds_the_peak(data: RunData) -> None:
    info = _layers_info(data.finalists[0])
    card = data.finalists[0].card
    assert len(info["layers"]) == len(card["costs"]["layers"])
    assert info["total"]["cycles"] == pytest.approx(card["costs"]["cycles"]["value"])
    peak = next(x for x in info["layers"] if x["name"] == info["peak_layer"])
    assert peak["live_bytes"] == info["largest"]["live_bytes"]


def test_history_info() -> None:
    volumes = [0.0, 0.5, 0.5, 0.995, None, 1.0]
    run = small(*({"number": n, "hypervolume": v} for n, v in enumerate(volumes)))
    info = _history_info(run)
    assert info["trial"] == [0, 1, 2, 3, 5]
    assert info["hypervolume"] == [0.0, 0.5, 0.5, 0.995, 1.0]
    assert (info["final"], info["nearly_final_at"]) == (1.0, 3)


def test_history_axis_stays_a_share() -> None:
    """Around a constant, Plotly alone would show a range of 2."""
    run = small(*({"number": n, "hypervolume": 0.53} for n in range(3)))
    axis = _draw_history(_history_info(run)).layout.yaxis
    assert (axis.minallowed, axis.maxallowed) == (0, 1)


def test_provenance_shows_all_and_checks_people(data: RunData) -> None:
    info = _provenance_info(data)
    assert info["facts"]["seed"] == "7"
    assert info["facts"]["data fingerprint"] == "sha256:9b1c44f0a2"
    assert info["shared_people"] == []
    assert {part: len(people) for part, people in info["people"].items()} == {
        "train": 24,
        "search": 6,
        "report": 12,
    }
    assert info["time_s"]["total"] == 1410.0
    assert info["versions"]["torch"] == "2.13.0"
    assert info["rest"]["search.objectives"] == "mae, latency, sram"
    split = {"train": ["a", "b"], "report": ["b"]}
    assert _provenance_info(RunData(Path("r"), {"split": split}))["shared_people"] == ["b"]


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
