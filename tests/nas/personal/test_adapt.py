"""One wearer from a recording to an adapted folder, on synthetic people."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from distill.evaluation import Retrained, predict_windows
from nas.cli.main import main
from nas.models.evaluate import evaluate, roles_of
from nas.models.export import export_files, write_files
from nas.models.names import Model, ModelError, find_model
from nas.models.train import train_model
from nas.personal.adapt import adapt, write_adapted
from nas.personal.calibration import (
    GAP_S,
    PERSONAL_KINDS,
    PersonalKind,
    Wearer,
    kind_of,
    wearer_of,
    wearer_of_model,
)
from nas.run.card import Card
from nas.run.config import TrainConfig
from nas.run.folder import RunDir, new_place
from nas.run.job.progress import Progress, Silent
from nas.run.people import People
from ppg.npz.folder import write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import DataError, RunError
from ppgnas.task import WINDOW_S
from search_spaces.arch import Arch
from tests.deploy.personal.shared import SPACED, random_net
from tests.nas.fakes import write_people

INPUTS = InputSpec(SPACED.rate_hz, SPACED.acceleration)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return synthesize(people=1, minutes=4.0, seed=5)[0]


@pytest.fixture(scope="module")
def wearer(recording: Recording) -> Wearer:
    return wearer_of(random_net(SPACED), recording, inputs=INPUTS)


def train_nothing(
    arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
) -> Retrained:
    return Retrained(random_net(arch), 7.0, arch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("personal")
    config = TrainConfig(data=str(write_people(folder / "people")), device="cpu")
    out = folder / "model"
    train_model(SPACED, config, out, command="train", progress=Silent(), train=train_nothing)
    return out


@pytest.mark.parametrize("prefix", ["ppg", "second"])
def test_what_an_export_with_adapting_left_does_not_stay(
    trained: Path, tmp_path: Path, prefix: str
) -> None:
    export = ["export", str(trained), "--format", "c", "--out", str(tmp_path), "--prefix", prefix]
    with pytest.raises(SystemExit, match="0"):
        main([*export, "--adapt", "bias"])
    left = [tmp_path / f"{prefix}_adapt.c", tmp_path / f"{prefix}_adapt.h"]
    left += [tmp_path / "example" / "adapt.c", tmp_path / "example" / "adapt.h"]
    assert all(path.is_file() for path in left)
    model = find_model(str(trained))
    with pytest.raises(ModelError, match=r"stays as it is"):
        export_files(model, ["c"], tmp_path, prefix=prefix)
    with pytest.raises(ModelError, match=r"_adapt\.c is of an export with another `prefix`, or"):
        write_files({}, tmp_path, force=False, stale=[left[0]])
    export_files(model, ["tflite"], tmp_path)  # nothing of the C is touched
    assert all(path.is_file() for path in left)
    export_files(model, ["c"], tmp_path, prefix=prefix, force=True)
    assert not any(path.exists() for path in left)
    assert (tmp_path / ("model.c" if prefix == "ppg" else "second_model.c")).is_file()


def test_first_minutes_gap_and_rest(wearer: Wearer) -> None:
    start_s, taught, rest = wearer.windows.start_s, wearer.calibration(1.0), wearer.rest(1.0)
    ends = start_s[taught] + WINDOW_S - start_s[0]
    assert ends.max() == pytest.approx(60) and taught.sum() == 27
    assert start_s[rest].min() - start_s[0] == pytest.approx(60 + GAP_S)
    assert not (taught & rest).any()


@pytest.mark.parametrize("kind", PERSONAL_KINDS)
def test_each_kind(wearer: Wearer, kind: PersonalKind) -> None:
    found = adapt(wearer, minutes=2.0, kind=kind)
    head = wearer.head
    assert found.windows == 57 and (found.guard is None or found.guard.windows == 57)
    assert (found.memory is None) == (kind in ("none", "prior"))
    assert found.before is not None and found.after is not None
    same = np.array_equal(found.weights, head.weights) and np.array_equal(
        found.biases, head.biases
    )
    assert same != found.kept
    if not found.kept:
        assert found.after == found.before
    assert found.before == adapt(wearer, minutes=2.0, kind="none").after
    taught, rest = (wearer.windows.hr_bpm[of(2.0)] for of in (wearer.calibration, wearer.rest))
    assert found.taught_bpm == (taught.min(), taught.max())
    assert found.beyond == sum(not taught.min() <= bpm <= taught.max() for bpm in rest)
    assert "weights" not in found.to_json()
    constant_bpm = np.abs(rest - taught.mean()).mean()
    assert found.constant_bpm == pytest.approx(constant_bpm)
    assert found.reads_less_than_a_constant == (constant_bpm < found.after.mae_bpm)


def test_nothing_left_to_judge(wearer: Wearer) -> None:
    found = adapt(wearer, minutes=60.0, kind="bias")
    assert found.before is None and found.after is None and found.guard is not None
    assert found.constant_bpm is None and not found.reads_less_than_a_constant


def test_what_is_refused(recording: Recording, wearer: Wearer) -> None:
    with pytest.raises(DataError, match=r"`minutes` is -1; allowed: above 0, at most 1440"):
        wearer.calibration(-1)
    with pytest.raises(DataError, match="`kind` is 'all'; allowed: auto, none, prior, bias"):
        kind_of("all")
    assert kind_of("auto") == "low-rank"
    with pytest.raises(DataError, match="13 windows with a heart rate to learn from"):
        adapt(wearer, minutes=0.55, kind="bias")
    bare = replace(recording, valid=np.zeros_like(recording.valid))
    with pytest.raises(DataError, match="no usable reference heart rate; a network learns"):
        wearer_of(random_net(SPACED), bare, inputs=INPUTS)


def test_the_folder_is_a_model(tmp_path: Path, trained: Path, recording: Recording) -> None:
    model = find_model(str(trained))
    wearer = wearer_of(model.net(), recording, inputs=model.inputs)
    found = adapt(wearer, minutes=2.0, kind="head")
    forced = replace(found, guard=found.guard and replace(found.guard, kept=True))
    biases = wearer.head.biases + 5
    card = write_adapted(
        tmp_path / "anna", model, wearer, replace(forced, biases=biases), recording="s/anna"
    )
    again = find_model(str(tmp_path / "anna"))
    assert isinstance(again, Model) and again.card() == card
    name = wearer.head.layer
    assert (again.net().biases[name] - model.net().biases[name] == 5).all()
    assert isinstance(card, Card) and card.personal is not None
    assert card.personal.kind == "head" and card.personal.kept
    assert card.cautions is not None and "of s/anna: errors" in card.cautions[-1]
    assert "expected errors were fitted to its readings: how they hold" in card.cautions[-1]
    assert "BPM; beyond them it may err more than before" in card.cautions[-1]
    with pytest.raises(RunError, match="exists and stays as it is"):
        write_adapted(tmp_path / "anna", model, wearer, found, recording="s/anna")
    # What was told of the head on the rest is what the files read there.
    told = wearer.errors(forced.weights, biases, wearer.rest(2.0))
    judged = recording.window_start_s >= recording.window_start_s[0] + 2 * 60 + GAP_S - 1e-6
    rest = replace(recording, valid=recording.valid & judged)
    files = evaluate(again, [rest], file="c")
    assert files.windows == told.windows
    assert files.mae_bpm == pytest.approx(told.mae_bpm)
    assert files.mae_bpm_smoothed == pytest.approx(told.mae_bpm_smoothed)


def test_who_trained_goes_along_and_the_wearer_with_them(
    tmp_path: Path, trained: Path, recording: Recording
) -> None:
    shutil.copytree(trained, tmp_path / "finalist")
    file = tmp_path / "finalist" / "card.json"
    of_run = find_model(str(trained)).card()
    assert of_run is not None and of_run.split is not None
    document = json.loads(file.read_text())
    del document["split"]  # a finalist's stands in the run.toml
    file.write_text(json.dumps(document))
    run = cast(RunDir, SimpleNamespace(document=lambda: of_run))
    model = replace(find_model(str(file.parent)), run=run)
    person = of_run.split.report[0]
    own = replace(recording, subject=person.rpartition("/")[2])
    assert roles_of(model, [own]) == {person: "report"}
    wearer = wearer_of(model.net(), own, inputs=model.inputs)
    found = adapt(wearer, minutes=2.0, kind="low-rank")
    for kept, role in ((False, "report"), (True, "train")):
        guarded = replace(found, guard=found.guard and replace(found.guard, kept=kept))
        card = write_adapted(tmp_path / role, model, wearer, guarded, recording="s/anna")
        assert card.split == of_run.split
        assert roles_of(find_model(str(tmp_path / role)), [own]) == {person: role}


@pytest.mark.parametrize("option", [("--adapt", "bias"), ("--mode", "window")])
def test_options_of_the_c_need_it(
    tmp_path: Path, trained: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["export", str(trained), "--out", str(tmp_path), *option])
    assert f"{option[0]} cannot act: c alone has it, and --format is tflite" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_a_network_that_streams_learns_what_it_reads_in_passes(recording: Recording) -> None:
    net = random_net(SPACED)
    wearer = wearer_of(net, recording, inputs=INPUTS, mode="streaming")
    windows = windows_of([recording], INPUTS, mode="streaming")
    read = predict_windows(net, windows, rule="c").raw.bpm
    every = np.ones(len(windows), np.bool_)
    told = wearer.errors(wearer.head.weights, wearer.head.biases, every)
    assert told.mae_bpm == pytest.approx(np.abs(read - windows.hr_bpm).mean())
    found = adapt(wearer, minutes=2.0, kind="bias")
    assert found.guard is not None and found.guard.windows == 57


def test_the_verb(
    tmp_path: Path, trained: Path, recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "anna.npz"
    write_recording(file, recording)
    words = ["personalize", str(trained), "--recording", str(file), "--minutes", "2"]

    def run(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([*words, *more])
        said = capsys.readouterr()
        return int(str(left.value.code)), said.out, said.err

    code, out, _ = run("--out", str(tmp_path / "anna"))
    assert code == 0 and "kind low-rank, 57 windows of the first 2 min teach, " in out
    assert "(SYNTHETIC)" in out and "bytes of SRAM" in out
    assert (tmp_path / "anna" / "model.tflite").is_file()
    code, out, err = run("--kind", "prior", "--json")
    document = json.loads(out)
    assert document["guard"]["kept"] and 2 * document["beyond"] > document["before"]["windows"]
    assert "Note: most of the rest lies beyond the heart rates that taught" in err
    worse = document["constant_bpm"] < document["after"]["mae_bpm"]
    assert worse == ("Note: one constant, the mean heart rate that taught, errs by " in err)
    assert "lies beyond" not in run("--kind", "none")[2]
    assert code == 0 and document["kind"] == "prior" and document["memory"] is None
    assert set(document["guard"]) == {"kept", "windows", "before_bpm", "after_bpm"}
    code, _, err = run("--kind", "everything")
    assert code == 2 and "`" not in err and "--kind is 'everything'; allowed: auto" in err
    code, _, err = run("--minutes", "0.2")
    assert code == 2 and "windows with a heart rate to learn from; at least 20" in err
    code, _, err = run("--rate", "50")
    assert code == 2 and "--rate is for a single file of rows, and " in err and ".npz" in err
    rows = zip(recording.ppg.mean(axis=1), strict=True)
    csv = tmp_path / "anna.csv"
    csv.write_text("\n".join(f"{51000 + 100 * float(row[0]):.3f}" for row in rows))
    words[3] = str(csv)
    code, _, err = run(
        "--columns", "green", "--rate", f"{recording.ppg_hz}", "--acc-csv", str(csv)
    )
    assert code == 2 and "anna.csv: no three columns are called as an acceleration is" in err


@pytest.mark.parametrize(
    "words",
    [
        ("personalize", "--minutes", "2", "--recording"),
        ("predict",),
        ("evaluate", "--data"),
    ],
)
def test_a_reference_that_froze_is_told(
    words: tuple[str, ...],
    tmp_path: Path,
    trained: Path,
    recording: Recording,
    capsys: pytest.CaptureFixture[str],
) -> None:
    froze = np.where(recording.window_start_s > 60, 142.0, recording.hr_bpm)
    verb, *options = words
    for name, rates, told in (("sound", recording.hr_bpm, False), ("froze", froze, True)):
        file = tmp_path / name / "anna.npz"
        write_recording(file, replace(recording, hr_bpm=rates, synthetic=False))
        at = file if verb != "evaluate" else file.parent
        with pytest.raises(SystemExit) as left:
            main([verb, str(trained), *options, str(at)])
        assert not left.value.code
        assert (
            "the heart rate is 142 BPM in each window from 62" in capsys.readouterr().err
        ) is told


@pytest.mark.parametrize("there", ["a folder", "a file", "another process"])
def test_a_place_that_is_taken(
    there: str, tmp_path: Path, trained: Path, recording: Recording
) -> None:
    """Two at a time had left a folder with files of neither."""
    model = find_model(str(trained))
    wearer = wearer_of_model(model, recording)
    adapted = adapt(wearer, minutes=2.0, kind="prior")
    out = tmp_path / "anna"
    writing = nullcontext() if there != "another process" else new_place(out)
    if there == "a folder":
        out.mkdir()
    elif there == "a file":
        out.touch()
    said = "is in use by another ppgnas" if there == "another process" else "stays as it is"
    with writing, pytest.raises(RunError, match=said):
        write_adapted(out, model, wearer, adapted, recording="own/anna")
    assert [path.name for path in tmp_path.iterdir()] == ["anna"] * (there != "another process")
