"""BIDMC: intensive care, finger PPG at 125 Hz for 8 minutes, no acceleration.

`bidmc_csv/bidmc_NN_Signals.csv` with the columns `Time [s], RESP, PLETH, ..., II`, and where it is
there `bidmc_NN_Numerics.csv` with `HR` of the monitor once a second. The heart rate is read from R
peaks of lead II, 60 / mean interval; a window is invalid where an interval is implausible or the
monitor disagrees by more than 10 BPM for the 16 s from its begin (the monitor lags some seconds).

The 53 records come from 46 patients: recordings of one patient bear one subject (`PATIENTS`).
PhysioNet, doi 10.13026/C2208R; Pimentel et al., IEEE TBME 64(8) 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.ecg import heart_rate, r_peaks
from ppg.loaders.layout import checked, name_parts, samples, windows_of_signal
from ppg.loaders.own.text import read_columns
from ppg.recording import Recording
from ppgnas.errors import DataError

NAME = "bidmc"
HZ = 125.0
APART_BPM = 10.0
MONITOR_S = 16.0
FILES = r"bidmc_(?P<number>\d\d)_Signals\.csv"
# The patients of more than one record, and of record 01, by their names in MIMIC II.
PATIENTS = {
    1: "s01182",
    **dict.fromkeys(range(6, 10), "s03386"),
    **dict.fromkeys(range(20, 24), "s11342"),
    **dict.fromkeys(range(38, 40), "s25323"),
}


def read(path: Path) -> Recording:
    """Read a record."""
    number = int(name_parts(path, FILES)["number"])
    columns = read_columns(path, ("Time [s]", "PLETH", "II"))
    time_s = columns["Time [s]"]
    if not (np.abs(time_s - np.arange(len(time_s)) / HZ) < 0.02).all():
        raise DataError(
            f"{path}: Time [s] does not run at {HZ:g} Hz from 0: it ends at {time_s[-1]:g} s "
            f"after {len(time_s)} rows; allowed: every row. Fetch the file again."
        )
    ecg = columns["II"]
    if not np.isfinite(ecg).all():
        raise DataError(
            f"{path}: lead II is empty in {int((~np.isfinite(ecg)).sum())} rows; allowed: numbers."
            f" Fetch the file again."
        )
    start_s = windows_of_signal(len(ecg) / HZ)
    hr_bpm, valid = heart_rate(r_peaks(ecg, HZ), start_s, of="intervals")
    numerics = path.with_name(path.name.replace("Signals", "Numerics"))
    if numerics.is_file():
        valid &= _agrees(numerics, hr_bpm, start_s)
    recording = Recording(
        subject=f"BIDMC_{PATIENTS.get(number, f'{number:02d}')}",
        dataset=NAME,
        name=f"bidmc_{number:02d}",
        ppg=samples(path, "PPG", columns["PLETH"][:, None]),
        ppg_hz=HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=valid,
        activity=np.zeros(len(start_s), np.int64),
        activity_names=("rest",),
    )
    return checked(path, recording)


def _agrees(
    path: Path, hr_bpm: NDArray[np.float64], start_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """`(windows,)` False where the monitor shows another rate for all of `MONITOR_S`."""
    columns = read_columns(path, ("Time [s]", "HR"))
    time_s, monitor_bpm = columns["Time [s]"], columns["HR"]
    agrees = np.ones(len(hr_bpm), np.bool_)
    for index, start in enumerate(start_s):
        inside = (time_s >= start) & (time_s <= start + MONITOR_S) & np.isfinite(monitor_bpm)
        if inside.any():
            agrees[index] = np.abs(monitor_bpm[inside] - hr_bpm[index]).min() <= APART_BPM
    return agrees
