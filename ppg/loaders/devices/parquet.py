"""A Parquet file: columns as in a text file. Read with the package pyarrow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.devices.packages import package
from ppg.loaders.own.shapes import one_moment_a_row
from ppg.loaders.own.table import Table, table_of
from ppg.loaders.own.units import LOCAL
from ppgnas.errors import DataError

LARGEST_TABLE = 50_000_000  # cells: 20 hours of ten columns at 64 Hz
_INDEX = "__index_level_0__"  # as pandas calls an index without a name


def is_parquet(path: Path, start: bytes) -> bool:
    """Whether a file is Parquet."""
    return start.startswith(b"PAR1")


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged.
        DependencyError: pyarrow is not installed.
    """
    parquet = package("pyarrow.parquet", "Parquet")
    arrow = package("pyarrow", "Parquet")
    try:
        of_file = parquet.read_metadata(str(path))
        if of_file.num_rows * max(of_file.num_columns, 1) > LARGEST_TABLE:
            raise DataError(
                f"{path}: {of_file.num_rows} rows of {of_file.num_columns} columns; allowed: up "
                f"to {LARGEST_TABLE} cells. Cut the recording in two, or leave columns out."
            )
        table = parquet.read_table(str(path))
    except DataError:
        raise
    except (OSError, ValueError, arrow.ArrowException) as error:
        first = (str(error).splitlines() or ["damaged"])[0][:200]
        raise DataError(f"{path}: unreadable as Parquet ({first}); copy it again.") from error
    cells: dict[str, NDArray[Any] | list[str]] = {}
    units: dict[str, str] = {}
    lists = False
    for name in table.column_names:
        values = table.column(name).to_numpy()
        plain = "timestamp" if name == _INDEX else name
        if values.dtype.kind == "M":
            seconds = values.astype("datetime64[ns]").astype(np.int64) / 1e9
            cells[plain] = np.where(np.isnat(values), np.nan, seconds)
            units[plain] = "s" if table.schema.field(name).type.tz else LOCAL
        elif values.dtype.kind == "m":
            cells[plain] = values / np.timedelta64(1, "s")
            units[plain] = "s"
        elif values.dtype.kind in "iufb":
            cells[plain] = values.astype(np.float64)
        else:
            lists |= len(values) > 0 and isinstance(values[0], np.ndarray)
            cells[plain] = [_text(value) for value in values]
    found = table_of(path, cells, units=units)
    if not lists:
        return found
    return one_moment_a_row(replace(found, cells={n: found.texts(n) for n in found.names}))


def _text(value: object) -> str:
    """A cell; of a list, all of it."""
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    return "" if value is None else str(value)
