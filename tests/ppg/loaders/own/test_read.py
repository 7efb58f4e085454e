"""Recordings of one's own from .csv files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.mapping import read_mapping
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from ppg.loaders.own.text import read_text
from ppg.naive import spectra
from ppg.recording import Recording
from ppgnas.errors import DataError
from tests.ppg.loaders.upstream import gravity, pulse
from tests.ppg.npz.npz_files import equal

COLUMNS = Columns(ppg=("green",), acc=("ax", "ay", "az"), hr="hr", time="t")


def _write(path: Path, table: dict[str, Any], *, separator: str = ",") -> Path:
    rows = [separator.join(table)]
    rows += [
        separator.join("" if np.isnan(cell) else f"{cell:.12g}" for cell in row)
        for row in zip(*table.values(), strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def _table(*, hz: float = 50.0, seconds: float = 60.0) -> dict[str, Any]:
    count = round(hz * seconds)
    acc = gravity(hz, seed=1, seconds=seconds)
    time_s = np.arange(count) / hz
    hr = np.where(np.arange(count) % round(hz) == 0, 60 + time_s, np.nan)  # 1 BPM a second
    return {"t": time_s, "green": 500 + pulse(hz, seconds=seconds), "hr": hr} | {
        name: acc[:, axis] for axis, name in enumerate(("ax", "ay", "az"))
    }


def _read(path: Path, columns: Columns = COLUMNS, **options: Any) -> Recording:
    said = options.pop("say", lambda _: None)
    recipe = Recipe(columns, **({"subject": "anna"} | options))
    (found,) = read_recordings(path, recipe, open_table=read_text, say=said)
    return found


def _message(path: Path, columns: Columns = COLUMNS, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        _read(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_one_file_with_everything(separator: str, tmp_path: Path) -> None:
    table = _table()
    recording = _read(_write(tmp_path / "walk.csv", table, separator=separator))
    assert (recording.person, recording.name) == ("own/anna", "walk")
    assert (recording.ppg_hz, recording.acc_hz) == (50.0, 50.0)
    np.testing.assert_allclose(recording.ppg[:, 0], table["green"], atol=1e-3)
    assert recording.acc is not None and recording.acc.shape == (3000, 3)
    assert recording.window_start_s.tolist() == list(np.arange(0, 53, 2.0))
    # 60 + t is 64 + start on average over 8 s; the last instant is at 59 s.
    np.testing.assert_allclose(recording.hr_bpm[:-1], 64 + recording.window_start_s[:-1])
    assert recording.usable.all()


def test_files_of_their_own_with_their_own_rates(tmp_path: Path) -> None:
    table = _table()
    fast = _write(tmp_path / "ppg.csv", {"t": table["t"], "green": table["green"]})
    acc = gravity(25, seed=2)
    names = ("ax", "ay", "az")
    slow = _write(
        tmp_path / "acc.csv",
        {"t": np.arange(1500) / 25} | {n: 64 * acc[:, i] for i, n in enumerate(names)},
    )
    strap = _write(tmp_path / "hr.csv", {"when": np.arange(61.0), "hr": np.full(61, 72.0)})
    columns = Columns(("green",), names, "hr", time="t", hr_time="when")
    recording = _read(fast, columns, acc_file=slow, acc_per_g=64.0, hr_file=strap)
    assert (recording.ppg_hz, recording.acc_hz) == (50.0, 25.0)
    assert recording.acc is not None
    np.testing.assert_allclose(recording.acc, acc, atol=1e-3)
    np.testing.assert_allclose(recording.hr_bpm, 72)


def test_rates_instead_of_times(tmp_path: Path) -> None:
    table = _table()
    del table["t"]
    columns = Columns(("green",), (), "hr")
    recording = _read(_write(tmp_path / "a.csv", table), columns, rate_hz=50.0)
    assert recording.ppg_hz == 50.0 and recording.acc is None
    assert "neither a time column nor a rate" in _message(tmp_path / "a.csv", columns)


def test_milliseconds_from_any_zero(tmp_path: Path) -> None:
    table = _table()
    table["t"] = np.round(1000 * (table["t"] + 90))
    columns = Columns(("green",), (), "hr", time="t", time_unit="ms")
    recording = _read(_write(tmp_path / "a.csv", table), columns)
    assert recording.ppg_hz == 50.0
    np.testing.assert_allclose(recording.hr_bpm[0], 64)


def test_means_of_windows_and_a_lag(tmp_path: Path) -> None:
    signals = _write(tmp_path / "a.csv", {"t": _table()["t"], "green": _table()["green"]})
    means = {"t": np.array([1.0, 11, 21]), "hr": np.array([70.0, 71, 72])}
    labels = _write(tmp_path / "hr.csv", means)
    columns = Columns(("green",), (), "hr", time="t", hr_is="window")
    recording = _read(signals, columns, hr_file=labels, lag_s=0.5)
    assert recording.window_start_s.tolist() == [1.5, 11.5, 21.5]
    assert recording.hr_bpm.tolist() == [70.0, 71.0, 72.0] and recording.label_lag_s == 0.5


def test_a_lag_of_instants_moves_the_values_not_the_windows(tmp_path: Path) -> None:
    recording = _read(_write(tmp_path / "a.csv", _table()), lag_s=-2.0)
    assert recording.window_start_s[1] == 2.0
    # What is said at t was true at t - 2: the window from 2 s has what was said 4 to 12 s.
    np.testing.assert_allclose(recording.hr_bpm[1], 64 + 2 + 2)


def test_gaps_mark_windows(tmp_path: Path) -> None:
    table = _table()
    keep = (table["t"] < 20) | (table["t"] >= 23)
    recording = _read(_write(tmp_path / "a.csv", {k: v[keep] for k, v in table.items()}))
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
    path = _write(tmp_path / "a.csv", table | {"hr": np.full(len(true_s), 72.0)})
    said: list[str] = []
    recording = _read(path, Columns(("green",), (), "hr", time="t"), say=said.append)
    assert recording.ppg_hz == 25.0
    assert said == ["a.csv: the PPG has 25 rows a second by its times, in packets of 8 rows."]
    found = spectra(recording)
    assert np.abs(found.peak_bpm - 72).max() <= 1
    wrong = _message(path, Columns(("green",), (), "hr", time="t"), rate_hz=50.0)
    assert "25 rows a second by its times (packets of 8 rows" in wrong


@pytest.mark.parametrize("stamp", ["whole seconds", "one a packet", "the first of a packet"])
def test_rows_that_share_a_time(stamp: str, tmp_path: Path) -> None:
    true_s = np.arange(25 * 120) / 25
    packet_s = np.floor(true_s) if stamp == "whole seconds" else np.floor(true_s / 0.4) * 0.4
    if stamp == "the first of a packet":
        packet_s = np.where(np.diff(packet_s, prepend=-1.0) > 0, packet_s, np.nan)
    hr = np.where(np.arange(len(true_s)) % 25 == 0, 84.0, np.nan)
    path = _write(tmp_path / "a.csv", {"t": packet_s, "green": _beats(true_s, 84), "hr": hr})
    recording = _read(path, Columns(("green",), (), "hr", time="t"))
    assert recording.ppg_hz == 25.0 and recording.gaps == () and recording.usable.sum() > 50
    assert np.abs(spectra(recording).peak_bpm - 84).max() <= 1


def test_times_that_do_not_tell_the_rate_ask_for_it(tmp_path: Path) -> None:
    true_s = np.arange(25 * 120) / 25
    path = _write(
        tmp_path / "a.csv", {"t": np.floor(true_s / 30) * 30, "green": _beats(true_s, 72)}
    )
    columns = Columns(("green",), (), None, time="t")
    message = _message(path, columns)
    assert "do not tell its rate: 3000 rows come in 4 packets of 750 rows" in message
    assert "Give `rate_hz`, the rows a second of the sensor." in message
    said: list[str] = []
    recording = _read(path, columns, rate_hz=25.0, say=said.append)
    assert recording.ppg_hz == 25.0 and recording.duration_s == 120
    assert said == ["a.csv: the PPG has 25 rows a second as given; its times are not used."]


def test_doubled_rows_are_left_out_and_turned_times_named_by_their_lines(tmp_path: Path) -> None:
    table = _table() | {"t": 1.76e9 + _table()["t"]}
    twice = np.sort(np.r_[np.arange(3000), 55, 700])
    said: list[str] = []
    path = _write(tmp_path / "a.csv", {name: cells[twice] for name, cells in table.items()})
    doubled = _read(path, say=said.append)
    assert any(
        "2 rows of the PPG have the time of the row before (the first in line 58, 1760000001.1 s)"
        in line
        for line in said
    )
    assert equal(doubled, _read(_write(tmp_path / "a.csv", table)))
    every = {name: np.repeat(cells, 2) for name, cells in table.items()}
    assert equal(_read(_write(tmp_path / "a.csv", every)), doubled)
    table["t"][56] -= 1.0
    message = _message(_write(tmp_path / "a.csv", table))
    assert (
        "goes back from 1760000001.1 s in line 57 to 1760000000.12 s in line 58 (1 such" in message
    )
    assert "allowed: times that increase" in message


def test_gaps_everywhere_are_the_cause_that_is_named(tmp_path: Path) -> None:
    table = _table(seconds=120)
    kept = table["t"] % 6 < 5
    message = _message(_write(tmp_path / "a.csv", {k: v[kept] for k, v in table.items()}))
    assert "each of the 56 windows with a heart rate touches a gap: 19 holes" in message
    assert "median" not in message


def test_uneven_times_are_made_even(tmp_path: Path) -> None:
    table = _table()
    jitter = np.random.default_rng(0).uniform(-0.004, 0.004, len(table["t"]))
    time_s = table["t"] + jitter
    time_s[0] = 0.0
    table |= {"t": time_s, "green": 500 + np.sin(2 * np.pi * 1.2 * time_s)}
    recording = _read(_write(tmp_path / "a.csv", table))
    assert recording.ppg_hz == 50.0
    even = 500 + np.sin(2 * np.pi * 1.2 * np.arange(len(recording.ppg)) / 50)
    assert np.abs(recording.ppg[:, 0] - even).max() < 0.02


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ppg": ("red",)}, "the column 'red' is missing; allowed: one of t, green, hr, ax"),
        ({"time": "time"}, "the column 'time' is missing"),
        ({"time_unit": "ms"}, "rows a second by its times; allowed: 10.5 to 10000"),
        ({"hr": "green"}, "none of the 27 reference heart rates"),
        ({"ppg": ("ax",), "acc": ("green", "green", "green")}, "median size of the acc"),
    ],
)
def test_wrong_columns(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    from dataclasses import replace

    path = _write(tmp_path / "a.csv", _table())
    assert said in _message(path, replace(COLUMNS, **change))


def test_wrong_options(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", _table())
    assert "`rate_hz` is -1" in _message(path, rate_hz=-1.0)
    assert "`acc_per_g` is 0" in _message(path, acc_per_g=0.0)
    assert "50 rows a second by its times and 64 by the option" in _message(path, rate_hz=64.0)
    assert "`subject` is 'a/b'" in str(_raises(path, "a/b"))
    for wrong in ({"acc": ("ax", "ay")}, {"time_unit": "h"}, {"hr_is": "beats"}):
        with pytest.raises(DataError, match="allowed"):
            Columns(**({"ppg": ("green",), "acc": (), "hr": "hr"} | wrong))  # type: ignore[arg-type]


def test_options_that_would_do_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", _table())
    assert "`acc_rate_hz` is given without `acc_file`" in _message(path, acc_rate_hz=50.0)
    assert "`hr_rate_hz` is given without `hr_file`" in _message(path, hr_rate_hz=1.0)
    timed = Columns(("green",), (), "hr", time="t", hr_time="t")
    both = _message(path, timed, hr_file=path, hr_rate_hz=1.0)
    assert "`hr_rate_hz` and `hr_time` are both given" in both
    assert "`rate_hz` is 5; allowed: 10.5 or more" in _message(path, rate_hz=5.0)
    assert "`lag_s` is nan" in _message(path, lag_s=float("nan"))
    means = Columns(("green",), (), "hr", time="t", hr_is="window")
    assert "no window lies in the signal" in _message(path, means, lag_s=1e6)


def _raises(path: Path, subject: str) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(path, subject=subject)
    return caught.value


def test_wrong_cells(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", _table())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], lines[5].replace(".", "x", 1), *lines[6:]]))
    assert "in line 6; allowed: a number, with a decimal point or with" in _message(path)
    path.write_text("\n".join([*lines[:5], *reversed(lines[5:])]))
    assert "allowed: times that increase" in _message(path)
    path.write_text(lines[0])
    assert "no row below the column names" in _message(path)
    path.write_text("\n".join(lines[:100]))
    assert "the PPG lasts 2.0 s; allowed: 8 s or more" in _message(path)
    path.write_text("\n".join(lines), encoding="utf-16")
    assert equal(_read(path), _read(_write(tmp_path / "a.csv", _table())))
    path.write_bytes(b"\xff\xfe\x00\xd8")
    assert "begins as UTF-16 text and is not" in _message(path)
    path.write_bytes(b"PK\x03\x04\0\0")
    assert "binary, not text" in _message(path)
    assert "no such file" in _message(tmp_path / "none.csv")


def test_a_rate_beside_times(tmp_path: Path) -> None:
    """Files with a rate alone beside a PPG with times from any zero."""
    table = _table()
    path = _write(tmp_path / "a.csv", table | {"t": 1.7e9 + table["t"]})
    strap = _write(tmp_path / "hr.csv", {"hr": 60 + np.arange(61.0)})
    names = ("ax", "ay", "az")
    slow = _write(tmp_path / "acc.csv", {name: table[name][::2] for name in names})
    options: dict[str, Any] = {
        "acc_file": slow,
        "acc_rate_hz": 25.0,
        "hr_file": strap,
        "hr_rate_hz": 1.0,
    }
    recording = _read(path, **options)
    np.testing.assert_allclose(recording.hr_bpm, 64 + recording.window_start_s)
    assert recording.acc is not None and recording.acc_hz == 25.0
    np.testing.assert_allclose(recording.acc[:, 0], table["ax"][::2], atol=1e-6)
    # One file, one rate, and a sensor that starts a second late: rows keep their time.
    late = table["green"].copy()
    late[:50] = np.nan
    one = _write(tmp_path / "b.csv", {**table, "green": late})
    recording = _read(one, Columns(("green",), (), "hr"), rate_hz=50.0)
    np.testing.assert_allclose(recording.hr_bpm[:-1], 65 + recording.window_start_s[:-1])


def test_a_strap_that_loses_contact(tmp_path: Path) -> None:
    """0 is no heart rate: windows in which it lasts have none, the others keep their mean."""
    table = _table()
    lost = (table["t"] > 20) & (table["t"] < 30) & np.isfinite(table["hr"])
    table["hr"][lost] = 0.0
    table["hr"][50] = -1.0
    recording = _read(_write(tmp_path / "a.csv", table))
    start_s = recording.window_start_s
    touched = (start_s + 8 > 20) & (start_s < 30)
    # Holes of up to 4 s are bridged.
    np.testing.assert_allclose(recording.hr_bpm[~touched][:-1], 64 + start_s[~touched][:-1])
    assert not recording.usable[(start_s > 18) & (start_s < 24)].any()
    assert np.nanmin(recording.hr_bpm) > 60


def test_other_units_of_the_reference_are_named(tmp_path: Path) -> None:
    for factor, said in ((1 / 60, "It looks like Hz"), (10.0, "intervals between beats in ms")):
        table = _table()
        path = _write(tmp_path / "a.csv", table | {"hr": table["hr"] * factor})
        assert said in _message(path)


def test_windows_more_often_than_every_2_s(tmp_path: Path) -> None:
    means = Columns(("green",), (), "hr", time="t", hr_is="window")
    recording = _read(_write(tmp_path / "a.csv", _table()), means)  # one a second
    assert np.diff(recording.window_start_s).tolist() == [2.0] * 29


def test_a_clock_that_was_set(tmp_path: Path) -> None:
    table = _table()
    for jump_s in (7200.0, 1.7e9):
        later = np.where(table["t"] > 30, table["t"] + jump_s, table["t"])
        message = _message(_write(tmp_path / "a.csv", table | {"t": later}))
        assert "jumps by" in message and "Cut the file in two there" in message


def test_intervals_in_one_line(tmp_path: Path) -> None:
    table = _table()
    path = _write(tmp_path / "a.csv", {"t": table["t"], "green": table["green"]})
    (tmp_path / "rr.txt").write_text(" ".join(["800"] * 80))
    recording = _read(path, Columns(("green",), time="t"), hr_file=tmp_path / "rr.txt")
    np.testing.assert_allclose(recording.hr_bpm, 75)


def test_rows_that_do_not_fit_the_names(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", _table())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(".", ","), *lines[2:]]))
    assert "decimal commas" in _message(path)
    path.write_text("\n".join([*(line + "," for line in lines)]))
    assert _read(path).ppg_hz == 50.0  # an empty cell at the end of each line
    path.write_text("\n".join([lines[0], '"' + lines[1], *lines[2:]] * 200))
    assert "the rows cannot be told apart" in _message(path)


UNIX_S = 1.7e9


def _shifted(tmp_path: Path, hours: float, *, name: str = "hr.csv") -> tuple[Path, Path]:
    """Signals and a reference, both in seconds of UTC, the latter some hours off."""
    table = _table()
    signals = _write(tmp_path / "a.csv", {"t": UNIX_S + table["t"], "green": table["green"]})
    hr_s = UNIX_S + 3600 * hours + np.arange(60.0)
    return signals, _write(tmp_path / name, {"t": hr_s, "hr": 64 + np.arange(60.0)})


@pytest.mark.parametrize("hours", [-5.0, 1.0, 5.5])
def test_clocks_in_utc_are_not_moved_by_hours(tmp_path: Path, hours: float) -> None:
    """They do not differ; whoever knows better says so."""
    signals, labels = _shifted(tmp_path, hours)
    columns = Columns(("green",), (), "hr", time="t")
    message = _message(signals, columns, hr_file=labels)
    assert "no window has a heart rate" in message
    assert f"If its clock is of another zone, give `lag_s` {-3600 * hours:g}." in message
    right = _read(signals, columns, hr_file=labels, lag_s=-3600 * hours)
    np.testing.assert_allclose(right.hr_bpm[:-1], 68 + right.window_start_s[:-1], atol=0.6)


def test_clocks_in_utc_that_meet_in_part_stay_as_they_are(tmp_path: Path) -> None:
    signals, labels = _shifted(tmp_path, 30 / 3600)
    recording = _read(signals, Columns(("green",), (), "hr", time="t"), hr_file=labels)
    used = recording.usable
    np.testing.assert_allclose(
        recording.hr_bpm[used], 38 + recording.window_start_s[used], atol=1.1
    )


@pytest.mark.parametrize("ppm", [50_001.0, -1e9, float("nan"), float("inf")])
def test_a_drift_that_no_clock_has(ppm: float, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`drift_ppm` is .*; allowed: -50000 to 50000"):
        Recipe(drift_ppm=ppm)
    if np.isfinite(ppm):
        path = _write(tmp_path / "a.csv", _table())
        rows = f'[[recording]]\nfile = "{path.name}"\ndrift_ppm = {ppm:.0f}\n'
        (tmp_path / "recordings.toml").write_text(rows)
        with pytest.raises(DataError, match=r"recording 1 \(a\.csv\): `drift_ppm` is"):
            read_mapping(tmp_path / "recordings.toml")


def test_clocks_with_different_zeros(tmp_path: Path) -> None:
    signals = _write(tmp_path / "a.csv", {"t": _table()["t"], "green": _table()["green"]})
    labels = _write(tmp_path / "hr.csv", {"t": 1.7e9 + np.arange(60.0), "hr": np.full(60, 70.0)})
    columns = Columns(("green",), (), "hr", time="t")
    message = _message(signals, columns, hr_file=labels)
    assert "the times of hr are dates, those of PPG count from a zero of their own" in message
    late = _write(tmp_path / "hr.csv", {"t": 500 + np.arange(60.0), "hr": np.full(60, 70.0)})
    assert "no window has a heart rate" in _message(signals, columns, hr_file=late)
