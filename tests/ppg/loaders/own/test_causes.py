"""Refusals name the cause: what stands in the file, and not what follows from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("every", [17, 20])
def test_times_of_another_unit_than_was_taken(tmp_path: Path, every: int) -> None:
    """3 rows a second look like 3000: the unit is asked for, not more seconds."""
    path = write(tmp_path / "a.csv", {k: v[::every] for k, v in made_table().items()})
    message = refusal(path)
    assert (
        "the PPG lasts 0.1 s" in message and "Are its times in the unit that was taken?" in message
    )


def test_utf_32(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", made_table())
    whole = read_own(path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-32")
    np.testing.assert_array_equal(read_own(path).ppg, whole.ppg)
    path.write_bytes(path.read_bytes()[:-2])
    assert "begins as UTF-32 text and is not" in refusal(path)
