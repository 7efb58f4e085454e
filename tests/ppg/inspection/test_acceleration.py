"""What `inspect` says of an acceleration that froze, or is in another unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.inspection.signals import signal_warnings
from ppg.naive import at_rest
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
