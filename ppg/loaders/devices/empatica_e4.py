"""A session of an Empatica E4 as its export holds it: BVP.csv (64 Hz) and ACC.csv (32 Hz, 1/64 g).

A folder or a .zip of it. Each file begins with its start (s since 1970) and its rate. HR.csv and
IBI.csv are computed by the device from the same PPG, so they are no reference; IBI.csv is read as
beats where it is asked for itself.
Reference: Empatica, "E4 wristband: data export and formatting", 2020.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import files_like
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppg.plausible import SLOWEST_HZ
from ppgnas.errors import DataError

NAME = "empatica_e4"
_WRONG = (
    OSError, ValueError, EOFError, RuntimeError, StopIteration, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
AXES = ("acc_x", "acc_y", "acc_z")
LARGEST_BYTES = 1 << 30  # of a file in an archive: two weeks


def is_session(path: Path, start: bytes = b"") -> bool:
    """Whether a folder or an archive is one session."""
    if path.is_dir():
        return (path / "BVP.csv").is_file()
    return start.startswith(b"PK") and path.suffix == ".zip" and "BVP.csv" in _members(path)


def is_beats(path: Path, start: bytes) -> bool:
    """Whether a file is the IBI.csv of a session."""
    return path.name == "IBI.csv" and b", IBI" in start[:64]


def unread_sessions(path: Path) -> str:
    """What to say of sessions below a folder, which are read one by one; empty if none are."""
    found = sorted({file.parent for file in files_like(path, r"BVP\.csv")} - {path})
    if not found:
        return ""
    return (
        f"{path}: {len(found)} session(s) of an Empatica E4 ({found[0]}) are not read: they have "
        "no reference, as HR.csv comes from the same PPG. To look at one or predict it: ppgnas "
        f"data convert {found[0]} OUT; with a reference of another device: --hr-csv FILE."
    )


def read(path: Path) -> Table:
    """Read a session.

    Args:
        path: its folder or archive; its name is the subject's.

    Raises:
        DataError: a file has another form.
    """
    begin_s, ppg_hz, ppg = _rows(path, "BVP.csv", columns=1)
    cells = {"bvp": ppg[:, 0]}
    rows = {"bvp": Rows(begin_s + np.arange(len(ppg)) / ppg_hz, ppg_hz)}
    units = {}
    there = _members(path)
    if "ACC.csv" in there:
        acc_begin_s, acc_hz, acc = _rows(path, "ACC.csv", columns=3)
        times = Rows(acc_begin_s + np.arange(len(acc)) / acc_hz, acc_hz)
        for axis, name in enumerate(AXES):
            cells[name], rows[name], units[name] = acc[:, axis], times, "1/64 g"
    own = [name for name in ("HR.csv", "IBI.csv") if name in there]
    notes = (
        f"{path.name}: no reference is {' nor '.join(own)}, which the E4 computes from this PPG. "
        "Give one of another device with --hr-csv.",
    )
    return table_of(
        path,
        cells,
        rows=rows,
        units=units,
        base="utc",
        columns=Columns(("bvp",), AXES if "ACC.csv" in there else ()),
        subject=path.resolve().name.removesuffix(".zip"),
        dataset=NAME,
        notes=notes if own else (),
    )


def read_beats(path: Path) -> Table:
    """The intervals of IBI.csv at the times of their beats.

    Raises:
        DataError: the file has another form.
    """
    first, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    try:
        begin_s = float(first.split(",")[0])
        values = np.array([[float(cell) for cell in line.split(",")] for line in lines if line])
    except ValueError as error:
        raise DataError(
            f"{path}: {error}; allowed: a start, IBI, and rows of a time and an interval, as the "
            "export of an E4 has them."
        ) from error
    if values.ndim != 2 or values.shape[1] != 2:
        raise DataError(f"{path}: holds no interval; allowed: rows of a time and an interval.")
    return table_of(
        path,
        {"ibi": values[:, 1]},
        rows={"ibi": Rows(begin_s + values[:, 0])},
        units={"ibi": "s"},
        base="utc",
        columns=Columns((), rr="ibi"),
        notes=(
            f"{path.name}: the E4 computes its beats from its own PPG: they are a reference for "
            "another sensor alone; errors against the same PPG mean little.",
        ),
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _members(path: Path) -> set[str]:
    """Names of the files of a session."""
    if path.is_dir():
        return {file.name for file in path.iterdir()}
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.rpartition("/")[2] for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()


def _content(path: Path, name: str) -> bytes:
    if path.is_dir():
        return (path / name).read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = next(i for i in archive.infolist() if i.filename.rpartition("/")[2] == name)
        if info.file_size > LARGEST_BYTES:
            raise DataError(
                f"{path}: {name} has {info.file_size} bytes; allowed: up to {LARGEST_BYTES}."
            )
        return archive.read(info)


def _rows(path: Path, name: str, *, columns: int) -> tuple[float, float, NDArray[np.float64]]:
    """Start in s, rate in Hz and `(rows, columns)`."""
    file = path / name
    allowed = f"a start, a rate and rows of {columns} number(s), as the device's export has them"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of an empty file, which is told below
            text = io.StringIO(_content(path, name).decode("utf-8-sig"))
            rows = np.loadtxt(text, delimiter=",", ndmin=2)
    except _WRONG as error:
        raise DataError(f"{file}: {_first_line(error)}; allowed: {allowed}.") from error
    whole = rows.shape[1] == columns and len(rows) > 2 and bool(np.isfinite(rows[:2]).all())
    if not whole or not SLOWEST_HZ <= rows[1, 0] <= 1000:
        second = rows[1:2, :1].ravel()
        raise DataError(
            f"{file}: {rows.shape[0]} rows of {rows.shape[1]}, the second {second}; allowed: "
            f"{allowed}."
        )
    return float(rows[0, 0]), float(rows[1, 0]), rows[2:]
