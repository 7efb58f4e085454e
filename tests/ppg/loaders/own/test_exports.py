"""Exports of wearables: rows out of order, rare references, zones, units, people's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.own import json_rows
from ppg.loaders.own.clocks import hours_apart
from ppg.loaders.own.columns import Columns, guess
from ppg.loaders.own.grouping import _people
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from tests.ppg.loaders.own.tables import made_table, read_own, refusal, write

ANY = Columns()
Rows = NDArray[np.int64]


def _swapped(rows: Rows) -> Rows:
    rows[[500, 501, 900, 901]] = rows[[501, 500, 901, 900]]
    return rows


def _packets_swapped(rows: Rows) -> Rows:
    packets = rows.reshape(-1, 25)
    packets[[40, 41]] = packets[[41, 40]]
    return packets.ravel()


@pytest.mark.parametrize(
    ("disorder", "words"),
    [
        (_swapped, "of 2500 rows 2 came late and are put in order"),
        (_packets_swapped, "of 2500 rows 25 came late and are put in order"),
        (
            lambda rows: np.r_[rows[:1000], rows[950:]],
            "of 2550 rows 50 came twice and are left out",
        ),
        (lambda rows: np.r_[rows, rows], "of 5000 rows 2500 came twice and are left out"),
    ],
)
def test_rows_that_came_late_or_twice(
    tmp_path: Path, disorder: Callable[[Rows], Rows], words: str
) -> None:
    table, said = made_table(seconds=50), list[str]()
    right = read_own(write(tmp_path / "a.csv", table), ANY)
    rows = disorder(np.arange(len(table["t"])))
    path = write(tmp_path / "b.csv", {name: cells[rows] for name, cells in table.items()})
    found = read_own(path, ANY, say=said.append)
    np.testing.assert_array_equal(found.ppg, right.ppg)
    np.testing.assert_allclose(found.hr_bpm, right.hr_bpm)
    assert any(words in one for one in said)


@pytest.mark.parametrize("back_s", [0.3, 5.0, 5.01, 25.0])
def test_a_clock_that_is_set_back_is_refused(tmp_path: Path, back_s: float) -> None:
    table = made_table()
    table["t"] = np.where(table["t"] > 30, table["t"] - back_s, table["t"])
    assert "goes back from 30 s" in refusal(write(tmp_path / "a.csv", table), ANY)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("jitter", ["normal", "uniform", "arrival"])
def test_times_that_jitter_back_by_less_than_a_step(
    tmp_path: Path, jitter: str, seed: int
) -> None:
    table, said, rng = made_table(), list[str](), np.random.default_rng(seed)
    right = read_own(write(tmp_path / "a.csv", table), ANY)
    rows, step_s = len(table["t"]), 0.02
    off = {
        "normal": lambda: rng.normal(0, 0.3, rows).clip(-0.7, 0.7),
        "uniform": lambda: rng.uniform(-0.8, 0.8, rows),
        "arrival": lambda: rng.exponential(0.3, rows).clip(0, 1.5),
    }[jitter]()
    path = write(tmp_path / "b.csv", table | {"t": np.round(table["t"] + off * step_s, 4)})
    found = read_own(path, ANY, say=said.append)
    assert found.ppg_hz == right.ppg_hz and not found.gaps
    assert any("less than from row to row; rows stay in their order" in one for one in said)
    both = min(len(found.ppg), len(right.ppg)) - 10
    alike = [
        np.corrcoef(found.ppg[10 + lag : both + lag, 0], right.ppg[10:both, 0])[0, 1]
        for lag in (-2, -1, 0, 1, 2)
    ]
    assert max(alike) > 0.95  # no two samples changed places


@pytest.mark.parametrize(("every_s", "usable"), [(2, 27), (5, 27), (6, 27), (10, 5)])
def test_a_heart_rate_every_five_seconds(tmp_path: Path, every_s: int, usable: int) -> None:
    table, said = made_table(), list[str]()
    table["hr"] = np.where(table["t"] % every_s == 0, 60 + table["t"], np.nan)
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=said.append)
    assert abs(int(found.usable.sum()) - usable) <= 2
    good = found.usable & (found.window_start_s < 46)
    np.testing.assert_allclose(found.hr_bpm[good], 64 + found.window_start_s[good], atol=0.5)
    assert any(f"every {every_s} s" in one for one in said) == (every_s in (5, 6))


@pytest.mark.parametrize("nothing", [0.0, np.nan, 255.0, -1.0])
def test_a_strap_that_gave_nothing_stops_nobody_else(tmp_path: Path, nothing: float) -> None:
    table, said = made_table(), list[str]()
    table["hr"] = np.full(len(table["t"]), nothing)
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=said.append)
    assert len(found.hr_bpm) == 0 and found.duration_s == 60
    assert any("hr holds no heart rate in any row" in one for one in said)
    table["hr"] = np.full(len(table["t"]), 300.0)
    assert "their median is 300" in refusal(write(tmp_path / "a.csv", table), ANY)


@pytest.mark.parametrize("marker", [0, 65535])
def test_what_stands_for_no_interval_takes_no_time(tmp_path: Path, marker: int) -> None:
    path, strap, said = write(tmp_path / "a.csv", made_table()), tmp_path / "rr.txt", list[str]()
    strap.write_text("rr\n" + "\n".join(["800"] * 20 + [str(marker)] + ["600"] * 60))
    found = read_own(path, ANY, hr_file=strap, say=said.append)
    assert found.hr_bpm[20] == pytest.approx(100) and found.hr_bpm[2] == pytest.approx(75)
    assert any("1 of 81 values of rr are no intervals" in one for one in said)


@pytest.mark.parametrize("zone", [2.0, -7.0, 5.75, 5.5, 12.75])
def test_a_strap_in_another_zone(tmp_path: Path, zone: float) -> None:
    begin = datetime(2024, 5, 10, 8)
    table, said = made_table(seconds=120), list[str]()
    stamps = [f"{(begin + timedelta(seconds=t)).isoformat()}Z" for t in table["t"].tolist()]
    rows = [f"{at},{green}" for at, green in zip(stamps, table["green"], strict=True)]
    path, strap = tmp_path / "a.csv", tmp_path / "hr.csv"
    path.write_text("\n".join(["time,green", *rows]))
    there = [begin + timedelta(hours=zone, seconds=at) for at in range(120)]
    strap.write_text("\n".join(["time,hr", *(f"{at},{60 + i}" for i, at in enumerate(there))]))
    found = read_own(path, ANY, hr_file=strap, say=said.append)
    assert found.hr_bpm[5] == pytest.approx(74)
    assert any(f"taken as {zone:+g} h from that of the PPG" in one for one in said)


def test_whole_hours_come_before_others_and_all_that_fit_are_told() -> None:
    """Half an hour within two hours: 1.5 and 2.5 hours fit as two do."""
    times_s = np.arange(3000.0, 4800.0)
    assert hours_apart(times_s + 2 * 3600, 0.0, 7200.0)[0] == [-2.0, -1.5, -2.5]
    assert hours_apart(times_s + 5 * 3600, 0.0, 7200.0)[0][0] == -5.0
    assert hours_apart(times_s, 0.0, 7200.0)[0][0] == 0.0
    assert hours_apart(times_s + 1e7, 0.0, 7200.0) == ([0.0], 0)


@pytest.mark.parametrize(
    ("unit", "values_per_g", "said"),
    [
        ("g", 9.80665, "said to be in g, but gravity is 9.8"),
        ("m/s2", 1.0, "said to be in m/s2, but gravity is 0.99"),
        ("mg", 1.0, "said to be in mg, but gravity is 0.99"),
        ("mm/s2", 9806.65, ""),
        ("cm/s^2", 980.665, ""),
        ("1/341 g", 341.0, ""),
    ],
)
def test_gravity_against_the_header(
    tmp_path: Path, unit: str, values_per_g: float, said: str
) -> None:
    table, notes = made_table(), list[str]()
    for axis in ("ax", "ay", "az"):
        table[f"{axis} [{unit}]"] = table.pop(axis) * values_per_g
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=notes.append)
    assert found.acc is not None
    assert np.median(np.linalg.norm(found.acc, axis=1)) == pytest.approx(1, abs=0.02)
    assert any("said to be in" in one for one in notes) == bool(said)
    assert any(said in one for one in notes)


@pytest.mark.parametrize(("bits", "counts"), [(16, 8192), (16, 2048), (12, 512), (8, 64)])
def test_acceleration_without_its_signs(tmp_path: Path, bits: int, counts: int) -> None:
    """As two's complement is, read as a number without one: 65535 is -1."""
    table, notes = made_table(), list[str]()
    turned = 0.8 * np.sin(table["t"] / 5)
    table["ax"], table["az"] = table["ax"] + turned, np.sqrt(1 - turned**2)
    right = {axis: np.round(table[axis] * counts) for axis in ("ax", "ay", "az")}
    table |= {axis: values % 2**bits for axis, values in right.items()}
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=notes.append)
    assert found.acc is not None
    np.testing.assert_allclose(found.acc.T, np.stack([*right.values()]) / counts, atol=1e-3)
    assert any(f"has no signs: {2**bits - 1} is -1" in one for one in notes)


@pytest.mark.parametrize(("bits", "counts"), [(12, 512), (16, 8192), (8, 32), (10, 102)])
def test_acceleration_about_the_middle_of_a_range(tmp_path: Path, bits: int, counts: int) -> None:
    table, notes = made_table(), list[str]()
    axes = ("ax", "ay", "az")
    right = np.stack([np.round(table[axis] * counts) for axis in axes])
    table |= {axis: 2 ** (bits - 1) + one for axis, one in zip(axes, right, strict=True)}
    given = {"acc_per_g": counts} if counts == 102 else {}
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=notes.append, **given)
    assert found.acc is not None
    np.testing.assert_allclose(found.acc.T, right / counts, atol=1e-3)
    assert any(
        f"lies about {2 ** (bits - 1)}, which is taken for its zero" in one for one in notes
    )
    if given:
        assert "is 102; allowed: g" in refusal(tmp_path / "a.csv", ANY)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.37])
def test_a_channel_that_is_a_copy_is_left_out(tmp_path: Path, factor: float) -> None:
    table, notes = made_table(), list[str]()
    noise = np.random.default_rng(0).standard_normal((2, len(table["t"])))
    table["green"] = np.round(table.pop("green") * 100 + 9 * noise[0])
    copy = {"green_2": np.round(factor * table["green"]), "green_3": table["green"] + noise[1]}
    read_own(write(tmp_path / "a.csv", table | copy), ANY, say=notes.append)
    (said,) = (one for one in notes if "left out" in one)
    assert "green_2 is green again, " in said


@pytest.mark.parametrize(
    ("names", "ppg"),
    [
        (("t", "PPG_G", "PPG_IR", "PPG_R"), ("PPG_G",)),
        (("t", "G", "IR", "R"), ("G",)),
        (("t", "IR", "ax [g]", "R"), ("IR",)),
        (("t", "pd1_green", "pd2_green", "pd1_ir"), ("pd1_green", "pd2_green")),
        (("t", "MAX30101_red", "MAX30101_green"), ("MAX30101_green",)),
        (("t", "ir", "red", "gx", "gy", "gz"), ("ir",)),
    ],
)
def test_lights_by_their_letters(names: Sequence[str], ppg: tuple[str, ...]) -> None:
    assert guess(names).ppg == ppg


@pytest.mark.parametrize("hz", [25.0, 50.0, 64.0, 100.0])
def test_ticks_of_a_crystal_are_no_microseconds(tmp_path: Path, hz: float) -> None:
    table, said = made_table(hz=hz), list[str]()
    table = {"ticks": np.round(table.pop("t") * 32768), **table}
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=said.append)
    assert found.ppg_hz == hz and any("ticks counts 1/32768 s" in one for one in said)
    table["ticks"] = np.round(np.arange(len(table["ticks"])) * 32768 / (1.0055 * hz))
    assert "the unit of the time column ticks cannot be told" in refusal(
        write(tmp_path / "a.csv", table), ANY
    )
    found = read_own(tmp_path / "a.csv", Columns(time_unit="1/32768"))
    assert found.ppg_hz == pytest.approx(1.0055 * hz, rel=1e-3)


@pytest.mark.parametrize(
    ("hz", "name"), [(25.0, "t"), (50.0, "t"), (104.0, "t"), (50.0, "time_ms"), (64.0, "time_us")]
)
def test_ticks_of_a_crystal_are_no_milliseconds(tmp_path: Path, hz: float, name: str) -> None:
    """Whatever the file calls them."""
    table, said = made_table(hz=hz), list[str]()
    ticks = 32768 if name == "time_us" else 1024
    table = {name: np.round(table.pop("t") * ticks), **table}
    found = read_own(write(tmp_path / "a.csv", table), ANY, say=said.append)
    assert found.ppg_hz == hz and any(f"{name} counts 1/{ticks} s" in one for one in said)
    table = {"t": table.pop(name), **table}
    table["t"] = np.round(np.arange(len(table["t"])) * 1024 / (1.003 * hz))
    found = read_own(write(tmp_path / "a.csv", table), ANY)
    assert found.ppg_hz == pytest.approx(1.003 * hz / 1.024, rel=2e-3)


@pytest.mark.parametrize(
    ("hz", "a_second"), [(1000.0, 1e6), (2048.0, 1e6), (62.5, 1e3), (50.1, 1e3), (64.0, 1e3)]
)
def test_microseconds_and_milliseconds_stay_so(tmp_path: Path, hz: float, a_second: float) -> None:
    table = made_table(hz=hz, seconds=20)
    table["t"] = np.round(table["t"] * a_second)
    found = read_own(write(tmp_path / "a.csv", table), ANY)
    assert found.ppg_hz == pytest.approx(hz, rel=1e-5)


@pytest.mark.parametrize(
    ("keys", "people"),
    [
        ("2024/05/31/anna/walk 2024/06/01/anna/run 2024/06/01/ben/run", "anna anna ben"),
        ("2024-05-31/anna 20240601T101500/ben", "anna ben"),
        ("study/anna/walk study/anna/run study/ben/walk", "anna anna ben"),
        ("S1/walk S01/run s1/rest S2/walk Subject_2/rest", "S1 S1 S1 S2 S2"),
        ("1/a 01/b 10/a P1/a S1/a", "1 1 10 P1 S1"),
        ("rec/1 rec/2", "1 2"),
        ("anna/1 ben/1", "anna ben"),
    ],
)
def test_people_by_the_names_of_their_files(keys: str, people: str) -> None:
    said: list[str] = []
    assert _people([tuple(key.split("/")) for key in keys.split()], said.append) == people.split()
    assert any("are taken for one person" in one for one in said) == (
        "S01" in keys or "P1" in keys
    )


@pytest.mark.parametrize(("first_s", "last_s"), [(20, 60), (0, 40), (15, 45)])
def test_dated_acceleration_that_begins_late_or_ends_early(
    tmp_path: Path, first_s: int, last_s: int
) -> None:
    begin = datetime(2024, 5, 10, 8)
    table, said = made_table(), list[str]()

    def dated(name: str, columns: tuple[str, ...], rows: Rows) -> Path:
        lines = [
            ",".join([str(begin + timedelta(seconds=float(table["t"][row]), microseconds=1))])
            + "".join(f",{table[column][row]:.6f}" for column in columns)
            for row in rows.tolist()
        ]
        (tmp_path / name).write_text("\n".join([",".join(("time", *columns)), *lines]))
        return tmp_path / name

    path = dated("a.csv", ("green", "hr"), np.arange(3000))
    there = np.flatnonzero((table["t"] >= first_s) & (table["t"] < last_s))
    acc = dated("acc.csv", ("ax", "ay", "az"), there)
    found = read_own(path, ANY, acc_file=acc, say=said.append)
    assert found.duration_s == pytest.approx(last_s - first_s, abs=0.1)
    assert found.hr_bpm[3] == pytest.approx(70 + first_s, abs=0.1)
    assert any("s of PPG without acceleration, before it begins" in one for one in said)


def test_a_time_by_another_name() -> None:
    names = "sampleTime,Device Time,recorded_at,time_sec,EpochTime,uptime_ms,time since start (s)"
    for name in names.split(","):
        assert guess(("ppg_time", name, "grnCnt", "hr")).time == name


@pytest.mark.parametrize(
    ("names", "rate"),
    [
        (("t", "green", "hr", "ecg_hr"), "ecg_hr"),
        (("t", "green", "HeartRate_Watch", "HeartRate_Polar"), "HeartRate_Polar"),
        (("t", "green", "HR_ref", "bpm"), "HR_ref"),
        (("t", "green", "HR", "HR_H10"), "HR_H10"),
        (("t", "green", "hr", "hr_ref_time", "ecg_quality"), "hr"),
        (("t", "green", "hr_true", "hr_label_time"), "hr_true"),
        (("t", "green", "polar_hr_confidence", "heart rate"), "heart rate"),
    ],
)
def test_the_rate_of_a_strap_comes_before_a_watchs(names: Sequence[str], rate: str) -> None:
    assert guess(names).hr == rate


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path, separator: str) -> None:
    path, said = write(tmp_path / "a.csv", made_table(), separator=separator), list[str]()
    text = path.read_text().rstrip("\n")
    path.write_text(text[: text.rindex("\n") + 8])
    found = read_own(path, ANY, say=said.append)
    assert found.duration_s == pytest.approx(59.98)
    assert any("line 3001, the last one, is cut off and left out" in one for one in said)
    lines = text.split("\n")
    path.write_text("\n".join([*lines[:9], lines[9][:6], *lines[10:]]))
    assert "line 10 has" in refusal(path, ANY)


@pytest.mark.parametrize("form", ["rows", "axes", "object"])
def test_acceleration_in_lists_of_json(tmp_path: Path, form: str) -> None:
    table = made_table()
    axes = [table[name].tolist() for name in ("ax", "ay", "az")]
    acc: Any = {"rows": [*zip(*axes, strict=True)], "axes": axes}.get(form)
    acc = dict(zip("xyz", axes, strict=True)) if acc is None else acc
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"ppg": table["green"].tolist(), "acc": acc}))
    recipe = Recipe(Columns(), subject="anna", rate_hz=50.0)
    (found,) = read_recordings(path, recipe, open_table=json_rows.read, say=lambda _: None)
    right = read_own(write(tmp_path / "a.csv", table), Columns())
    assert found.acc is not None and right.acc is not None and found.acc_hz == 50
    np.testing.assert_allclose(found.acc, right.acc, atol=1e-5)


def test_acceleration_without_gravity_comes_last() -> None:
    linear, whole = ([f"{kind}_{axis}" for axis in "xyz"] for kind in ("linear_acc", "acc"))
    assert guess(["t", "ppg", *linear, *whole]).acc == tuple(whole)
    assert guess(["t", "ppg", *linear]).acc == tuple(linear)


@pytest.mark.parametrize("axes", ["acc_0 acc_1 acc_2", "Acc1 Acc2 Acc3", "x-axis y-axis z-axis"])
def test_axes_by_other_names(axes: str) -> None:
    assert guess(("t", "green", "pd0", "pd1", "pd2", *axes.split())).acc == (*axes.split(),)
