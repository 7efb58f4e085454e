"""Sessions of an Empatica E4: read where they are asked for, named where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppg.inspection.inspection import inspect
from ppg.loaders.registry import read_folder, unread_beside
from ppgnas.errors import DataError
from tests.ppg.loaders import upstream


def write_session(folder: Path, *, late_s: float = 0.0, seconds: int = 60) -> Path:
    folder.mkdir(parents=True)
    beat = 30 * np.sin(2 * np.pi * 1.2 * np.arange(64 * seconds) / 64)
    np.savetxt(folder / "BVP.csv", [1.6e9, 64, *beat], fmt="%.2f")
    acc = np.tile([0, 0, 64], (32 * seconds, 1))
    acc[::2, 0] = 1
    rows = np.vstack([np.full(3, 1.6e9 + late_s), np.full(3, 32), acc])
    np.savetxt(folder / "ACC.csv", rows, fmt="%.6f", delimiter=", ")
    (folder / "HR.csv").write_text("1600000010.0\n1.0\n72.0\n")
    return folder


@pytest.mark.parametrize("late_s", [0.0, 1.5, -1.5])
def test_a_session_is_a_recording_without_a_reference(late_s: float, tmp_path: Path) -> None:
    (found,) = read_folder(write_session(tmp_path / "S05", late_s=late_s))
    assert (found.person, found.ppg_hz, found.acc_hz) == ("empatica_e4/S05", 64.0, 32.0)
    assert found.duration_s == pytest.approx(60 - abs(late_s)) and len(found.hr_bpm) == 0
    assert found.acc is not None
    assert float(np.median(np.linalg.norm(found.acc, axis=1))) == pytest.approx(1, abs=0.01)


def test_sessions_among_others_are_named(tmp_path: Path) -> None:
    upstream.write_bidmc(tmp_path, 2)
    session = write_session(tmp_path / "watch" / "S05")
    said = unread_beside(tmp_path)
    assert said.startswith(f"{tmp_path}: 1 session(s) of an Empatica E4 ({session}) are not read")
    recordings = read_folder(tmp_path)
    assert {recording.dataset for recording in recordings} == {"bidmc"}
    cautions = inspect(recordings, unread=said).warnings
    assert ("not read", said) in [(caution.kind, caution.message) for caution in cautions]
    with pytest.raises(DataError, match=r"of an Empatica E4 .* are not read"):
        read_folder(tmp_path / "watch")
    assert unread_beside(session) == ""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("BVP.csv", "1600000000\n64\nabc\n", "BVP.csv: could not convert string"),
        ("BVP.csv", "1600000000\n4\n1\n2\n", "4 rows of 1, the second"),
        ("BVP.csv", "", "BVP.csv: 0 rows of"),
        ("BVP.csv", "nan\n64\n1\n2\n", "BVP.csv: 4 rows of 1"),
        ("ACC.csv", "1600000000\n32\n1\n2\n", "ACC.csv: 4 rows of 1"),
    ],
)
def test_other_files_of_these_names(name: str, content: str, said: str, tmp_path: Path) -> None:
    session = write_session(tmp_path / "S05")
    (session / name).write_text(content)
    with pytest.raises(DataError) as caught:
        read_folder(session)
    assert said in str(caught.value) and "allowed: a start, a rate and rows" in str(caught.value)
