"""IEEE Signal Processing Cup 2015 (TROIKA): wrist PPG on a treadmill and in arm exercise.

Files of MATLAB 5, one matrix each. Training: `sig` (6, N) = ECG, 2 PPG, 3 acceleration; test: the
same without ECG, (5, N). 125 Hz, acceleration in g. Labels `BPM0` (M, 1), one per 8 s window every
2 s; clocks agree (lag 0). Recordings of one person bear one subject: S02 has two, for example.
Other packings name some files differently; DATA_04_TYPE01 there is DATA_S04_T01 of the original.

Zhang, Pi, Liu, IEEE TBME 62(2) 2015, doi 10.1109/TBME.2014.2359372.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import checked, files_like, name_parts, plausible, samples
from ppg.loaders.matlab import read_matrices
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

NAME = "ieee_spc2015"
HZ = 125.0
ACTIVITIES = ("rest", "run", "arm_exercise_mixed", "boxing")
FILES = r"(?:DATA|TEST)_(?P<who>\d\d|S\d\d)_(?P<kind>TYPE\d\d|T\d\d)\.mat"
_LABELS = r"(?:.*_BPMtrace|BPM_.*|True_.*|REF_.*)\.mat"


def read(path: Path, root: Path) -> Recording:
    """Read a recording, whatever the packing.

    Args:
        root: its labels lie somewhere below.

    Raises:
        DataError: a file is damaged, or its labels are missing.
    """
    parts = name_parts(path, FILES)
    who, kind = parts["who"].upper(), parts["kind"].upper()
    labels = {file.stem.upper(): file for file in files_like(root, _LABELS)}
    wanted = [
        f"{path.stem}_BPMtrace",
        f"BPM_{who}_{kind}",
        f"True_{who}_{kind}",
        f"REF_{who}_{kind}",
    ]
    found = next((labels[name.upper()] for name in wanted if name.upper() in labels), None)
    if found is None:
        raise DataError(
            f"{path}: its labels are missing; allowed: a file {wanted[0]}.mat, {wanted[1]}.mat, "
            f"{wanted[2]}.mat or {wanted[3]}.mat beside it or in TrueBPM. Give the folder above "
            f"Training_data and TestData."
        )
    hr_bpm = read_matrices(found, {"BPM0": (None, 1)})["BPM0"][:, 0]
    sig = read_matrices(path, {"sig": (None, None)})["sig"]
    if sig.shape[0] not in (5, 6):
        raise DataError(
            f"{path}: sig has {sig.shape[0]} rows; allowed: 6 (ECG, 2 PPG, 3 acceleration) or 5 "
            f"(without ECG). Fetch the file again."
        )
    name, subject = path.stem, f"SPCtest_{who}"
    if not who.startswith("S"):
        subject = f"SPCtrain{who}"
        if (who, kind) == ("04", "TYPE01"):  # as other packings call it
            name, subject, kind = "DATA_S04_T01", "SPCtest_S04", "T01"
    start_s = np.arange(len(hr_bpm), dtype=np.float64) * STRIDE_S
    recording = Recording(
        subject=subject,
        dataset=NAME,
        name=name,
        ppg=samples(path, "PPG", sig[-5:-3].T),
        ppg_hz=HZ,
        acc=samples(path, "acceleration", sig[-3:].T),
        acc_hz=HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=plausible(hr_bpm),
        activity=_activity(kind, start_s),
        activity_names=ACTIVITIES,
    )
    return checked(path, recording)


def _activity(kind: str, start_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """By the published protocol, at the middle of each window: rest 30 s, run 240 s, rest."""
    if kind in ("T01", "T02"):
        return np.full(len(start_s), ACTIVITIES.index("arm_exercise_mixed") + (kind == "T02"))
    middle_s = start_s + WINDOW_S / 2
    return np.where((middle_s >= 30) & (middle_s < 270), 1, 0)
