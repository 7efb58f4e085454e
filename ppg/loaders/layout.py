"""What the loaders share: how files are found, and how a recording is made and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.plausible import HR_RANGE_BPM, as_stored, check_signals, heart_rate_guess, not_finite
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

MOST_ENTRIES = 5000  # of one folder; a data set has some hundred


def files_like(root: Path, pattern: str) -> list[Path]:
    """Files below `root` whose whole name fits a regular expression, in a natural order.

    Args:
        root: where to look, and two folders down.
        pattern: of the file name, upper or lower case.
    """
    expression = re.compile(pattern, re.IGNORECASE)
    found = [path for path in _walk(root, depth=2) if expression.fullmatch(path.name)]
    return sorted(found, key=lambda path: (_natural(path.name), str(path)))


def name_parts(path: Path, pattern: str) -> dict[str, str]:
    """The named groups of the pattern that found a file."""
    match = re.fullmatch(pattern, path.name, re.IGNORECASE)
    return {} if match is None else match.groupdict()


def _walk(root: Path, *, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(root) as found:
            entries = sorted(islice(found, MOST_ENTRIES), key=lambda item: item.name)
    except (NotADirectoryError, FileNotFoundError, PermissionError):
        return
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        try:
            is_file, is_folder = entry.is_file(), entry.is_dir()
        except OSError:  # a link in a ring, or to what may not be read
            continue
        if is_file:
            yield Path(entry.path)
        elif depth > 0 and is_folder:
            yield from _walk(Path(entry.path), depth=depth - 1)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether an array has a shape, in which None is any number above 0."""
    return len(shape) == len(wanted) and all(
        n > 0 and m in (None, n) for n, m in zip(shape, wanted, strict=True)
    )


def shape_text(wanted: tuple[int | None, ...]) -> str:
    """The shape for a message."""
    return "(" + ", ".join("any" if n is None else str(n) for n in wanted) + ")"


def windows_of_signal(duration_s: float) -> NDArray[np.float64]:
    """Starts of the 8 s windows, 2 s apart, that lie in a signal."""
    count = int(np.floor((duration_s - WINDOW_S) / STRIDE_S + 1e-9)) + 1
    return np.arange(max(count, 0), dtype=np.float64) * STRIDE_S


def plausible(hr_bpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`(windows,)` True where a heart rate is a number that a person can have."""
    low, high = HR_RANGE_BPM
    return np.asarray(np.isfinite(hr_bpm) & (hr_bpm >= low) & (hr_bpm <= high))


def most_frequent(
    ids: NDArray[np.int64], hz: float, start_s: NDArray[np.float64], *, names: int
) -> NDArray[np.int64]:
    """`(windows,)` the activity that fills most of each window, -1 outside.

    Args:
        ids: `(samples,)` activity of each sample; ids outside 0..names-1 count as unknown.
        hz: rate of `ids`.
        start_s: `(windows,)`.
    """
    known = np.where((ids >= 0) & (ids < names), ids, names)
    found = np.full(len(start_s), -1, np.int64)
    for index, start in enumerate(start_s):
        first, last = round(start * hz), round((start + WINDOW_S) * hz)
        part = known[max(first, 0) : max(last, 0)]
        if len(part):
            best = int(np.argmax(np.bincount(part, minlength=names + 1)))
            found[index] = best if best < names else -1
    return found


def checked(path: Path, recording: Recording, *, labelled: bool = True) -> Recording:
    """A recording, checked as one of a folder of .npz files would be.

    Args:
        recording: labels that no person can have become invalid in it.

    Raises:
        DataError: PPG and acceleration last differently long, the acceleration is not in g, or no
            label is usable.
    """
    bpm = recording.hr_bpm
    good = recording.valid & plausible(bpm)
    if labelled and plausible(bpm).any() and not good.any():
        raise DataError(
            f"{path}: none of the {int(plausible(bpm).sum())} reference heart rates is marked as "
            f"valid; allowed: one at least. Leave the recording out, or read it without them."
        )
    if labelled and not good.any():
        finite = bpm[np.isfinite(bpm)]
        median = float(np.median(finite)) if len(finite) else float("nan")
        raise DataError(
            f"{path}: none of the {len(bpm)} reference heart rates is within {HR_RANGE_BPM[0]:g} "
            f"to {HR_RANGE_BPM[1]:g} BPM; their median is {median:.4g}. {heart_rate_guess(median)}"
        )
    check_signals(str(path), recording)
    return replace(recording, valid=good)


def samples(path: Path, what: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """A signal `(samples, channels)` of any type of number, as a recording holds it.

    Raises:
        DataError: it is not finite, or constant; the message names the file and `what`.
    """
    values = np.asarray(values, np.float64)
    wrong = not_finite(values)
    if wrong:
        raise DataError(
            f"{path}: the {what} {wrong}; allowed: finite numbers. Fetch the file again, or leave "
            "the recording out."
        )
    if len(values) and (values == values[0]).all():
        raise DataError(
            f"{path}: the {what} is constant ({values[0, 0]:g}); allowed: a signal that varies. "
            f"The sensor was off: leave the recording out."
        )
    level_counts = what == "acceleration" or not len(values)  # gravity is one
    return values.astype(np.float32) if level_counts else as_stored(values)
