"""When a row was measured: rates, times, gaps, two clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.mapping import read_mapping
from ppg.loaders.own.recipe import Recipe
from ppg.naive import spectra
from ppgnas.errors import DataError
from tests.ppg.loaders.own.tables import made_table, read_own, refusal, write
from tests.ppg.npz.npz_files import equal


def test_rates_instead_of_times(tmp_path: Path) -> None:
    table = made_table()
    del table["t"]
    columns = Columns(("green",), (), "hr")
    recording = read_own(write(tmp_path / "a.csv", table), columns, rate_hz=50.0)
    assert recording.ppg_hz == 50.0 and recording.acc is None
    assert "neither a time column nor a rate" in refusal(tmp_path / "a.csv", columns)


def test_milliseconds_from_any_zero(tmp_path: Path) -> None:
    table = made_table()
    table["t"] = np.round(1000 * (table["t"] + 90))
    columns = Columns(("green",), (), "hr", time="t", time_unit="ms")
    recording = read_own(write(tmp_path / "a.csv", table), columns)
    assert recording.ppg_hz == 50.0
    np.testing.assert_allclose(recording.hr_bpm[0], 64)


def test_gaps_mark_windows(tmp_path: Path) -> None:
    table = made_table()
    keep = (table["t"] < 20) | (table["t"] >= 23)
    recording = read_own(write(tmp_path / "a.csv", {k: v[keep] for k, v in table.items()}))
    start = recording.window_start_s[~recording.valid]
    # Windows that meet the gap from 19.98 to 23 s.
    assert start.tolist() == [12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    assert recording.ppg_hz == 50.0
    ((begin, end),) = recording.gaps
    assert [begin, end] == pytest.approx([19.98, 23.0])
    assert not recording.measured(np.array([12.0, 22.9])).any()
    assert recording.measured(np.array([11.9, 23.1])).all()


def _beats(time_s: np.ndarray[Any, Any], bpm: float) -> np.ndarray[Any, Any]:
    return 500 + np.sin(2 * np.pi * bpm / 60 * time_s)


def test_times_of_packets_give_the_rate_of_the_sensor(tmp_path: Path) -> None:
    """8 rows 1 ms apart, as a radio hands them over, are no 1000 Hz."""
    true_s = np.arange(25 * 120) / 25
    packet, place = np.divmod(np.arange(len(true_s)), 8)
    table = {"t": 1.7e9 + packet * 0.32 + place * 1e-3, "green": _beats(true_s, 72)}
    path = write(tmp_path / "a.csv", table | {"hr": np.full(len(true_s), 72.0)})
    said: list[str] = []
    recording = read_own(path, Columns(("green",), (), "hr", time="t"), say=said.append)
    assert recording.ppg_hz == 25.0
    assert said == ["a.csv: the PPG has 25 rows a second by its times, in packets of 8 rows."]
    found = spectra(recording)
    assert np.abs(found.peak_bpm - 72).max() <= 1
    wrong = refusal(path, Columns(("green",), (), "hr", time="t"), rate_hz=50.0)
    assert "25 rows a second by its times (packets of 8 rows" in wrong


@pytest.mark.parametrize("stamp", ["whole seconds", "one a packet", "the first of a packet"])
def test_rows_that_share_a_time(stamp: str, tmp_path: Path) -> None:
    true_s = np.arange(25 * 120) / 25
    packet_s = np.floor(true_s) if stamp == "whole seconds" else np.floor(true_s / 0.4) * 0.4
    if stamp == "the first of a packet":
        packet_s = np.where(np.diff(packet_s, prepend=-1.0) > 0, packet_s, np.nan)
    hr = np.where(np.arange(len(true_s)) % 25 == 0, 84.0, np.nan)
    path = write(tmp_path / "a.csv", {"t": packet_s, "green": _beats(true_s, 84), "hr": hr})
    recording = read_own(path, Columns(("green",), (), "hr", time="t"))
    assert recording.ppg_hz == 25.0 and recording.gaps == () and recording.usable.sum() > 50
    assert np.abs(spectra(recording).peak_bpm - 84).max() <= 1


def test_times_that_do_not_tell_the_rate_ask_for_it(tmp_path: Path) -> None:
    true_s = np.arange(25 * 120) / 25
    path = write(
        tmp_path / "a.csv", {"t": np.floor(true_s / 30) * 30, "green": _beats(true_s, 72)}
    )
    columns = Columns(("green",), (), None, time="t")
    message = refusal(path, columns)
    assert "do not tell its rate: 3000 rows come in 4 packets of 750 rows" in message
    assert "Give `rate_hz`, the rows a second of the sensor." in message
    said: list[str] = []
    recording = read_own(path, columns, rate_hz=25.0, say=said.append)
    assert recording.ppg_hz == 25.0 and recording.duration_s == 120
    assert said == ["a.csv: the PPG has 25 rows a second as given; its times are not used."]


def test_doubled_rows_are_left_out_and_turned_times_named_by_their_lines(tmp_path: Path) -> None:
    table = made_table() | {"t": 1.76e9 + made_table()["t"]}
    twice = np.sort(np.r_[np.arange(3000), 55, 700])
    said: list[str] = []
    path = write(tmp_path / "a.csv", {name: cells[twice] for name, cells in table.items()})
    doubled = read_own(path, say=said.append)
    assert any(
        "2 rows of the PPG have the time of the row before (the first in line 58, 1760000001.1 s)"
        in line
        for line in said
    )
    assert equal(doubled, read_own(write(tmp_path / "a.csv", table)))
    every = {name: np.repeat(cells, 2) for name, cells in table.items()}
    assert equal(read_own(write(tmp_path / "a.csv", every)), doubled)
    table["t"][56] -= 1.0
    message = refusal(write(tmp_path / "a.csv", table))
    assert (
        "goes back from 1760000001.1 s in line 57 to 1760000000.12 s in line 58 (1 such" in message
    )
    assert "allowed: times that increase" in message


def test_gaps_everywhere_are_the_cause_that_is_named(tmp_path: Path) -> None:
    table = made_table(seconds=120)
    kept = table["t"] % 6 < 5
    message = refusal(write(tmp_path / "a.csv", {k: v[kept] for k, v in table.items()}))
    assert "every window with a heart rate touches a gap: 19 holes" in message
    assert "median" not in message


def test_uneven_times_are_made_even(tmp_path: Path) -> None:
    table = made_table()
    jitter = np.random.default_rng(0).uniform(-0.004, 0.004, len(table["t"]))
    time_s = table["t"] + jitter
    time_s[0] = 0.0
    table |= {"t": time_s, "green": 500 + np.sin(2 * np.pi * 1.2 * time_s)}
    recording = read_own(write(tmp_path / "a.csv", table))
    assert recording.ppg_hz == 50.0
    even = 500 + np.sin(2 * np.pi * 1.2 * np.arange(len(recording.ppg)) / 50)
    assert np.abs(recording.ppg[:, 0] - even).max() < 0.02


def test_a_rate_beside_times(tmp_path: Path) -> None:
    """Files with a rate alone beside a PPG with times from any zero."""
    table = made_table()
    path = write(tmp_path / "a.csv", table | {"t": 1.7e9 + table["t"]})
    strap = write(tmp_path / "hr.csv", {"hr": 60 + np.arange(61.0)})
    names = ("ax", "ay", "az")
    slow = write(tmp_path / "acc.csv", {name: table[name][::2] for name in names})
    options: dict[str, Any] = {
        "acc_file": slow,
        "acc_rate_hz": 25.0,
        "hr_file": strap,
        "hr_rate_hz": 1.0,
    }
    recording = read_own(path, **options)
    np.testing.assert_allclose(recording.hr_bpm, 64 + recording.window_start_s)
    assert recording.acc is not None and recording.acc_hz == 25.0
    np.testing.assert_allclose(recording.acc[:, 0], table["ax"][::2], atol=1e-6)
    # One file, one rate, and a sensor that starts a second late: rows keep their time.
    late = table["green"].copy()
    late[:50] = np.nan
    one = write(tmp_path / "b.csv", {**table, "green": late})
    recording = read_own(one, Columns(("green",), (), "hr"), rate_hz=50.0)
    np.testing.assert_allclose(recording.hr_bpm[:-1], 65 + recording.window_start_s[:-1])


def test_a_strap_that_loses_contact(tmp_path: Path) -> None:
    """0 is no heart rate: windows in which it lasts have none, the others keep their mean."""
    table = made_table()
    lost = (table["t"] > 20) & (table["t"] < 30) & np.isfinite(table["hr"])
    table["hr"][lost] = 0.0
    table["hr"][50] = -1.0
    recording = read_own(write(tmp_path / "a.csv", table))
    start_s = recording.window_start_s
    touched = (start_s + 8 > 20) & (start_s < 30)
    # Holes of up to 4 s are bridged.
    np.testing.assert_allclose(recording.hr_bpm[~touched][:-1], 64 + start_s[~touched][:-1])
    assert not recording.usable[(start_s > 18) & (start_s < 24)].any()
    assert np.nanmin(recording.hr_bpm) > 60


def test_a_clock_that_was_set(tmp_path: Path) -> None:
    table = made_table()
    for jump_s in (7200.0, 1.7e9):
        later = np.where(table["t"] > 30, table["t"] + jump_s, table["t"])
        message = refusal(write(tmp_path / "a.csv", table | {"t": later}))
        assert "jumps by" in message and "Cut the file in two there" in message


@pytest.mark.parametrize(
    ("begin", "form"), [("12:59:40", "%I:%M:%S.%f"), ("10:59:40", "%M:%S.%f")]
)
def test_a_clock_of_twelve_hours_or_of_one(tmp_path: Path, begin: str, form: str) -> None:
    """Without a word for the half of the day, or without the hour, as spreadsheets show it."""
    table, said, path = made_table(), list[str](), tmp_path / "a.csv"
    first = datetime.fromisoformat(f"2024-05-31T{begin}")
    times = [(first + timedelta(seconds=at)).strftime(form)[:-3] for at in table["t"].tolist()]
    rows = [f"{t},{v:.3f}" for t, v in zip(times, table["green"], strict=True)]
    path.write_text("\n".join(["t,green", *rows]))
    found = read_own(path, Columns(("green",), time="t"), say=said.append)
    assert found.ppg_hz == 50 and found.gaps == () and found.duration_s == 60
    assert not any("summer" in one for one in said)


UNIX_S = 1.7e9


def _shifted(tmp_path: Path, hours: float, *, name: str = "hr.csv") -> tuple[Path, Path]:
    """Signals and a reference, both in seconds of UTC, the latter some hours off."""
    table = made_table()
    signals = write(tmp_path / "a.csv", {"t": UNIX_S + table["t"], "green": table["green"]})
    hr_s = UNIX_S + 3600 * hours + np.arange(60.0)
    return signals, write(tmp_path / name, {"t": hr_s, "hr": 64 + np.arange(60.0)})


@pytest.mark.parametrize("hours", [-5.0, 1.0, 5.5])
def test_clocks_in_utc_are_not_moved_by_hours(tmp_path: Path, hours: float) -> None:
    """They do not differ; whoever knows better says so."""
    signals, labels = _shifted(tmp_path, hours)
    columns = Columns(("green",), (), "hr", time="t")
    message = refusal(signals, columns, hr_file=labels)
    assert "no window has a heart rate" in message
    assert f"If its clock is of another zone, give `lag_s` {-3600 * hours:g}." in message
    right = read_own(signals, columns, hr_file=labels, lag_s=-3600 * hours)
    np.testing.assert_allclose(right.hr_bpm[:-1], 68 + right.window_start_s[:-1], atol=0.6)


def test_clocks_in_utc_that_meet_in_part_stay_as_they_are(tmp_path: Path) -> None:
    signals, labels = _shifted(tmp_path, 30 / 3600)
    recording = read_own(signals, Columns(("green",), (), "hr", time="t"), hr_file=labels)
    used = recording.usable
    np.testing.assert_allclose(
        recording.hr_bpm[used], 38 + recording.window_start_s[used], atol=1.1
    )


@pytest.mark.parametrize("ppm", [50_001.0, -1e9, float("nan"), float("inf")])
def test_a_drift_that_no_clock_has(ppm: float, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`drift_ppm` is .*; allowed: -50000 to 50000"):
        Recipe(drift_ppm=ppm)
    if np.isfinite(ppm):
        path = write(tmp_path / "a.csv", made_table())
        rows = f'[[recording]]\nfile = "{path.name}"\ndrift_ppm = {ppm:.0f}\n'
        (tmp_path / "recordings.toml").write_text(rows)
        with pytest.raises(DataError, match=r"recording 1 \(a\.csv\): `drift_ppm` is"):
            read_mapping(tmp_path / "recordings.toml")


def test_clocks_with_different_zeros(tmp_path: Path) -> None:
    signals = write(tmp_path / "a.csv", {"t": made_table()["t"], "green": made_table()["green"]})
    labels = write(tmp_path / "hr.csv", {"t": 1.7e9 + np.arange(60.0), "hr": np.full(60, 70.0)})
    columns = Columns(("green",), (), "hr", time="t")
    message = refusal(signals, columns, hr_file=labels)
    assert "the times of hr are dates, those of PPG count from a zero of their own" in message
    late = write(tmp_path / "hr.csv", {"t": 500 + np.arange(60.0), "hr": np.full(60, 70.0)})
    assert "no window has a heart rate" in refusal(signals, columns, hr_file=late)


@pytest.mark.parametrize("every", [1, 2, 60])
def test_a_reference_in_whole_minutes(tmp_path: Path, every: int) -> None:
    """Its rows are spread within their minutes; one a minute leaves windows without."""
    table = made_table(seconds=600.0)
    second = np.arange(0, 600, every)
    hr_s = 1.77e9 // 60 * 60 + second
    reference = write(
        tmp_path / "hr.csv", {"time": hr_s // 60 * 60, "hr": 60 + 20 * np.sin(second / 60)}
    )
    said: list[str] = []
    own = {"t": table["t"] + 1.77e9 // 60 * 60, "green": table["green"]}
    recording = read_own(
        write(tmp_path / "ppg.csv", own),
        Columns(ppg=("green",), time="t"),
        hr_file=reference,
        say=said.append,
    )
    finite = np.isfinite(recording.hr_bpm)
    assert finite.mean() > 0.9 if every < 60 else finite.mean() < 0.1
    assert any("windows have a heart rate, as values of hr" in line for line in said) == (
        every == 60
    )
    true = 60 + 20 * np.sin((recording.window_start_s + 4) / 60)
    assert every == 60 or np.abs(recording.hr_bpm - true)[finite].max() < 1.5


@pytest.mark.parametrize("ticks", [512, 256])
def test_ticks_that_the_labels_tell(ticks: int, tmp_path: Path) -> None:
    """Whole numbers of no unit are not taken for ms where beats and labels say otherwise."""
    at_s = np.arange(50 * 300) / 50
    bpm = 90 + 20 * np.sin(at_s / 15)
    light = np.sin(2 * np.pi * np.cumsum(bpm / 60 / 50))
    rows = zip((at_s * ticks).astype(int), light, bpm, strict=True)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["n,green,hr", *(f"{t},{v:.3f},{h:.0f}" for t, v, h in rows)]))
    columns = Columns(("green",), hr="hr", time="n")
    assert f"Give `time_unit`, 1/{ticks} fits." in refusal(path, columns)
    assert read_own(path, replace(columns, time_unit=f"1/{ticks}")).ppg_hz == 50
