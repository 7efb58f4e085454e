"""Teachers from ONNX files: what they read, their head, and whom they know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.pool import answer
from distill.teachers.base import Ensemble
from distill.teachers.choice import steps_and_networks
from distill.teachers.files import check_unseen, load_teacher
from distill.teachers.foreign import foreign_teacher
from ppg.recording import Recording
from ppgnas.errors import RunError
from tests.distill.teachers.made import SAID, TINY, taught, write


def test_a_head_is_fitted_on_an_embedding(people: list[Recording], tmp_path: Path) -> None:
    file, path = tmp_path / "model.onnx", tmp_path / "teacher.safetensors"
    matrix = write(file, width=5)
    (tmp_path / "model.toml").write_text(SAID.format("embedding"))
    teacher = taught(str(file), people, path)
    x = torch.randn(3, 4, 256)
    logits, features = teacher.view(x)
    read = torch.nn.functional.interpolate(x[:, :1], size=128, mode="linear")
    torch.testing.assert_close(features[:, :, 0], read[:, 0] @ torch.from_numpy(matrix))
    torch.testing.assert_close(logits * teacher.temperature, teacher.head(features[:, :, 0]))
    assert teacher.facts is not None and teacher.facts.macs is None
    assert teacher.facts.parameters == 128 * 5 + 6 * 180
    # the file of the teacher holds all of it, and everybody that either part has learnt from
    file.unlink()
    assert torch.equal(load_teacher(path)(x), logits)
    for judges in (people[:1], [replace(people[0], dataset="bami1", subject="7")]):
        with pytest.raises(RunError, match="was trained on"):
            check_unseen(path, judges)
    check_unseen(path, people[3:])


def test_logits_are_taken_as_they_are_but_for_the_temperature(
    people: list[Recording], tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    write(file, width=180, batch=1, said=SAID.format("logits"))
    before = foreign_teacher(file).eval()
    teacher = taught(f"ensemble:{file},resnet-small", people, tmp_path / "teacher.safetensors")
    x = torch.randn(3, 4, 256)
    with torch.no_grad():
        member = load_teacher(tmp_path / "teacher-model.safetensors")
        torch.testing.assert_close(member(x) * member.temperature, before(x))
        assert torch.equal(load_teacher(tmp_path / "teacher.safetensors")(x), teacher(x))
    with pytest.raises(RunError, match="was trained on bami1/7"):
        check_unseen(file, [replace(people[0], dataset="bami1", subject="7")])
    paced = steps_and_networks(str(file), acceleration=True, rate_hz=32, effort=TINY)
    assert [steps for steps, _ in paced] == [0.0]


def test_a_wave_is_the_slope_summed_up(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    matrix = write(file, width=2, said=SAID.format("embedding") + 'signal = "wave"\n')
    angle = 2 * torch.pi * torch.arange(128) / 16
    slope, wave = torch.cos(angle), torch.sin(angle + torch.pi / 16)
    features = foreign_teacher(file).features(slope[None, None])
    expected = wave / wave.std() @ torch.from_numpy(matrix)
    torch.testing.assert_close(features[0, :, 0], expected, rtol=1e-3, atol=1e-3)


def test_what_cannot_teach_is_refused(tmp_path: Path) -> None:
    file, beside = tmp_path / "model.onnx", tmp_path / "model.toml"
    write(file, width=5)
    with pytest.raises(
        RunError, match=r"does not say what it reads; write .*model.toml with rate"
    ):
        foreign_teacher(file)
    for said, message in (
        (SAID.format("rates"), r"is not told as it must be \(output: Input should be 'logits' or"),
        (SAID.format("logits"), r"is no teacher \(logits of 5 classes; there are 180\)"),
        (SAID.format("embedding") + "x = 1", r"\(x: no such key"),
        (SAID.format("embedding").replace("channels = 1", "channels = 3"), r"\(channels: Input"),
        (SAID.format("embedding").replace("16", "16000"), "has a size outside of 1 to 512"),
        ("rate_hz = 16", r"\(channels: Field required"),
        (SAID.format("embedding").replace("16", "32"), r"is no teacher \(.*"),
    ):
        beside.write_text(said)
        with pytest.raises(RunError, match=message):
            foreign_teacher(file)
    beside.write_text(SAID.format("embedding"))
    file.write_bytes(b"garbage")
    with pytest.raises(RunError, match="is no teacher"):
        foreign_teacher(file)


def test_a_file_of_logits_labels_a_pool_alone(people: list[Recording], tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write(file, width=180, said=SAID.format("logits"))
    teacher = taught(str(file), people, tmp_path / "teacher.safetensors")
    x = torch.randn(3, 4, 256)
    assert torch.equal(answer(teacher, x, features=False)[0], teacher(x))


def test_files_of_one_name_and_length_are_told_apart(
    people: list[Recording], tmp_path: Path
) -> None:
    files = [tmp_path / part / "model.onnx" for part in "ab"]
    for seed, file in enumerate(files):
        file.parent.mkdir()
        write(file, width=180, said=SAID.format("logits"), seed=seed)
    path, x = tmp_path / "teacher.safetensors", torch.randn(3, 4, 256)
    whole = taught(f"ensemble:{files[0]},{files[1]}", people, path)
    assert isinstance(whole, Ensemble)
    one, two = whole.teachers
    assert not torch.equal(one(x), two(x))
    files[0].write_bytes(files[1].read_bytes())  # another network where one was
    again = taught(str(files[0]), people, tmp_path / "teacher-model.safetensors")
    assert torch.equal(again(x), two(x))


def test_acceleration_that_students_lack_is_told_before_a_pace_is_measured(
    people: list[Recording], tmp_path: Path
) -> None:
    path = tmp_path / "teacher.safetensors"
    taught("resnet-small", people, path)
    with pytest.raises(RunError, match="reads acceleration, and its students read PPG alone"):
        steps_and_networks(str(path), acceleration=False, rate_hz=32, effort=TINY)
