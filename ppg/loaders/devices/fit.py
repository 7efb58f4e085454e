"""A FIT activity (Garmin, Wahoo, ...): a heart rate once a second, and often intervals.

For `--hr-csv`: it holds no PPG. Intervals (`hrv`) stand between the records and are set by the
time of the record before. Read with the package fitdecode.
"""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np

from ppg.loaders.devices.packages import package, quiet
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

# What fitdecode raises on damaged content beside its own.
_WRONG = (AssertionError, LookupError, TypeError, ValueError, ArithmeticError, OSError, EOFError,
          struct.error)  # fmt: skip


def is_fit(path: Path, start: bytes) -> bool:
    """Whether a file is FIT."""
    return start[8:12] == b".FIT"


def read(path: Path) -> Table:
    """Read an activity.

    Raises:
        DataError: it is damaged, or has no heart rate.
        DependencyError: fitdecode is not installed.
    """
    fit = package("fitdecode", "FIT")
    rates: list[tuple[float, float]] = []
    intervals: list[tuple[float, float]] = []
    now_s = float("nan")
    try:
        with quiet(), fit.FitReader(str(path)) as reader:
            for frame in reader:
                if frame.frame_type != fit.FIT_FRAME_DATA:
                    continue
                if frame.name == "record":
                    at = frame.get_value("timestamp", fallback=None)
                    now_s = at.timestamp() if isinstance(at, datetime) else now_s
                    rate = frame.get_value("heart_rate", fallback=None)
                    if rate is not None:
                        rates.append((now_s, float(rate)))
                elif frame.name == "hrv":
                    told = frame.get_value("time", fallback=None)
                    told = told if isinstance(told, tuple) else (told,)
                    intervals += [(now_s, float(one)) for one in told if one is not None]
    except (fit.FitError, *_WRONG) as error:
        raise DataError(f"{path}: unreadable as FIT ({error}); copy it again.") from error
    rr_s = np.array([pair for pair in intervals if pair[0] == pair[0]]).reshape(-1, 2)
    hr = np.array([pair for pair in rates if pair[0] == pair[0]]).reshape(-1, 2)
    if len(hr) < 2:
        raise DataError(f"{path}: {len(hr)} records with a heart rate; allowed: two at least.")
    return table_of(
        path,
        {"hr": hr[:, 1], "rr": rr_s[:, 1]},
        rows={"hr": Rows(hr[:, 0]), "rr": Rows(rr_s[:, 0])},
        units={"hr": "bpm", "rr": "s"},
        base="utc",
        columns=Columns(rr="rr") if len(rr_s) > len(hr) / 2 else Columns(hr="hr"),
    )
