"""Small files of every form that a package or a device writes, for tests and the mutator.

Each writer returns the path that a user would name.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from ppg.loaders.devices import packages
from tests.ppg.loaders.devices import session as s

LOCAL = datetime(2024, 5, 27, 10, 53, 20)  # the begin by a clock two hours east


@packages.quiet()
def wfdb(folder: Path, *, beats: bool = True) -> Path:
    """A record with an ECG, and with beats where asked for."""
    package = s.needs("wfdb")
    package.wrsamp(
        "walk",
        fs=125,
        units=["NU", "mV", "g", "g", "g"],
        sig_name=["PLETH", "II", "accel_x", "accel_y", "accel_z"],
        p_signal=np.column_stack([s.ppg(125), s.ecg(125), s.acc(125)]),
        fmt=["24"] * 5,
        base_datetime=LOCAL,
        write_dir=str(folder),
    )
    if beats:
        at = np.round(s.BEATS_S * 125).astype(int)
        symbols = ["N"] * len(at)
        symbols.insert(5, "+")  # a change of rhythm is no beat
        at = np.insert(at, 5, at[5] - 30)
        package.wrann("walk", "atr", at, symbols, fs=125, write_dir=str(folder))
    return folder / "walk.hea"


def edf(folder: Path) -> Path:
    """EDF+ with three rates."""
    package = s.needs("pyedflib")
    file = folder / "walk.edf"
    signals = [("PPG", "uV", 64, s.ppg(64)), ("ECG", "mV", 128, s.ecg(128))]
    signals += [(f"Acc {axis}", "g", 32, s.acc(32)[:, i]) for i, axis in enumerate("XYZ")]
    kind = package.FILETYPE_EDFPLUS
    with package.EdfWriter(str(file), len(signals), file_type=kind) as writer:
        writer.setStartdatetime(LOCAL)
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
    return file


def parquet(folder: Path, *, stamps: str = "datetimes") -> Path:
    """A table with dates or with ms."""
    arrow, package = s.needs("pyarrow"), s.needs("pyarrow.parquet")
    time = np.round((s.UNIX + s.time_of(50)) * 1000).astype(np.int64)
    acc = 9.80665 * s.acc(50)
    table: dict[str, Any] = {
        "timestamp": time.astype("datetime64[ms]") if stamps == "datetimes" else time,
        "ppg": s.ppg(50),
        **{f"acc_{axis}": acc[:, i] for i, axis in enumerate("xyz")},
        "hr": np.where(np.arange(len(time)) % 50 == 0, s.hr_at(s.time_of(50)), np.nan),
        "activity": ["rest"] * len(time),
    }
    file = folder / "walk.parquet"
    package.write_table(arrow.table(table), file)
    return file


def hdf5(folder: Path) -> Path:
    """Groups whose rates are attributes."""
    package = s.needs("h5py")
    file = folder / "walk.h5"
    with package.File(file, "w") as out:
        wrist = out.create_group("wrist")
        wrist.create_dataset("ppg_green", data=s.ppg(64)).attrs["sampling_rate"] = 64
        wrist.create_dataset("acc", data=s.acc(32)).attrs["fs"] = 32.0
        chest = out.create_group("chest")
        chest.attrs["fs"] = 250
        chest["ecg"] = s.ecg(250)
        out["picture"] = np.zeros((50, 50))
        out["note"] = "nothing"
    return file


def matlab(folder: Path) -> Path:
    """Matrices lie turned in it, numbers are matrices of one, and 512 bytes stand in front."""
    package = s.needs("h5py")
    file = folder / "walk.mat"
    with package.File(file, "w", userblock_size=512) as out:
        out["ppg"] = s.ppg(100)[None, :]
        out["ppg_fs"] = np.array([[100.0]])
        out["acc"] = s.acc(50).T
        out["acc_fs"] = np.array([[50.0]])
        out["ecg"] = s.ecg(200)[:, None]
        out["fs"] = np.array([[200.0]])
    with file.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    return file


def matlab_5(folder: Path) -> Path:
    """The same as the older versions hold it, with a text and a struct beside it."""
    file = folder / "before.mat"
    signals = {"ppg": s.ppg(100), "acc": s.acc(50).T, "ecg": s.ecg(200)[:, None]}
    rates = {"ppg_fs": 100.0, "acc_fs": 50.0, "fs": 200.0}
    savemat(file, {**signals, **rates, "who": "anna", "more": {"x": 1}}, do_compression=True)
    return file


def fit(folder: Path, *, intervals: bool = True, seconds: int = s.SECONDS) -> Path:
    """Records of a heart rate, and intervals where asked for, by hand."""
    epoch = int(datetime(1989, 12, 31, tzinfo=timezone.utc).timestamp())
    record = struct.pack("<BBBHB", 0x40, 0, 0, 20, 2) + bytes((253, 4, 0x86, 3, 1, 2))
    hrv = struct.pack("<BBBHB", 0x41, 0, 0, 78, 1) + bytes((0, 10, 0x84))
    data = record + hrv
    for second in range(seconds):
        rate = round(float(s.hr_at(np.array(float(second)))))
        data += struct.pack("<BIB", 0, s.UNIX + second - epoch, rate)
        told = s.RR_S[(s.BEATS_S > second) & (s.BEATS_S <= second + 1)] if intervals else ()
        if len(told):
            parts = [*(round(1000 * rr) for rr in told), *[0xFFFF] * 5][:5]
            data += struct.pack("<B5H", 1, *parts)
    head = struct.pack("<BBHI4s", 12, 0x20, 2100, len(data), b".FIT")
    file = folder / "run.fit"
    file.write_bytes(head + data + struct.pack("<H", _crc(head + data)))
    return file


def _crc(data: bytes) -> int:
    """The checksum of the FIT protocol: CRC-16 with the polynomial 0xA001."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def embrace_plus(folder: Path) -> Path:
    """BVP, and an acceleration that begins 0.4 s later."""
    package = s.needs("fastavro")
    number = {"type": "array", "items": "float"}
    counts = {"type": "array", "items": "int"}
    start = {"timestampStart": "long", "samplingFrequency": "float"}
    limits = dict.fromkeys(("physicalMin", "physicalMax", "digitalMin", "digitalMax"), "int")
    axes = dict.fromkeys("xyz", counts)
    schema = _schema(
        "Session",
        enrollment=_schema("Enrollment", participantID="string"),
        rawData=_schema(
            "Raw",
            bvp=_schema("Bvp", **start, values=number),
            accelerometer=_schema("Acc", **start, imuParams=_schema("Imu", **limits), **axes),
        ),
    )
    acc = np.round(2048 * s.acc(64)).astype(int)
    bvp = {"timestampStart": s.UNIX * 10**6, "samplingFrequency": 64.0}
    document = {
        "enrollment": {"participantID": "P7"},
        "rawData": {
            "bvp": {**bvp, "values": s.ppg(64).tolist()},
            "accelerometer": {
                **bvp,
                "timestampStart": s.UNIX * 10**6 + 400_000,
                "imuParams": dict(zip(limits, (-16, 16, -32768, 32768), strict=True)),
                **{axis: acc[:, i].tolist() for i, axis in enumerate("xyz")},
            },
        },
    }
    file = folder / "1-1-P7.avro"
    with file.open("wb") as stream:
        package.writer(stream, package.parse_schema(schema), [document])
    return file


def _schema(name: str, **fields: Any) -> dict[str, Any]:
    listed = [{"name": key, "type": kind} for key, kind in fields.items()]
    return {"type": "record", "name": name, "fields": listed}


def bluetooth(folder: Path) -> Path:
    """A log of nRF Connect by local time, 0.3 s late."""
    lines = ["nRF Connect, 2024-05-27", "Polar H10"]
    for beat, rr in zip(s.BEATS_S, s.RR_S, strict=True):
        value = bytes([0x10, 72, *round(rr * 1024).to_bytes(2, "little")]).hex("-").upper()
        lines.append(
            f"I\t{LOCAL + timedelta(seconds=beat + 0.3):%H:%M:%S.%f}\tNotification received from "
            f"00002a37-0000-1000-8000-00805f9b34fb, value: (0x) {value}"
        )
        lines.append('A\t10:13:41.954\t"Heart Rate Measurement: 72 bpm" received')
    file = folder / "strap.txt"
    file.write_text("\n".join(lines))
    return file


def biopac(folder: Path, *, counted: bool = True) -> Path:
    """Text of AcqKnowledge, with or without the line of how many samples there are."""
    time = s.time_of(125)
    rows = [
        f"{t / 60:.6f},{v:.4f},{e:.4f},"
        for t, v, e in zip(time, s.ppg(125), s.ecg(125), strict=True)
    ]
    lines = ["lab.acq", "Recording on: 2024-05-27 10:53:20.500", "8 msec/sample", "2 channels"]
    lines += ["PPG - PPG100C", "Volts", "ECG - ECG100C", "mV", "min,CH1,CH2,"]
    lines += [f",{len(time)},{len(time)},"] if counted else []
    file = folder / "lab.txt"
    file.write_text("\n".join([*lines, *rows]))
    return file


def empatica_e4(folder: Path) -> Path:
    """A .zip of a session."""
    file = folder / "S05.zip"
    bvp = "\n".join([f"{s.UNIX}.0", "64.0", *(f"{value:.2f}" for value in s.ppg(64))])
    rows = [f"{x:.0f},{y:.0f},{z:.0f}" for x, y, z in 64 * s.acc(32)]
    start, rate = ", ".join([f"{s.UNIX}.0"] * 3), ", ".join(["32.0"] * 3)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("S05/BVP.csv", bvp)
        archive.writestr("S05/ACC.csv", "\n".join([start, rate, *rows]))
    return file


def zipped(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def sheet(table: Sequence[Sequence[str | float]]) -> bytes:
    """An .xlsx of one sheet, as small as readers take it."""
    cells = "".join(
        "<row>"
        + "".join(
            f"<c><v>{cell!r}</v></c>"
            if isinstance(cell, float)
            else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            for cell in row
        )
        + "</row>"
        for row in table
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="r"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r" Type="{office}/worksheet" Target="worksheets/s.xml"/>'
            "</Relationships>",
            "xl/worksheets/s.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
            "</worksheet>",
        }
    )


def spreadsheet(folder: Path) -> Path:
    """An .xlsx with days of Excel."""
    s.needs("python_calamine")
    file = folder / "walk.xlsx"
    rows = zip(s.time_of(25).tolist(), s.ppg(25).tolist(), strict=True)
    file.write_bytes(sheet([["time", "ppg"], *([45443.5 + t / 86400, v] for t, v in rows)]))
    return file


def json_rows(folder: Path) -> Path:
    """A list of objects."""
    file = folder / "walk.json"
    rows = zip(s.time_of(25), s.ppg(25), s.acc(25), strict=True)
    samples = [{"t": t, "ppg": {"green": v}, "acc": a.tolist()} for t, v, a in rows]
    file.write_text(json.dumps({"device": "x", "samples": samples}))
    return file


def archive(folder: Path) -> Path:
    """A .zip in a .zip, of a file for each sensor."""
    files: dict[str, str | bytes] = {}
    for name, header, values in (
        ("PPG", "time,green", s.ppg(25)[:, None]),
        ("Accelerometer", "time,x,y,z", s.acc(25)),
    ):
        rows = np.column_stack([s.time_of(25), values])
        lines = (",".join(f"{cell:.4f}" for cell in row) for row in rows)
        files[f"{name}.csv"] = "\n".join([header, *lines])
    file = folder / "phone.zip"
    file.write_bytes(zipped({"export.zip": zipped(files), "readme.txt": "mine"}))
    return file


WRITERS: tuple[Callable[[Path], Path], ...] = (
    wfdb, edf, parquet, hdf5, matlab, matlab_5, fit, embrace_plus, bluetooth, biopac, empatica_e4,
    spreadsheet, json_rows, archive,
)  # fmt: skip
