"""A minute and a half of one person, and the files that a form of it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ppg.npz.folder import read_folder
from ppg.recording import Recording
from tests.nas.cli.leaving import leave

HZ, SECONDS = 50, 90
TIME_S = np.arange(HZ * SECONDS) / HZ
HR = 72 + 6 * np.sin(2 * np.pi * TIME_S / 60)
PHASE = np.cumsum(HR / 60) / HZ
NOISE = np.random.default_rng(0).standard_normal((len(TIME_S), 4))
PPG = 51000 + 200 * np.sin(2 * np.pi * PHASE) + 20 * NOISE[:, 0]
ACC = np.array([0, 0, 1]) + 0.02 * NOISE[:, 1:]
BEATS = np.interp(np.arange(1, int(PHASE[-1])), PHASE, TIME_S)
UNIX = 1_716_800_000
AXES = "ax,ay,az"
NOON = datetime(2024, 5, 31, 12)


def iso(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def rows(time: Callable[[float], str], *, separator: str = ",", per_g: float = 1.0) -> str:
    """Time, PPG, three axes, and a heart rate once a second."""
    behind = zip(TIME_S.tolist(), _behind_times(separator, per_g), strict=True)
    return "".join(f"{time(seconds)}{separator}{rest}\n" for seconds, rest in behind)


@cache
def _behind_times(separator: str, per_g: float) -> list[str]:
    cells = zip(PPG.tolist(), (per_g * ACC).tolist(), map(hr, range(len(HR))), strict=True)
    return [
        separator.join([f"{light:.1f}", *(f"{axis:.3f}" for axis in axes), rate])
        for light, axes, rate in cells
    ]


def seconds(at: float) -> str:
    return f"{at:.3f}"


def columns(header: str, *, every: int = 1, **values: Callable[[int], str]) -> str:
    """A header, and a line of cells for each `every` th row."""
    made = (",".join(cell(i) for cell in values.values()) for i in range(0, len(TIME_S), every))
    return "\n".join([header, *made]) + "\n"


def stamp(row: int) -> str:
    return str(UNIX * 10**9 + row * 20_000_000)


def ppg(row: int) -> str:
    return f"{PPG[row]:.0f}"


def hr(row: int) -> str:
    return f"{HR[row]:.0f}" if row % HZ == 0 else ""


@dataclass(frozen=True)
class Form:
    """Files by name, options beside the first file, and what comes out."""

    files: dict[str, str | bytes]
    options: tuple[str, ...] = ()
    started: str = ""
    acceleration: bool = True

    def arguments(self, folder: Path) -> list[str]:
        """The file to name, and options beside it."""
        words = (next(iter(self.files)), *self.options)
        return [str(folder / word) if word in self.files else word for word in words]


def converted(
    form: Form, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[list[Recording], str]:
    """The recordings that `data convert` makes of a form, and what it said of it."""
    for file, content in form.files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / file).write_bytes(raw)
    source, *options = form.arguments(folder)
    code = leave("data", "convert", source, str(folder / "out"), *options, "--json")
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert len(json.loads(printed.out)["notes"]) > 0
    return read_folder(folder / "out"), printed.err


def check(recording: Recording, form: Form, *, off_bpm: float = 0.3) -> None:
    """It is what was written."""
    assert recording.ppg_hz == HZ and recording.started == form.started
    assert (recording.acc is not None) is form.acceleration
    if recording.acc is not None:
        size = np.median(np.linalg.norm(recording.acc, axis=1))
        assert float(size) == pytest.approx(1, abs=0.03)
    usable = recording.usable
    true = np.interp(recording.window_start_s + 4, TIME_S, HR)
    assert usable.sum() >= 40
    assert np.abs(recording.hr_bpm - true)[usable].mean() < off_bpm
    assert not recording.gaps
