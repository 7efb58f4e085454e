"""A training session as Polar Flow exports it: a .csv with a heart rate once a second.

Its first two lines are a summary (with name, height and weight, of which only the date and the
start are read), the third names the columns, and times count from the start. What Polar Sensor
Logger writes (`Phone timestamp;RR-interval [ms]`) is text as any other.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ppg.loaders.own.clocks import moment
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError


def is_session(path: Path, start: bytes) -> bool:
    """Whether a file is such a session."""
    first = start.split(b"\n", 1)[0]
    return b"Sport" in first and b"Start time" in first and b"," in first


def read(path: Path) -> Table:
    """The heart rate of a session.

    Raises:
        DataError: a line is not what the form has there.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    names, values, header, *rest = [row for row in csv.reader(lines) if row] or [[]] * 3
    summary = dict(zip(names, values, strict=False))
    begin = moment(f"{summary.get('Date', '')} {summary.get('Start time', '')}", "day first")
    if begin is None or "Time" not in header or "HR (bpm)" not in header:
        raise DataError(
            f"{path}: no session of Polar Flow: the summary has no date and start, or the third "
            f"line names {', '.join(header)[:100]}; allowed: Time and HR (bpm) among them."
        )
    time, rate = header.index("Time"), header.index("HR (bpm)")
    known = [row for row in rest if len(row) > max(time, rate) and row[rate].strip()]
    times = [moment(row[time], "") for row in known]
    if len(known) < 2 or None in times:
        raise DataError(f"{path}: fewer than two heart rates with a time hh:mm:ss.")
    begin_s, base = begin
    return table_of(
        path,
        {"hr": np.array([float(row[rate]) for row in known])},
        rows={"hr": Rows(begin_s + np.array([found[0] for found in times if found]))},
        units={"hr": "bpm"},
        base=base,
        columns=Columns(hr="hr"),
    )
