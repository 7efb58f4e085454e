"""Times of counters that run over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.forms import open_table
from ppg.loaders.own.clocks import counted_on
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from tests.ppg.loaders.own.tables import read_own, refusal

HZ, SECONDS = 50, 180


def _file(folder: Path, name: str, time: NDArray[np.float64]) -> Path:
    """A pulse of 72 BPM, and a heart rate every two seconds."""
    at_s = np.arange(len(time)) / HZ
    rows = [
        f"{t:.6f},{1000 * np.sin(2 * np.pi * 1.2 * s):.0f},{72 if i % 100 == 0 else ''}"
        for i, (t, s) in enumerate(zip(time, at_s, strict=True))
    ]
    path = folder / "a.csv"
    path.write_text("\n".join([f"{name},green,hr", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "per_s", "modulo"),
    [
        ("t", 1, 60),
        ("t", 1, 65.536),
        ("ms", 1e3, 2**16),
        ("micros", 1e6, 2**24),
        ("time_ms", 1e3, 1000),
        ("t", 1, 86400),
        ("clock", 32768, 2**24),
    ],
)
def test_a_counter_that_runs_over_is_counted_on(
    tmp_path: Path, name: str, per_s: float, modulo: float
) -> None:
    time = np.arange(HZ * SECONDS) / HZ
    time += 86300 if modulo == 86400 else 500 if per_s == 32768 else 7.3
    said: list[str] = []
    path = _file(tmp_path, name, np.round(time * per_s, 0 if per_s > 1 else 3) % modulo)
    recording = read_own(path, Columns(), say=said.append)
    assert recording.ppg_hz == HZ and recording.gaps == ()
    assert recording.duration_s == pytest.approx(SECONDS, abs=0.05)
    assert np.nanmean(recording.hr_bpm) == pytest.approx(72)
    assert any(f"begins anew every {modulo / per_s:g} s and is counted on" in one for one in said)


def test_rows_lost_where_a_counter_runs_over(tmp_path: Path) -> None:
    time = np.delete(np.arange(HZ * SECONDS) / HZ, np.s_[3000:3300])  # over the first of two times
    path = tmp_path / "a.csv"
    rows = zip(1e3 * time % 2**16, np.sin(7.5 * time), strict=True)
    path.write_text("\n".join(["time_ms,green", *(f"{t:.0f},{v:.4f}" for t, v in rows)]))
    recording = read_own(path, Columns())
    (gap,) = recording.gaps
    assert gap == pytest.approx((59.98, 66.0))


def test_what_goes_back_by_something_else_is_refused(tmp_path: Path) -> None:
    time = np.arange(HZ * SECONDS) / HZ
    message = refusal(_file(tmp_path, "t", np.where(time > 100, time - 37, time)), Columns())
    assert "the time column t goes back from 100 s in line 5002 to 63.02 s" in message
    out_of_order = time.copy()
    out_of_order[[400, 401]] = out_of_order[[401, 400]]
    assert counted_on(out_of_order, unit_s=1.0)[1] == 0.0
    one_late = 1.76e9 + time
    one_late[400] -= 1.0  # a time of day never began anew, though it goes back by a second
    assert counted_on(one_late, unit_s=1.0)[1] == 0.0
    # A hole does not make a clock that was set back by 50 s one of a minute that lost 10.
    with_a_hole = np.r_[np.arange(0, 20, 0.02), np.arange(40, 60, 0.02), np.arange(10, 30, 0.02)]
    assert counted_on(with_a_hole, unit_s=1.0)[1] == 0.0


def _counting(folder: Path, name: str, counter: NDArray[np.int64], modulo: int = 2**32) -> Path:
    """Rows of `_file` that came, and a counter of all."""
    whole = np.arange(counter.max() + 1) / HZ
    path = _file(folder, name, whole)
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    left = [f"{at % modulo},{rows[at].partition(',')[2]}" for at in counter.tolist()]
    path.write_text("\n".join([head, *left]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "time", "modulo"),
    [
        ("sample", "sample", 2**32),
        ("n", "n", 2**16),
        ("Sample No.", None, 2**32),
        ("seq", None, 256),
        ("index", None, 2**32),
    ],
)
def test_a_counter_of_rows_tells_which_are_lost(
    tmp_path: Path, name: str, time: str | None, modulo: int
) -> None:
    came = np.r_[0:5000, 5100:9000]
    said: list[str] = []
    path = _counting(tmp_path, name, came, modulo)
    recording = read_own(path, Columns(time=time), rate_hz=HZ, say=said.append)
    assert recording.duration_s == pytest.approx(SECONDS)
    ((begin_s, end_s),) = recording.gaps
    assert (begin_s, end_s) == pytest.approx((4999 / HZ, 5100 / HZ))
    assert any(("counts rows" if time else f"100 rows are lost by {name}") in one for one in said)


def test_a_counter_of_packets_tells_which_are_lost(tmp_path: Path) -> None:
    at = np.delete(np.arange(9000), np.s_[5000:5100])
    path = tmp_path / "a.csv"
    rows = [*zip(at // 25 % 256, np.sin(7.5 * at / HZ), strict=True)]
    path.write_text("\n".join(["seq,green", *(f"{n},{v:.4f}" for n, v in rows)]))
    recording = read_own(path, Columns(), rate_hz=HZ)
    (gap,) = recording.gaps
    assert gap == pytest.approx((4999 / HZ, 5100 / HZ))
    path.write_text("\n".join(["seq,green,fs", *(f"{n},{v:.4f},{HZ}" for n, v in rows)]))
    (beside,) = read_recordings(path, Recipe(), open_table=open_table)
    assert beside.gaps == recording.gaps


@pytest.mark.parametrize("name", ["sample", "frame_no", "Row Index"])
def test_a_counter_of_rows_is_no_time(tmp_path: Path, name: str) -> None:
    path = _counting(tmp_path, name, np.arange(9000))
    message = refusal(path, Columns(time=name))
    assert f"the time column {name} counts rows, one by one; allowed: times" in message


@pytest.mark.parametrize(
    "counter",
    [np.arange(9000) // 25, 3 * np.arange(9000), np.r_[0:5000, 0:4000], np.zeros(9000, np.int64)],
)
def test_what_counts_something_else_is_left_alone(
    tmp_path: Path, counter: NDArray[np.int64]
) -> None:
    at_s = np.arange(9000) / HZ
    rows = zip(counter.tolist(), np.sin(7.5 * at_s).tolist(), strict=True)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["index,green", *(f"{i},{v:.4f}" for i, v in rows)]))
    recording = read_own(path, Columns(), rate_hz=HZ)
    assert recording.gaps == () and recording.duration_s == SECONDS
