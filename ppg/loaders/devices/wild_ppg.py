"""One person of WildPPG: `WildPPG_Part_*.mat` with the wrist's PPG and the sternum's ECG, 128 Hz.

Structs `wrist` and `sternum` of sensors (`ppg_g`, `acc_x`, `ecg`, ...), each with values `v` and
a rate `fs`. Read with scipy, as the structs are nested. Written to its authors' code (Meier,
Demirel, Holz, NeurIPS 2024); no file was seen.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

NAME = "wild_ppg"
AXES = ("acc_x", "acc_y", "acc_z")
_FILE = re.compile(r"WildPPG_Part_(\w+)\.mat")


def is_person(path: Path, start: bytes) -> bool:
    """Whether a file is one person's."""
    return _FILE.fullmatch(path.name) is not None


def read(path: Path) -> Table:
    """Read one person.

    Raises:
        DataError: the file is damaged, or a sensor is missing.
    """
    try:
        whole = scipy.io.loadmat(str(path), simplify_cells=True)
    except (
        scipy.io.matlab.MatReadError,
        ValueError,
        OSError,
        NotImplementedError,
        TypeError,
    ) as error:
        raise DataError(f"{path}: unreadable ({error}); copy it again.") from error
    cells, rows = {}, {}
    for place, sensors in (("wrist", ("ppg_g", *AXES)), ("sternum", ("ecg",))):
        for sensor in sensors:
            values, hz = _sensor(path, whole, place, sensor)
            cells[sensor], rows[sensor] = values, Rows(np.arange(len(values)) / hz, hz)
    found = _FILE.fullmatch(path.name)
    return table_of(
        path,
        cells,
        rows=rows,
        columns=Columns(("ppg_g",), AXES, ecg="ecg"),
        subject=found[1] if found else path.stem,
        dataset=NAME,
    )


def _sensor(path: Path, whole: Any, place: str, sensor: str) -> tuple[Any, float]:
    try:
        one = whole[place][sensor]
        return np.asarray(one["v"], np.float64).ravel(), float(one["fs"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"{path}: no {place}.{sensor} with values v and a rate fs; allowed: a person of "
            "WildPPG, as its authors publish it."
        ) from error
