"""Checks of the arrays of one .npz recording; every message names the file and the array.

The format is described in `ppg.npz.folder`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppg.plausible import HR_RANGE_BPM, SLOWEST_HZ, as_stored, check_signals, not_finite
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

LATEST_S = 1e8  # three years: a clock that shows more does not begin with the recording
SIGNALS = ("ppg", "ppg_scale", "ppg_fs")
NAMES = ("subject", "recording", "dataset")
REQUIRED = (*SIGNALS, "hr_bpm", "hr_start_s", "hr_lag_s", "hr_valid", "hr_window_s", *NAMES)
ACCELERATION = ("acc", "acc_scale", "acc_fs", "acc_unit")
OPTIONAL = (
    *ACCELERATION,
    "activity",
    "activity_names",
    "also_in",
    "synthetic",
    "gaps_s",
    "started",
)
HOW_TO_FIX = "Add the arrays, or take the file out of the folder."
Arrays = dict[str, NDArray[Any]]
_ISO = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")


def labelled(arrays: Arrays) -> bool:
    """Whether there are heart rates."""
    return "hr_bpm" in arrays and arrays["hr_bpm"].shape != (0,)


def recording_of(path: Path, arrays: Arrays) -> Recording:
    """A recording with its reference, if it has one."""
    file = _File(path, arrays)
    signals = signals_of(path, arrays)
    if not labelled(arrays):
        return signals
    window_s = file.number("hr_window_s")
    if window_s != WINDOW_S:
        raise file.bad("hr_window_s", f"is {window_s:g} s", f"{WINDOW_S:g} s")
    hr_bpm = file.row("hr_bpm", None)
    start_s = file.row("hr_start_s", len(hr_bpm))
    good = np.isfinite(start_s) & np.r_[True, np.diff(start_s) > 0]
    if not good.all():
        index = int(np.argmin(good))
        after = f" after {start_s[index - 1]:g} s" if index else ""
        seen = f"is {start_s[index]:g} s at window {index}{after}"
        raise file.bad("hr_start_s", seen, "finite starts that increase from window to window")
    lag_s = file.number("hr_lag_s")
    for key, value in (("hr_start_s", float(np.abs(start_s).max())), ("hr_lag_s", abs(lag_s))):
        if value > LATEST_S:
            raise file.bad(key, f"reaches {value:g} s", "seconds from the recording's begin")
    stride_s = float(np.median(np.diff(start_s))) if len(start_s) > 1 else STRIDE_S
    if stride_s < 0.95 * STRIDE_S:
        seen, step = f"has windows {stride_s:g} s apart", f"Keep a window every {STRIDE_S:g} s."
        raise file.bad("hr_start_s", seen, f"{STRIDE_S:g} s, the stride of the smoother", step)
    valid = file.flags("hr_valid", len(hr_bpm))
    low, high = HR_RANGE_BPM
    wrong = valid & ~((hr_bpm >= low) & (hr_bpm <= high))
    if wrong.any():
        index = int(np.argmax(wrong))
        seen = f"is {hr_bpm[index]:g} at window {index} ({int(wrong.sum())} such windows)"
        step = "Correct the reference, or set hr_valid to False there."
        raise file.bad("hr_bpm", seen, f"{low:g} to {high:g} BPM", step)
    names = file.activity_names()
    recording = replace(
        signals,
        window_start_s=start_s + lag_s,
        hr_bpm=hr_bpm,
        valid=valid,
        activity=file.activity(len(hr_bpm), names),
        activity_names=names,
        label_lag_s=lag_s,
    )
    check_signals(str(path), recording, truncated=True)
    return recording


def signals_of(path: Path, arrays: Arrays) -> Recording:
    """A recording without a reference: no windows; a name that is missing comes from the file."""
    file = _File(path, arrays)
    ppg, ppg_hz = file.signal("ppg")
    acc, acc_hz = file.signal("acc") if "acc" in arrays else (None, None)
    return Recording(
        subject=file.name("subject", path.stem),
        dataset=file.name("dataset", "unlabelled"),
        name=file.name("recording", path.stem),
        ppg=ppg,
        ppg_hz=ppg_hz,
        acc=acc,
        acc_hz=acc_hz,
        synthetic=file.synthetic(),
        also_in=file.aliases(),
        gaps=file.gaps(),
        started=file.started(),
    )


class _File(NamedTuple):
    """The arrays of one file, each read and checked by its key."""

    path: Path
    arrays: Arrays

    def bad(self, key: str, seen: str, allowed: str, step: str = "") -> DataError:
        step = step or "Correct the file, or take it out of the folder."
        return DataError(f"{self.path}: '{key}' {seen}; allowed: {allowed}. {step}")

    def numeric(self, key: str) -> NDArray[Any]:
        array = self.arrays[key]
        if array.dtype.kind not in "iuf":
            raise self.bad(key, f"has the type {array.dtype}", "integers or floats")
        return array

    def number(self, key: str, *, positive: bool = False) -> float:
        array = self.numeric(key)
        if array.size != 1:
            raise self.bad(key, f"has the shape {array.shape}", "one number")
        # float32 scalars of 125 Hz or -1.5 s are exact; others keep the stored value.
        value = float(array.reshape(()))
        if not np.isfinite(value) or (positive and value <= 0):
            raise self.bad(key, f"is {value:g}", "a number above 0" if positive else "a number")
        return value

    def row(self, key: str, count: int | None) -> NDArray[np.float64]:
        array = self.numeric(key)
        if array.ndim != 1 or (count is not None and len(array) != count):
            expected = "(windows,)" if count is None else f"({count},), one entry per hr_bpm"
            raise self.bad(key, f"has the shape {array.shape}", f"the shape {expected}")
        return array.astype(np.float64)

    def signal(self, key: str) -> tuple[NDArray[np.float32], float]:
        """`(samples, channels)` in physical units, and the rate in Hz."""
        arrays = self.arrays
        missing = [name for name in (f"{key}_scale", f"{key}_fs") if name not in arrays]
        if missing:
            raise DataError(
                f"{self.path}: '{key}' comes without {', '.join(missing)}. {HOW_TO_FIX}"
            )
        stored = self.numeric(key)
        columns = 3 if key == "acc" else "channels"
        wrong_columns = stored.ndim == 2 and key == "acc" and stored.shape[1] != 3
        if stored.ndim != 2 or wrong_columns or stored.size == 0:
            allowed = f"the shape (samples, {columns})"
            raise self.bad(key, f"has the shape {stored.shape}", allowed)
        if key == "acc" and "acc_unit" in arrays and str(arrays["acc_unit"]) != "g":
            raise self.bad("acc_unit", f"is {str(arrays['acc_unit'])!r}", "'g'")
        rate_hz = self.number(f"{key}_fs", positive=True)
        if rate_hz < SLOWEST_HZ:
            raise self.bad(f"{key}_fs", f"is {rate_hz:g}", f"a rate of {SLOWEST_HZ:g} Hz or more")
        scaled = stored.astype(np.float64) * self.number(f"{key}_scale", positive=True)
        wrong = not_finite(scaled)
        if wrong:
            step = "Fill the gap and name it in `gaps_s`, or leave the recording out."
            raise self.bad(key, wrong, "finite numbers", step)
        physical = scaled.astype(np.float32) if key == "acc" else as_stored(scaled)
        if (physical == physical[0]).all():
            alone = physical.shape[1] == 1
            seen = f"is constant ({physical[0, 0]:g})"
            seen += "" if alone else f" in all {physical.shape[1]} channels"
            step = "The sensor was off: leave the recording out"
            step += ", or write it without acc." if key == "acc" else "."
            raise self.bad(key, seen, "a signal that varies in at least one channel", step)
        lasts_s = len(physical) / rate_hz
        if lasts_s < WINDOW_S:
            seen = f"lasts {lasts_s:.2f} s ({len(physical)} samples at {rate_hz:g} Hz)"
            allowed = f"at least one window of {WINDOW_S:g} s"
            raise self.bad(key, seen, allowed, "Leave the recording out.")
        return physical, rate_hz

    def flags(self, key: str, count: int) -> NDArray[np.bool_]:
        array = self.arrays[key]
        if array.shape != (count,):
            raise self.bad(key, f"has the shape {array.shape}", f"the shape ({count},)")
        if array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all():
            raise self.bad(key, f"has the type {array.dtype}", "True and False")
        return array.astype(np.bool_)

    def activity_names(self) -> tuple[str, ...]:
        array = self.arrays.get("activity_names")
        if array is None or array.size == 0:
            return ()
        if array.ndim != 1 or array.dtype.kind != "U":
            raise self.bad("activity_names", f"is {array.dtype} {array.shape}", "a row of texts")
        return tuple(map(str, array))

    def activity(self, count: int, names: tuple[str, ...]) -> NDArray[np.int64]:
        array = self.arrays.get("activity")
        if array is None:
            return np.full(count, -1, dtype=np.int64)
        if array.shape != (count,) or array.dtype.kind not in "iu":
            seen = f"is {array.dtype} {array.shape}"
            raise self.bad("activity", seen, f"integers of the shape ({count},)")
        outside = (array < -1) | (array >= len(names))
        if outside.any():
            seen = f"is {int(array[np.argmax(outside)])} at window {int(np.argmax(outside))}"
            allowed = f"-1 (unknown) to {len(names) - 1}, see activity_names"
            raise self.bad("activity", seen, allowed)
        return array.astype(np.int64)

    def name(self, key: str, default: str) -> str:
        if key not in self.arrays:
            return default
        array = self.arrays[key]
        text = str(array.reshape(())) if array.size == 1 and array.dtype.kind == "U" else ""
        # "/" separates data set and subject; without this rule "a/b" + "c" equals "a" + "b/c".
        if not text.strip() or not text.isprintable() or "/" in text:
            seen = f"is {array!s:.40} ({array.dtype})"
            raise self.bad(key, seen, "one printable name without /")
        return text

    def aliases(self) -> tuple[str, ...]:
        array = self.arrays.get("also_in")
        if array is None or array.dtype.kind != "U":
            return ()
        return tuple(
            word for text in array.ravel() for word in str(text).replace(",", " ").split()
        )

    def gaps(self) -> tuple[tuple[float, float], ...]:
        if "gaps_s" not in self.arrays:
            return ()
        array = self.numeric("gaps_s")
        if array.ndim != 2 or array.shape[1] != 2:
            allowed = "the shape (gaps, 2): begin and end"
            raise self.bad("gaps_s", f"has the shape {array.shape}", allowed)
        wrong = ~(np.isfinite(array).all(axis=1) & (array[:, 0] < array[:, 1]))
        if wrong.any():
            begin, end = array[int(np.argmax(wrong))].tolist()
            seen = f"is {begin:g} to {end:g} s at gap {int(np.argmax(wrong))}"
            raise self.bad("gaps_s", seen, "seconds, each gap ending after it begins")
        return tuple((float(begin), float(end)) for begin, end in array)

    def started(self) -> str:
        array = self.arrays.get("started", np.array(""))
        text = str(array.reshape(())) if array.size == 1 and array.dtype.kind == "U" else "?"
        if text and not _ISO.fullmatch(text):
            allowed = "ISO 8601, such as 2024-05-31T14:05:09.250+00:00"
            raise self.bad("started", f"is {array!s:.40} ({array.dtype})", allowed)
        return text

    def synthetic(self) -> bool:
        array = self.arrays.get("synthetic", np.array(False))
        if array.size != 1 or array.dtype.kind != "b":
            raise self.bad("synthetic", f"is {array.dtype} {array.shape}", "True or False")
        return bool(array.reshape(()))
