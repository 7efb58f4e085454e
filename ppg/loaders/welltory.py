"""Welltory: a finger on the camera of a phone, about 100 s each, no acceleration.

`subject_NN/PPG.csv` with `time` in ms and the mean red, green and blue of each frame, about 30 Hz
and uneven; `subject_NN/RR.txt` with the intervals of a chest strap in ms, from the same begin.
Frames are interpolated to 30 Hz. A window's rate is 60 / mean of the intervals that end in it.

13 people in 21 recordings, and which belong together is not published: `ppg.people.split` keeps
all of them on one side of a split. Neshitov et al., Sensors 2021, 21, 6798, doi 10.3390/s21206798,
CC0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.ecg import heart_rate
from ppg.loaders.layout import checked, files_like, samples, windows_of_signal
from ppg.loaders.own.text import read_columns
from ppg.recording import Recording
from ppgnas.errors import DataError

NAME = "welltory"
HZ = 30.0
LONGEST_GAP_S = 60.0
_CHANNELS = ("R", "G", "B")


def find(root: Path) -> list[Path]:
    """`subject_NN/PPG.csv` below a folder."""
    found = files_like(root, r"PPG\.csv")
    return [path for path in found if path.parent.name.lower().startswith("subject_")]


def read(path: Path) -> Recording:
    """Read a recording."""
    columns = read_columns(path, ("time", *_CHANNELS))
    time_s = columns["time"] / 1000
    colours = np.stack([columns[name] for name in _CHANNELS], axis=1)
    if not np.isfinite(time_s).all() or (np.diff(time_s) <= 0).any() or len(time_s) < 2:
        raise DataError(
            f"{path}: time does not increase from row to row; allowed: ms from the begin. Fetch "
            f"the file again."
        )
    longest_s = float(np.diff(time_s, prepend=0.0).max())
    if longest_s > LONGEST_GAP_S:
        raise DataError(
            f"{path}: time jumps by {longest_s:.0f} s; allowed: up to {LONGEST_GAP_S:g} s, as "
            f"frames follow each other. Fetch the file again."
        )
    count = int(np.floor(time_s[-1] * HZ)) + 1
    grid_s = np.arange(count) / HZ
    ppg = np.stack([np.interp(grid_s, time_s, colour) for colour in colours.T], axis=1)
    rr_s = _intervals(path.with_name("RR.txt"))
    beats_s = np.concatenate([[0.0], np.cumsum(rr_s)])
    start_s = windows_of_signal(min(time_s[-1], beats_s[-1]))
    if not len(start_s):
        raise DataError(
            f"{path}: the PPG lasts {time_s[-1]:.1f} s and the intervals {beats_s[-1]:.1f} s; "
            f"allowed: at least 8 s. Leave the recording out."
        )
    hr_bpm, valid = heart_rate(beats_s, start_s, of="intervals")
    number = path.parent.name.split("_", 1)[1]
    recording = Recording(
        subject=f"WELL_{number}",
        dataset=NAME,
        name=f"subject_{number}",
        ppg=samples(path, "PPG", ppg),
        ppg_hz=HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=valid,
        activity=np.zeros(len(start_s), np.int64),
        activity_names=("rest",),
    )
    return checked(path, recording)


def _intervals(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; it holds the intervals that PPG.csv goes with.")
    words = path.read_bytes().decode("latin-1").split()
    try:
        values = np.array([float(word) for word in words]) / 1000
    except ValueError:
        raise DataError(
            f"{path}: begins with {words[0][:20]!r}, or holds other words that are no numbers; "
            f"allowed: intervals in ms. Fetch the file again."
        ) from None
    if len(values) < 4 or not ((values > 0.2) & (values < 5)).all():
        raise DataError(
            f"{path}: {len(values)} intervals, not all between 200 and 5000 ms; allowed: at least "
            f"4, in ms. Fetch the file again."
        )
    return values
