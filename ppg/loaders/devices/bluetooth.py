"""A log of heart-rate notifications (Bluetooth characteristic 0x2A37), as nRF Connect writes it.

Read from the bytes of each notification: flags (bit 0: the rate has two bytes, bit 3: energy is
there, bit 4: intervals are), the rate, then none to three intervals of 1/1024 s. The lines of text
below each are not read: they show an interval that is 4.9 % too long, or none. Times are local
times of day without a date, and late by up to 1.3 s; the sum of the intervals counts.
Reference: Bluetooth SIG, Heart Rate Service 1.0, "Heart Rate Measurement".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ppg.loaders.own.clocks import DAY_S
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

_LINE = re.compile(
    r"(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)\b.*2a37.*?((?:\b[0-9A-Fa-f]{2}-){1,}[0-9A-Fa-f]{2})\s*$"
)
_TWO_BYTES, _ENERGY, _INTERVALS = 0x01, 0x08, 0x10


def is_log(path: Path, start: bytes) -> bool:
    """Whether a file is such a log."""
    return path.is_file() and b"2a37" in start.lower() and b"otification" in start


def read(path: Path) -> Table:
    """Heart rates and intervals of a log.

    Raises:
        DataError: no line holds a notification.
    """
    rates: list[tuple[float, float]] = []
    intervals: list[tuple[float, float]] = []
    before = turns = 0.0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _LINE.search(line)
        if found is None:
            continue
        time = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3].replace(",", "."))
        turns += DAY_S if time < before - DAY_S / 2 else 0.0
        before = time
        rate, rr = notification(bytes.fromhex(found[4].replace("-", "")))
        rates.append((time + turns, rate))
        intervals += [(time + turns, one) for one in rr]
    if len(rates) < 2:
        raise DataError(
            f"{path}: {len(rates)} heart-rate notifications; allowed: lines such as "
            "10:13:41.954 Notification received from 00002a37-..., value: (0x) 10-52-E7-02."
        )
    hr, rr_s = np.array(rates), np.array(intervals).reshape(-1, 2)
    return table_of(
        path,
        {"hr": hr[:, 1], "rr": rr_s[:, 1]},
        rows={"hr": Rows(hr[:, 0]), "rr": Rows(rr_s[:, 0])},
        units={"hr": "bpm", "rr": "s"},
        base="day",
        columns=Columns(rr="rr") if len(rr_s) > 1 else Columns(hr="hr"),
    )


def notification(value: bytes) -> tuple[float, list[float]]:
    """The rate in BPM and the intervals in s of one value of 0x2A37."""
    flags, place = value[0], 3 if value[0] & _TWO_BYTES else 2
    rate = float(int.from_bytes(value[1:place], "little"))
    place += 2 if flags & _ENERGY else 0
    rest = value[place:] if flags & _INTERVALS else b""
    ends = range(0, len(rest) - 1, 2)
    return rate, [int.from_bytes(rest[at : at + 2], "little") / 1024 for at in ends]
