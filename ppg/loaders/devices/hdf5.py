"""HDF5, MATLAB 7.3, which is HDF5 inside, and MATLAB 5: every row of numbers is a column.

A dataset of a few rows (or columns) is as many columns: `acc` becomes `acc_x`, `acc_y`, `acc_z`.
Its rate is an attribute of the dataset or of a group above (`fs`, `sampling_rate`, ...), or a
single number beside it (`fs`, `ppg_fs`). HDF5 is read with the package h5py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.devices.packages import package
from ppg.loaders.matlab import all_matrices
from ppg.loaders.own.columns import is_rate, sampled_at
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

MOST_COLUMNS = 16  # of one dataset
LARGEST = 50_000_000  # numbers of one dataset
SLOWEST_HZ, FASTEST_HZ = 1e-3, 1e6  # what can be a rate


def is_hdf5(path: Path, start: bytes) -> bool:
    """Whether a file is HDF5 or MATLAB 7.3."""
    return start.startswith((b"\x89HDF", b"MATLAB 7.3"))


def is_matlab(path: Path, start: bytes) -> bool:
    """Whether a file is of MATLAB 5 to 7."""
    return start.startswith(b"MATLAB 5.0")


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged, or holds no rows of numbers.
        DependencyError: h5py is not installed.
    """
    h5py = package("h5py", "HDF5 and MATLAB 7.3")
    found: dict[str, NDArray[Any]] = {}
    single: dict[str, float] = {}
    rates: dict[str, float] = {}

    def look(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf":
            return
        if not 0 < item.size <= LARGEST or name.startswith("#refs#"):
            return
        if item.size == 1:
            single[name] = float(np.asarray(item[()]).reshape(()))
            return
        shape = [size for size in item.shape if size > 1]
        if len(shape) > 2 or (len(shape) == 2 and min(shape) > MOST_COLUMNS):
            return
        values = np.asarray(item[()], np.float64).reshape(shape)
        found[name] = _upright(values)
        rate = _attribute(item, h5py)
        if rate is not None:
            rates[name] = rate

    try:
        with h5py.File(path, "r") as file:
            file.visititems(look)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"{path}: unreadable as HDF5 ({error}); copy it again.") from error
    if not found:
        raise DataError(
            f"{path}: holds no rows of numbers; allowed: datasets of up to {MOST_COLUMNS} columns."
        )
    return _table(path, found, rates, single)


def read_matlab(path: Path) -> Table:
    """Read a file of MATLAB 5 to 7.

    Raises:
        DataError: it is damaged, or holds no rows of numbers.
    """
    found: dict[str, NDArray[Any]] = {}
    single: dict[str, float] = {}
    for name, values in all_matrices(path).items():
        shape = [size for size in values.shape if size > 1]
        if not shape:
            single[name] = float(values.reshape(()))
        elif len(shape) == 1 or (len(shape) == 2 and min(shape) <= MOST_COLUMNS):
            found[name] = _upright(values.reshape(shape))
    if not found:
        raise DataError(
            f"{path}: holds no rows of numbers ({', '.join(single)}); allowed: matrices of up to "
            f"{MOST_COLUMNS} columns."
        )
    return _table(path, found, {}, single)


def _upright(values: NDArray[Any]) -> NDArray[Any]:
    return values.T if values.ndim == 2 and values.shape[0] < values.shape[1] else values


def _table(
    path: Path,
    found: dict[str, NDArray[Any]],
    rates: dict[str, float],
    single: dict[str, float],
) -> Table:
    """Arrays as columns, at the rates that they or single numbers beside them say."""
    cells: dict[str, NDArray[Any] | list[str]] = {}
    rows: dict[str, Rows] = {}
    beside = sampled_at({name: len(values) for name, values in found.items()}, single)
    for name, values in found.items():
        rate = rates.get(name) or single.get(beside.get(name, ""))
        short = name.rpartition("/")[2]
        alone = sum(other.rpartition("/")[2] == short for other in found) == 1
        if rate is not None and not SLOWEST_HZ <= rate <= FASTEST_HZ:
            rate = None
        for column, cells_of in _columns(short if alone else name, values):
            cells[column] = cells_of
            if rate is not None:
                rows[column] = Rows(np.arange(len(cells_of)) / rate, rate)
    return table_of(path, cells, rows=rows)


def _columns(name: str, values: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    if values.ndim == 1:
        return [(name, values)]
    count = values.shape[1]
    endings = "xyz" if count == 3 and "acc" in name.lower() else range(1, count + 1)
    return [(f"{name}_{ending}", values[:, i]) for i, ending in enumerate(endings)]


def _attribute(item: Any, h5py: Any) -> float | None:
    """The rate that a dataset or a group above it says."""
    while True:
        for name, value in item.attrs.items():
            alone = np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf"
            if alone and is_rate(str(name)):
                return float(np.asarray(value).reshape(()))
        if item.name in ("/", None):
            return None
        item = item.parent
