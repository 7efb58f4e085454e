"""The bench of personalisation: figures by hand, and cells that are not computed twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nas.bench.personal.run as running
from nas.bench.personal.page import bench_page, bench_text, effect, rows_of
from nas.bench.personal.run import Cell, PersonRecord, Tried, run_bench, unseen
from nas.models.names import Model, ModelError, find_model
from nas.models.train import train_model
from nas.personal.adapt import adapt, write_adapted
from nas.personal.calibration import Errors, wearer_of_model
from nas.run.config import TrainConfig
from nas.run.documents import read_kept
from nas.run.job.progress import Silent
from ppg.npz.folder import write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError
from tests.deploy.personal.shared import SPACED
from tests.nas.personal.test_adapt import train_nothing


def person(number: int, before: float, after: float, free: float) -> PersonRecord:
    errors = [Errors(100, value, value / 2) for value in (before, after, free)]
    cell = Cell("net", "0", f"s/p{number}", "s/r", "f", (5.0, 15.0), ("none", "bias"))
    rows = (
        Tried("none", 5.0, False, None, errors[0], errors[0], errors[0]),
        Tried("bias", 5.0, after != before, 900 + number, *errors),
    )
    return PersonRecord(cell, True, rows, {"head after 5 min": "too large"}, {"ppgnas": "0"})


RECORDS = [person(0, 4.0, 2.0, 2.0), person(1, 2.0, 2.0, 2.5), person(2, 3.0, 3.05, 3.05)]


def test_figures_by_hand() -> None:
    none, bias = rows_of(RECORDS)
    assert (none.kind, none.raw.percent.value, none.kept) == ("none", 0.0, 0)
    assert (bias.people, bias.kept, bias.memory_bytes) == (3, 2, 902)
    assert bias.raw.before_bpm == 3.0 and bias.raw.after_bpm == pytest.approx(7.05 / 3)
    assert bias.raw.percent.value == pytest.approx(100 * (7.05 / 9 - 1))
    assert bias.raw.percent.low < bias.raw.percent.value < bias.raw.percent.high
    assert bias.raw.worst_bpm == pytest.approx(0.05) and bias.raw.worse == 0
    assert bias.raw_unguarded.worst_bpm == 0.5 and bias.raw_unguarded.worse == 1
    assert bias.smoothed.before_bpm == 1.5


def test_an_interval_of_one_size_is_a_point() -> None:
    found = effect(np.full(5, 2.0), np.full(5, 1.0)).percent
    assert (found.low, found.value, found.high) == (-50.0, -50.0, -50.0)


def test_page() -> None:
    page = bench_page(RECORDS, rows_of(RECORDS), "ppgnas bench personalize net")
    assert "## 5 min" in page and "SYNTHETIC" in page and "net 3" in page
    assert "After 15 min nobody's recording has two minutes left." in page
    assert "Refused: head after 5 min: too large" in page
    assert "| s/p0 | 5 | 4.00 | 2.00 |" in page
    assert "5 min bias" in bench_text(RECORDS, rows_of(RECORDS))
    nothing = [replace(record, tried=()) for record in RECORDS]
    assert bench_text(nothing, []) == "Nobody was measured: head after 5 min: too large"
    nothing = [replace(record, refused={}) for record in nothing]
    assert "no recording has two minutes left to judge" in bench_text(nothing, [])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, list[Recording]]:
    folder = tmp_path_factory.mktemp("bench")
    recordings = synthesize(people=5, minutes=3.5, seed=4)
    (folder / "people").mkdir()
    for number, recording in enumerate(recordings):
        write_recording(folder / "people" / f"{number}.npz", recording)
    config = TrainConfig(data=str(folder / "people"), device="cpu")
    train_model(
        SPACED, config, folder / "model", command="t", progress=Silent(), train=train_nothing
    )
    return find_model(str(folder / "model")), recordings


def test_report_people_alone_and_each_once(
    world: tuple[Model, list[Recording]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, recordings = world
    card = model.card()
    assert card is not None and card.split is not None

    def bench() -> list[PersonRecord]:
        return run_bench(
            [model, model],
            recordings,
            tmp_path,
            minutes=(1.0, 30.0, 1.0),
            kinds=("none", "bias", "none"),
            progress=lambda done, total, note: None,
        )

    found = bench()
    assert tuple(record.cell.person for record in found) == card.split.report
    assert [(row.kind, row.minutes) for row in found[0].tried] == [("none", 1.0), ("bias", 1.0)]
    monkeypatch.setattr(running, "wearer_of_model", None)  # nothing is computed again
    assert bench() == found
    with monkeypatch.context() as patch, pytest.raises(TypeError):  # another rule: computed again
        patch.setattr(running, "ADAPTING", "another")
        bench()
    (folder,) = {file.parent for file in tmp_path.rglob("*.json")}
    document = json.loads(next(folder.iterdir()).read_text())
    del document["cell"]["made_by"]  # a file of before is read, and is of no cell of now
    old = tmp_path / "old.json"
    old.write_text(json.dumps(document))
    cell = found[0].cell
    assert read_kept(old, PersonRecord, anew=True, cell=cell) is None
    assert read_kept(old, PersonRecord, anew=True, cell=replace(cell, made_by="")) is not None


def test_a_file_with_its_card_is_the_network(
    world: tuple[Model, list[Recording]], tmp_path: Path
) -> None:
    model, recordings = world
    assert model.folder is not None
    found = [
        run_bench(
            [each], recordings, tmp_path, minutes=(1.0,), kinds=("none",), progress=lambda *_: None
        )
        for each in (model, find_model(str(model.folder / "model.tflite")))
    ]
    assert [r.tried for r in found[0]] == [r.tried for r in found[1]] != []


def test_whom_a_network_never_saw_must_be_known(world: tuple[Model, list[Recording]]) -> None:
    model, recordings = world
    with pytest.raises(ModelError, match="who trained it is not known"):
        unseen(replace(model, folder=None), recordings)
    with pytest.raises(DataError, match="none of its report people is in the recordings"):
        unseen(model, [replace(r, subject=f"new {r.subject}") for r in recordings])


def test_the_wearer_of_an_adapted_folder_is_not_new_to_it(
    world: tuple[Model, list[Recording]], tmp_path: Path
) -> None:
    model, recordings = world
    people = list(unseen(model, recordings))
    anna = next(r for r in recordings if r.person == people[0])
    wearer = wearer_of_model(model, anna)
    found = adapt(wearer, minutes=2.0, kind="bias")
    assert found.guard is not None
    kept = replace(found, guard=replace(found.guard, kept=True))
    write_adapted(tmp_path / "anna", model, wearer, kept, recording=anna.name)
    adapted = find_model(str(tmp_path / "anna"))
    if people[1:]:
        assert list(unseen(adapted, recordings)) == people[1:]
    else:
        with pytest.raises(DataError, match="none of its report people"):
            unseen(adapted, recordings)
