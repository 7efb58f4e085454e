"""Files of the field's own libraries, written by these libraries."""

from __future__ import annotations

import struct
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.devices import packages
from ppg.loaders.forms import FORMS, open_table
from ppgnas.errors import DataError, DependencyError
from tests.ppg.loaders.devices import session as s

BEGIN = datetime(2024, 5, 27, 10, 53, 20)


@packages.quiet()
def _record(folder: Path, *, beats: bool) -> Path:
    wfdb = s.needs("wfdb")
    names = ["PLETH", "II", "accel_x", "accel_y", "accel_z"]
    wfdb.wrsamp(
        "walk",
        fs=125,
        units=["NU", "mV", "g", "g", "g"],
        sig_name=names,
        p_signal=np.column_stack([s.ppg(125), s.ecg(125), s.acc(125)]),
        fmt=["24"] * 5,
        base_datetime=BEGIN,
        write_dir=str(folder),
    )
    if beats:
        at = np.round(s.BEATS_S * 125).astype(int)
        symbols = ["N"] * len(at)
        symbols[5] = "+"  # a change of rhythm is no beat
        wfdb.wrann("walk", "atr", np.insert(at, 5, at[5] - 30), ["N", *symbols], fs=125,
                   write_dir=str(folder))  # fmt: skip
    return folder / "walk.hea"


@pytest.mark.parametrize("beats", [False, True])
def test_wfdb(beats: bool, tmp_path: Path) -> None:
    header = _record(tmp_path, beats=beats)
    found = s.read(header)
    s.check(found, 125, 125)
    assert found.started == "2024-05-27T10:53:20.000" and found.name == "walk"
    columns = open_table(header).columns
    assert (columns is not None and columns.rr == "beats") is beats
    header.with_suffix(".dat").unlink()
    with pytest.raises(DataError, match="unreadable as a WFDB record"):
        s.read(header)


def test_edf(tmp_path: Path) -> None:
    edf = s.needs("pyedflib")
    file = tmp_path / "walk.edf"
    signals = [("PPG", "uV", 64, s.ppg(64)), ("ECG", "mV", 128, s.ecg(128))]
    signals += [(f"Acc {axis}", "g", 32, s.acc(32)[:, i]) for i, axis in enumerate("XYZ")]
    with edf.EdfWriter(str(file), len(signals), file_type=edf.FILETYPE_EDFPLUS) as writer:
        writer.setStartdatetime(BEGIN)
        for place, (name, unit, hz, values) in enumerate(signals):
            writer.setSignalHeader(
                place,
                {
                    "label": name,
                    "dimension": unit,
                    "sample_frequency": hz,
                    "physical_min": float(np.floor(values.min())),
                    "physical_max": float(np.ceil(values.max())),
                    "digital_min": -32768,
                    "digital_max": 32767,
                },
            )
        writer.writeSamples([np.ascontiguousarray(values) for *_, values in signals])
    found = s.read(file)
    s.check(found, 64, 32)
    assert found.started == "2024-05-27T10:53:20.000"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(DataError, match="unreadable as EDF"):
        s.read(file)


@pytest.mark.parametrize("stamps", ["datetimes", "numbers"])
def test_parquet(stamps: str, tmp_path: Path) -> None:
    arrow, parquet = s.needs("pyarrow"), s.needs("pyarrow.parquet")
    time = np.round((s.UNIX + s.time_of(50)) * 1000).astype(np.int64)
    acc = 9.80665 * s.acc(50)
    table: dict[str, Any] = {
        "timestamp": time.astype("datetime64[ms]") if stamps == "datetimes" else time,
        "ppg": s.ppg(50),
        **{f"acc_{axis}": acc[:, i] for i, axis in enumerate("xyz")},
        "hr": np.where(np.arange(len(time)) % 50 == 0, s.hr_at(s.time_of(50)), np.nan),
        "activity": ["rest"] * len(time),
    }
    file = tmp_path / "walk.parquet"
    parquet.write_table(arrow.table(table), file)
    found = s.read(file)
    s.check(found, 50, 50)
    assert found.started == "2024-05-27T08:53:20.000+00:00"
    assert found.activity_names == ("rest",)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="unreadable as Parquet"):
        s.read(file)


def test_hdf5_with_rates_beside_the_signals(tmp_path: Path) -> None:
    h5py = s.needs("h5py")
    file = tmp_path / "walk.h5"
    with h5py.File(file, "w") as out:
        wrist = out.create_group("wrist")
        wrist.create_dataset("ppg_green", data=s.ppg(64)).attrs["sampling_rate"] = 64
        wrist.create_dataset("acc", data=s.acc(32)).attrs["fs"] = 32.0
        chest = out.create_group("chest")
        chest.attrs["fs"] = 250
        chest["ecg"] = s.ecg(250)
        out["picture"] = np.zeros((50, 50))
        out["note"] = "nothing"
    s.check(s.read(file), 64, 32)
    assert "picture" not in open_table(file).names
    file.write_bytes(file.read_bytes()[:600])
    with pytest.raises(DataError, match="unreadable as HDF5"):
        s.read(file)


def test_matlab_7_3(tmp_path: Path) -> None:
    """Matrices lie turned in it, numbers are matrices of one, and 512 bytes stand in front."""
    h5py = s.needs("h5py")
    file = tmp_path / "walk.mat"
    with h5py.File(file, "w", userblock_size=512) as out:
        out["ppg"] = s.ppg(100)[None, :]
        out["ppg_fs"] = np.array([[100.0]])
        out["acc"] = s.acc(50).T
        out["acc_fs"] = np.array([[50.0]])
        out["ecg"] = s.ecg(200)[:, None]
        out["fs"] = np.array([[200.0]])
    with file.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    s.check(s.read(file), 100, 50)


def _fit(messages: list[bytes]) -> bytes:
    """A FIT file of records (timestamp, heart rate) and intervals, by hand."""
    record = struct.pack("<BBBHB", 0x40, 0, 0, 20, 2) + bytes((253, 4, 0x86, 3, 1, 2))
    hrv = struct.pack("<BBBHB", 0x41, 0, 0, 78, 1) + bytes((0, 10, 0x84))
    data = record + hrv + b"".join(messages)
    head = struct.pack("<BBHI4s", 12, 0x20, 2100, len(data), b".FIT")
    return head + data + struct.pack("<H", _crc(head + data))


def _crc(data: bytes) -> int:
    """The checksum of the FIT protocol: CRC-16 with the polynomial 0xA001."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


@pytest.mark.parametrize("intervals", [False, True])
def test_fit(intervals: bool, tmp_path: Path) -> None:
    s.needs("fitdecode")
    epoch = int(datetime(1989, 12, 31, tzinfo=timezone.utc).timestamp())
    messages = []
    for second in range(s.SECONDS):
        rate = round(float(s.hr_at(np.array(float(second)))))
        messages.append(struct.pack("<BIB", 0, s.UNIX + second - epoch, rate))
        told = s.RR_S[(s.BEATS_S > second) & (s.BEATS_S <= second + 1)] if intervals else ()
        if len(told):
            parts = [*(round(1000 * rr) for rr in told), *[0xFFFF] * 5][:5]
            messages.append(struct.pack("<B5H", 1, *parts))
    file = tmp_path / "run.fit"
    file.write_bytes(_fit(messages))
    s.check(s.with_reference(tmp_path, file), 50)
    columns = open_table(file).columns
    assert columns is not None and (columns.rr is not None) is intervals
    file.write_bytes(_fit(messages[:1]))
    with pytest.raises(DataError, match="1 records with a heart rate; allowed: two"):
        s.with_reference(tmp_path, file)


def test_embrace_plus(tmp_path: Path) -> None:
    avro = s.needs("fastavro")
    number = {"type": "array", "items": "float"}
    counts = {"type": "array", "items": "int"}
    schema = _schema(
        "Session",
        enrollment=_schema("Enrollment", participantID="string"),
        rawData=_schema(
            "Raw",
            bvp=_schema("Bvp", timestampStart="long", samplingFrequency="float", values=number),
            accelerometer=_schema(
                "Acc",
                timestampStart="long",
                samplingFrequency="float",
                imuParams=_schema(
                    "Imu", physicalMin="int", physicalMax="int", digitalMin="int", digitalMax="int"
                ),
                x=counts,
                y=counts,
                z=counts,
            ),
        ),
    )
    acc = np.round(2048 * s.acc(64)).astype(int)
    sampled = {"samplingFrequency": 64.0}
    document = {
        "enrollment": {"participantID": "P7"},
        "rawData": {
            "bvp": {"timestampStart": s.UNIX * 10**6, "values": s.ppg(64).tolist(), **sampled},
            "accelerometer": {
                "timestampStart": s.UNIX * 10**6 + 400_000,
                "imuParams": {
                    "physicalMin": -16, "physicalMax": 16,
                    "digitalMin": -32768, "digitalMax": 32768,
                },
                **{axis: acc[:, i].tolist() for i, axis in enumerate("xyz")},
                **sampled,
            },
        },
    }  # fmt: skip
    file = tmp_path / "1-1-P7.avro"
    with file.open("wb") as stream:
        avro.writer(stream, avro.parse_schema(schema), [document])
    rows = [f"{s.UNIX + t},{rate:.1f}" for t, rate in enumerate(s.hr_at(np.arange(90.0)))]
    (tmp_path / "strap.csv").write_text("\n".join(["time,hr", *rows]))
    found = s.read(file, hr_file=tmp_path / "strap.csv")
    assert found.person == "embrace_plus/P7" and (found.ppg_hz, found.acc_hz) == (64, 64)
    # The acceleration begins 0.4 s late: so does the recording.
    assert found.started == "2024-05-27T08:53:20.400+00:00"
    at = found.window_start_s[found.usable] + 4.4
    assert np.abs(found.hr_bpm[found.usable] - s.hr_at(at)).max() < 0.5
    assert found.acc is not None
    assert np.median(np.linalg.norm(found.acc, axis=1)) == pytest.approx(1, abs=0.02)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match="no raw file of an EmbracePlus"):
        s.read(file)


def _schema(name: str, **fields: Any) -> dict[str, Any]:
    listed = [{"name": key, "type": kind} for key, kind in fields.items()]
    return {"type": "record", "name": name, "fields": listed}


def test_a_package_that_is_not_installed_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", refuse)
    for name, content, package in (
        ("a.hea", b"a 1 125 10", "wfdb"),
        ("a.edf", b"0       ", "pyedflib"),
        ("a.parquet", b"PAR1", "pyarrow"),
        ("a.h5", b"\x89HDF", "h5py"),
        ("a.avro", b"Obj\x01", "fastavro"),
        ("a.fit", b"\x0c\x20\0\0\0\0\0\0.FIT", "fitdecode"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DependencyError) as caught:
            open_table(tmp_path / name)
        assert f"needs the package {package}, which is not installed" in str(caught.value)
        assert "pip install" in str(caught.value)


def test_what_a_form_was_tried_on_is_said() -> None:
    assert len({form.title for form in FORMS}) == len(FORMS)
    page = (Path(__file__).parents[4] / "docs" / "forms.md").read_text()
    for form in FORMS:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {form.title} |"))
        assert row.endswith(f" {form.tried_on} |"), form.title
