"""A WFDB record (PhysioNet): a header .hea, its signals, and beats where somebody annotated them.

The reference is the annotation of beats beside it (.atr, .qrs, .ecg) or an ECG among the signals.
Read with the package wfdb.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from pathlib import Path
from typing import Any

import numpy as np

from ppg.loaders.devices.packages import package, quiet
from ppg.loaders.own.columns import guess
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError

ANNOTATIONS = ("atr", "qrs", "ecg")
BEATS = set("NLRBAaJSVrFejnE/fQ?")  # the codes of beats
_WRONG = (ValueError, OSError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError)


def is_record(path: Path, start: bytes) -> bool:
    """Whether a file is the header of a record, or its signals."""
    return path.suffix == ".hea" or (path.suffix == ".dat" and path.with_suffix(".hea").is_file())


def read(path: Path) -> Table:
    """Read a record.

    Raises:
        DataError: it is damaged.
        DependencyError: wfdb is not installed.
    """
    wfdb = package("wfdb", "A WFDB record")
    record = str(path.with_suffix(""))
    try:
        with quiet():
            found = wfdb.rdrecord(record, smooth_frames=False)
    except _WRONG as error:
        raise DataError(
            f"{path}: unreadable as a WFDB record ({error}); are all of its files there?"
        ) from error
    begin_s, base = 0.0, "zero"
    if found.base_datetime is not None:
        begin_s, base = found.base_datetime.replace(tzinfo=timezone.utc).timestamp(), "local"
    cells: dict[str, Any] = {}
    rows, units = {}, {}
    names = [name or f"signal {i + 1}" for i, name in enumerate(found.sig_name or ())]
    for index, name in enumerate(names):
        hz = float(found.fs) * found.samps_per_frame[index]
        cells[name] = np.asarray(found.e_p_signal[index], np.float64)
        rows[name] = Rows(begin_s + np.arange(len(cells[name])) / hz, hz)
        units[name] = found.units[index]
    columns = guess(names)
    for ending in ANNOTATIONS:
        if not path.with_suffix(f".{ending}").is_file():
            continue
        try:
            with quiet():
                marks = wfdb.rdann(record, ending)
        except _WRONG as error:
            raise DataError(f"{path.with_suffix('.' + ending)}: unreadable ({error}).") from error
        beat = np.array([symbol in BEATS for symbol in marks.symbol], np.bool_)
        beats_s = marks.sample[beat] / float(marks.fs or found.fs)
        if len(beats_s) > 2:
            cells["beats"], units["beats"] = np.diff(beats_s), "s"
            rows["beats"] = Rows(begin_s + beats_s[1:])
            columns = replace(columns, rr="beats", ecg=None, hr=None)
            break
    return table_of(path, cells, rows=rows, units=units, base=base, columns=columns)
