"""`ppgnas train` with a training that takes no time, and what other verbs make of its folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.personal.head import head_of
from distill.evaluation import Retrained
from distill.teachers.names import TeacherNameError
from nas.models.evaluate import evaluate
from nas.models.export import export_files
from nas.models.names import ModelError, find_model
from nas.models.predict import trace_of
from nas.models.readout import decoding_of
from nas.run.config import ConfigError, TrainConfig
from nas.run.job.progress import Progress
from nas.run.people import People, read_source
from nas.run.windows import WindowChoice, take_windows
from ppg.windows import InputSpec
from ppgnas.errors import (
    DataError,
    DependencyError,
    MixError,
    PpgnasError,
    RunError,
)
from ppgnas.task import Mode, Task
from search_spaces.arch import Arch
from search_spaces.published import published
from search_spaces.stages import at_task
from tests.nas.fakes import write_people
from tests.nas.models.trained import ARCH, make_model, train_nothing


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
            make_model(config, tmp_path / "model", train=killed)

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
            make_model(other, out)
        return train_nothing(arch, config, people, cache, progress)

    make_model(config, out, train=second)
    assert [path.name for path in out.parent.iterdir()] == ["model"]


def test_a_gpu_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = TrainConfig(data="nowhere", device="cuda")
    with pytest.raises(DependencyError, match=r"`device` is 'cuda', and torch .* sees no GPU"):
        make_model(config, tmp_path / "x")


def test_mistakes_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exists and stays as it is"):
        make_model(TrainConfig(data="synthetic"), model)
    with pytest.raises(TeacherNameError, match="`teacher` 'x' is neither resnet-small, "):
        make_model(TrainConfig(teacher="x"), tmp_path / "x")
    with pytest.raises(MixError, match="soft needs a teacher, and `teacher` is none"):
        make_model(TrainConfig(distill="soft:1"), tmp_path / "x")
    with pytest.raises(ConfigError, match="`effort` is 'x'; allowed: smoke, quick"):
        TrainConfig(data="synthetic", effort="x")
    with pytest.raises(ConfigError, match="already names the report people"):
        TrainConfig(data="synthetic", split="a.json", report_from="b")
    with pytest.raises(DataError, match="no such folder"):
        make_model(TrainConfig(data="nowhere"), tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "task", "mode"),
    [("timeppg-small", Task(8, 1, 40, 199), "streaming"), ("tiny", Task(12, 4), "window")],
)
def test_a_network_of_other_windows(name: str, task: Task, mode: Mode, tmp_path: Path) -> None:
    """It is judged on its windows, read every stride, and all of its files say so."""
    choice = WindowChoice((task.window_s,), task.stride_s, (task.lowest_bpm, task.highest_bpm))
    people = write_people(tmp_path / "people")
    out = tmp_path / "model"
    config = TrainConfig(data=str(people), windows=choice, mode=mode)
    arch = published(name)
    card = make_model(config, out, arch=arch)
    assert (
        card.arch == at_task(arch, task, streams=mode == "streaming") and card.training is not None
    )
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
    assert head_of(found.net()).task == task


def test_windows_that_no_network_has(tmp_path: Path) -> None:
    people = write_people(tmp_path / "people")

    def refused(**asked: Any) -> str:
        choice = take_windows({k: v for k, v in asked.items() if k != "mode"})
        config = TrainConfig(data=str(people), windows=choice, mode=asked.get("mode", "window"))
        with pytest.raises(PpgnasError) as error:
            make_model(config, tmp_path / "no")
        return str(error.value)

    assert "`window` names 2 lengths, and one network reads one" in refused(window="4s,6s")
    assert "`window` is 5 s and `stride` 2 s" in refused(window="5s")
    for text, message in (
        ({"window": "6.5s"}, "`window` is 6.5s; allowed: whole seconds"),
        ({"bpm": "40"}, "`bpm` is '40'; allowed: two whole numbers, such as 30-209"),
        ({"window": "8s,8s"}, "`window` is '8s,8s'; allowed: lengths with commas"),
        (
            {"stride": "2"},
            "`stride` '2' has no unit; allowed units: s. Write for example `stride` 8s",
        ),
    ):
        with pytest.raises(PpgnasError, match=message):
            take_windows(dict(text))
