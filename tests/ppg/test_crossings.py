"""One moment in two files, whatever was done to its samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ppg.crossings import crossings, one_moment
from ppg.identity import one_person_groups, shared_people
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize_person

Change = Callable[[Recording], Recording]


def _part(number: int, begin_s: float, end_s: float) -> Recording:
    """Of a person without labels, under a name that says which part it is."""
    whole, _ = synthesize_person(number, minutes=4.0, seed=3)
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
    return replace(one, ppg=one.ppg + (0.002 * one.ppg.std() * noise).astype(np.float32))


@pytest.mark.parametrize("change", [_at(25.0), _at(50.0), _at(100.0), _volts, _turned, _noisy])
def test_a_minute_of_one_person_in_other_samples(change: Change) -> None:
    first, second, third = _part(0, 0, 130), change(_part(0, 70, 200)), _part(1, 50, 200)
    (found,) = one_person_groups([first, second, third])
    assert found.people == ("lab/p0", "lab/p70")
    assert found.links[0].why == "the same pulse, in other samples"
    assert [link.right.name for link in shared_people([first], [third, second])] == ["p70"]


def test_three_names_of_one_person() -> None:
    parts = [_part(0, 0, 100), _at(50.0)(_part(0, 60, 170)), _volts(_part(0, 120, 240))]
    (found,) = one_person_groups(parts)
    assert len(found.people) == 3


def test_people_are_not_taken_for_one() -> None:
    everybody = [synthesize_person(n, minutes=1.0, seed=1)[0] for n in range(12)]
    assert one_person_groups(everybody) == []


def test_a_rhythm_without_variation_says_nothing() -> None:
    beat = np.sin(2 * np.pi * 1.5 * np.arange(64 * 120) / 64).astype(np.float32)[:, None]
    steady = crossings(beat, 64.0)
    assert steady.n == 0 and not one_moment(steady, steady)
