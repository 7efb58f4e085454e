"""Text as BIOPAC's AcqKnowledge exports it.

A title, `0.5 msec/sample`, `2 channels`, then name and unit of each channel in lines of their
own, a line of column names (`min,CH1,CH2` or the channels alone), often a line of how many samples
each channel has, then rows. Written to exports described by others' code; no file was seen.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ppg.loaders.own.clocks import moment
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

_RATE = re.compile(r"([\d.]+)\s*(usec|msec|sec|samples)/(?:sample|sec(?:ond)?)\b", re.IGNORECASE)
_CHANNELS = re.compile(r"(\d+)\s+channels?\s*", re.IGNORECASE)
_STARTED = re.compile(r"Recording on:\s*(.*)", re.IGNORECASE)
_SECONDS = {"usec": 1e-6, "msec": 1e-3, "sec": 1.0}
PREAMBLE = 12  # lines until the rate and the number of channels


def is_export(path: Path, start: bytes) -> bool:
    """Whether a file is such an export."""
    head = start.decode("latin-1").splitlines()[:PREAMBLE]
    return any(_RATE.match(line) for line in head) and any(map(_CHANNELS.fullmatch, head))


def read(path: Path) -> Table:
    """Read an export.

    Raises:
        DataError: a channel or the rows are missing, or a cell is no number.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    head = lines[:PREAMBLE]
    rate = next(m for m in map(_RATE.match, head) if m)
    hz = (
        float(rate[1])
        if rate[2].lower() == "samples"
        else 1 / (float(rate[1]) * _SECONDS[rate[2].lower()])
    )
    at, counted = next((i, m) for i, m in enumerate(map(_CHANNELS.fullmatch, head)) if m)
    count = int(counted[1])
    named = lines[at + 1 : at + 1 + 2 * count]
    names, units = [n.strip() for n in named[::2]], [u.strip() for u in named[1::2]]
    rows = _rows(path, lines[at + 1 + 2 * count :], count)
    begin_s, base = 0.0, "zero"
    started = next((m for m in map(_STARTED.match, head) if m), None)
    told = moment(started[1].strip(), "year first") if started else None
    if told is not None:
        begin_s, base = told
    times = Rows(begin_s + np.arange(len(rows)) / hz, hz)
    return table_of(
        path,
        {name: rows[:, place] for place, name in enumerate(names)},
        rows=dict.fromkeys(names, times),
        units=dict(zip(names, units, strict=True)),
        base=base,
    )


def _rows(path: Path, lines: list[str], count: int) -> np.ndarray:
    """`(rows, channels)`: the last cells of each line, which may begin with a time."""
    found: list[list[float]] = []
    for line in lines:
        cells = [cell for cell in re.split(r"[\t,;]", line) if cell.strip()]
        try:
            values = [float(cell) for cell in cells]
        except ValueError as error:
            if found:
                raise DataError(f"{path}: {error} among the rows; export it again.") from error
            continue  # names of columns
        if len(values) >= count:
            found.append(values[-count:])
    if len(found) > 1 and len(set(found[0])) == 1 and found[0][0] >= len(found) - 1:
        found = found[1:]  # how many samples each channel has
    if len(found) < 2:
        raise DataError(f"{path}: no rows of {count} channels; export it again.")
    return np.array(found)
