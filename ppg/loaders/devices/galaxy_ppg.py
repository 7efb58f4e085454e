"""One person of GalaxyPPG: a Galaxy Watch beside a Polar H10.

`GalaxyWatch/PPG.csv` (`dataReceived,timestamp,ppg,status`, Unix ms, 25 Hz in batches of 12 s; a
batch of status -999 is empty, 2097152 is a placeholder), `GalaxyWatch/ACC.csv` where it is there,
`PolarH10/IBI.csv` (`phoneTimestamp,duration` in ms, on the phone's clock, 9 h ahead), `Event.csv`
(ENTER and EXIT of sessions). The intervals are summed from the first stamp: in one person the
stamps fall back by 4.3 s twice. The E4 of the data set is on the other wrist and is not read.
Park, Zheng, Lee, Scientific Data 2025, 12, 892, doi 10.1038/s41597-025-05152-z.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.table import Rows, Table, table_of
from ppg.loaders.own.text import read_columns, read_text

NAME = "galaxy_ppg"
NO_BATCH = -999
PLACEHOLDER = 2_097_152
AXES = ("x", "y", "z")


def is_person(path: Path, start: bytes) -> bool:
    """Whether a folder is one person's."""
    return (path / "GalaxyWatch" / "PPG.csv").is_file()


def read(path: Path) -> Table:
    """Read one person.

    Raises:
        DataError: a file has other columns or no rows.
    """
    watch = read_columns(path / "GalaxyWatch" / "PPG.csv", ("timestamp", "ppg", "status"))
    missing = (watch["status"] == NO_BATCH) | (watch["ppg"] == PLACEHOLDER)
    time_s = watch["timestamp"] / 1000
    order = np.argsort(time_s, kind="stable")
    cells: dict[str, NDArray[Any] | list[str]] = {
        "ppg": np.where(missing, np.nan, watch["ppg"])[order]
    }
    rows = {"ppg": Rows(time_s[order])}
    acc = path / "GalaxyWatch" / "ACC.csv"
    if acc.is_file():
        table = read_columns(acc, ("timestamp", *AXES))
        times = Rows(table["timestamp"] / 1000)
        cells |= {axis: table[axis] for axis in AXES}
        rows |= dict.fromkeys(AXES, times)
    beats = path / "PolarH10" / "IBI.csv"
    if beats.is_file():
        table = read_columns(beats, ("phoneTimestamp", "duration"))
        rr_ms = table["duration"]
        cells["ibi"] = rr_ms
        rows["ibi"] = Rows((table["phoneTimestamp"][0] + np.cumsum(rr_ms)) / 1000 - 9 * 3600)
    if (path / "Event.csv").is_file():
        cells["session"] = _sessions(path / "Event.csv", time_s[order])
    return table_of(
        path,
        cells,
        rows=rows,
        units={"ibi": "ms"},
        base="utc",
        columns=Columns(
            ("ppg",),
            AXES if acc.is_file() else (),
            rr="ibi" if beats.is_file() else None,
            activity="session" if "session" in cells else None,
        ),
        subject=path.resolve().name,
        dataset=NAME,
        notes=(
            f"{path.name}: the strap's beats came 3.0 to 3.9 s late in the people looked at: see "
            "what data inspect says of the lag, and give it with --lag.",
        ),
    )


def _sessions(path: Path, time_s: NDArray[np.float64]) -> list[str]:
    """`(rows,)` the session that each time lies in."""
    table = read_text(path)
    at_s = table.numbers(("timestamp",))["timestamp"] / 1000
    names = np.full(len(time_s), "", dtype="U40")
    begun: dict[str, float] = {}
    events = zip(at_s.tolist(), table.texts("session"), table.texts("status"), strict=True)
    for moment_s, session, status in events:
        if status == "ENTER":
            begun[session] = moment_s
        elif session in begun:
            names[(time_s >= begun.pop(session)) & (time_s < moment_s)] = session
    return [str(name) for name in names]
