"""One site of one person of Multisite-PPG: `P7_Watch_raw.npz`, with `P7_polar_ecg_raw.npz` beside.

`timestamp` in ms, `ppg_green`, `ppg_ir`, three axes, 100 Hz; of the ECG `rel_time_ms` and
`ecg_uv`, 130 Hz, which begin anew with each of its sources, at `phone_time`. Arrays of objects are
pickles and are refused; then the recording has no reference.
Written to the data set's card and its authors' code (arXiv 2605.17859); no file was seen.
"""

from __future__ import annotations

import re
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.columns import Columns, guess
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

NAME = "multisite_ppg"
LARGEST_BYTES = 1 << 30  # of all arrays: a month
_WRONG = (
    OSError, ValueError, EOFError, RuntimeError, MemoryError, SyntaxError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_FILE = re.compile(r"(P\d+)_(Earring|Necklace|Ring|Watch)_raw\.npz")


def is_site(path: Path, start: bytes) -> bool:
    """Whether a file is one site's."""
    return _FILE.fullmatch(path.name) is not None


def read(path: Path) -> Table:
    """Read one site of one person.

    Raises:
        DataError: an array is missing.
    """
    found = _FILE.fullmatch(path.name)
    person = found[1] if found else path.stem
    cells, _ = _arrays(path)
    if "timestamp" not in cells or "ppg_green" not in cells:
        raise DataError(
            f"{path}: holds {', '.join(cells) or 'no numbers'}; allowed: timestamp and ppg_green."
        )
    if len({len(column) for column in cells.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in cells.items())
        raise DataError(f"{path}: arrays differ in length ({lengths}); allowed: one length.")
    times = Rows(cells.pop("timestamp") / 1000)
    rows = dict.fromkeys(cells, times)
    acc = guess(list(cells)).acc
    notes = []
    strap = path.with_name(f"{person}_polar_ecg_raw.npz")
    if strap.is_file():
        ecg, pickled = _arrays(strap)
        parts = [ecg[name] for name in ("rel_time_ms", "ecg_uv", "phone_time") if name in ecg]
        if len(parts) == 3 and len(parts[0]) and len({len(part) for part in parts}) == 1:
            cells["ecg_uv"] = ecg["ecg_uv"]
            rows["ecg_uv"] = Rows(_ecg_times(ecg))
        else:
            notes.append(
                f"{strap.name}: no reference: {', '.join(pickled) or 'an array'} of it is pickled "
                "or missing, or of another length, and pickles run code. Save it again with plain "
                "arrays."
            )
    return table_of(
        path,
        cells,
        rows=rows,
        base="utc",
        columns=Columns(("ppg_green",), acc, ecg="ecg_uv" if "ecg_uv" in cells else None),
        subject=person,
        dataset=NAME,
        notes=tuple(notes),
    )


def _arrays(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Rows of numbers by name, and the names of pickled arrays."""
    found: dict[str, NDArray[Any]] = {}
    pickled = []
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > LARGEST_BYTES:
            raise ValueError(f"{size} bytes unpacked, allowed: {LARGEST_BYTES}")
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    array = archive[name]
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
                    pickled.append(name)
                    continue
                if array.ndim == 1 and array.dtype.kind in "iuf":
                    found[name] = array.astype(np.float64)
    except _WRONG as error:
        raise DataError(f"{path}: unreadable ({error}); copy it again.") from error
    return found, pickled


def _ecg_times(ecg: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """When each sample of the ECG was taken, s."""
    relative, phone = ecg["rel_time_ms"], ecg["phone_time"]
    first = np.concatenate([[0], np.flatnonzero(np.diff(relative) < 0) + 1])
    of = np.searchsorted(first, np.arange(len(relative)), side="right") - 1
    unit = 1000.0 if phone[0] > 1e11 else 1.0
    return np.asarray(phone[first][of] / unit + (relative - relative[first][of]) / 1000)
