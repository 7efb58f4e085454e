"""The middle of a longer window is what a network of a shorter one would have been given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.inputs import inputs_of
from distill.teachers.files import build, description, from_description, shape_of
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.task import TASK, Task
from search_spaces.published import published
from search_spaces.stages import at_task


@pytest.fixture(scope="module")
def people() -> list[Recording]:
    return synthesize(people=2, minutes=1.0, seed=4)


@pytest.mark.parametrize("still", [False, True])
def test_the_middle_equals_the_window_itself(people: list[Recording], still: bool) -> None:
    # Several channels are made equally strong over the window before they are one trace.
    people = [r.with_channels((1,)) for r in people]
    if still:  # so little movement that it is below the floor
        people = [replace(r, acc=r.acc * 1e-3) for r in people if r.acc is not None]
    long, short = (
        windows_of(people, InputSpec(32, True, Task(window_s, 2))) for window_s in (12, 4)
    )
    arch = at_task(replace(published("tiny"), rate_hz=32, stem_kernel=9), Task(4, 2))
    seen = inputs_of(torch.from_numpy(long.x), arch, window_s=12).numpy()
    pairs = zip(short.recording, short.start_s, strict=True)
    at = {(recording, round(start_s, 3)): row for row, (recording, start_s) in enumerate(pairs)}
    pairs = zip(long.recording, long.start_s, strict=True)
    rows = [at[recording, round(start_s + 4, 3)] for recording, start_s in pairs]
    assert seen.shape == short.x[rows].shape == (len(long), 4, 128)
    # What a whole window clips is lost to its middle: rare, and told apart here.
    whole = np.abs(long.x[:, :, 128:256]).max(axis=(1, 2)) < 4.999
    assert whole.sum() > 5
    np.testing.assert_allclose(seen[whole], short.x[rows][whole], atol=2e-3)


def test_the_usual_window_is_cut_as_ever(people: list[Recording]) -> None:
    x = torch.from_numpy(windows_of(people, InputSpec(32, True)).x)
    assert torch.equal(inputs_of(x, published("tiny")), x[:, :, ::2])


@pytest.mark.parametrize("name", ["spectral", "resnet-small", "transformer-small", "recurrent"])
def test_teachers_of_another_task(name: str) -> None:
    task = Task(6, 2, 40, 199)
    teacher = build(shape_of(name, acceleration=True, rate_hz=32, task=task))
    assert teacher(torch.randn(2, 4, 6 * 32)).shape == (2, 160)
    again = from_description(description(teacher))
    assert again.shape == teacher.shape and again.inputs.task == task
    usual = build(shape_of(name, acceleration=True, rate_hz=32))
    assert "task" not in description(usual)["shape"] and usual.inputs.task == TASK


def test_a_bank_draws_windows_of_its_task(people: list[Recording]) -> None:
    bank = TrainingBank(people, acceleration=True, task=Task(6, 1, 50, 149))
    x, hr_bpm = bank.draw(np.random.default_rng(0), 64, rate_hz=16)
    assert x.shape == (64, 4, 96)
    assert hr_bpm.min() >= 50 and hr_bpm.max() <= 149
