"""Beats from intervals, and activities of windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.labels import activity_of_windows, beats_of_intervals
from tests.ppg.loaders.own.tables import made_table, read_own, write

RNG = np.random.default_rng(3)
RR_S = 0.8 + 0.1 * np.sin(np.arange(600) / 20)
BEATS_S = np.cumsum(RR_S)


def _off(found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each true beat from the next found one, and its sign."""
    nearest = np.abs(found[:, None] - true).argmin(axis=0)
    return np.asarray(found[nearest] - true)


def test_intervals_alone_begin_with_the_recording() -> None:
    np.testing.assert_allclose(beats_of_intervals(RR_S, None), np.r_[0.0, BEATS_S])


def test_late_notifications_set_the_place_and_not_the_intervals() -> None:
    stamps = np.maximum.accumulate(np.ceil(BEATS_S + RNG.uniform(0, 0.5, len(BEATS_S))))
    found = beats_of_intervals(RR_S, stamps + 100)
    np.testing.assert_allclose(np.diff(found), RR_S)
    assert 0 < np.median(found[1:] - 100 - BEATS_S) < 0.5


def test_a_strap_that_loses_contact_is_set_anew() -> None:
    kept = np.ones(len(RR_S), np.bool_)
    kept[200:260] = False
    stamps = np.maximum.accumulate(BEATS_S + RNG.uniform(0, 0.6, len(BEATS_S)))
    found = beats_of_intervals(RR_S[kept], stamps[kept])
    assert np.abs(_off(found, BEATS_S[kept])).max() < 0.4
    assert np.diff(found).max() > 40 and (np.diff(found) > 1.2).sum() == 1


def test_times_of_beats_are_taken_as_they_are() -> None:
    """As a device gives them that leaves out what it does not trust."""
    kept = np.arange(len(RR_S)) % 20 < 7
    found = beats_of_intervals(RR_S[kept], BEATS_S[kept])
    assert np.abs(_off(found, BEATS_S[kept])).max() < 1e-9
    assert len(found) == kept.sum() + 30  # the beat before each run, too


def test_an_activity_fills_more_than_half_of_a_window() -> None:
    time_s = np.arange(0, 40, 0.5)
    names = ["rest" if t < 13 else "" if t < 20 else "walk" for t in time_s]
    found, known = activity_of_windows(names, time_s, np.array([0.0, 8.0, 12.0, 20.0]))
    assert known == ("rest", "walk") and found.tolist() == [0, 0, -1, 1]


@pytest.mark.parametrize("unit", ["1/1024 s", "ms", "s"])
@pytest.mark.parametrize("stamps", ["of beats", "late", "whole seconds", "none"])
def test_units_of_intervals_by_the_clock_beside_them(
    tmp_path: Path, stamps: str, unit: str
) -> None:
    beats_s, said = [0.0], list[str]()  # a rate that only rises, as of a warm-up
    while beats_s[-1] < 300:
        beats_s.append(beats_s[-1] + 60 / (60 + 0.2 * beats_s[-1]))
    rr_s, at_s = np.diff(beats_s), np.array(beats_s[1:])
    late_s = at_s + np.random.default_rng(0).uniform(0, 0.8, len(at_s))
    told = {
        "of beats": at_s,
        "late": np.maximum.accumulate(late_s),
        "whole seconds": np.ceil(at_s),
    }
    of_s = {"1/1024 s": 1024, "ms": 1000, "s": 1}[unit]
    rr = np.round(rr_s * of_s) if of_s > 1 else rr_s
    header = f"rr ({unit})" if stamps == "none" else "rr"
    columns = {header: rr} if stamps == "none" else {"t": told[stamps], "rr": rr}
    signals = write(tmp_path / "a.csv", made_table(seconds=300))
    found = read_own(
        signals, Columns(), hr_file=write(tmp_path / "rr.csv", columns), say=said.append
    )
    right = 60 + 0.2 * (found.window_start_s + 4)
    assert np.abs(found.hr_bpm - right).mean() < 0.6  # 2.4 % would be 2.1 BPM
    assert any(f"the intervals are in {unit}, as" in one for one in said) == (stamps != "none")


def test_intervals_alone_with_decimal_commas(tmp_path: Path) -> None:
    signals = write(tmp_path / "a.csv", made_table(seconds=120))
    (tmp_path / "rr.txt").write_text("rr\n" + "".join(f"0,{i % 7 + 750}\n" for i in range(159)))
    found = read_own(signals, Columns(), hr_file=tmp_path / "rr.txt")
    assert found.usable.sum() > 50
    np.testing.assert_allclose(found.hr_bpm[found.usable], 60 / 0.753, atol=0.5)


@pytest.mark.parametrize("every_s", [0.02, 0.2, 1.0])
def test_the_last_interval_in_every_row(tmp_path: Path, every_s: float) -> None:
    """Their sum is no time: each row for a beat, as it was, made 60 BPM 170."""
    table, said = made_table(seconds=120), list[str]()
    phase = np.cumsum(90 + table["t"] / 2) / 60 / 50
    beats_s = np.interp(np.arange(1, 240), phase, table["t"])
    at_s = np.arange(3, 119, every_s)
    last = np.searchsorted(beats_s, at_s) - 1
    rr = np.round(1e3 * (beats_s[last] - beats_s[last - 1]))
    signals = write(tmp_path / "a.csv", table)
    told = write(tmp_path / "rr.csv", {"t": at_s, "rr": rr})
    found = read_own(signals, Columns(), hr_file=told, say=said.append)
    assert found.usable.sum() > 50
    right = 90 + (found.window_start_s[found.usable] + 4) / 2
    assert np.abs(found.hr_bpm[found.usable] - right).mean() < 0.5
    assert any("rr tells some interval at each time: read as its rate" in one for one in said)
