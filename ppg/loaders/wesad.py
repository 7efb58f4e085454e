"""WESAD: fifteen people at rest and under stress; heart rate from the ECG of the chest.

`WESAD/SX/SX.pkl`, a Python 2 pickle: `signal.wrist.BVP` (N, 1) 64 Hz, `signal.wrist.ACC` (N, 3)
32 Hz in counts of 1/64 g, `signal.chest.ECG` (N, 1) 700 Hz, `label` (N,) the condition at 700 Hz.
There is no heart rate in it: R peaks are found here, and a window's rate is the mean of 60 / RR
over its intervals. A window with an implausible interval is invalid. Window j begins at 2 j
seconds (lag 0).

Schmidt et al., ICMI 2018, doi 10.24432/C57K5T.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.dalia import is_wesad, numbers, pickles, wrist
from ppg.loaders.ecg import heart_rate, r_peaks
from ppg.loaders.layout import checked, most_frequent, samples, windows_of_signal
from ppg.loaders.unpickle import load_arrays
from ppg.recording import Recording
from ppgnas.errors import DataError

NAME = "wesad"
PPG_HZ = 64.0
ACC_HZ = 32.0
CHEST_HZ = 700.0
COUNTS_PER_G = 64.0
ACTIVITIES = ("transient", "baseline", "stress", "amusement", "meditation")


def find(root: Path) -> list[Path]:
    """`SX/SX.pkl` of WESAD at most one folder down."""
    return [path for path in pickles(root) if is_wesad(path)]


def read(path: Path) -> Recording:
    """Read a person's pickle."""
    found = load_arrays(path)
    signals = wrist(path, found, ("label", "signal"))
    chest = found["signal"].get("chest")
    if not isinstance(chest, dict) or "ECG" not in chest:
        raise DataError(
            f"{path}: signal.chest holds no ECG, which the heart rate is read from. Is it the "
            f"file of another data set?"
        )
    ecg = numbers(path, "signal.chest.ECG", chest["ECG"], (None,)).astype(np.float64)
    condition = numbers(path, "label", found["label"], (None,)).astype(np.int64)
    if not np.isfinite(ecg).all():
        raise DataError(
            f"{path}: the ECG is not finite in {int((~np.isfinite(ecg)).sum())} samples; allowed: "
            f"numbers. Fetch the file again."
        )
    ppg_s, ecg_s = len(signals["BVP"]) / PPG_HZ, len(ecg) / CHEST_HZ
    if abs(ppg_s - ecg_s) > max(2.0, 0.02 * ppg_s):
        raise DataError(
            f"{path}: the PPG lasts {ppg_s:.1f} s and the ECG {ecg_s:.1f} s; allowed: the same. "
            f"The file is truncated: fetch it again."
        )
    start_s = windows_of_signal(min(ppg_s, ecg_s))
    hr_bpm, valid = heart_rate(r_peaks(ecg, CHEST_HZ), start_s)
    recording = Recording(
        subject=path.stem,
        dataset=NAME,
        name=path.stem,
        ppg=samples(path, "PPG", signals["BVP"]),
        ppg_hz=PPG_HZ,
        acc=samples(path, "acceleration", in_g(signals["ACC"].astype(np.float64))),
        acc_hz=ACC_HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=valid,
        activity=most_frequent(condition, CHEST_HZ, start_s, names=len(ACTIVITIES)),
        activity_names=ACTIVITIES,
    )
    return checked(path, recording)


def in_g(acc: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts of 1/64 g as g; values that are in g already stay.

    Published as counts, so at rest |a| is about 64; copies in g are about 1.
    """
    median = float(np.median(np.linalg.norm(acc, axis=1)))
    return acc / COUNTS_PER_G if median > COUNTS_PER_G / 8 else acc
