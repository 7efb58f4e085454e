"""Refusals name the cause: what stands in the file, and not what follows from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from ppg.loaders.own.text import read_text
from tests.ppg.loaders.own.tables import made_table, read_own, refusal, write

ZEROS = b"\0" * 512


@pytest.mark.parametrize("zeros", [1, 512, 100_000])
def test_zero_bytes_at_the_end_are_no_rows(tmp_path: Path, zeros: int) -> None:
    path = write(tmp_path / "a.csv", made_table())
    whole = read_own(path)
    path.write_bytes(path.read_bytes() + b"\0" * zeros)
    np.testing.assert_array_equal(read_own(path).ppg, whole.ppg)


@pytest.mark.parametrize("at", [5000, 30_000, 70_000])
def test_zero_bytes_among_rows_are_named_with_their_line(tmp_path: Path, at: int) -> None:
    path = write(tmp_path / "a.csv", made_table())
    content = path.read_bytes()
    path.write_bytes(content[:at] + ZEROS + content[at:])
    line = content[:at].count(b"\n") + 1
    assert f"holds 512 zero bytes, the first in line {line}; allowed: text" in refusal(path)


@pytest.mark.parametrize("time_s", [0.0, 5.0, 1.7e9])
def test_a_clock_that_stands(tmp_path: Path, time_s: float) -> None:
    table = made_table()
    path = write(tmp_path / "a.csv", table | {"t": np.full(len(table["t"]), time_s)})
    message = refusal(path)
    assert f"the time column t is {time_s:g} in all of its 3000 rows" in message
    assert "or give `rate_hz` instead" in message
    assert read_own(path, rate_hz=50).duration_s == 60


@pytest.mark.parametrize("every", [17, 20])
def test_times_of_another_unit_than_was_taken(tmp_path: Path, every: int) -> None:
    """3 rows a second look like 3000: the unit is asked for, not more seconds."""
    path = write(tmp_path / "a.csv", {k: v[::every] for k, v in made_table().items()})
    message = refusal(path)
    assert (
        "the PPG lasts 0.1 s" in message and "Are its times in the unit that was taken?" in message
    )


@pytest.mark.parametrize("who", ["id", "name", "session"])
def test_times_of_the_next_one_who_begins_anew(tmp_path: Path, who: str) -> None:
    lines = write(tmp_path / "a.csv", made_table(seconds=30)).read_text().splitlines()
    rows = [f"{line},A1" for line in lines[1:]]
    rows += [f"{line.replace(',5', ',6', 1)},B2" for line in lines[1:]]
    path = tmp_path / "two.csv"
    path.write_text("\n".join([f"{lines[0]},{who}", *rows]))
    assert f"{who} is 'A1' before and 'B2' after: if it says who, name it with" in refusal(path)
    path.write_text("\n".join([f"{lines[0]},Participant No", *rows]))
    found = read_recordings(path, Recipe(Columns()), open_table=read_text)
    assert [one.subject for one in found] == ["A1", "B2"]


@pytest.mark.parametrize("column", ["device_id", "LED", "slot"])
@pytest.mark.parametrize("run", [1, 10])
def test_rows_of_two_in_turns_are_not_one(tmp_path: Path, column: str, run: int) -> None:
    lines = write(tmp_path / "a.csv", made_table(seconds=30)).read_text().splitlines()
    whose = [f"{line},{'ab'[row // run % 2]}" for row, line in enumerate(lines[1:])]
    path = tmp_path / "two.csv"
    path.write_text("\n".join([f"{lines[0]},{column}", *whose]))
    assert f"{column} is 'a' and 'b' in turns" in refusal(path)
    path.write_text("\n".join([f"{lines[0]},{column}", *sorted(whose, key=lambda r: r[-1])]))
    assert "in turns" not in refusal(path)


def test_utf_32(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    whole = read_own(path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-32")
    np.testing.assert_array_equal(read_own(path).ppg, whole.ppg)
    path.write_bytes(path.read_bytes()[:-2])
    assert "begins as UTF-32 text and is not" in refusal(path)


@pytest.mark.parametrize(("begin_s", "end_s"), [(0, 45), (12, 60), (5, 50), (3.7, 60)])
def test_acceleration_that_begins_late_or_ends_early(
    tmp_path: Path, begin_s: float, end_s: float
) -> None:
    """On one clock it is known what is missing: that part of the PPG is left out."""
    table = made_table()
    off = (table["t"] < begin_s) | (table["t"] >= end_s)
    axes = {name: np.where(off, np.nan, table[name]) for name in ("ax", "ay", "az")}
    said: list[str] = []
    found = read_own(write(tmp_path / "a.csv", table | axes), say=said.append)
    assert found.duration_s == pytest.approx(end_s - begin_s, abs=0.05) and found.acc is not None
    assert f"a.csv: {60 - (end_s - begin_s):.1f} s of PPG without acceleration" in " ".join(said)
    whole = read_own(write(tmp_path / "b.csv", table))
    first = np.interp(found.window_start_s + begin_s, whole.window_start_s, whole.hr_bpm)
    np.testing.assert_allclose(found.hr_bpm, first, atol=0.6)
