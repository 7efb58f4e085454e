"""A minute and a half of pulse, gravity, beats and ECG, for files of every form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.loaders.devices.packages import package
from ppg.loaders.forms import read_own
from ppg.loaders.own.recipe import Recipe
from ppg.recording import Recording
from ppgnas.errors import DependencyError

SECONDS = 90
_FINE_S = np.arange(1000 * SECONDS) / 1000
_PHASE = np.cumsum((72 + 6 * np.sin(2 * np.pi * _FINE_S / 60)) / 60) / 1000
BEATS_S = np.interp(np.arange(1, int(_PHASE[-1]) + 1), _PHASE, _FINE_S)
RR_S = np.diff(BEATS_S, prepend=0.0)
UNIX = 1_716_800_000  # 2024-05-27T08:53:20Z


def hr_at(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The heart rate at a time, BPM."""
    return np.asarray(72 + 6 * np.sin(2 * np.pi * time_s / 60))


def time_of(hz: float) -> NDArray[np.float64]:
    """Times of all rows."""
    return np.arange(int(hz * SECONDS)) / hz


def ppg(hz: float) -> NDArray[np.float64]:
    """`(rows,)` a pulse in counts."""
    return np.asarray(5000 + 200 * np.sin(2 * np.pi * np.interp(time_of(hz), _FINE_S, _PHASE)))


def acc(hz: float) -> NDArray[np.float64]:
    """`(rows, 3)` gravity with noise, g."""
    noise = np.random.default_rng(0).standard_normal((int(hz * SECONDS), 3))
    return np.asarray([0, 0, 1] + 0.02 * noise)


def ecg(hz: float) -> NDArray[np.float64]:
    """`(rows,)` a narrow peak for each beat, mV."""
    distance = np.abs(time_of(hz)[:, None] - BEATS_S).min(axis=1)
    noise = np.random.default_rng(1).standard_normal(len(distance))
    return np.asarray(np.exp(-0.5 * (distance / 0.015) ** 2) + 0.01 * noise)


def needs(name: str) -> Any:
    """An optional package; skips the test where it is not installed."""
    try:
        return package(name, "this test")
    except DependencyError as error:
        pytest.skip(str(error))


def read(path: Path, say: Callable[[str], None] = lambda _: None, **known: Any) -> Recording:
    """The one recording of a file."""
    (found,) = read_own(path, Recipe(**known) if known else None, say=say)
    return found


def with_reference(folder: Path, reference: Path, base: str = "utc") -> Recording:
    """A PPG at 50 Hz in a text file, beside a reference of another device."""
    stamps = time_of(50) + UNIX if base == "utc" else time_of(50)
    rows = (f"{t:.2f},{value:.0f}" for t, value in zip(stamps, ppg(50), strict=True))
    file = folder / "own_ppg.csv"
    file.write_text("\n".join(["t,ppg", *rows]))
    return read(file, hr_file=reference)


def check(recording: Recording, hz: float, acc_hz: float | None = None) -> None:
    """Rates, gravity and heart rates are those of this module."""
    assert (recording.ppg_hz, recording.acc_hz) == (hz, acc_hz)
    if recording.acc is not None:
        size = float(np.median(np.linalg.norm(recording.acc, axis=1)))
        assert size == pytest.approx(1, abs=0.03)
    assert recording.usable.sum() >= 35
    error = np.abs(recording.hr_bpm - hr_at(recording.window_start_s + 4))[recording.usable]
    assert error.mean() < 0.6 and error.max() < 3
