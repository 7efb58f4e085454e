"""BAMI-1 and BAMI-2 (treadmill, three PPG channels) and CardiacRehabExercise of the same people.

Files of MATLAB 5 with raw uint16 at 50 Hz; g = raw / 65535 * 16 - 8. BAMI: `rawPPG`, `rawAcc`
(3, N) and `bpm_ecg` (M, 1) per 8 s window every 2 s. CardiacRehabExercise: `sigPPG`, `sigAcc`
(3, N), and `timeECG`, `bpmECG` (B, 1), the instantaneous rate at each beat.

The clock of the labels is off: the lags here were fitted on these labels (BAMI-1 -1.5 s, sessions
of 730 s +1 s, two recordings of their own). Published results of BAMI use 0, which
`data convert --lag 0` writes. A label 12 BPM off the median of the nine around it is a slip of the
reference.

People of CardiacRehabExercise are in BAMI-1 under other names (`REHAB_IN_BAMI1`): reading both is
refused. Chung, Ko, Lee, Lee, IEEE Access 2020.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import checked, name_parts, samples, windows_of_signal
from ppg.loaders.matlab import read_matrices
from ppg.recording import Recording
from ppgnas.task import STRIDE_S, WINDOW_S

HZ = 50.0
ACTIVITIES = ("rest", "walk", "run", "run_holding_bar", "walk_holding_bar")
FILES = r"BAMI(?P<part>[12])_0*(?P<number>\d+)\.mat"
REHAB_FILES = r"Subject_0*(?P<number>\d+)\.mat"

LAG_S = {"bami1": -1.5, "bami2": 1.0}
LAG_OF_S = {("bami1", 15): -6.5, ("bami2", 23): 8.0}
SHORT_S = 730.0  # a session of the BAMI-2 protocol, also where BAMI-1 has one
LONG_S = 840.0
CROPPED_S = 630.0  # the end of a long session
SLIP_BPM = 12.0
REHAB_IN_BAMI1 = {
    1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 7, 8: 8, 9: 9, 10: 12, 11: 22, 12: 21, 13: 20, 14: 15, 15: 14,
}  # fmt: skip
# (end in s, activity) of the two protocols
_LONG = ((60, 0), (180, 1), (360, 2), (480, 1), (660, 2), (780, 1), (840, 0))
_SHORT = ((60, 0), (180, 1), (300, 2), (420, 3), (540, 1), (660, 4), (720, 0))


def read(path: Path) -> Recording:
    """Read a recording of BAMI-1 or BAMI-2."""
    parts = name_parts(path, FILES)
    dataset, number = f"bami{parts['part']}", int(parts["number"])
    shapes = {"rawPPG": (3, None), "rawAcc": (3, None), "bpm_ecg": (None, 1)}
    found = read_matrices(path, shapes)
    hr_bpm = found["bpm_ecg"][:, 0]
    duration_s = found["rawPPG"].shape[1] / HZ
    short = abs(duration_s - SHORT_S) < 10
    lag_s = LAG_OF_S.get((dataset, number), LAG_S["bami2" if short else dataset])
    start_s = np.arange(len(hr_bpm), dtype=np.float64) * STRIDE_S + lag_s
    person = f"{dataset.upper()}_{number:02d}"
    rehab = [other for other, mine in REHAB_IN_BAMI1.items() if mine == number]
    recording = Recording(
        subject=person,
        dataset=dataset,
        name=f"{dataset.upper()}_{number}",
        ppg=samples(path, "PPG", found["rawPPG"].T),
        ppg_hz=HZ,
        acc=samples(path, "acceleration", acceleration_g(found["rawAcc"]).T),
        acc_hz=HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=not_slipped(hr_bpm),
        activity=_activity(duration_s, start_s),
        activity_names=ACTIVITIES,
        also_in=tuple(f"CR_{other:02d}" for other in rehab) if dataset == "bami1" else (),
        label_lag_s=lag_s,
    )
    return checked(path, recording)


def read_rehab(path: Path) -> Recording:
    """Read a recording of CardiacRehabExercise."""
    number = int(name_parts(path, REHAB_FILES)["number"])
    shapes = {"sigPPG": (3, None), "sigAcc": (3, None), "timeECG": (None, 1), "bpmECG": (None, 1)}
    found = read_matrices(path, shapes)
    duration_s = found["sigPPG"].shape[1] / HZ
    start_s = windows_of_signal(duration_s)
    time_s, rate_bpm = found["timeECG"][:, 0], found["bpmECG"][:, 0]
    hr_bpm = np.full(len(start_s), np.nan)
    for index, start in enumerate(start_s):
        inside = (time_s >= start) & (time_s < start + WINDOW_S)
        if inside.sum() >= 3:
            hr_bpm[index] = rate_bpm[inside].mean()
    mine = REHAB_IN_BAMI1.get(number)
    recording = Recording(
        subject=f"CR_{number:02d}",
        dataset="cardiac_rehab",
        name=f"CR_{number}",
        ppg=samples(path, "PPG", found["sigPPG"].T),
        ppg_hz=HZ,
        acc=samples(path, "acceleration", acceleration_g(found["sigAcc"]).T),
        acc_hz=HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=not_slipped(hr_bpm),
        activity=np.full(len(hr_bpm), -1),
        also_in=() if mine is None else (f"BAMI1_{mine:02d}",),
    )
    return checked(path, recording)


def acceleration_g(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raw 16-bit values of a sensor of +-8 g."""
    return raw / 65535 * 16 - 8


def not_slipped(hr_bpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`(windows,)` False where a label is far from the median of the nine around it."""
    finite = np.isfinite(hr_bpm)
    median = np.array(
        [
            np.median(part[np.isfinite(part)]) if np.isfinite(part).any() else np.nan
            for part in (hr_bpm[max(0, i - 4) : i + 5] for i in range(len(hr_bpm)))
        ]
    )
    return np.asarray(finite & (np.abs(np.where(finite, hr_bpm, 0) - median) <= SLIP_BPM))


def _activity(duration_s: float, start_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """By the protocol of the session, at the middle of each window; -1 outside or unknown."""
    middle_s = start_s + WINDOW_S / 2
    protocol = _LONG
    if abs(duration_s - SHORT_S) < 10:
        protocol = _SHORT
    elif abs(duration_s - CROPPED_S) < 10:
        middle_s = middle_s + LONG_S - duration_s
    elif abs(duration_s - LONG_S) >= 10:
        return np.full(len(start_s), -1)
    ends = np.array([end for end, _ in protocol])
    ids = np.array([activity for _, activity in protocol] + [-1])
    found = ids[np.searchsorted(ends, middle_s, side="right")]
    return np.where(middle_s < 0, -1, found)
