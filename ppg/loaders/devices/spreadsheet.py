"""A spreadsheet (.xlsx, .xls, .ods): the sheet with most rows. Read with python-calamine."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

from ppg.loaders.devices.packages import package
from ppg.loaders.own.table import Table
from ppg.loaders.own.text import text_table
from ppgnas.errors import DataError

LARGEST_BYTES = 1 << 29
_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def is_spreadsheet(path: Path, start: bytes) -> bool:
    """Whether a file is one."""
    return path.suffix.lower() in _ENDINGS and start.startswith((b"PK", b"\xd0\xcf\x11\xe0"))


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged or empty.
        DependencyError: python-calamine is not installed.
    """
    calamine = package("python_calamine", "A spreadsheet")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST_BYTES:
                raise DataError(
                    f"{path}: {size} bytes unpacked; allowed: up to {LARGEST_BYTES}. Save it as "
                    ".csv."
                )
        with calamine.load_workbook(str(path)) as book:
            sheets: list[list[list[object]]] = [
                book.get_sheet_by_name(n).to_python() for n in book.sheet_names
            ]
    except DataError:
        raise
    except (calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{path}: unreadable as a spreadsheet ({str(error)[:200]}); save it as .csv."
        ) from error
    rows = max(sheets, key=len, default=[])
    lines = ["\t".join(map(_text, row)) for row in rows]
    if not any(line.strip() for line in lines):
        raise DataError(f"{path}: none of its {len(sheets)} sheets has a row.")
    return text_table(path, [line for line in lines if line.strip()])


def _text(cell: object) -> str:
    """A cell as a text file has it."""
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return f"{cell.total_seconds()}"
    return " ".join(str(cell).split()).replace('"', "'")
