"""Recordings of one's own from .csv files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.own.columns import Columns
from ppg.plausible import heart_rate_guess
from ppgnas.errors import DataError
from tests.ppg.loaders.own.tables import COLUMNS, made_table, read_own, refusal, write
from tests.ppg.loaders.upstream import gravity
from tests.ppg.npz.npz_files import equal


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_one_file_with_everything(separator: str, tmp_path: Path) -> None:
    table = made_table()
    recording = read_own(write(tmp_path / "walk.csv", table, separator=separator))
    assert (recording.person, recording.name) == ("own/anna", "walk")
    assert (recording.ppg_hz, recording.acc_hz) == (50.0, 50.0)
    np.testing.assert_allclose(recording.ppg[:, 0], table["green"], atol=1e-3)
    assert recording.acc is not None and recording.acc.shape == (3000, 3)
    assert recording.window_start_s.tolist() == list(np.arange(0, 53, 2.0))
    # 60 + t is 64 + start on average over 8 s; the last instant is at 59 s.
    np.testing.assert_allclose(recording.hr_bpm[:-1], 64 + recording.window_start_s[:-1])
    assert recording.usable.all()


def test_files_of_their_own_with_their_own_rates(tmp_path: Path) -> None:
    table = made_table()
    fast = write(tmp_path / "ppg.csv", {"t": table["t"], "green": table["green"]})
    acc = gravity(25, seed=2)
    names = ("ax", "ay", "az")
    slow = write(
        tmp_path / "acc.csv",
        {"t": np.arange(1500) / 25} | {n: 64 * acc[:, i] for i, n in enumerate(names)},
    )
    strap = write(tmp_path / "hr.csv", {"when": np.arange(61.0), "hr": np.full(61, 72.0)})
    columns = Columns(("green",), names, "hr", time="t", hr_time="when")
    recording = read_own(fast, columns, acc_file=slow, acc_per_g=64.0, hr_file=strap)
    assert (recording.ppg_hz, recording.acc_hz) == (50.0, 25.0)
    assert recording.acc is not None
    np.testing.assert_allclose(recording.acc, acc, atol=1e-3)
    np.testing.assert_allclose(recording.hr_bpm, 72)


def test_means_of_windows_and_a_lag(tmp_path: Path) -> None:
    signals = write(tmp_path / "a.csv", {"t": made_table()["t"], "green": made_table()["green"]})
    means = {"t": np.array([1.0, 11, 21]), "hr": np.array([70.0, 71, 72])}
    labels = write(tmp_path / "hr.csv", means)
    columns = Columns(("green",), (), "hr", time="t", hr_is="window")
    recording = read_own(signals, columns, hr_file=labels, lag_s=0.5)
    assert recording.window_start_s.tolist() == [1.5, 11.5, 21.5]
    assert recording.hr_bpm.tolist() == [70.0, 71.0, 72.0] and recording.label_lag_s == 0.5


@pytest.mark.parametrize("names", ["start,stop", "BeginTime,EndTime", "window_start,window_end"])
def test_means_with_begin_and_end(tmp_path: Path, names: str) -> None:
    signals = write(tmp_path / "a.csv", {"t": made_table()["t"], "green": made_table()["green"]})
    columns = Columns(("green",), time="t")
    for long_s, hr in ((8, 73.0), (4, 71.0)):  # as the label of a window, or of its middle
        rows = [f"{s},{s + long_s},{70 + s / 2 % 27}" for s in range(0, 56, 2)]
        path = tmp_path / "hr.csv"
        path.write_text("\n".join([f"{names},hr_mean", *rows]))
        found = read_own(signals, columns, hr_file=path)
        at = found.window_start_s.tolist().index(6.0)
        assert found.hr_bpm[at] == pytest.approx(hr + 3 * (long_s == 4), abs=0.01)


def test_a_lag_of_instants_moves_the_values_not_the_windows(tmp_path: Path) -> None:
    recording = read_own(write(tmp_path / "a.csv", made_table()), lag_s=-2.0)
    assert recording.window_start_s[1] == 2.0
    # What is said at t was true at t - 2: the window from 2 s has what was said 4 to 12 s.
    np.testing.assert_allclose(recording.hr_bpm[1], 64 + 2 + 2)


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

    path = write(tmp_path / "a.csv", made_table())
    assert said in refusal(path, replace(COLUMNS, **change))


def test_wrong_options(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    assert "`rate_hz` is -1" in refusal(path, rate_hz=-1.0)
    assert "`acc_per_g` is 0" in refusal(path, acc_per_g=0.0)
    assert "50 rows a second by its times and 64 by the option" in refusal(path, rate_hz=64.0)
    assert "`subject` is 'a/b'" in str(raises(path, "a/b"))
    for wrong in ({"acc": ("ax", "ay")}, {"time_unit": "h"}, {"hr_is": "beats"}):
        with pytest.raises(DataError, match="allowed"):
            Columns(**({"ppg": ("green",), "acc": (), "hr": "hr"} | wrong))  # type: ignore[arg-type]


def test_options_that_would_do_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    assert "`acc_rate_hz` is given without `acc_file`" in refusal(path, acc_rate_hz=50.0)
    assert "`hr_rate_hz` is given without `hr_file`" in refusal(path, hr_rate_hz=1.0)
    timed = Columns(("green",), (), "hr", time="t", hr_time="t")
    both = refusal(path, timed, hr_file=path, hr_rate_hz=1.0)
    assert "`hr_rate_hz` and `hr_time` are both given" in both
    assert "`rate_hz` is 5; allowed: 10.5 or more" in refusal(path, rate_hz=5.0)
    assert "`lag_s` is nan" in refusal(path, lag_s=float("nan"))
    means = Columns(("green",), (), "hr", time="t", hr_is="window")
    assert "no window lies in the signal" in refusal(path, means, lag_s=1e6)


def raises(path: Path, subject: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read_own(path, subject=subject)
    return caught.value


def test_wrong_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], lines[5].replace(".", "x", 1), *lines[6:]]))
    assert "in line 6; allowed: a number, with a decimal point or with" in refusal(path)
    path.write_text("\n".join([*lines[:5], *reversed(lines[5:])]))
    assert "allowed: times that increase" in refusal(path)
    path.write_text(lines[0])
    assert "no row below the column names" in refusal(path)
    path.write_text("\n".join(lines[:100]))
    assert "the PPG lasts 2.0 s; allowed: 8 s or more" in refusal(path)
    path.write_text("\n".join(lines), encoding="utf-16")
    assert equal(read_own(path), read_own(write(tmp_path / "a.csv", made_table())))
    path.write_bytes(b"\xff\xfe\x00\xd8")
    assert "begins as UTF-16 text and is not" in refusal(path)
    path.write_bytes(b"PK\x03\x04\0\0")
    assert "an archive (zip), and no recording" in refusal(path)
    assert "no such file" in refusal(tmp_path / "none.csv")


def test_other_units_of_the_reference_are_named(tmp_path: Path) -> None:
    for factor, said in ((1 / 60, "It looks like Hz"), (10.0, "intervals between beats in ms")):
        table = made_table()
        path = write(tmp_path / "a.csv", table | {"hr": table["hr"] * factor})
        assert said in refusal(path)


@pytest.mark.parametrize(
    ("median", "guesses"),
    [
        (0.6, ["Hz", "intervals in s"]),
        (3.0, ["Hz"]),
        (0.4, ["intervals in s"]),
        (780.0, ["intervals between beats in ms", "tenths of a BPM"]),
        (400.0, ["intervals between beats in ms", "tenths of a BPM"]),
        (295.0, ["intervals between beats in ms"]),
        (255.0, []),  # of a byte that says that nothing was measured
        (0.0, []),
        (-1.0, []),
        (4000.0, []),
    ],
)
def test_what_else_a_reference_may_hold(median: float, guesses: list[str]) -> None:
    said = heart_rate_guess(median)
    seen = [
        part.partition(" (")[0] for part in said.removeprefix("It looks like ").split(" or like ")
    ]
    assert seen == (guesses or ["Leave the recording out."])


def test_windows_more_often_than_every_2_s(tmp_path: Path) -> None:
    means = Columns(("green",), (), "hr", time="t", hr_is="window")
    recording = read_own(write(tmp_path / "a.csv", made_table()), means)  # one a second
    assert np.diff(recording.window_start_s).tolist() == [2.0] * 29


def test_intervals_in_one_line(tmp_path: Path) -> None:
    table = made_table()
    path = write(tmp_path / "a.csv", {"t": table["t"], "green": table["green"]})
    (tmp_path / "rr.txt").write_text(" ".join(["800"] * 80))
    recording = read_own(path, Columns(("green",), time="t"), hr_file=tmp_path / "rr.txt")
    np.testing.assert_allclose(recording.hr_bpm, 75)


def test_rows_that_do_not_fit_the_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(".", ","), *lines[2:]]))
    assert "decimal commas" in refusal(path)
    path.write_text("\n".join([*(line + "," for line in lines)]))
    assert read_own(path).ppg_hz == 50.0  # an empty cell at the end of each line
    path.write_text("\n".join([lines[0], '"' + lines[1], *lines[2:]] * 200))
    assert "the rows cannot be told apart" in refusal(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "(a b " * 20_000, "x 1:" * 25_000])
def test_a_line_without_end_is_no_line_of_names(text: str, tmp_path: Path) -> None:
    """What looks for units and names in it would take minutes."""
    path = tmp_path / "a.csv"
    path.write_text(f"{text}\n" + "1\n2\n3\n" * 300)
    assert re.search(r"a column name of \d{5,6} characters; allowed: 1000. Is it", refusal(path))


@pytest.mark.parametrize("column", ["green", "ax", "hr"])
@pytest.mark.parametrize("number", [-999, -9999])
def test_a_number_that_stands_for_none_is_an_empty_cell(
    column: str, number: int, tmp_path: Path
) -> None:
    table = made_table()
    whole = made_table()
    rows = slice(1000, 1500) if column != "hr" else slice(1000, 1001)
    table[column][rows], whole[column][rows] = number, np.nan
    said: list[str] = []
    found = read_own(write(tmp_path / "a.csv", table), say=said.append)
    same = read_own(write(tmp_path / "b.csv", whole))
    np.testing.assert_array_equal(found.ppg, same.ppg)
    np.testing.assert_array_equal(found.hr_bpm, same.hr_bpm)
    assert found.gaps == same.gaps and bool(found.gaps) is (column != "hr")
    count = "500 samples" if column != "hr" else "1 sample"
    told = f"a.csv: {column} is {number} in {count}, probably no measurement: read as empty."
    assert said.count(told) == 1


@pytest.mark.parametrize(
    ("left_out", "options", "said"),
    [
        ("hr", {"lag_s": 3.0}, "--lag cannot act: there is no reference."),
        ("hr", {"lag_s": -1.0, "drift_ppm": 20.0}, "--lag, --drift cannot act: there is no ref"),
        ("acc", {"acc_per_g": 64.0}, "--acc-per-g cannot act: there is no acceleration."),
        ("", {"lag_s": 3.0, "acc_per_g": 1.0}, ""),
    ],
)
def test_an_option_without_its_signal_is_told(
    left_out: str, options: dict[str, float], said: str, tmp_path: Path
) -> None:
    table = made_table()
    bare = {"hr": replace(COLUMNS, hr=None), "acc": replace(COLUMNS, acc=())}
    columns = bare.get(left_out, COLUMNS)
    told: list[str] = []
    read_own(write(tmp_path / "a.csv", table), columns, say=told.append, **options)
    idle = [note for note in told if "cannot act" in note]
    assert [said in note for note in idle] == [True] * bool(said)
