"""Devices and laboratories that export text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from ppg.loaders.devices import biopac
from ppg.loaders.devices.bluetooth import notification
from ppgnas.errors import DataError
from tests.ppg.loaders.devices import made
from tests.ppg.loaders.devices import session as s
from tests.ppg.loaders.test_empatica_e4 import write_session

BEGIN = datetime.fromtimestamp(s.UNIX, timezone.utc)


def _local(seconds: float, hours: int = 2) -> datetime:
    return BEGIN + timedelta(hours=hours, seconds=seconds)


def test_a_notification_by_hand() -> None:
    assert notification(bytes.fromhex("1052E702")) == (82.0, [743 / 1024])
    assert notification(bytes.fromhex("0048")) == (72.0, [])
    # Two bytes of rate, energy, two intervals.
    value = bytes.fromhex("19" + "4800" + "0100" + "0004" + "0002")
    assert notification(value) == (72.0, [1.0, 0.5])


def test_a_bluetooth_log_of_local_times(tmp_path: Path) -> None:
    log = made.bluetooth(tmp_path)
    s.check(s.with_reference(tmp_path, log), 50)
    log.write_text("\n".join(log.read_text().splitlines()[:3]))
    with pytest.raises(DataError, match="1 heart-rate notifications; allowed: lines such as"):
        s.with_reference(tmp_path, log)


def test_polar_flow_counts_from_its_start_and_keeps_nobodys_weight(tmp_path: Path) -> None:
    rows = [f",{timedelta(seconds=i)},{s.hr_at(np.array(i)):.0f},," for i in range(s.SECONDS)]
    file = tmp_path / "session.csv"
    file.write_text(
        "Name,Sport,Date,Start time,Duration,Height (cm),Weight (kg),HR max,HR sit\n"
        f"Someone,RUNNING,{_local(0):%d-%m-%Y},{_local(0):%H:%M:%S},00:01:30,180,80,190,60\n"
        "Sample rate,Time,HR (bpm),Speed (km/h),Cadence\n1" + "\n".join(rows)
    )
    s.check(s.with_reference(tmp_path, file), 50)
    file.write_text(file.read_text().replace("HR (bpm)", "Pulse"))
    with pytest.raises(DataError, match="no session of Polar Flow"):
        s.with_reference(tmp_path, file)


def test_polar_sensor_logger(tmp_path: Path) -> None:
    """PPG of an arm band, acceleration and the intervals of a strap, by the phone's clock."""

    def stamp(seconds: float) -> str:
        return f"{_local(seconds):%Y-%m-%dT%H:%M:%S}.{int(seconds % 1 * 1000):03d}"

    files = {
        "x_PPG.txt": ["Phone timestamp;sensor timestamp [ns];channel 0;channel 1;ambient "]
        + [f"{stamp(t)};{int(t * 1e9)};{v:.0f};{v + i % 40:.0f};0"
           for i, (t, v) in enumerate(zip(s.time_of(50), s.ppg(50), strict=True))],
        "x_ACC.txt": ["Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]"]
        + [f"{stamp(t)};{int(t * 1e9)};{a[0]:.0f};{a[1]:.0f};{a[2]:.0f}"
           for t, a in zip(s.time_of(25), 1000 * s.acc(25), strict=True)],
        "x_RR.txt": ["Phone timestamp;RR-interval [ms];"]
        + [f"{stamp(b)};{1000 * rr:.0f}" for b, rr in zip(s.BEATS_S, s.RR_S, strict=True)],
    }  # fmt: skip
    for name, lines in files.items():
        (tmp_path / name).write_text("\n".join(lines))
    acc, beats = tmp_path / "x_ACC.txt", tmp_path / "x_RR.txt"
    found = s.read(tmp_path / "x_PPG.txt", acc_file=acc, hr_file=beats)
    s.check(found, 50, 25)
    assert found.ppg.shape[1] == 2 and found.started == "2024-05-27T10:53:20.000"


def test_an_e4_beside_a_strap_of_local_time(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "S05", seconds=s.SECONDS)
    begin = datetime.fromtimestamp(1.6e9, timezone.utc) - timedelta(hours=5)
    rows = [f"{begin + timedelta(seconds=i):%Y-%m-%d %H:%M:%S};72" for i in range(s.SECONDS)]
    (tmp_path / "strap.txt").write_text("\n".join(["Phone timestamp;HR [bpm];", *rows]))
    said: list[str] = []
    found = s.read(folder, said.append, hr_file=tmp_path / "strap.txt")
    assert set(found.hr_bpm[found.usable]) == {72.0} and found.usable.sum() >= 35
    assert found.started == "2020-09-13T12:26:40.000+00:00"
    assert any("no reference is HR.csv, which the E4 computes from this PPG" in n for n in said)
    assert any("is taken as -5 h from that of the PPG, another time zone" in n for n in said)


def test_the_beats_of_an_e4_are_a_reference_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "IBI.csv"
    rows = [f"{b:.6f},{rr:.6f}" for b, rr in zip(s.BEATS_S, s.RR_S, strict=True)]
    file.write_text("\n".join([f"{s.UNIX}.000000, IBI", *rows]))
    s.check(s.with_reference(tmp_path, file), 50)
    file.write_text(f"{s.UNIX}.0, IBI\n1.5,x\n")
    with pytest.raises(DataError, match="allowed: a start, IBI, and rows"):
        s.with_reference(tmp_path, file)


def test_shimmer(tmp_path: Path) -> None:
    names = ("Timestamp_Unix", "Accel_LN_X", "Accel_LN_Y", "Accel_LN_Z", "PPG_A13", "ECG_LL_RA")
    header = "\t".join(f"Shimmer_FC32_{name}_CAL" for name in names)
    units = "\t".join(("ms", *["m/(s^2)"] * 3, "mV", "mV"))
    rows = [
        f"{1000 * (s.UNIX + t):.3f}\t{a[0]:.4f}\t{a[1]:.4f}\t{a[2]:.4f}\t{v:.2f}\t{e:.4f}\t"
        for t, a, v, e in zip(
            s.time_of(128), 9.80665 * s.acc(128), s.ppg(128), s.ecg(128), strict=True
        )
    ]
    file = tmp_path / "shimmer.csv"
    file.write_text("\n".join(['"sep=\t"', header + "\t", units + "\t", *rows]))
    found = s.read(file)
    s.check(found, 128, 128)
    assert found.started == "2024-05-27T08:53:20.000+00:00"


@pytest.mark.parametrize("counted", [True, False])
def test_biopac(counted: bool, tmp_path: Path) -> None:
    file = made.biopac(tmp_path, counted=counted)
    found = s.read(file)
    s.check(found, 125)
    assert found.started == "2024-05-27T10:53:20.500" and len(found.ppg) == 125 * s.SECONDS
    file.write_text(file.read_text().replace("\n0.000133", "\nx"))
    with pytest.raises(DataError, match="among the rows; export it again"):
        biopac.read(file)
