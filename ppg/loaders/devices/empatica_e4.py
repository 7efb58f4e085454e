"""A session of an Empatica E4 as its export holds it: BVP.csv (64 Hz) and ACC.csv (32 Hz, 1/64 g).

Each file begins with its start (s since 1970) and its rate. HR.csv and IBI.csv are computed by the
device from the same PPG, so they are no reference and are not read.
Reference: Empatica, "E4 wristband: data export and formatting", 2020.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import checked, files_like, samples
from ppg.plausible import SLOWEST_HZ
from ppg.recording import Recording
from ppgnas.errors import DataError

NAME = "empatica_e4"
COUNTS_PER_G = 64.0


def is_session(path: Path) -> bool:
    """Whether a folder is one session."""
    return (path / "BVP.csv").is_file()


def unread_sessions(path: Path) -> str:
    """What to say of sessions below a folder, which are read one by one; empty if none are."""
    found = sorted({file.parent for file in files_like(path, r"BVP\.csv")} - {path})
    if not found:
        return ""
    return (
        f"{path}: {len(found)} session(s) of an Empatica E4 ({found[0]}) are not read: they have "
        "no reference, as HR.csv comes from the same PPG. To look at one or predict it: ppgnas "
        f"data convert {found[0]} OUT."
    )


def read(path: Path) -> Recording:
    """Read a session.

    Args:
        path: its folder; its name is the subject's.

    Raises:
        DataError: a file has another form.
    """
    begin_s, ppg_hz, ppg = _table(path / "BVP.csv", columns=1)
    acc, acc_hz = None, None
    if (path / "ACC.csv").is_file():
        acc_begin_s, acc_hz, acc = _table(path / "ACC.csv", columns=3)
        late = acc_begin_s - begin_s
        ppg, acc = ppg[round(max(late, 0) * ppg_hz) :], acc[round(max(-late, 0) * acc_hz) :]
    recording = Recording(
        subject=path.resolve().name,
        dataset=NAME,
        name=path.resolve().name,
        ppg=samples(path / "BVP.csv", "PPG", ppg),
        ppg_hz=ppg_hz,
        acc=None if acc is None else samples(path / "ACC.csv", "acceleration", acc / COUNTS_PER_G),
        acc_hz=acc_hz,
    )
    return checked(path, recording, labelled=False)


def _table(path: Path, *, columns: int) -> tuple[float, float, NDArray[np.float64]]:
    """Start in s, rate in Hz and `(rows, columns)`."""
    allowed = f"a start, a rate and rows of {columns} number(s), as the device's export has them"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of an empty file, which is told below
            rows = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig")
    except ValueError as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}; allowed: {allowed}.") from error
    whole = rows.shape[1] == columns and len(rows) > 2 and bool(np.isfinite(rows[:2]).all())
    if not whole or not SLOWEST_HZ <= rows[1, 0] <= 1000:
        second = rows[1:2, :1].ravel()
        raise DataError(
            f"{path}: {rows.shape[0]} rows of {rows.shape[1]}, the second {second}; allowed: "
            f"{allowed}."
        )
    return float(rows[0, 0]), float(rows[1, 0]), rows[2:]
