"""What `inspect` says of blocks that stand twice, and of labels that halve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.inspection.inspection import inspect
from ppg.inspection.notes import faults
from ppg.inspection.signals import repeats
from ppg.recording import Recording
from tests.ppg.inspection.wrists import wandering


def _again(one: Recording, rows: int, *, every: int, later: int = 0) -> Recording:
    """A recording with copies of blocks, behind each or some rows later."""
    parts = []
    for begin in range(0, len(one.ppg), every):
        parts += [np.arange(begin, min(begin + every, len(one.ppg)))]
        copy = begin + every - rows - later
        if begin + every < len(one.ppg):
            parts += [np.arange(copy, copy + rows)]
    order = np.concatenate(parts)
    assert one.acc is not None
    return replace(one, ppg=one.ppg[order], acc=one.acc[order])


@pytest.mark.parametrize(
    ("rows", "every", "later", "blocks"),
    [(100, 3000, 0, 9), (50, 3000, 0, 9), (500, 6000, 0, 4), (200, 10000, 400, 2)],
)
def test_blocks_that_stand_twice(rows: int, every: int, later: int, blocks: int) -> None:
    """They are told as such, and not as a clock that drifts."""
    found = inspect([_again(wandering(), rows, every=every, later=later)])
    (kind, said), *rest = [(warning.kind, warning.message) for warning in found.warnings]
    assert kind == "repeated rows" and not [k for k, _ in rest if "clock" in k or k == "rate"]
    assert said.startswith(f"{blocks} blocks of rows, {blocks * rows / 50:.1f} s in all")
    at_s = (every - rows - later) / 50
    assert f"of {rows / 50:.1f} s, at {at_s:.1f} s and again at {every / 50:.1f} s" in said
    assert found.recordings[0].drift is None and found.recordings[0].rate_error is None


@pytest.mark.parametrize("kind", ["noise", "coarse", "periodic", "dead", "held"])
def test_what_is_no_copy(kind: str) -> None:
    one = wandering()
    time_s = np.arange(len(one.ppg)) / one.ppg_hz
    traces = {
        "noise": one.ppg,
        "coarse": np.round(one.ppg * 8),
        "periodic": np.round(100 * np.sin(2 * np.pi * (np.arange(len(time_s)) % 40) / 40))[
            :, None
        ],
        "dead": np.zeros_like(one.ppg),
        "held": np.repeat(one.ppg[::100], 100, axis=0),
    }
    assert repeats(replace(one, ppg=traces[kind].astype(np.float32))) == ""


@pytest.mark.parametrize(
    ("begin_s", "end_s", "factor", "said"),
    [
        (300, 600, 0.5, "half the beats of the PPG"),
        (0, 300, 0.5, "half the beats of the PPG"),
        (200, 400, 0.5, "half the beats of the PPG"),
        (300, 600, 2.0, "twice the beats of the PPG"),
    ],
)
def test_labels_that_halve_or_double(begin_s: int, end_s: int, factor: float, said: str) -> None:
    one = wandering()
    wrong = (one.window_start_s >= begin_s) & (one.window_start_s < end_s)
    spoilt = replace(one, hr_bpm=np.where(wrong, factor, 1.0) * one.hr_bpm)
    found = inspect([spoilt])
    (told,) = [warning.message for warning in found.warnings if warning.kind == "reference"]
    assert told.startswith(f"the heart rate is {said} in ")
    assert not [warning for warning in found.warnings if "clock" in warning.kind]
    (note,) = faults([one, spoilt])
    assert said in note and faults([one]) == []


@pytest.mark.parametrize("octave", ["the heart's", "a harmonic's", "none"])
def test_labels_that_are_right(octave: str) -> None:
    """A heart that slows down by half, and one whose second harmonic is its strongest."""
    one = wandering()
    time_s = np.arange(len(one.ppg)) / one.ppg_hz
    slow = octave == "the heart's"
    rate = np.interp(time_s, [0, 240, 360, 600], [140, 140, 70, 70]) if slow else 70.0 + 0 * time_s
    phase = 2 * np.pi * np.cumsum(rate / 60) / one.ppg_hz
    second = np.where(time_s > 300, 1.5, 0.2) if octave == "a harmonic's" else 0.2
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(time_s))
    trace = np.cos(phase) + second * np.cos(2 * phase) + noise
    bpm = np.interp(one.window_start_s + 4, time_s, rate)
    right = replace(one, ppg=trace[:, None].astype(np.float32), hr_bpm=bpm)
    assert not [w for w in inspect([right]).warnings if w.kind == "reference"]
