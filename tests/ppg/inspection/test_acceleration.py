"""What `inspect` says of an acceleration that froze, or is in another unit."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ppg.inspection.signals import signal_warnings
from ppg.naive import at_rest
from ppg.plausible import check_signals
from ppgnas.errors import DataError
from tests.ppg.inspection.wrists import wandering as _recording


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (64, "counts of 1/64 g: divide by 64"),
        (9.80665, "m/s2"),
        (1000, "mg"),
        (0.01, "Gravity was taken out"),
    ],
)
def test_units_of_acceleration(factor: float, said: str) -> None:
    recording = _recording()
    assert recording.acc is not None
    wrong = replace(recording, acc=(recording.acc * factor).astype(np.float32))
    ((kind, text),) = signal_warnings(wrong)
    assert kind == "acceleration unit" and said in text


@pytest.mark.parametrize(("begin_s", "lasts_s"), [(0, 120), (200, 65), (300, 300), (100, 40)])
def test_an_acceleration_that_froze(begin_s: int, lasts_s: int) -> None:
    """A minute of it is told, and none of it is rest."""
    one = _recording()
    assert one.acc is not None
    froze = slice(50 * begin_s, 50 * (begin_s + lasts_s))
    acc = one.acc.copy()
    acc[froze] = acc[froze][0]
    frozen = replace(one, acc=acc)
    told = [message for kind, message in signal_warnings(frozen) if kind == "acceleration still"]
    said = f"the acceleration stays at one value for {lasts_s} s from {begin_s} s on"
    assert [message.partition(":")[0] for message in told] == [said] * (lasts_s >= 60)
    resting = at_rest(frozen)
    start_s = one.window_start_s
    within = (start_s + 8 > begin_s) & (start_s < begin_s + lasts_s)
    np.testing.assert_array_equal(resting, ~within | (lasts_s < 60))


@pytest.mark.parametrize(
    ("axis", "factor", "said"),
    [
        (0, 1000, "x changes 1... times as much"),
        (1, 1000, "y changes 1... times as much"),
        (2, 1000, "z changes 1... times as much"),
        (2, 1e-3, "z changes 1... times as little"),
        (1, 9.80665, None),
    ],
)
def test_an_axis_in_another_unit(axis: int, factor: float, said: str | None) -> None:
    """Nothing is said of all three then, nor where a wrist could move so."""
    one = _recording()
    assert one.acc is not None
    scale = np.ones(3)
    scale[axis] = factor
    rng = np.random.default_rng(0)
    acc = one.acc + rng.normal(0, 0.1, one.acc.shape)
    told = [*signal_warnings(replace(one, acc=(acc * scale).astype(np.float32)))]
    odd = [message for _, message in told if "as the others" in message]
    assert bool(odd) is bool(said)
    if said:
        assert [kind for kind, _ in told] == ["acceleration unit"]
        assert re.search(said.replace("1...", r"(?:9\d\d|1\d\d\d)"), odd[0])


@pytest.mark.parametrize("axes", [[0], [2], [0, 1, 2]])
@pytest.mark.parametrize("rows", [slice(500, 1000), slice(0, 30000, 60)])
def test_a_number_that_stands_for_none(rows: slice, axes: list[int]) -> None:
    one = _recording()
    assert one.acc is not None
    acc = one.acc.copy()
    acc[rows, axes] = -999
    told = [*signal_warnings(replace(one, acc=acc))]
    assert [kind for kind, _ in told] == ["no value"] * len(axes)
    said = f"acceleration {'xyz'[axes[0]]} is -999 in 500 samples, probably no measurement"
    assert told[0][1].startswith(said)


@pytest.mark.parametrize(("begin_s", "end_s"), [(0, 120), (300, 420), (60, 300)])
def test_minutes_in_another_unit(begin_s: int, end_s: int) -> None:
    one = _recording()
    assert one.acc is not None
    time_s = np.arange(len(one.acc)) / 50
    other = (time_s >= begin_s) & (time_s < end_s)
    wrong = replace(one, acc=one.acc * np.where(other, 9.80665, 1)[:, None].astype(np.float32))
    ((kind, said),) = signal_warnings(wrong)
    minutes = (end_s - begin_s) // 60
    assert kind == "acceleration unit"
    assert said.startswith(
        f"The acceleration is 9.81 in {minutes} of 10 minutes (the first from {begin_s} s on)"
    )
    assert "m/s2 beside g" in said
    for factor in (1.2, 2.0, 3.5):  # whoever runs
        moved = one.acc * np.where(other, factor, 1)[:, None].astype(np.float32)
        assert [*signal_warnings(replace(one, acc=moved))] == []


def test_most_minutes_in_another_unit_are_refused() -> None:
    one = _recording()
    assert one.acc is not None
    factor = np.where(np.arange(len(one.acc)) < 50 * 400, 9.80665, 1)[:, None].astype(np.float32)
    with pytest.raises(DataError, match=r"is 9\.81 in 7 of 10 minutes .* m/s2 beside g"):
        check_signals("one", replace(one, acc=one.acc * factor))
