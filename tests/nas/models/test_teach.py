"""`ppgnas train --teacher-only`: one file, whole or not at all, alone and by several processes."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from distill.evaluation import float_logits, raw_mae_bpm
from distill.teachers.base import Ensemble
from distill.teachers.files import load_teacher
from distill.teachers.names import TeacherNameError
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.training.checkpoint import read_facts, save_checkpoint
from distill.training.effort import EFFORTS
from distill.training.jobs import new_processes
from nas.models.backend import check_teacher
from nas.models.train import Taught, teach
from nas.run.config import ConfigError, TrainConfig
from nas.run.job.progress import Silent
from nas.run.people import gather_for
from ppg.frontend import FRONT_END
from ppg.npz.folder import write_recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import OptionError, RunError
from tests.distill.teachers.made import SAID, write
from tests.nas.fakes import write_people

PRESETS_READ = ("resnet-small", "spectral")
TINY = replace(EFFORTS["smoke"], teacher_steps=2, batch=8)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    data = write_people(tmp_path_factory.mktemp("teach") / "people")
    return TrainConfig(data=str(data), effort="smoke", teacher="resnet-small", device="cpu")


def run(config: TrainConfig, out: Path) -> Taught:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(EFFORTS, "smoke", TINY)
        patched.setattr("nas.models.backend.available_cores", lambda: 1)
        return teach(config, out, progress=Silent())


def join(config: TrainConfig, out: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    run(config, out)


@pytest.mark.slow
def test_one_file_is_written(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one process, and to the same weights by two that something else has started."""
    out, shared = tmp_path / "out" / "teacher.safetensors", tmp_path / "shared.safetensors"
    run(config, out)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    with pytest.raises(RunError, match="exists and stays as it is; name one that does not"):
        run(config, out)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    other = new_processes().Process(target=join, args=(config, shared, {**meeting, "RANK": "1"}))
    other.start()
    for name, value in {**meeting, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    run(config, shared)
    other.join()
    assert other.exitcode == 0
    one, two = (read_facts(path) for path in (out, shared))
    assert one["identity"] == two["identity"]
    for facts in (one, two):
        del facts["measured"]["train_s"], facts["train_s"]
    assert one == two


def test_report_people_are_read_by_an_ensemble_and_by_each_member(
    config: TrainConfig, tmp_path: Path
) -> None:
    out = tmp_path / "teacher.safetensors"
    taught = run(replace(config, teacher="ensemble:resnet-small,spectral"), out)
    teacher, report = load_teacher(out), gather_for(config, acceleration=True).report
    assert isinstance(teacher, Ensemble)
    assert [errors.name for errors in taught.report] == [taught.facts.name, *PRESETS_READ]
    for each, errors in zip((teacher, *teacher.teachers), taught.report, strict=True):
        windows = windows_of(report, InputSpec(32, acceleration=True))
        by_hand = raw_mae_bpm(float_logits(each, windows), windows)
        assert errors.mae_bpm == pytest.approx(by_hand)
        assert errors.people == len({recording.person for recording in report})
    smoothed = {errors.mae_bpm_smoothed for errors in taught.report}
    assert len(smoothed | {errors.mae_bpm for errors in taught.report}) == 6


def test_what_cannot_be_trained_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    finished = tmp_path / "teacher.safetensors"
    finished.touch()
    for name in ("none", str(finished)):
        with pytest.raises(ConfigError, match="is nothing to train; name a teacher"):
            run(replace(config, teacher=name), tmp_path / "out")
    with pytest.raises(TeacherNameError, match="`teacher` 'x' is neither"):
        run(replace(config, teacher="x"), tmp_path / "out")
    for name, value in (
        ("unlabelled", "ward"),
        ("mode", "streaming"),
        ("student_inputs", "ppg"),
        ("distill", "soft:1"),
        ("recipe", "prune-70"),
        ("board", "nrf5340"),
        ("engine", "tflm-cmsis-nn"),
    ):
        with pytest.raises(
            OptionError, match=f"`{name}` cannot act: a teacher is trained, and no student"
        ):
            run(replace(config, **{name: value}), tmp_path / "out")  # type: ignore[arg-type]


def test_a_file_that_reads_ppg_alone_learns_from_everybody(
    config: TrainConfig, tmp_path: Path
) -> None:
    for recording in synthesize(people=4, minutes=0.5, seed=3):
        bare = replace(recording, acc=None, acc_hz=None)
        write_recording(tmp_path / "people" / "ward" / f"{recording.subject}.npz", bare)
    model = tmp_path / "model.onnx"
    write(model, width=5, said=SAID.format("embedding"))
    out = tmp_path / "teacher.safetensors"
    run(replace(config, data=str(tmp_path / "people"), teacher=str(model)), out)
    assert read_facts(out)["shape"]["channels"] == 1


def test_a_teacher_reads_what_it_is_asked_to(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str, *_: object, **__: object) -> None:
        raise InterruptedError(name)

    monkeypatch.setattr("distill.teachers.choice.teacher_of", stop)
    with pytest.raises(InterruptedError, match=r"^resnet-small-ppg$"):
        run(replace(config, teacher_inputs="ppg"), tmp_path / "out")
    one, four = (str(_finished(tmp_path, channels)) for channels in (1, 4))
    check_teacher(replace(config, teacher=four, teacher_inputs="ppg+acc"))
    check_teacher(replace(config, teacher=f"ensemble:{one},spectral", teacher_inputs="ppg+acc"))
    with pytest.raises(ConfigError, match=r"1.safetensors reads PPG alone, and `teacher_inputs"):
        check_teacher(replace(config, teacher=one, teacher_inputs="ppg+acc"))
    with pytest.raises(ConfigError, match=r"4.safetensors reads acceleration, and `teacher_in"):
        check_teacher(replace(config, teacher=f"ensemble:{four},spectral", teacher_inputs="ppg"))


def _finished(folder: Path, channels: int) -> Path:
    path, shape = folder / f"{channels}.safetensors", ResNetShape(channels, 32)
    identity = {"steps": 1, "people": [], "front_end": FRONT_END}
    save_checkpoint(path, ResNetTeacher(shape), identity=identity, step=1, shape=asdict(shape))
    return path
