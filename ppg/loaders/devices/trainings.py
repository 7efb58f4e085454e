"""Trainings and days as watches' apps export them: heart rates, for `--hr-csv`; no PPG.

Polar Flow: a .csv with a heart rate once a second. Its first two lines are a summary (with name,
height and weight, of which only the date and the start are read), the third names the columns, and
times count from the start. What Polar Sensor Logger writes (`Phone timestamp;RR-interval [ms]`) is
text as any other.

XML: of Apple Health's `export.xml` the records of the heart rate are read, of TCX and GPX each
trackpoint that has a time and a rate.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.clocks import moment
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Base, Rows, Table, table_of
from ppgnas.errors import DataError

Floats = NDArray[np.float64]
_ROOTS = re.compile(rb"<(?:!DOCTYPE )?(?:HealthData|TrainingCenterDatabase|gpx)\b")
_APPLE = "HKQuantityTypeIdentifierHeartRate"
_POINTS = ("Trackpoint", "trkpt")
_RATES = ("heartratebpm", "hr", "heartrate")


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
    times_s = begin_s + np.array([found[0] for found in times if found])
    return _table(path, times_s, np.array([float(row[rate]) for row in known]), base)


def is_xml(path: Path, start: bytes) -> bool:
    """Whether a file is such an export."""
    return start.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"<" and bool(_ROOTS.search(start))


def read_xml(path: Path) -> Table:
    """The heart rates of an export.

    Raises:
        DataError: it is damaged, or has fewer than two.
    """
    times_s: list[float] = []
    rates: list[float] = []
    base: Base = "utc"
    try:
        for time, rate in _pairs(path):
            found = moment(time.strip(), "year first")
            if found is not None:
                times_s.append(found[0])
                rates.append(float(rate))
                base = found[1]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: unreadable as XML ({error}); export it again.") from error
    if len(rates) < 2:
        raise DataError(f"{path}: {len(rates)} heart rates with a time; allowed: two at least.")
    order = np.argsort(times_s, kind="stable")
    return _table(path, np.array(times_s)[order], np.array(rates)[order], base)


def _table(path: Path, time_s: Floats, hr: Floats, base: Base) -> Table:
    return table_of(
        path,
        {"hr": hr},
        rows={"hr": Rows(time_s)},
        units={"hr": "bpm"},
        base=base,
        columns=Columns(hr="hr"),
    )


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Time and rate of each record that has both."""
    for _, element in ElementTree.iterparse(path):
        name = _local(element)
        if name == "Record":
            if element.get("type") == _APPLE:
                yield element.get("startDate", ""), element.get("value", "")
        elif name in _POINTS:
            inner = {_local(each).lower(): each for each in element.iter()}
            rate = next((inner[word] for word in _RATES if word in inner), None)
            if rate is not None and "time" in inner:
                yield inner["time"].text or "", "".join(rate.itertext()).strip()
        else:
            continue
        element.clear()


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
