"""Numbers from .csv files with one line of column names."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppgnas.errors import DataError

_EMPTY = {"", "nan", "na", "null", "none", "-"}


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The columns of `read_table`."""
    return read_table(path, names)[0]


def read_table(
    path: Path, names: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Read named columns.

    Args:
        path: a text file of UTF-8, UTF-16 or Latin-1, separated by commas, semicolons or tabs.
        names: of the columns, as in the first line; spaces around a name do not count.

    Returns:
        Name -> `(rows,)` float64, NaN where a cell is empty; and the line of each row.

    Raises:
        DataError: no such file, no text, a column is missing or twice, a row is short or
            long, or a cell is no number.
    """
    lines = _lines(path)
    header, delimiter = _header(path, lines)
    places = {}
    for name in names:
        if header.count(name) != 1:
            seen = "twice" if header.count(name) else "missing"
            raise DataError(
                f"{path}: the column {name!r} is {seen}; allowed: one of "
                f"{', '.join(header)[:200]}. Name the columns as the first line does."
            )
        places[name] = header.index(name)
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, cells in _rows(path, lines, delimiter):
        if not any(cell.strip() for cell in cells):
            continue
        long = any(cell.strip() for cell in cells[len(header) :])
        if long or len(cells) <= max(places.values()):
            why = "Are the numbers written with decimal commas? Write points."
            raise DataError(
                f"{path}: line {number} has {len(cells)} cells; allowed: {len(header)}, as the "
                f"first line. {why if long else 'Is the file truncated?'}"
            )
        numbers.append(number)
        rows.append([_number(path, number, name, cells[place]) for name, place in places.items()])
    if not rows:
        raise DataError(f"{path}: no row below the column names. Is the file truncated?")
    table = np.array(rows, np.float64)
    columns = {name: table[:, index] for index, name in enumerate(places)}
    return columns, np.array(numbers, np.int64)


def _rows(path: Path, lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line below the names."""
    try:
        yield from enumerate(csv.reader(lines[1:], delimiter=delimiter), start=2)
    except csv.Error as error:
        raise DataError(
            f"{path}: the rows cannot be told apart ({error}); allowed: cells between separators. "
            f"Is there a lone quotation mark?"
        ) from error


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of a .csv file.")
    content = path.read_bytes()
    text = _decoded(path, content)
    lines = text.splitlines()
    if not lines:
        raise DataError(
            f"{path}: the file is empty; allowed: a line of names and rows of numbers."
        )
    return lines


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as spreadsheets save "Unicode text"
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: begins as UTF-16 text and is not ({error}); allowed: UTF-8 or whole "
                "UTF-16. Save it again as UTF-8."
            ) from error
    if b"\0" in content[:4096]:
        raise DataError(
            f"{path}: binary, not text, or UTF-16 without its mark; allowed: a .csv file with a "
            "line of names. Save it as UTF-8."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _header(path: Path, lines: list[str]) -> tuple[list[str], str]:
    delimiter = max(",;\t", key=lines[0].count)
    try:
        header = [name.strip() for name in next(csv.reader(lines[:1], delimiter=delimiter))]
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{path}: the first line holds no column names ({error}).") from error
    return header, delimiter


def _number(path: Path, line: int, name: str, cell: str) -> float:
    text = cell.strip()
    if text.lower() in _EMPTY:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"{path}: {name} is {text[:40]!r} in line {line}; allowed: a number, with a decimal "
            f"point, or an empty cell."
        ) from None
