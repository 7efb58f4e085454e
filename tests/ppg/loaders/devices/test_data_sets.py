"""Data sets whose people come one by one: GalaxyPPG, Multisite-PPG, WildPPG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from nas.models.predict import find_recording
from ppg.loaders.devices import multisite_ppg
from ppg.loaders.registry import read_folder
from ppgnas.errors import DataError
from tests.ppg.loaders.devices import session as s


def _galaxy(folder: Path) -> Path:
    person = folder / "P02"
    for place in ("GalaxyWatch", "PolarH10"):
        (person / place).mkdir(parents=True)
    time = s.time_of(25)
    rows = [
        f"{1000 * (s.UNIX + 12 * (t // 12) + 12):.0f},{1000 * (s.UNIX + t):.0f},{v:.0f},0"
        for t, v in zip(time, s.ppg(25), strict=True)
    ]
    rows[3] = rows[3].rsplit(",", 2)[0] + ",2097152,0"  # a placeholder
    rows[1500:1530] = [row.rsplit(",", 2)[0] + ",0,-999" for row in rows[1500:1530]]
    (person / "GalaxyWatch" / "PPG.csv").write_text(
        "\n".join(["dataReceived,timestamp,ppg,status", *rows])
    )
    phone = s.UNIX + 9 * 3600
    beats = [
        f"{1000 * (phone + b - rr):.0f},{1000 * rr:.0f}"
        for b, rr in zip(s.BEATS_S, s.RR_S, strict=True)
    ]
    beats[60:] = [f"{float(b.split(',')[0]) - 4295:.0f},{b.split(',')[1]}" for b in beats[60:]]
    (person / "PolarH10" / "IBI.csv").write_text("\n".join(["phoneTimestamp,duration", *beats]))
    (person / "Event.csv").write_text(
        "timestamp,session,status\n"
        f"{1000 * s.UNIX},baseline,ENTER\n{1000 * (s.UNIX + 40)},baseline,EXIT\n"
        f"{1000 * (s.UNIX + 44)},walking,ENTER\n{1000 * (s.UNIX + 90)},walking,EXIT\n"
    )
    return person


def test_galaxy_ppg(tmp_path: Path) -> None:
    person = _galaxy(tmp_path)
    (found,) = read_folder(person)
    # The stamps of the strap fall back once; the sum of the intervals does not.
    s.check(found, 25)
    assert found.person == "galaxy_ppg/P02" and found.acc is None
    assert found.started == "2024-05-27T08:53:20.000+00:00"
    ((begin, end),) = found.gaps
    assert begin == pytest.approx(59.96) and end == pytest.approx(61.2)
    assert found.activity_names == ("baseline", "walking")
    assert (found.activity[0], found.activity[-1]) == (0, 1)


def _multisite(folder: Path, **changes: Any) -> Path:
    time_ms = 1000 * (s.UNIX + s.time_of(100))
    acc = s.acc(100)
    arrays: dict[str, Any] = {
        "timestamp": time_ms,
        "ppg_green": s.ppg(100),
        "ppg_ir": -s.ppg(100),
        **{f"accel_{axis}": acc[:, i] for i, axis in enumerate("xyz")},
    }
    np.savez(folder / "P7_Watch_raw.npz", **arrays)
    ecg = s.ecg(130)
    half = len(ecg) // 2
    relative = 1000 * s.time_of(130)
    strap: dict[str, Any] = {
        "ecg_uv": 1000 * ecg,
        "rel_time_ms": np.concatenate([relative[:half], relative[half:] - relative[half]]),
        "phone_time": 1000 * (s.UNIX + s.time_of(130)),
    }
    np.savez(folder / "P7_polar_ecg_raw.npz", **(strap | changes))
    return folder / "P7_Watch_raw.npz"


def test_multisite_ppg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _multisite(tmp_path)
    found = find_recording(str(file))
    s.check(found, 100, 100)
    assert found.person == "multisite_ppg/P7" and found.ppg.shape[1] == 1
    said: list[str] = []
    pickled = np.array([{}] * 10, dtype=object)
    bare = s.read(_multisite(tmp_path, phone_time=pickled), said.append)
    assert len(bare.hr_bpm) == 0
    assert any("no reference: phone_time of it is pickled or missing" in note for note in said)
    for odd in (np.array([]), np.zeros(7)):
        assert len(s.read(_multisite(tmp_path, phone_time=odd), said.append).hr_bpm) == 0
    np.savez(file, ppg_green=np.zeros(7), timestamp=np.arange(9.0))
    with pytest.raises(DataError, match=r"differ in length \(ppg_green 7, timestamp 9\)"):
        s.read(file)
    with monkeypatch.context() as patch:
        patch.setattr(multisite_ppg, "LARGEST_BYTES", 99)
        with pytest.raises(DataError, match="bytes unpacked, allowed: 99"):
            s.read(file)
    file.write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="unreadable"):
        s.read(file)
    np.savez(file, ppg_green=s.ppg(100))
    with pytest.raises(DataError, match="holds ppg_green; allowed: timestamp and ppg_green"):
        s.read(file)


def test_wild_ppg(tmp_path: Path) -> None:
    acc = s.acc(128)

    def sensor(values: Any) -> dict[str, Any]:
        return {"v": np.atleast_2d(values), "fs": 128.0}

    wrist = {"ppg_g": sensor(s.ppg(128)), "ppg_ir": sensor(s.ppg(128))}
    wrist |= {f"acc_{axis}": sensor(acc[:, i]) for i, axis in enumerate("xyz")}
    file = tmp_path / "WildPPG_Part_an0.mat"
    document = {"id": "an0", "wrist": wrist, "sternum": {"ecg": sensor(s.ecg(128))}}
    savemat(file, document)
    found = s.read(file)
    s.check(found, 128, 128)
    assert found.person == "wild_ppg/an0"
    savemat(file, document | {"sternum": {}})
    with pytest.raises(DataError, match=r"no sternum\.ecg with values v and a rate fs"):
        s.read(file)
    file.write_bytes(b"MATLAB 5.0")
    with pytest.raises(DataError, match="unreadable"):
        s.read(file)
