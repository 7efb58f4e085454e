"""Times of counters that run over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.signals import counted_on
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
    ],
)
def test_a_counter_that_runs_over_is_counted_on(
    tmp_path: Path, name: str, per_s: float, modulo: float
) -> None:
    time = np.arange(HZ * SECONDS) / HZ + 7.3
    said: list[str] = []
    path = _file(tmp_path, name, (time * per_s) % modulo)
    recording = read_own(path, Columns(), say=said.append)
    assert recording.ppg_hz == HZ and recording.gaps == ()
    assert recording.duration_s == pytest.approx(SECONDS, abs=0.05)
    assert np.nanmean(recording.hr_bpm) == pytest.approx(72)
    assert any(f"begins anew every {modulo / per_s:g} s and is counted on" in one for one in said)


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
