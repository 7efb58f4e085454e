"""The plain data behind each section of the report."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

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
from nas.report.sections.people import _draw_datasets, _draw_people, worst_first
from nas.report.sections.provenance import _facts, _rest
from nas.report.sections.verdict import _verdict_info
from nas.run.card import SearchErrors
from nas.run.config import Budgets
from nas.run.unlabelled import UnlabelledFacts
from search_spaces.arch import Arch, StageArch
from tests.nas.report.report_run import make_run
from tests.nas.report.small_run import finalist, small
from tests.nas.run.made import (
    made_candidate,
    made_card,
    made_report,
)


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
    shown = [(kinds, best.number) for kinds, best in info.by_finalist]
    assert shown == [(["best"], 2), (["smallest", "fastest"], 1)]
    assert info.cautions == [
        "Budget of flash kept by the estimate, not by its high end: finalist 2.",
        "Budget of flash exceeded: finalist 3.",
    ]


def test_the_table_has_what_the_onnx_file_errs_by() -> None:
    """And nothing of it in a run of an older version."""
    shown = finalists_section(small(finalists=(finalist(),)))
    assert shown is not None
    text = " ".join(re.sub(r"<[^>]+>", " ", shown.body).split())
    assert "model.onnx within 1 LSB, readings within 12.50 BPM, 3.80 MAE, 3.30 smoothed" in text
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
    memory = shown.figures["drawn"][data.finalists[0].key]
    assert sum(memory.data[0].width) == pytest.approx(100)
    assert memory.data[0].y == pytest.approx([each.live_bytes / 1024 for each in costs.layers])
    (note,) = [each.text for each in memory.layout.annotations if "peak" in each.text]
    assert note == f"peak: {costs.sram_bytes.peak_layer}, {peak / 1024:.1f} KB"


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
