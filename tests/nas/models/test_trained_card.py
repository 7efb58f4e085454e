"""What the card of a trained model says."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from distill.evaluation import Retrained, predict_windows
from hwmodels.boards import load_board
from hwmodels.engines.load import load_engine
from hwmodels.path import Surroundings
from hwmodels.scorecard import score
from nas.cli.main import main
from nas.models.evaluate import evaluate
from nas.models.export import _speed, export_files
from nas.models.names import find_model
from nas.run.card import Card, CardCosts, InC
from nas.run.config import TrainConfig
from nas.run.job.progress import Lines
from nas.run.people import People, read_source
from nas.run.target import load_target
from ppg.npz.folder import write_recording
from ppg.people.metrics import mean_over_people
from ppg.windows import windows_of
from ppgnas.errors import (
    DataError,
    GraphError,
    SpaceError,
)
from ppgnas.task import Mode
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.published import published
from tests.nas.fakes import fake_net, write_one_person_twice, write_people
from tests.nas.models.trained import ARCH, make_model


@pytest.mark.parametrize(
    ("engine", "file"), [("ppgnas-c", "model.c"), ("tflm-cmsis-nn", "model.tflite")]
)
def test_all_of_a_card_belongs_to_the_file_of_its_engine(
    engine: str, file: str, tmp_path: Path
) -> None:
    people = write_people(tmp_path / "people")
    config = TrainConfig(data=str(people), engine=engine)
    out = tmp_path / "model"

    def train_wide(*_: object) -> Retrained:
        return Retrained(fake_net(ARCH, spread=1.0), 7.0, ARCH)

    card = make_model(config, out, train=train_wide)
    own, other = card.report_mae_bpm.items()
    assert (card.file, own[0]) == (file, file) and other[0] != file
    assert own[1] == (card.report.mae_bpm, card.report.mae_bpm_smoothed) != other[1]
    assert isinstance(card.c, InC) and card.c.report and card.tflite
    in_c, in_tflite = card.c.report.mae_bpm_c, card.tflite.report.mae_bpm_tflite
    assert (own[1][0], other[1][0]) in ((in_c, in_tflite), (in_tflite, in_c))
    assert card.errors_by_file()["mae_bpm_c"] == in_c
    assert card.errors_by_file()["mae_bpm_tflite"] == in_tflite
    assert card.onnx is not None
    assert card.errors_by_file()["mae_bpm_onnx"] == card.onnx.report.mae_bpm_onnx
    # Readings and their expected errors, too; the other file's are asked for by name.
    with (out / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    errors = [abs(float(row["bpm"]) - float(row["reference_bpm"])) for row in rows]
    who = np.unique([row["person"] for row in rows], return_inverse=True)[1]
    assert mean_over_people(np.array(errors), who) == pytest.approx(own[1][0], abs=0.01)
    model = find_model(str(out))
    reported = [r for r in read_source(str(people), seed=0) if r.person in card.report.people]
    measured = evaluate(model, reported)
    assert (measured.file, measured.mae_bpm) == (file.removeprefix("model."), own[1][0])
    asked = evaluate(model, reported, file=other[0].removeprefix("model."))
    assert asked.mae_bpm == other[1][0]
    assert find_model(str(out / "model.tflite")).runs == "model.tflite"
    assert Card.from_json(json.loads((out / "card.json").read_text())) == card


@pytest.mark.parametrize("mode", ["window", "streaming"])
def test_a_card_has_the_errors_of_the_onnx_file_itself(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file says that is one class off is 1 BPM from the reference, and errs by it."""
    from deploy import onnx_export
    from deploy.integers import reference

    people, arch = write_people(tmp_path / "people"), published("tiny")
    net = fake_net(arch, spread=1.0)

    def run_off(model: bytes, x: NDArray[np.int8]) -> NDArray[np.int8]:
        assert model == onnx_export.write(net)
        return np.roll(reference.run(net, x), -1, axis=-1)

    monkeypatch.setattr(onnx_export, "run", run_off)
    card = make_model(
        TrainConfig(data=str(people), mode=mode),
        tmp_path / "model",
        arch=arch,
        train=lambda *_: Retrained(net, 7.0, arch),
    )
    assert card.onnx is not None
    assert 0.9 < card.onnx.largest_difference_bpm < 180
    reported = [r for r in read_source(str(people), seed=0) if r.person in card.report.people]
    truth = predict_windows(net, windows_of(reported, arch), smoothing="none")
    right = truth.summary().mae_bpm
    assert card.onnx.report.mae_bpm_onnx != pytest.approx(right, abs=1e-6)
    assert abs(card.onnx.report.mae_bpm_onnx - right) <= card.onnx.largest_difference_bpm


def test_a_streaming_model_is_read_by_passes(tmp_path: Path) -> None:
    data = str(write_people(tmp_path / "people"))
    arch, config = published("tiny"), TrainConfig(data=data, mode="streaming")

    def train(which: Arch, out: str) -> Card:
        def nothing(*_: object) -> Retrained:
            return Retrained(fake_net(arch, spread=1.0), 7.0, arch)

        out_folder = tmp_path / out
        return make_model(config, out_folder, arch=which, train=nothing)

    card = train(arch, "model")
    model = find_model(str(tmp_path / "model"))
    assert card.mode == model.mode == "streaming"
    assert card.training is not None and card.training["mode"] == "streaming"
    reported = [r for r in read_source(data, seed=0) if r.person in card.report.people]
    measured = evaluate(model, reported)
    assert (measured.mode, measured.mae_bpm) == ("streaming", card.report.mae_bpm)
    windows = windows_of(reported, arch)
    assert measured.mae_bpm != predict_windows(model.net(), windows, rule="c").summary().mae_bpm
    assert find_model("published:tiny").mode == "window"
    with pytest.raises(SpaceError, match="cannot stream"):
        train(published("timeppg-small"), "other")
    with pytest.raises(GraphError, match=r"streaming: .* widths must be multiples of 4"):
        train(ARCH, "other")  # the C of 10 channels keeps no past


def test_the_channels_that_a_network_learnt_from_go_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "two"
    rng = np.random.default_rng(0)
    for recording in read_source(str(write_people(tmp_path / "people")), seed=0):
        noise = rng.normal(size=(len(recording.ppg), 1)).astype(np.float32)
        pulse = recording.ppg[:, :1]
        both = replace(recording, ppg=np.concatenate([noise, -pulse], axis=1))
        write_recording(folder / f"{recording.subject}.npz", both)
        alone = replace(recording, ppg=pulse)
        write_recording(tmp_path / "right" / f"{recording.subject}.npz", alone)

    def train(_: Arch, __: TrainConfig, people: People, *___: object) -> Retrained:
        assert {r.ppg.shape[1] for r in people.recordings} == {1}
        return Retrained(fake_net(ARCH, spread=1.0), 7.0, ARCH)

    config = TrainConfig(data=str(folder), channels="-2")
    out = tmp_path / "model"
    card = make_model(config, out, train=train)
    assert card.channels == "-2" == find_model(str(out)).channels
    assert Card.from_json(json.loads((out / "card.json").read_text())) == card
    two, right = (read_source(str(tmp_path / name), seed=0) for name in ("two", "right"))
    taken = evaluate(find_model(str(out)), two)
    (out / "card.json").write_text(json.dumps(replace(card, channels=None).to_json()))
    assert taken.mae_bpm_smoothed == evaluate(find_model(str(out)), right).mae_bpm_smoothed
    assert taken.mae_bpm_smoothed != evaluate(find_model(str(out)), two).mae_bpm_smoothed
    (out / "card.json").write_text(json.dumps(card.to_json()))
    one = folder / f"{two[0].subject}.npz"
    read = []
    for more in ([], ["--channels", "-2"], ["--channels", "1"]):
        with pytest.raises(SystemExit, match="0"):
            main(["predict", str(out), str(one), *more])
        read.append(capsys.readouterr().out)
    assert read[0] == read[1] != read[2]
    export_files(find_model(str(out)), ["c"], tmp_path / "c")
    readme = (tmp_path / "c" / "README.md").read_text(encoding="utf-8")
    assert "learnt from PPG channels -2 of its recordings: push the same ones" in readme
    with pytest.raises(DataError, match=r"`channels` is 3; allowed: numbers from 1 to 2"):
        make_model(TrainConfig(data=str(folder), channels="3"), tmp_path / "other", train=train)


def test_a_card_says_who_is_one_person_and_whom_the_teacher_labels(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    ward = write_people(tmp_path / "ward", people=2, seed=8)
    told = StringIO()
    card = make_model(
        TrainConfig(data=str(tmp_path / "data"), teacher="resnet-small", unlabelled=str(ward)),
        tmp_path / "model",
        progress=Lines(told),
    )
    assert card.one_person == {name: (other,)}
    assert f"{name} and {other} are one person" in told.getvalue()
    assert card.unlabelled is not None and card.unlabelled.people == 2
    assert f"The teacher alone labels {card.unlabelled.sentence}." in told.getvalue()
    read = find_model(str(tmp_path / "model")).card()
    assert read is not None and read.one_person == card.one_person
    assert read.unlabelled == card.unlabelled


def test_a_card_says_what_does_not_fit_and_what_few_people_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = load_target("stm32h743", "ppgnas-c")
    board = replace(target.board, flash_bytes=5000)
    small = replace(target, board=board)
    monkeypatch.setattr("nas.models.train.load_target", lambda *_, **__: small)
    card = make_model(TrainConfig(data=str(write_people(tmp_path / "data"))), tmp_path / "model")
    assert card.cautions is not None
    few, *_, large = card.cautions
    assert few.startswith("Expected errors rest on 1 search person, and more on how")
    assert large.startswith("The network does not fit: needs ")
    assert large.endswith("x the flash of stm32h743; external memory is not costed.")


@pytest.mark.parametrize(
    ("mode", "smoothing", "counts"),
    [("window", "hmm", True), ("window", "hmm", False), ("streaming", "none", True)],
)
def test_the_readme_times_the_call_and_not_what_stands_around_it(
    mode: Mode, smoothing: str, counts: bool
) -> None:
    board = load_board("stm32h743")
    seen = score(
        lower(published("tiny")),
        board,
        load_engine("ppgnas-c"),
        mode=mode,
        around=Surroundings(smoothing=smoothing),
        path_counts=counts,
    )
    card = SimpleNamespace(mode=mode, costs=CardCosts.from_json(seen.to_json()))
    said = _speed(cast(Card, card), mode)
    low, high = (f"{at * 1e3 / board.clock_hz:.3g}" for at in (seen.cycles.low, seen.cycles.high))
    ms = seen.cycles.value * 1e3 / board.clock_hz
    assert f"{seen.cycles.value:.0f} cycles (" in said
    assert said.endswith(f", {ms:.3g} ms ({low} to {high}).")
    assert (f"{seen.latency_ms.value:.3g} ms" in said) is not counts
