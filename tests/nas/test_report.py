"""The data behind each section, the page as text, and runs that are unfinished or foreign."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.report import build_report, write_report
from nas.reporting.bland_altman import (
    MOST_POINTS,
    _bland_altman_info,
    _draw_limits,
    _draw_windows,
)
from nas.reporting.finalists import _table_info
from nas.reporting.history import _history_info
from nas.reporting.layers import _layers_info
from nas.reporting.loading import Finalist, Predictions, RunData, load_run
from nas.reporting.page import cost, fixed, label, name, script_json
from nas.reporting.parallel import _parallel_info
from nas.reporting.pareto import _draw_pareto, _pareto_info
from nas.reporting.people import _datasets_info, _draw_people, _people_info
from nas.reporting.provenance import _provenance_info, duration
from nas.reporting.verdict import _verdict_info, broken_budgets
from ppgnas.errors import RunError
from tests.nas.report_run import ODD_NAMES, make_run

PLOTLY_ONCE = "* plotly.js v"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self.words += data

    def ids(self, tag: str) -> list[str]:
        return [attrs["id"] or "" for seen, attrs in self.tags if seen == tag and "id" in attrs]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="module")
def data(run: Path) -> RunData:
    return load_run(run)


@pytest.fixture(scope="module")
def document(run: Path) -> str:
    return build_report(run)


def finalist(*, number: int = 1, predictions: Predictions | None = None, **card: Any) -> Finalist:
    return Finalist(number, card, predictions)


def small(*candidates: dict[str, Any], budgets: dict[str, float] | None = None) -> RunData:
    return RunData(Path("run"), {}, {"budgets": budgets or {}}, candidates)


SECTIONS = [
    "verdict",
    "finalists",
    "pareto",
    "parallel",
    "people",
    "agreement",
    "datasets",
    "layers",
    "history",
    "provenance",
]


# The page


def test_page_has_every_section_and_one_plotly(document: str) -> None:
    page = Page(document)
    assert page.ids("section") == SECTIONS
    assert document.count(PLOTLY_ONCE) == 1
    assert len(document) < 8e6
    assert "synthetic data" not in page.words


def test_page_loads_nothing(document: str) -> None:
    page = Page(document)
    linked = [attrs for _, attrs in page.tags if "src" in attrs or "srcset" in attrs]
    assert linked == []
    assert not any(tag == "link" for tag, _ in page.tags)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    assert all(str(a["href"]).startswith("#") for tag, a in page.tags if tag == "a")
    assert "showSendToCloud: false" in document


def test_large_run_stays_small(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=1500, finalists=8, people=40, windows=600)
    assert len(build_report(run).encode()) < 8e6


def test_command_of_each_finalist_names_the_run(run: Path, document: str) -> None:
    words = Page(document).words
    for number in range(1, 7):
        command = f"ppgnas export {run}:{number} --format tflite,onnx --out finalist_{number}"
        assert command in words


def test_command_is_quoted_for_a_shell(tmp_path: Path) -> None:
    run = make_run(tmp_path / "my run; rm $HOME", finalists=1, people=2, windows=20)
    (row,) = _table_info(load_run(run))
    assert row["command"].startswith(f"ppgnas export '{run}:1' --format")


def test_synthetic_is_said_wherever_a_result_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", synthetic=True, people=6, windows=50)
    document = build_report(run)
    headings = re.findall(r"<section id=\"(\w+)\">(.*?)</h2>", document)
    assert len(headings) == len(SECTIONS)
    for section in headings:
        if section[0] not in ("layers", "provenance"):
            assert "synthetic data" in section[1], section[0]
    assert document.count('class="card"') == len(
        re.findall(r'class="card"><h3>[^/]*<span class="badge">synthetic data', document)
    )
    assert "generated recordings" in document
    assert "simulated people" in document
    plots = re.findall(r'data-plot="[\w-]+">(.*?)</script>', document)
    assert len(plots) == 7
    for figures in plots:
        for drawn in json.loads(figures).values():
            texts = [note["text"] for note in drawn["layout"]["annotations"]]
            assert "synthetic data" in texts


def test_odd_names_are_inert(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", names=ODD_NAMES, people=9, windows=30, finalists=2)
    document = build_report(run)
    page = Page(document)
    assert "<script>alert(1)" not in document
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any(attr.startswith("on") for _, attrs in page.tags for attr in attrs)
    assert sum(tag == "script" for tag, _ in page.tags) == document.count("</script>")
    for odd in ODD_NAMES:
        # The parser reads entities back: what a person sees is the name itself.
        assert odd in page.words
    for figures in re.findall(r'data-plot="[\w-]+">(.*?)</script>', document):
        assert "<script>" not in json.dumps(json.loads(figures))


def test_report_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=10)
    (run / "report.html").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ppgnas.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_report(run)
    assert (run / "report.html").read_text() == "old"
    monkeypatch.undo()
    assert write_report(run) == run / "report.html"
    assert (run / "report.html").read_text() == build_report(run)
    assert not list(run.glob(".report*"))


# Unfinished and foreign runs


def test_run_before_candidates(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        '[run]\nformat = "ppgnas-run"\n[target]\nboard = "nrf5340"\n'
    )
    page = Page(build_report(tmp_path))
    assert page.ids("section") == ["verdict", "provenance"]
    assert "The search has not written its candidates yet." in page.words
    assert "nrf5340" in page.words
    assert PLOTLY_ONCE not in build_report(tmp_path)


def test_run_without_finalists(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finalists=0)
    page = Page(build_report(run))
    assert page.ids("section") == ["verdict", "pareto", "parallel", "history", "provenance"]
    assert "No finalist is finished yet" in page.words
    assert "with weights inherited from the supernet" in page.words


def test_one_finalist_of_one_person(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finalists=1, people=1, windows=1)
    page = Page(build_report(run))
    assert page.ids("section") == SECTIONS
    assert "Few report people (1)" in page.words


def test_nulls_and_missing_keys_are_dashes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=40, finalists=2, people=3, windows=10)
    path = run / "front" / "1" / "card.json"
    card = json.loads(path.read_text())
    card["report"] = {"mae_bpm": None, "people": {"a/b": {"mae_bpm": None}}}
    del card["costs"], card["parity"], card["search_mae_bpm"]
    path.write_text(json.dumps(card))
    (run / "front" / "2" / "predictions.csv").unlink()
    (run / "front" / "3").mkdir()
    page = Page(build_report(run))
    assert page.ids("section") == SECTIONS
    assert "Finalist 2 has no predictions.csv." in page.words
    assert "Finalist 3 is not finished." in page.words
    assert not re.search(r"\b(nan|None|null)\b", page.words)


def test_no_evaluated_candidate(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=10, finalists=0)
    path = run / "candidates.json"
    document = json.loads(path.read_text())
    for candidate in document["candidates"]:
        candidate.update(feasible=False, mae_bpm=None, on_front=False)
    path.write_text(json.dumps(document))
    page = Page(build_report(run))
    assert page.ids("section") == ["verdict", "pareto", "history", "provenance"]


def break_format(run: Path) -> None:
    (run / "candidates.json").write_text('{"format": "something", "version": 1}')


def break_version(run: Path) -> None:
    (run / "candidates.json").write_text('{"format": "ppgnas-candidates", "version": 9}')


def break_list(run: Path) -> None:
    (run / "candidates.json").write_text('{"format": "ppgnas-candidates", "version": 1}')


def break_json(run: Path) -> None:
    path = run / "front" / "1" / "card.json"
    path.write_bytes(path.read_bytes()[:100])


def break_encoding(run: Path) -> None:
    (run / "front" / "1" / "card.json").write_bytes(b"\xff\xfe\x00")


def break_toml(run: Path) -> None:
    (run / "run.toml").write_text("[run\n")


def break_owner(run: Path) -> None:
    (run / "run.toml").write_text("[tool.other]\n")


def break_columns(run: Path) -> None:
    (run / "front" / "1" / "predictions.csv").write_text("person,hr\na,3\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_format, r"candidates.json has format 'something'; expected 'ppgnas-candidates'"),
        (break_version, r"has version 9; this ppgnas reads version 1; use the ppgnas that wrote"),
        (break_list, r"has no list of candidates; pass a folder that `ppgnas search` wrote"),
        (break_json, r"card.json is not JSON .* run the search again"),
        (break_encoding, r"card.json cannot be read"),
        (break_toml, r"run.toml is damaged"),
        (break_owner, r"run.toml is not a ppgnas run \(no format = 'ppgnas-run'"),
        (break_columns, r"predictions.csv has no column bpm, reference_bpm"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=5)
    damage(run)
    with pytest.raises(RunError, match=message):
        build_report(run)


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere is not a folder; pass a folder that"):
        build_report(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds no run \(no run\.toml\); pass a folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The data behind the sections


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
        "Latency<br>(ms)": 1.5,
        "MAE<br>(BPM)": 2.5,
    }
    assert "finalists" not in info["kinds"]


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
        "Finalist 2 keeps the budget of flash by the estimate, not by its high end.",
        "Finalist 3 exceeds the budget of flash.",
    ]


def test_verdict_cautions_about_files_and_people() -> None:
    run = RunData(
        Path("run"),
        {},
        finalists=(
            finalist(
                report={"mae_bpm": 2.0, "people": {"a": {}, "b": {}}},
                parity={"tflite_max_lsb": 3},
                costs={"in_calibrated_range": False},
            ),
        ),
    )
    assert _verdict_info(run)["cautions"] == [
        "Finalist 1: its TFLite file is up to 3 LSB off the reference.",
        "Finalist 1 lies outside the range in which its costs were calibrated.",
        "Few report people (2): the interval of the MAE says little.",
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


def test_durations_and_numbers() -> None:
    assert [duration(s) for s in (0.04, 59.9, 60, 3599.6, 7260)] == [
        "0.0 s",
        "59.9 s",
        "1 min 00 s",
        "1 h 00 min",
        "2 h 01 min",
    ]
    assert fixed(None) == "\u2013"
    assert fixed(1234.5678, 1, unit="KB") == "1,234.6 KB"
    assert fixed(0.0004, 2) == "0.0004"
    assert fixed(0.0) == "0.00"
    assert cost("flash_bytes", 81920) == "80.0 KB"


def test_labels_are_one_short_inert_line() -> None:
    assert label("a\n\u202eb & <i>") == "a b &amp; &lt;i&gt;"
    assert label("x" * 90) == "x" * 16 + "…" + "x" * 9
    assert label(" \n") == "(no name)"
    assert name("<b>") == "<bdi>&lt;b&gt;</bdi>"
    assert json.loads(script_json('"</script>&\u2028"')) == "</script>&\u2028"
    assert "<" not in script_json('"</script>"')
