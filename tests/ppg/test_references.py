from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.recording import Recording
from ppg.references import at_task
from ppg.windows import InputSpec, every_window, windows_of
from ppgnas.errors import DataError
from ppgnas.task import TASK, Task


def recording(rate_bpm: float = 0.5, *, seconds: int = 40) -> Recording:
    """References that rise by `rate_bpm` a second: 60 at a middle of 4 s."""
    start_s = np.arange(0.0, seconds - 7, 2)
    return Recording(
        "one",
        "own",
        "walk",
        np.random.default_rng(0).normal(size=(64 * seconds, 1)).astype(np.float32),
        64.0,
        window_start_s=start_s,
        hr_bpm=60 + rate_bpm * start_s,
        valid=np.ones(len(start_s), np.bool_),
        activity=(start_s >= 16).astype(np.int64),
        activity_names=("rest", "walk"),
    )


def test_the_usual_task_changes_nothing() -> None:
    own = recording()
    assert at_task(own, TASK) is own
    other = at_task(own, Task(lowest_bpm=40, highest_bpm=199))
    assert other.window_start_s is own.window_start_s and other.task.classes == 160


@pytest.mark.parametrize(("window_s", "stride_s"), [(4, 1), (4, 2), (6, 2), (12, 4), (16, 4)])
def test_a_reference_is_that_of_the_middle(window_s: int, stride_s: int) -> None:
    own = at_task(recording(), Task(window_s, stride_s))
    assert np.diff(own.window_start_s) == pytest.approx(stride_s)
    assert own.window_start_s[0] >= 0 and own.window_start_s[-1] + window_s <= 40
    middle_s = own.window_start_s + window_s / 2
    beside_s = max(0, (window_s - 8) / 2)
    known = (middle_s - beside_s >= 4) & (middle_s + beside_s <= 36)
    np.testing.assert_array_equal(own.usable, known)
    # Heart rate moves evenly, so that every mean is the rate of the middle.
    np.testing.assert_allclose(own.hr_bpm[known], 60 + 0.5 * (middle_s[known] - 4))
    assert (own.activity[known & (middle_s >= 22)] == 1).all()


def test_sixteen_seconds_are_the_mean_of_two_references() -> None:
    jumping = replace(recording(), hr_bpm=np.r_[np.full(6, 60.0), np.full(11, 90.0)])
    own = at_task(jumping, Task(16, 2))
    first, last = (np.searchsorted(jumping.window_start_s, own.window_start_s + d) for d in (0, 8))
    np.testing.assert_allclose(own.hr_bpm, (jumping.hr_bpm[first] + jumping.hr_bpm[last]) / 2)
    assert set(own.hr_bpm.tolist()) == {60.0, 75.0, 90.0}


def test_nothing_is_made_up_between_references_that_do_not_follow() -> None:
    valid = np.ones(17, np.bool_)
    valid[5:8] = False  # starts of 10, 12 and 14 s: no middle from 12 to 20 s is known
    own = at_task(replace(recording(), valid=valid), Task(4, 1))
    middle_s = own.window_start_s + 2
    np.testing.assert_array_equal(
        own.usable, (middle_s >= 4) & (middle_s <= 36) & ~((middle_s > 12) & (middle_s < 20))
    )
    gone = at_task(replace(recording(), gaps=((20.0, 21.0),)), Task(4, 1))
    touched = (gone.window_start_s + 4 > 20) & (gone.window_start_s < 21)
    assert not gone.usable[touched].any()


def test_windows_are_changed_once() -> None:
    short = at_task(recording(), Task(4, 1))
    assert at_task(short, Task(4, 1)) is short
    with pytest.raises(ValueError, match="has windows of 4 s every 1 s"):
        at_task(short, Task(6, 1))


def test_windows_of_a_task() -> None:
    cut = windows_of([recording()], InputSpec(32, False, Task(6, 3)))
    assert cut.x.shape[1:] == (1, 6 * 32) and cut.task == Task(6, 3)
    every = every_window(recording(), Task(12, 4))
    assert len(every.window_start_s) == (40 - 12 - every.window_start_s[0]) // 4 + 1
    with pytest.raises(DataError, match=r"lasts 10\.0 s; one window of this network needs 16 s"):
        every_window(recording(seconds=10), Task(16, 2))
    with pytest.raises(DataError, match="or the signal is shorter than 16 s"):
        windows_of([recording(seconds=10)], InputSpec(32, False, Task(16, 2)))
