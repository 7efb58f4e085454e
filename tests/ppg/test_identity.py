"""Nobody is in a folder under two names, and no signal twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.npz.folder import read_folder
from tests.ppg.npz.npz_files import message, save


def test_one_recording_name_twice(tmp_path: Path) -> None:
    save(tmp_path / "lab" / "a.npz")
    save(tmp_path / "lab" / "b.npz", ppg=np.arange(1000.0)[:, None])
    text = message(lambda: read_folder(tmp_path))
    assert "a.npz" in text and "b.npz" in text
    assert "both are the recording 'R1' of data set 'lab'" in text


def test_two_people_with_one_name(tmp_path: Path) -> None:
    save(tmp_path / "london" / "a.npz")
    other = np.arange(1000.0)[:, None]
    save(tmp_path / "paris" / "b.npz", ppg=other, recording=np.array("R2"))
    text = message(lambda: read_folder(tmp_path))
    assert "two people with one name, 'lab/S1'" in text
    assert str(tmp_path / "london" / "a.npz") in text and str(tmp_path / "paris" / "b.npz") in text


def test_one_signal_under_two_names(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    save(tmp_path / "b.npz", subject=np.array("S2"), recording=np.array("R2"))
    text = message(lambda: read_folder(tmp_path))
    assert "the same PPG samples under two names, 'lab/S2' and 'lab/S1'" in text
    assert "a.npz" in text and "b.npz" in text


def test_one_signal_twice_for_one_person(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    save(tmp_path / "b.npz", recording=np.array("R2"))
    assert "twice for 'lab/S1'" in message(lambda: read_folder(tmp_path))


@pytest.mark.parametrize(
    "second",
    [
        {"subject": np.array("CR_01")},
        {"subject": np.array("S2"), "recording": np.array("CR_01")},
        {"subject": np.array("S2"), "also_in": np.array("XX CR_01")},
    ],
)
def test_also_in_reveals_one_person_under_two_names(
    tmp_path: Path, second: dict[str, Any]
) -> None:
    save(tmp_path / "lab" / "a.npz", also_in=np.array("CR_01"))
    (first,) = read_folder(tmp_path)
    assert first.also_in == ("CR_01",)
    names = {"dataset": np.array("cr"), "recording": np.array("R2"), **second}
    save(tmp_path / "cr" / "b.npz", ppg=np.arange(1000.0)[:, None], **names)
    text = message(lambda: read_folder(tmp_path))
    assert "one person under two names" in text and "`also_in` says 'CR_01'" in text
    assert "a.npz" in text and "b.npz" in text


def test_also_in_on_two_recordings_of_one_person_is_fine(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", also_in=np.array("CR_01"))
    other = np.arange(1000.0)[:, None]
    save(tmp_path / "b.npz", also_in=np.array("CR_01"), recording=np.array("R2"), ppg=other)
    assert {r.person for r in read_folder(tmp_path)} == {"lab/S1"}
