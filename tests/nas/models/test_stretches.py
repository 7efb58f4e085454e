"""Where a network is worst."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation import Predictions
from nas.models.stretches import STRETCHES, Stretch, worst_stretches
from nas.run.documents import read_rows, write_rows
from ppg.readout.decode import Decoded
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of

PEOPLE = synthesize(people=4, minutes=2.0, seed=5)


def predictions(*, wrong: dict[int, tuple[float, float]]) -> Predictions:
    """Perfect, but for 30 BPM from a begin to an end in s, by person."""
    windows = windows_of(PEOPLE, InputSpec(25, acceleration=True))
    bpm = windows.hr_bpm.copy()
    for person, (begin, end) in wrong.items():
        bpm[(windows.person == person) & (begin <= windows.start_s) & (windows.start_s < end)] += (
            30
        )
    read = Decoded(bpm, np.ones_like(bpm))
    return Predictions(windows, read, replace(read, bpm=windows.hr_bpm))


def test_the_worst_person_is_first_with_the_stretch_that_is_wrong() -> None:
    found = worst_stretches(predictions(wrong={2: (40, 70), 0: (10, 24)}), PEOPLE)
    assert [each.person for each in found[:2]] == [PEOPLE[2].person, PEOPLE[0].person]
    assert len(found) == 3 and found[2].mae_bpm == 0
    worst = found[0]
    assert worst.mae_bpm == pytest.approx(30) and 40 <= worst.start_s <= 48
    assert worst.time_s == tuple(np.arange(8.0, 31.0, 2.0))
    np.testing.assert_allclose(np.subtract(worst.bpm, worst.reference_bpm), 30, atol=0.11)
    assert worst.bpm_smoothed == worst.reference_bpm
    assert found[1].mae_bpm == pytest.approx(30 * 7 / 12)


def test_signals_are_those_of_the_stretch() -> None:
    (worst, *_) = worst_stretches(predictions(wrong={1: (60, 84)}), PEOPLE)
    assert len(worst.ppg) == 480 and worst.motion_g is not None and len(worst.motion_g) == 480
    moved = PEOPLE[1].acc
    assert moved is not None
    changed = moved.copy()
    changed[: int(worst.start_s * 32) - 320] += 1.0  # before it: the filter has forgotten
    (other, *_) = worst_stretches(
        predictions(wrong={1: (60, 84)}), [PEOPLE[0], replace(PEOPLE[1], acc=changed), *PEOPLE[2:]]
    )
    assert other.start_s == worst.start_s and other.motion_g is not None
    np.testing.assert_allclose(other.motion_g[160:], worst.motion_g[160:], atol=0.01)
    still = [replace(each, acc=None, acc_hz=None) for each in PEOPLE]
    assert worst_stretches(predictions(wrong={1: (60, 84)}), still)[0].motion_g is None


def test_they_are_written_and_read(tmp_path: Path) -> None:
    assert read_rows(tmp_path, STRETCHES, Stretch) == ()
    found = worst_stretches(predictions(wrong={}), PEOPLE)
    write_rows(tmp_path, STRETCHES, found)
    assert read_rows(tmp_path, STRETCHES, Stretch) == found
