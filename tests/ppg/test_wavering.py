"""One moment in two files, whatever was done to its samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache, reduce
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from scipy import signal

from ppg.identity import one_person_groups, shared_people
from ppg.loaders.registry import read_folder
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize_person
from ppg.wavering import likeness, wavering

Kind = Literal["bandpass", "lowpass", "highpass"]
Change = Callable[[Recording], Recording]


@cache
def _whole(number: int) -> Recording:
    return synthesize_person(number, minutes=4.0, seed=3)[0]


def _part(number: int, begin_s: float, end_s: float) -> Recording:
    """Of a person without labels, under a name that says which part it is."""
    whole = _whole(number)
    ppg = whole.ppg[round(begin_s * whole.ppg_hz) : round(end_s * whole.ppg_hz)]
    name = f"p{begin_s:g}"
    return Recording(subject=name, dataset="lab", name=name, ppg=ppg, ppg_hz=whole.ppg_hz)


def _at(hz: float) -> Change:
    def change(one: Recording) -> Recording:
        at = np.arange(int(one.duration_s * hz)) / hz * one.ppg_hz
        ppg = np.stack([np.interp(at, np.arange(len(x)), x) for x in one.ppg.T], axis=1)
        return replace(one, ppg=ppg.astype(np.float32), ppg_hz=hz)

    return change


def _volts(one: Recording) -> Recording:
    return replace(one, ppg=one.ppg * np.float32(1.25 / 2**19) - np.float32(0.3))


def _turned(one: Recording) -> Recording:
    return replace(one, ppg=-one.ppg[:, ::-1])


def _noisy(one: Recording) -> Recording:
    noise = np.random.default_rng(0).standard_normal(one.ppg.shape)
    return replace(one, ppg=one.ppg + (0.02 * one.ppg.std() * noise).astype(np.float32))


def _filtered(kind: Kind, edges_hz: float | list[float]) -> Change:
    def change(one: Recording) -> Recording:
        sections = signal.butter(3, edges_hz, kind, fs=one.ppg_hz, output="sos")
        ppg = signal.sosfilt(sections, one.ppg - one.ppg[0], axis=0)
        return replace(one, ppg=ppg.astype(np.float32))

    return change


def _derived(one: Recording) -> Recording:
    return replace(one, ppg=np.diff(one.ppg, axis=0))


def _summed(one: Recording) -> Recording:
    return _filtered("highpass", 0.3)(replace(one, ppg=np.cumsum(one.ppg - one.ppg[0], axis=0)))


def _mixed(one: Recording) -> Recording:
    return replace(one, ppg=one.ppg.mean(axis=1, keepdims=True))


def _coarse(one: Recording) -> Recording:
    high = _filtered("highpass", 0.3)(one)
    return replace(high, ppg=np.round(high.ppg / (0.2 * high.ppg.std())))


def _level(one: Recording) -> Recording:
    high = _filtered("highpass", 0.3)(one)
    return replace(high, ppg=np.clip(high.ppg, -high.ppg.std(), high.ppg.std()))


def _fast(one: Recording) -> Recording:
    return replace(one, ppg_hz=1.01 * one.ppg_hz)


def _all(*changes: Change) -> Change:
    return lambda one: reduce(lambda made, change: change(made), changes, one)


CHANGES = [
    _at(10.0), _at(25.0), _at(50.0), _at(100.0), _volts, _turned, _noisy, _derived, _summed,
    _mixed, _coarse, _level, _fast, _filtered("bandpass", [0.5, 4.0]), _filtered("lowpass", 3.0),
    _filtered("highpass", 0.5), _all(_mixed, _at(25.0), _derived), _all(_at(32.0), _noisy, _fast),
    _all(_filtered("bandpass", [0.5, 8.0]), _at(20.0), _coarse),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_minute_of_one_person_in_other_samples(change: Change) -> None:
    first, second, third = _part(0, 0, 150), change(_part(0, 70, 240)), _part(1, 50, 240)
    (found,) = one_person_groups([first, second, third])
    assert found.people == ("lab/p0", "lab/p70")
    assert found.links[0].why == "the same pulse, in other samples"
    assert [link.right.name for link in shared_people([first], [third, second])] == ["p70"]


@pytest.mark.parametrize("change", [_at(25.0), _volts, _mixed, _filtered("lowpass", 4.0)])
def test_half_a_minute_of_a_clean_copy_is_enough(change: Change) -> None:
    (found,) = one_person_groups([_part(0, 0, 100), change(_part(0, 55, 130)), _part(1, 0, 130)])
    assert found.people == ("lab/p0", "lab/p55")


def test_three_names_of_one_person() -> None:
    parts = [_part(0, 0, 120), _at(50.0)(_part(0, 40, 200)), _volts(_part(0, 120, 240))]
    (found,) = one_person_groups(parts)
    assert len(found.people) == 3


def test_people_are_not_taken_for_one() -> None:
    everybody = [synthesize_person(n, minutes=2.0, seed=1)[0] for n in range(8)]
    assert one_person_groups(everybody) == []


def test_real_people_of_one_protocol_are_not_taken_for_one() -> None:
    folder = Path(os.environ.get("PPGNAS_TEST_DATA", "")) / "bami1"
    if "PPGNAS_TEST_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("no real recordings: set PPGNAS_TEST_DATA to a folder that holds bami1")
    seen = [wavering(r.ppg[:, :1], r.ppg_hz) for r in read_folder(folder)[:8]]
    assert max(likeness(left, right) for left, right in combinations(seen, 2)) < 0.95


@pytest.mark.parametrize("hz", [0.9, 1.5, 2.4])
def test_a_rhythm_without_variation_says_nothing(hz: float) -> None:
    beat = np.sin(2 * np.pi * hz * np.arange(64 * 120) / 64).astype(np.float32)[:, None]
    steady = wavering(beat, 64.0)
    assert likeness(steady, steady) == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seconds", [1, 5, 30, 36])
def test_too_short_to_tell(seconds: int) -> None:
    noise = np.random.default_rng(0).standard_normal((64 * seconds, 1)).astype(np.float32)
    assert likeness(wavering(noise, 64.0), wavering(noise, 64.0)) == 0
