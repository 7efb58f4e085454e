"""`ppgnas train` with a training that takes no time, and what other verbs make of its folder."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.personal.head import head_of
from distill.evaluation import Retrained, predict_windows
from distill.teachers.names import TeacherNameError
from nas.cli.main import main
from nas.models.evaluate import evaluate
from nas.models.export import export_files
from nas.models.names import ModelError, find_model
from nas.models.predict import trace_of
from nas.models.readout import decoding_of
from nas.models.train import train_model
from nas.run.card import Card, InC
from nas.run.config import ConfigError, TrainConfig
from nas.run.people import People, read_source
from nas.run.progress import Lines, Progress, Silent
from nas.run.target import load_target
from nas.run.windows import WindowChoice, take_windows
from ppg.npz.folder import write_recording
from ppg.people.metrics import mean_over_people
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import (
    DataError,
    DependencyError,
    ExportError,
    GraphError,
    MixError,
    PpgnasError,
    RunError,
    SpaceError,
)
from ppgnas.task import Mode, Task
from search_spaces.arch import Arch
from search_spaces.published import published
from search_spaces.stages import at_task
from tests.nas.fakes import fake_net, write_one_person_twice, write_people

ARCH = published("small")


def train_nothing(
    arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
) -> Retrained:
    (cache / "pool").touch()
    return Retrained(fake_net(arch), 7.0, arch)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    config = TrainConfig(data=str(write_people(folder / "people")), device="cpu")
    train_model(
        ARCH,
        config,
        folder / "model",
        command="ppgnas train",
        progress=Silent(),
        train=train_nothing,
    )
    return folder / "model"


def test_the_folder_is_a_model(model: Path) -> None:
    found = find_model(str(model))
    assert found.arch == ARCH and found.inputs == InputSpec(16, True)
    assert found.net().graph == found.graph
    card = found.card()
    assert card is not None
    assert card.to_json()["search_mae_bpm"] == {"retrained_int8": 7.0}
    assert card.training is not None and card.training["effort"] == "standard"
    assert card.training["device"] == "cpu" and card.training["distill"] == "none"
    assert card.split is not None and set(card.report.people) == set(card.split.report)
    assert card.synthetic is True and card.smoothing and card.confidence["raw"]
    assert [p.name for p in model.parent.iterdir() if p.name.startswith(".")] == []


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

    card = train_model(ARCH, config, out, command="", progress=Silent(), train=train_wide)
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
    card = train_model(
        arch,
        TrainConfig(data=str(people), mode=mode),
        tmp_path / "model",
        command="",
        progress=Silent(),
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
        return train_model(which, config, out_folder, command="", progress=Silent(), train=nothing)

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
    card = train_model(ARCH, config, out, command="", progress=Silent(), train=train)
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
        train_model(
            ARCH,
            TrainConfig(data=str(folder), channels="3"),
            tmp_path / "other",
            command="",
            progress=Silent(),
            train=train,
        )


def test_a_card_says_who_is_one_person_and_whom_the_teacher_labels(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    ward = write_people(tmp_path / "ward", people=2, seed=8)
    told = StringIO()
    card = train_model(
        ARCH,
        TrainConfig(data=str(tmp_path / "data"), teacher="resnet-small", unlabelled=str(ward)),
        tmp_path / "model",
        command="ppgnas train",
        progress=Lines(told),
        train=train_nothing,
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
    card = train_model(
        ARCH,
        TrainConfig(data=str(write_people(tmp_path / "data"))),
        tmp_path / "model",
        command="ppgnas train",
        progress=Silent(),
        train=train_nothing,
    )
    assert card.cautions is not None
    few, *_, large = card.cautions
    assert few.startswith("Expected errors rest on 1 search person, and as much or more on how")
    assert large.startswith("The network does not fit: needs ")
    assert large.endswith("x the flash of stm32h743.")


def test_its_files_are_handed_out(model: Path, tmp_path: Path) -> None:
    (path,) = export_files(find_model(str(model)), ["tflite"], tmp_path)
    # The file alone is a model without a card; beside its card it has one.
    assert find_model(str(path)).card() is None
    assert find_model(str(path)).inputs == InputSpec(16, True)
    beside = find_model(str(model / "model.tflite"))
    assert beside.card() == find_model(str(model)).card()
    path.write_bytes(path.read_bytes() + b"x")
    (tmp_path / "card.json").write_text((model / "card.json").read_text())
    assert find_model(str(path)).card() is None
    with pytest.raises(ModelError, match="exists and differs"):
        export_files(find_model(str(model)), ["tflite"], tmp_path)


def test_changed_files_are_not_handed_out(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "model.onnx").write_bytes(b"")
    with pytest.raises(ExportError, match="not the file that its card describes"):
        export_files(find_model(str(copy)), ["onnx"], tmp_path / "out")


def test_published_networks_have_costs_but_no_weights(tmp_path: Path) -> None:
    found = find_model("published:timeppg-small")
    assert found.arch == published("timeppg-small") and found.card() is None
    with pytest.raises(ModelError, match="has no weights; name a finalist"):
        found.net()
    with pytest.raises(ModelError, match="has no files to export"):
        export_files(found, ["tflite"], tmp_path)


def test_a_graph_of_another_kind_reads_no_recordings(tmp_path: Path) -> None:
    document = json.loads(json.dumps(find_model("published:small").graph.to_json()))
    for tensor in document["tensors"]:
        if tensor["name"] == "input":
            tensor["shape"][2] = 100
    (tmp_path / "graph.json").write_text(json.dumps(document))
    try:
        found = find_model(str(tmp_path / "graph.json"))
    except ValueError:
        return  # refused even earlier, as inconsistent
    with pytest.raises(ModelError, match="recordings can be read by a network of input"):
        _ = found.inputs


def test_a_training_goes_on_with_the_windows_it_began_with_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(data=str(write_people(tmp_path / "people")))
    found: list[bool] = []

    def killed(
        arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
    ) -> Retrained:
        found.append((cache / "pool").exists())
        (cache / "pool").touch()
        raise KeyboardInterrupt

    def again() -> None:
        with pytest.raises(KeyboardInterrupt):
            train_model(
                ARCH, config, tmp_path / "model", command="", progress=Silent(), train=killed,
            )  # fmt: skip

    again()
    again()
    monkeypatch.setattr("nas.models.train.PREPARATION", {"recipe": "another"})
    again()
    assert found == [False, True, False]


def test_two_trainings_into_one_folder(tmp_path: Path) -> None:
    """The second is told, and harms nothing; where the first has ended, the folder is there."""
    config = TrainConfig(data=str(write_people(tmp_path / "people")))
    out = tmp_path / "further" / "model"

    def second(
        arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
    ) -> Retrained:
        other = replace(config, seed=1)  # would empty the cache of the first
        with pytest.raises(RunError, match="model is in use by another ppgnas; wait for it or"):
            train_model(ARCH, other, out, command="", progress=Silent(), train=train_nothing)
        return train_nothing(arch, config, people, cache, progress)

    train_model(ARCH, config, out, command="", progress=Silent(), train=second)
    assert [path.name for path in out.parent.iterdir()] == ["model"]


def test_a_gpu_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = TrainConfig(data="nowhere", device="cuda")
    with pytest.raises(DependencyError, match=r"`device` is 'cuda', and torch .* sees no GPU"):
        train_model(
            ARCH, config, tmp_path / "x", command="", progress=Silent(), train=train_nothing
        )


def test_mistakes_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exists and stays as it is"):
        train_model(
            ARCH, TrainConfig(data="synthetic"), model, command="", progress=Silent(),
            train=train_nothing,
        )  # fmt: skip
    with pytest.raises(TeacherNameError, match="`teacher` 'x' is neither resnet-small, "):
        train_model(
            ARCH, TrainConfig(teacher="x"), tmp_path / "x", command="", progress=Silent(),
            train=train_nothing,
        )  # fmt: skip
    with pytest.raises(MixError, match="soft needs a teacher, and `teacher` is none"):
        train_model(
            ARCH, TrainConfig(distill="soft:1"), tmp_path / "x", command="", progress=Silent(),
            train=train_nothing,
        )  # fmt: skip
    with pytest.raises(ConfigError, match="`effort` is 'x'; allowed: smoke, quick"):
        TrainConfig(data="synthetic", effort="x")
    with pytest.raises(ConfigError, match="already names the report people"):
        TrainConfig(data="synthetic", split="a.json", report_from="b")
    with pytest.raises(DataError, match="no such folder"):
        train_model(
            ARCH, TrainConfig(data="nowhere"), tmp_path / "x", command="", progress=Silent(),
            train=train_nothing,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "mode"), [(Task(4, 1, 40, 199), "streaming"), (Task(12, 4), "window")]
)
def test_a_network_of_other_windows(task: Task, mode: Mode, tmp_path: Path) -> None:
    """It is judged on its windows, read every stride, and all of its files say so."""
    choice = WindowChoice((task.window_s,), task.stride_s, (task.lowest_bpm, task.highest_bpm))
    people = write_people(tmp_path / "people")
    out = tmp_path / "model"
    config = TrainConfig(data=str(people), windows=choice, mode=mode)
    arch = published("tiny")
    card = train_model(arch, config, out, command="", progress=Silent(), train=train_nothing)
    assert card.arch == at_task(arch, task, streams=True) and card.training is not None
    assert "windows" not in card.training
    path = card.costs.path
    assert path is not None and path.rate_hz == 16
    found = find_model(str(out))
    assert found.inputs == InputSpec(16, True, task) == find_model(f"{out}/model.tflite").inputs
    apart = tmp_path / "apart.tflite"  # no card beside it: the file itself says what it reads
    apart.write_bytes((out / "model.tflite").read_bytes())
    assert find_model(str(apart)).inputs.task == task
    recording = read_source(str(people), seed=0)[0]
    trace = trace_of(
        found.net(), recording, inputs=found.inputs, decoding=decoding_of(card), mode=mode
    )
    np.testing.assert_allclose(np.diff(trace.time_s), task.stride_s)
    assert trace.time_s[0] >= task.window_s
    assert task.lowest_bpm - 1 <= trace.bpm.min() <= trace.bpm.max() <= task.highest_bpm + 1
    measured = evaluate(found, [r for r in read_source(str(people), seed=0)])
    assert measured.windows > 0
    with pytest.raises(ExportError, match=r"so far only 8 s every 2 s, 30-209 BPM can be learnt"):
        head_of(found.net())


def test_windows_that_no_network_has(tmp_path: Path) -> None:
    people = write_people(tmp_path / "people")

    def refused(**asked: Any) -> str:
        choice = take_windows({k: v for k, v in asked.items() if k != "mode"})
        config = TrainConfig(data=str(people), windows=choice, mode=asked.get("mode", "window"))
        with pytest.raises(PpgnasError) as error:
            train_model(
                ARCH, config, tmp_path / "no", command="", progress=Silent(), train=train_nothing
            )
        return str(error.value)

    assert "`window` names 2 lengths, and one network reads one" in refused(window="4s,6s")
    assert "`window` is 5 s and `stride` 2 s" in refused(window="5s")
    assert "streaming pools over 4 strides: give `window` 8s" in refused(
        window="6s", mode="streaming"
    )
    for text, message in (
        ({"window": "6.5s"}, "`window` is 6.5s; allowed: whole seconds"),
        ({"bpm": "40"}, "`bpm` is '40'; allowed: two whole numbers, such as 30-209"),
        ({"window": "8s,8s"}, "must name lengths, each once"),
        (
            {"stride": "2"},
            "`stride` '2' has no unit; allowed units: s. Write for example `stride` 8s",
        ),
    ):
        with pytest.raises(PpgnasError, match=message):
            take_windows(dict(text))
