"""PPG-DaLiA: fifteen people in daily life, wrist PPG at 64 Hz and acceleration at 32 Hz.

`PPG_FieldStudy/SX/SX.pkl`, a Python 2 pickle: `signal.wrist.BVP` (N, 1), `signal.wrist.ACC` (N, 3)
in g, `label` (M,) mean heart rate per 8 s window every 2 s, `activity` (K, 1) at 4 Hz. Window j
begins at 2 j seconds on both signals (lag 0). S6 stops after 5250 s: a hardware failure.

Reiss et al., Sensors 2019, 19, 3079, doi 10.24432/C53890.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import (
    checked,
    files_like,
    fits,
    most_frequent,
    plausible,
    samples,
    shape_text,
)
from ppg.loaders.unpickle import load_arrays
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S

NAME = "ppg_dalia"
PPG_HZ = 64.0
ACC_HZ = 32.0
ACTIVITY_HZ = 4.0
ACTIVITIES = tuple(
    "transient sitting stairs table_soccer cycling driving lunch walking working".split()
)
_FILES = r"S(?P<number>\d+)\.pkl"


def find(root: Path) -> list[Path]:
    """`SX/SX.pkl` at most one folder down, but not those of WESAD, which lack `rpeaks`."""
    return [path for path in pickles(root) if not is_wesad(path)]


def pickles(root: Path) -> list[Path]:
    """`SX/SX.pkl` in a folder or one folder down, in the order of X."""
    found = files_like(root, _FILES)
    return [path for path in found if path.parent != root and path.parent.name == path.stem]


def is_wesad(path: Path) -> bool:
    """Whether a person's folder or the folders above are those of WESAD, by what lies beside."""
    beside = {entry.name for entry in path.parent.iterdir()}
    person = path.stem
    if {f"{person}_readme.txt", f"{person}_respiban.txt", f"{person}_E4_Data"} & beside:
        return True
    if {f"{person}_activity.csv", f"{person}_RespiBAN.h5", f"{person}_E4.zip"} & beside:
        return False
    if not path.stat().st_size:
        return False
    # The pickle alone: DaLiA has R peaks, WESAD has not.
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(b"rpeaks") < 0


def wrist(path: Path, found: Any, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The wrist signals of a person's pickle, checked.

    Args:
        found: what the pickle holds.
        keys: that must be there.

    Raises:
        DataError: a key or a signal is missing or of another shape.
    """
    if not isinstance(found, dict):
        raise DataError(
            f"{path}: the pickle holds a {type(found).__name__}; allowed: a dict with "
            f"{', '.join(keys)}. Is it the file of another data set?"
        )
    missing = [key for key in keys if key not in found]
    if missing:
        raise DataError(
            f"{path}: missing {', '.join(missing)}; it holds "
            f"{', '.join(map(str, found)) or 'nothing'}. Is it the file of another data set?"
        )
    signals = found["signal"]
    part = signals.get("wrist") if isinstance(signals, dict) else None
    if not isinstance(part, dict) or "BVP" not in part or "ACC" not in part:
        raise DataError(
            f"{path}: signal holds no wrist with BVP and ACC. Is it the file of another data set?"
        )
    return {
        "BVP": numbers(path, "signal.wrist.BVP", part["BVP"], (None, 1)),
        "ACC": numbers(path, "signal.wrist.ACC", part["ACC"], (None, 3)),
    }


def numbers(path: Path, key: str, value: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """A numeric array of a shape, where a row may be a column of width 1.

    Raises:
        DataError: anything else.
    """
    try:
        array = np.asarray(value) if isinstance(value, np.ndarray | list) else np.zeros(())
    except ValueError as error:
        raise DataError(
            f"{path}: {key} is a list of unequal rows; allowed: numbers. Fetch the file again."
        ) from error
    if array.ndim == 1 and shape[1:] == (1,):
        array = array[:, None]
    if array.ndim == 2 and len(shape) == 1 and array.shape[1] == 1:
        array = array[:, 0]
    if not fits(array.shape, shape) or array.dtype.kind not in "iuf":
        seen = f"{array.dtype} {array.shape}" if array.ndim else type(value).__name__
        raise DataError(
            f"{path}: {key} is {seen}; allowed: numbers of the shape {shape_text(shape)}. "
            f"Is it the file of another data set?"
        )
    return array


def read(path: Path) -> Recording:
    """Read a person's pickle."""
    found = load_arrays(path)
    signals = wrist(path, found, ("activity", "label", "signal"))
    hr_bpm = numbers(path, "label", found["label"], (None,)).astype(np.float64)
    activity = numbers(path, "activity", found["activity"], (None,))
    activity = np.where(np.isfinite(activity), activity, -1).astype(np.int64)
    check_label_count(path, len(hr_bpm), len(signals["BVP"]) / PPG_HZ)
    start_s = np.arange(len(hr_bpm), dtype=np.float64) * STRIDE_S
    recording = Recording(
        subject=path.stem,
        dataset=NAME,
        name=path.stem,
        ppg=samples(path, "PPG", signals["BVP"]),
        ppg_hz=PPG_HZ,
        acc=samples(path, "acceleration", signals["ACC"]),
        acc_hz=ACC_HZ,
        window_start_s=start_s,
        hr_bpm=hr_bpm,
        valid=plausible(hr_bpm),
        activity=most_frequent(activity, ACTIVITY_HZ, start_s, names=len(ACTIVITIES)),
        activity_names=ACTIVITIES,
    )
    return checked(path, recording)


def check_label_count(path: Path, count: int, duration_s: float) -> None:
    """Refuse labels that are not one per window of the signal.

    Raises:
        DataError: more than ten windows too many or too few.
    """
    expected = int((duration_s - 8) // STRIDE_S) + 1
    if abs(count - expected) > 10:
        raise DataError(
            f"{path}: {count} labels for a PPG of {duration_s:.1f} s; allowed: about {expected}, "
            f"one per 8 s window every 2 s. The file is truncated or its rate is another one: "
            f"fetch it again."
        )
