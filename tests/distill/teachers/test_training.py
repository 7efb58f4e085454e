"""A teacher learns, and is taken from its file where that is one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.teachers.files import check_unseen, load_teacher
from distill.teachers.names import TeacherNameError
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.teachers.training import train_teacher
from distill.training.checkpoint import save_checkpoint
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import RunError
from tests.distill.killing import SMOKE, kill_at


def test_teacher_learns_and_is_taken_from_its_file(
    people: list[Recording], tmp_path: Path
) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    search = windows_of(people[3:], InputSpec(32, True))
    shape = ResNetShape(4, 32, stem=8, widths=(8, 8), blocks=(1, 1))
    path = tmp_path / "teacher.safetensors"
    notes: list[float] = []

    def keep(done: int, total: int, note: str) -> None:
        notes.append(float(note.split()[-1]))

    arguments = {
        "make": partial(ResNetTeacher, shape),
        "effort": SMOKE,
        "seed": 0,
        "path": path,
        "processes": 1,
    }
    first = train_teacher(bank, search, progress=keep, **arguments)  # type: ignore[arg-type]
    assert notes[-1] < notes[0]
    again = train_teacher(bank, search, progress=kill_at(1), **arguments)  # type: ignore[arg-type]
    x = torch.from_numpy(search.x[:4])
    assert torch.equal(again(x), first(x))
    assert torch.equal(load_teacher(path)(x), first(x))


def test_a_teacher_that_knows_a_judge_is_refused(people: list[Recording], tmp_path: Path) -> None:
    def judge(dataset: str, subject: str, *also_in: str) -> Recording:
        return replace(people[0], dataset=dataset, subject=subject, also_in=also_in)

    path = tmp_path / "teacher.safetensors"
    taught = {"people": ["a/1", "a/2"], "also_in": ["CR_05"]}
    save_checkpoint(path, torch.nn.Linear(2, 2), identity=taught)
    check_unseen(path, [judge("a", "3"), judge("b", "1"), judge("c", "CR_06", "7")])
    with pytest.raises(RunError, match=r"was trained on a/2, who is a search or report person"):
        check_unseen(path, [judge("a", "2"), judge("a", "3")])
    with pytest.raises(RunError, match="was trained on c/CR_05, who is"):
        check_unseen(path, [judge("c", "CR_05")])
    with pytest.raises(RunError, match="was trained on c/9, who is"):
        check_unseen(path, [judge("c", "9", "2")])
    save_checkpoint(path, torch.nn.Linear(2, 2), identity={})
    with pytest.raises(RunError, match="does not say whom the teacher was trained on"):
        check_unseen(path, [judge("a", "3")])


def test_a_teacher_remembers_the_other_names_of_its_people(people: list[Recording]) -> None:
    bank = TrainingBank([replace(people[0], also_in=("CR_05",)), people[1]], acceleration=True)
    assert bank.also_in == ("CR_05",)


def test_a_file_that_is_no_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TeacherNameError, match="nor none nor a file; name"):
        load_teacher(tmp_path / "missing")
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, torch.nn.Linear(2, 2))
    with pytest.raises(RunError, match="is not a finished teacher"):
        load_teacher(path)
    facts: dict[str, Any] = {
        "identity": {"steps": 4},
        "step": 4,
        "shape": {"channels": 4, "rate_hz": 32},
    }
    for odd, message in (
        ({"step": 3}, "is not a finished teacher; pass"),
        ({"step": "x"}, r"is not a finished teacher \(step: Input should be a valid integer"),
        ({"identity": 3}, r"is not a finished teacher \(identity: "),
        ({"shape": {"channels": 4}}, r"\(rate_hz: Field required"),
        ({"shape": {"channels": 4, "rate_hz": 10**9}}, "has a size outside of 1 to 512"),
        ({"shape": {"channels": 4, "rate_hz": 32, "widths": [8]}}, "other numbers of widths"),
    ):
        save_checkpoint(path, torch.nn.Linear(2, 2), **{**facts, **odd})
        with pytest.raises(RunError, match=message):
            load_teacher(path)
    save_checkpoint(path, torch.nn.Linear(2, 2), identity={"people": 3}, step=4)
    with pytest.raises(RunError, match=r"is no teacher \(people: Input should be a valid tuple"):
        check_unseen(path, [])
    save_checkpoint(path, torch.nn.Linear(2, 2), **facts)
    with pytest.raises(RunError, match="whose networks read another front end; train it again"):
        load_teacher(path)
    path.write_bytes(b"garbage")
    with pytest.raises(RunError, match="cannot be read"):
        load_teacher(path)
