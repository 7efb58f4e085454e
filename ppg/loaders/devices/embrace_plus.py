"""A raw file of an Empatica EmbracePlus: Avro with `bvp` (64 Hz) and `accelerometer` (64 Hz).

Starts are us since 1970. Counts of acceleration become g by `imuParams`: by `conversionFactor`
from schema 6.5 on, before it by the physical and the digital range. `systolicPeaks` come from the
same PPG and are no reference. Written to the schema in the files; no file was seen. Read with the
package fastavro.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ppg.loaders.devices.packages import package
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

NAME = "embrace_plus"
_WRONG = (
    LookupError, TypeError, ValueError, ArithmeticError, AttributeError, StopIteration, OSError,
    EOFError, MemoryError, RecursionError, struct.error, zlib.error,
)  # fmt: skip
AXES = ("acc_x", "acc_y", "acc_z")


def is_avro(path: Path, start: bytes) -> bool:
    """Whether a file is Avro."""
    return start.startswith(b"Obj\x01")


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged, or of another schema.
        DependencyError: fastavro is not installed.
    """
    avro = package("fastavro", "EmbracePlus")
    try:
        with path.open("rb") as stream:
            document = next(iter(avro.reader(stream)))
        raw = document["rawData"]
        cells, rows = {}, {}
        cells["bvp"], rows["bvp"] = _signal(raw["bvp"], "values", 1.0)
        acc = raw.get("accelerometer") or {}
        if len(acc.get("x") or ()):
            for name in AXES:
                cells[name], rows[name] = _signal(acc, name[-1], _per_count(acc["imuParams"]))
        enrolled = document.get("enrollment") or {}
    except _WRONG as error:
        raise DataError(
            f"{path}: no raw file of an EmbracePlus ({type(error).__name__}: {error}); allowed: "
            "Avro with rawData.bvp."
        ) from error
    return table_of(
        path,
        cells,
        rows=rows,
        units=dict.fromkeys(AXES, "g"),
        base="utc",
        columns=Columns(("bvp",), AXES if AXES[0] in cells else ()),
        subject=str(enrolled.get("participantID") or "").replace("/", "_"),
        dataset=NAME,
        notes=(
            f"{path.name}: no reference: systolicPeaks come from this PPG. Give one of another "
            "device with --hr-csv.",
        ),
    )


def _signal(one: dict[str, Any], key: str, factor: float) -> tuple[Any, Rows]:
    values = np.asarray(one[key], np.float64) * factor
    hz = float(one["samplingFrequency"])
    if not hz > 0:
        raise ValueError(f"the samplingFrequency of {key} is {hz:g}")
    return values, Rows(one["timestampStart"] / 1e6 + np.arange(len(values)) / hz, hz)


def _per_count(imu: dict[str, Any]) -> float:
    """g a count."""
    if imu.get("conversionFactor"):
        return float(imu["conversionFactor"])
    physical = imu["physicalMax"] - imu["physicalMin"]
    return float(physical / (imu["digitalMax"] - imu["digitalMin"]))
