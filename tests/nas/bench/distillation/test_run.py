"""A bench from recordings to records: it goes on after a kill, and never mixes two."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from distill.teachers.names import NONE
from nas.bench.distillation import laws
from nas.bench.distillation.figures import bench_figures
from nas.bench.distillation.laws import fitted_laws
from nas.bench.distillation.page import bars, bench_page, bench_text
from nas.cli.main import main
from ppgnas.errors import PpgnasError, RunError
from tests.nas.bench.distillation.made import POOL_S, TEACHER_S, FakeWorker, ask
from tests.nas.fakes import write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_people(tmp_path_factory.mktemp("distillation")))


def test_a_killed_bench_goes_on(people: str, tmp_path: Path) -> None:
    worker = FakeWorker(dies_at=5)
    with pytest.raises(KeyboardInterrupt):
        ask(people, tmp_path / "out", worker)
    assert len(worker.trained) == 5
    worker = replace(worker, dies_at=None)
    found = ask(people, tmp_path / "out", worker)
    assert len(worker.trained) == len(set(worker.trained)) == len(found.cells)
    assert {cell.seed for cell in found.cells} == {0, 1}
    assert not list((tmp_path / "out" / "cache").iterdir())

    prepared = len(worker.prepared)
    again = ask(people, tmp_path / "out", worker)
    assert (again.cells, again.grounds) == (found.cells, found.grounds)
    assert len(worker.prepared) == prepared  # no pool is drawn where no cell is missing

    more = ask(people, tmp_path / "out", worker, seeds=(0, 1, 2))
    assert len(more.cells) == len(found.cells) * 3 // 2
    assert more.document.steps == found.document.steps


def test_labels_alone_train_as_much_longer_as_the_teacher_takes(
    people: str, tmp_path: Path
) -> None:
    found = ask(people, tmp_path / "out", FakeWorker(), seeds=(0,))
    assert found.document.people["report"]
    ratio = 8 / 8  # int8 to float steps of smoke
    second_a_step = 0.01 + ratio * 0.02
    for cell, record in found.cells.items():
        seconds = 120.0 + (TEACHER_S if cell.recipe.teacher == NONE else 0.0)
        assert record.steps.float_steps == int(seconds / second_a_step)
        assert record.steps.int8_steps == record.steps.float_steps
    assert {record.pool_s for record in found.grounds.values()} == {POOL_S}


def test_rounding_after_training_takes_all_steps_in_float(people: str, tmp_path: Path) -> None:
    worker = FakeWorker()
    found = ask(people, tmp_path / "out", worker, seeds=(0,), bench="quantisation")
    assert worker.waves == [4, 2]  # one training for float and post, which rounds it afterwards
    steps = {cell.recipe.quantisation: record.steps for cell, record in found.cells.items()}
    assert steps["float"] == steps["post"]
    assert steps["post"].int8_steps == 0 < steps["aware"].int8_steps
    assert steps["post"].float_steps > steps["aware"].float_steps


def test_unlabelled_recordings_teach_where_a_row_says_so(people: str, tmp_path: Path) -> None:
    folder = write_people(tmp_path / "more", people=2, minutes=1.0, seed=9)
    worker = FakeWorker()
    asked = {"bench": "unlabelled", "unlabelled": str(folder), "teacher": "resnet-small"}
    found = ask(people, tmp_path / "out", worker, seeds=(0,), **asked)
    taught = [(each.name, each.people) for each in bench_figures(found).teachers]
    assert len(taught) == len({*taught})  # a teacher asks those with and without a label
    assert {ground.unlabelled: count for ground, count in worker.unlabelled.items()} == {
        False: 0,
        True: 2,
    }


def test_a_bench_measured_otherwise_is_not_mixed(people: str, tmp_path: Path) -> None:
    ask(people, tmp_path / "out", FakeWorker(), seeds=(0,))
    told = json.loads((tmp_path / "out" / "bench.json").read_text())["asked"]
    assert not told.keys() & {"windows", "channels", "mode"}  # a default says nothing
    with pytest.raises(RunError, match=r"measured otherwise \(`minutes`: 2\.0 there"):
        ask(people, tmp_path / "out", FakeWorker(), seeds=(0,), minutes=3.0)
    own = tmp_path / "people"
    shutil.copytree(people, own)
    min(own.rglob("*.npz")).unlink()
    with pytest.raises(RunError, match="measured otherwise"):
        ask(str(own), tmp_path / "out", FakeWorker(), seeds=(0,))


def test_the_command_is_the_one_that_asked_last(people: str, tmp_path: Path) -> None:
    for seeds in ((0,), (0, 1)):
        found = ask(people, tmp_path / "out", FakeWorker(), seeds=seeds)
    told = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert found.document.command == told["command"] == "ppgnas bench strategies --seeds 0,1"


def test_a_damaged_record_is_named(people: str, tmp_path: Path) -> None:
    ask(people, tmp_path / "out", FakeWorker(), seeds=(0,))
    for kind in ("cells", "grounds"):
        path, other = sorted((tmp_path / "out" / kind).glob("*.json"))[:2]
        whole = path.read_bytes()
        for content, message in ((b"{", ""), (other.read_bytes(), "it is of")):
            path.write_bytes(content)
            with pytest.raises(PpgnasError, match=rf"{path.name} is damaged.*{message}"):
                ask(people, tmp_path / "out", FakeWorker(), seeds=(0,))
        path.write_bytes(whole)


@pytest.mark.parametrize("bench", ["strategies", "scaling", "labels"])
def test_a_page_says_what_is_better(
    bench: str, people: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "FITS", 20)
    finished = ask(people, tmp_path / "out", FakeWorker(), bench=bench)
    found = bench_figures(finished)
    fitted = fitted_laws(finished) if finished.config.table.scaling else None
    page = bench_page(finished, found, fitted, "plot.html")
    taught = [row for row in found.rows if row.against is not None]
    for row in taught:
        assert row.raw_difference is not None
        assert row.raw_difference.bpm.value == pytest.approx(-0.5)
        assert row.raw_difference.verdict == "better"
        assert row.gap_closed is not None
    assert len(bars(found)) == len(taught)
    assert "-0.50 (-0.50 to -0.50), better" in page
    assert "**Synthetic recordings.**" in page and "[plot.html](plot.html)" in page
    assert ("## Laws" in page) == (bench == "scaling")
    assert bench_text(found).startswith("Report people, MAE in BPM (SYNTHETIC recordings):")


def test_a_comparison_of_sensors_goes_by_activity(people: str, tmp_path: Path) -> None:
    finished = ask(people, tmp_path / "out", FakeWorker(), bench="sensors")
    found = bench_figures(finished)
    alone, same, more, watch = dict.fromkeys(row.recipe for row in found.rows)
    assert [recipe.teacher for recipe in (alone, same, more)] == [
        "none",
        "resnet-small-ppg",
        "resnet-small",
    ]
    pairs = [(each.recipe, each.against) for each in found.comparisons]
    assert pairs == [(same, alone), (more, alone), (more, same), (watch, more)]
    whole, run = found.comparisons[1].activities
    assert (whole.name, run.name, run.people) == ("all", "run", 1)
    assert whole.raw.difference.bpm.value == pytest.approx(-0.5)
    assert whole.smoothed.difference.bpm.value == pytest.approx(-0.25)
    assert run.raw.difference.bpm.value == pytest.approx(-1.0)
    assert run.raw.difference.percent.value == pytest.approx(-100 / run.raw.control.value)
    assert found.comparisons[2].activities[0].raw.difference.verdict == "within noise"
    page = bench_page(finished, found, None, "plot.html")
    costs = page.partition("## What it takes")[2].partition("## Teachers")[0]
    assert costs.count("| tiny-ppg, resnet-small |") == 1  # though it has two controls
    assert "### tiny-ppg, resnet-small against tiny-ppg, labels alone" in page
    assert "| activity | resnet-small-ppg | resnet-small |" in page
    assert "| run | 2.00 (2.00 to 2.00) | 2.00 (2.00 to 2.00) |" in page
    assert "| run | 1 | " in page and "-1.00 (-1.00 to -1.00), better" in page
    drawn = bars(found)
    assert len(drawn) == len({bar.name for bar in drawn}) == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--seeds", "0,x"], "--seeds is '0,x'; allowed: numbers of 0 or more with commas"),
        (["--seeds", "0,0"], "--seeds is '0,0'; allowed: numbers of 0 or more with"),
        (["--preset", "huge"], "--preset is 'huge'; allowed: small, full"),
        (["--minutes", "0"], "--minutes is 0; it must be above 0"),
        (["--teacher", "none"], "--teacher is none, and the bench compares with labels alone"),
        (["--distill", "sof"], "--distill 'sof' names 'sof', which is no term"),
        (["--unlabelled", "."], "--unlabelled is .; the bench unlabelled needs a folder"),
        (["--jobs", "0"], "--jobs is 0; it must be at least 1"),
        (["--page", "."], "--page . is a folder"),
    ],
)
def test_a_mistake_is_one_message(
    given: list[str], message: str, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as caught:
        main(["bench", "labels", "--data", people, "--out", str(out), *given])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed
    assert not out.exists()
