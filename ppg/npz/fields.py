"""Checks of the arrays of one .npz recording; every message names the file and the array.

The format is described in `ppg.npz.folder`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.plausible import HR_RANGE_BPM, SLOWEST_HZ, check_durations, check_unit, not_finite
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

LATEST_S = 1e8  # three years: a clock that shows more does not begin with the recording
REQUIRED = (
    "ppg",
    "ppg_scale",
    "ppg_fs",
    "hr_bpm",
    "hr_start_s",
    "hr_lag_s",
    "hr_valid",
    "hr_window_s",
    "subject",
    "recording",
    "dataset",
)
SIGNALS = ("ppg", "ppg_scale", "ppg_fs")
ACCELERATION = ("acc", "acc_scale", "acc_fs", "acc_unit")
OPTIONAL = (*ACCELERATION, "activity", "activity_names", "also_in", "synthetic")
HOW_TO_FIX = "Add the arrays, or take the file out of the folder."
Arrays = dict[str, NDArray[Any]]


def recording_of(path: Path, arrays: Arrays) -> Recording:
    ppg, ppg_hz = _signal(path, arrays, "ppg")
    acc, acc_hz = _signal(path, arrays, "acc") if "acc" in arrays else (None, None)
    window_s = _number(path, arrays, "hr_window_s")
    if window_s != WINDOW_S:
        raise _bad(path, "hr_window_s", f"is {window_s:g} s", f"{WINDOW_S:g} s")
    hr_bpm = _row(path, arrays, "hr_bpm", None)
    if not len(hr_bpm):
        raise _bad(path, "hr_bpm", "is empty", "one heart rate per labelled window, at least one")
    start_s = _row(path, arrays, "hr_start_s", len(hr_bpm))
    if not np.isfinite(start_s).all() or (np.diff(start_s) <= 0).any():
        index = int(np.argmin(np.r_[True, np.diff(start_s) > 0] & np.isfinite(start_s)))
        raise _bad(
            path,
            "hr_start_s",
            f"is {start_s[index]:g} s at window {index}"
            + (f" after {start_s[index - 1]:g} s" if index else ""),
            "finite starts that increase from window to window",
        )
    lag_s = _number(path, arrays, "hr_lag_s")
    for key, value in (("hr_start_s", float(np.abs(start_s).max())), ("hr_lag_s", abs(lag_s))):
        if value > LATEST_S:
            raise _bad(path, key, f"reaches {value:g} s", "seconds from the recording's begin")
    stride_s = float(np.median(np.diff(start_s))) if len(start_s) > 1 else STRIDE_S
    if stride_s < 0.95 * STRIDE_S:
        raise _bad(
            path,
            "hr_start_s",
            f"has windows {stride_s:g} s apart",
            f"{STRIDE_S:g} s, the stride of the smoother",
            f"Keep a window every {STRIDE_S:g} s.",
        )
    valid = _flags(path, arrays, len(hr_bpm))
    low, high = HR_RANGE_BPM
    wrong = valid & ~((hr_bpm >= low) & (hr_bpm <= high))
    if wrong.any():
        index = int(np.argmax(wrong))
        raise _bad(
            path,
            "hr_bpm",
            f"is {hr_bpm[index]:g} at window {index} ({int(wrong.sum())} such windows)",
            f"{low:g} to {high:g} BPM",
            "Correct the reference, or set hr_valid to False there.",
        )
    names = _activity_names(path, arrays)
    activity = _activity(path, arrays, len(hr_bpm), names)
    for key, signal, rate_hz in (("ppg", ppg, ppg_hz), ("acc", acc, acc_hz)):
        if signal is not None and rate_hz is not None and len(signal) / rate_hz < WINDOW_S:
            raise _bad(
                path,
                key,
                f"lasts {len(signal) / rate_hz:.2f} s ({len(signal)} samples at {rate_hz:g} Hz)",
                f"at least one window of {WINDOW_S:g} s",
                "Leave the recording out.",
            )
    recording = Recording(
        subject=_name(path, arrays, "subject"),
        dataset=_name(path, arrays, "dataset"),
        name=_name(path, arrays, "recording"),
        ppg=ppg,
        ppg_hz=ppg_hz,
        acc=acc,
        acc_hz=acc_hz,
        window_start_s=start_s + lag_s,
        hr_bpm=hr_bpm,
        valid=valid,
        activity=activity,
        activity_names=names,
        synthetic=_synthetic(path, arrays),
        also_in=_aliases(arrays),
        label_lag_s=lag_s,
    )
    check_durations(str(path), recording, truncated=True)
    check_unit(str(path), recording)
    return recording


def signals_of(path: Path, arrays: Arrays) -> Recording:
    """A recording without a reference: no windows; a name that is missing comes from the file."""
    ppg, ppg_hz = _signal(path, arrays, "ppg")
    acc, acc_hz = _signal(path, arrays, "acc") if "acc" in arrays else (None, None)
    named = {
        key: _name(path, arrays, key) if key in arrays else default
        for key, default in (
            ("subject", path.stem),
            ("dataset", "unlabelled"),
            ("recording", path.stem),
        )
    }
    none = np.empty(0)
    return Recording(
        subject=named["subject"],
        dataset=named["dataset"],
        name=named["recording"],
        ppg=ppg,
        ppg_hz=ppg_hz,
        acc=acc,
        acc_hz=acc_hz,
        window_start_s=none,
        hr_bpm=none,
        valid=none.astype(np.bool_),
        activity=none.astype(np.int64),
        synthetic=_synthetic(path, arrays),
    )


def _bad(path: Path, key: str, seen: str, allowed: str, step: str = "") -> DataError:
    return DataError(
        f"{path}: `{key}` {seen}; allowed: {allowed}. "
        + (step or "Correct the file, or take it out of the folder.")
    )


def _numeric(path: Path, arrays: Arrays, key: str) -> NDArray[Any]:
    array = arrays[key]
    if array.dtype.kind not in "iuf":
        raise _bad(path, key, f"has the type {array.dtype}", "integers or floats")
    return array


def _number(path: Path, arrays: Arrays, key: str, *, positive: bool = False) -> float:
    array = _numeric(path, arrays, key)
    if array.size != 1:
        raise _bad(path, key, f"has the shape {array.shape}", "one number")
    # float32 scalars of 125 Hz or -1.5 s are exact; others keep the stored value.
    value = float(array.reshape(()))
    if not np.isfinite(value) or (positive and value <= 0):
        raise _bad(path, key, f"is {value:g}", "a number above 0" if positive else "a number")
    return value


def _row(path: Path, arrays: Arrays, key: str, count: int | None) -> NDArray[np.float64]:
    array = _numeric(path, arrays, key)
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(windows,)" if count is None else f"({count},), one entry per hr_bpm"
        raise _bad(path, key, f"has the shape {array.shape}", f"the shape {expected}")
    return array.astype(np.float64)


def _signal(path: Path, arrays: Arrays, key: str) -> tuple[NDArray[np.float32], float]:
    """`(samples, channels)` in physical units, and the rate in Hz."""
    missing = [name for name in (f"{key}_scale", f"{key}_fs") if name not in arrays]
    if missing:
        raise DataError(f"{path}: `{key}` comes without {', '.join(missing)}. {HOW_TO_FIX}")
    stored = _numeric(path, arrays, key)
    columns = "(samples, 3)" if key == "acc" else "(samples, channels)"
    wrong_columns = stored.ndim == 2 and key == "acc" and stored.shape[1] != 3
    if stored.ndim != 2 or wrong_columns or stored.size == 0:
        raise _bad(path, key, f"has the shape {stored.shape}", f"the shape {columns}")
    if key == "acc" and "acc_unit" in arrays and str(arrays["acc_unit"]) != "g":
        raise _bad(path, "acc_unit", f"is {str(arrays['acc_unit'])!r}", "'g'")
    rate_hz = _number(path, arrays, f"{key}_fs", positive=True)
    if rate_hz < SLOWEST_HZ:
        raise _bad(path, f"{key}_fs", f"is {rate_hz:g}", f"a rate of {SLOWEST_HZ:g} Hz or more")
    scale = _number(path, arrays, f"{key}_scale", positive=True)
    scaled = stored.astype(np.float64) * scale
    wrong = not_finite(scaled)
    if wrong:
        step = "Fill the gap and set hr_valid to False there, or leave the recording out."
        raise _bad(path, key, wrong, "finite numbers", step)
    physical = scaled.astype(np.float32)
    if (physical == physical[0]).all():
        raise _bad(
            path,
            key,
            f"is constant ({physical[0, 0]:g}) in all {physical.shape[1]} channels",
            "a signal that varies in at least one channel",
            "The sensor was off: leave the recording out"
            + (", or write it without acc." if key == "acc" else "."),
        )
    return physical, rate_hz


def _flags(path: Path, arrays: Arrays, count: int) -> NDArray[np.bool_]:
    array = arrays["hr_valid"]
    if array.shape != (count,):
        raise _bad(path, "hr_valid", f"has the shape {array.shape}", f"the shape ({count},)")
    if array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all():
        raise _bad(path, "hr_valid", f"has the type {array.dtype}", "True and False")
    return array.astype(np.bool_)


def _activity_names(path: Path, arrays: Arrays) -> tuple[str, ...]:
    array = arrays.get("activity_names")
    if array is None or array.size == 0:
        return ()
    if array.ndim != 1 or array.dtype.kind != "U":
        raise _bad(path, "activity_names", f"is {array.dtype} {array.shape}", "a row of texts")
    return tuple(str(name) for name in array)


def _activity(path: Path, arrays: Arrays, count: int, names: tuple[str, ...]) -> NDArray[np.int64]:
    array = arrays.get("activity")
    if array is None:
        return np.full(count, -1, dtype=np.int64)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        seen = f"is {array.dtype} {array.shape}"
        raise _bad(path, "activity", seen, f"integers of the shape ({count},)")
    outside = (array < -1) | (array >= len(names))
    if outside.any():
        seen = f"is {int(array[np.argmax(outside)])} at window {int(np.argmax(outside))}"
        raise _bad(path, "activity", seen, f"-1 (unknown) to {len(names) - 1}, see activity_names")
    return array.astype(np.int64)


def _name(path: Path, arrays: Arrays, key: str) -> str:
    array = arrays[key]
    text = str(array.reshape(())) if array.size == 1 and array.dtype.kind == "U" else ""
    # "/" separates data set and subject; without this rule "a/b" + "c" equals "a" + "b/c".
    if not text.strip() or not text.isprintable() or "/" in text:
        raise _bad(path, key, f"is {array!s:.40} ({array.dtype})", "one printable name without /")
    return text


def _aliases(arrays: Arrays) -> tuple[str, ...]:
    array = arrays.get("also_in")
    if array is None or array.dtype.kind != "U":
        return ()
    return tuple(word for text in array.ravel() for word in str(text).replace(",", " ").split())


def _synthetic(path: Path, arrays: Arrays) -> bool:
    array = arrays.get("synthetic")
    if array is None:
        return False
    if array.size != 1 or array.dtype.kind != "b":
        raise _bad(path, "synthetic", f"is {array.dtype} {array.shape}", "True or False")
    return bool(array.reshape(()))
