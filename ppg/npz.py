"""Recordings in .npz files: one file per recording, folders of them, their fingerprint.

Arrays of a file (no pickled objects; extra arrays are ignored):

    ppg (samples, channels), ppg_scale, ppg_fs       physical value = ppg * ppg_scale, rate in Hz
    acc (samples, 3), acc_scale, acc_fs              acceleration in g, all three or none
    hr_bpm, hr_start_s, hr_valid (windows,)          reference, published start, usable or not
    hr_window_s = 8, hr_lag_s                        window start = hr_start_s + hr_lag_s
    subject, recording, dataset                      names; people are split on dataset/subject
    activity (windows,), activity_names              optional; -1 is unknown
    also_in                                          optional note: the person's name elsewhere
    synthetic                                        optional, True for a generated recording

Two files with one `dataset` and one `subject` are two recordings of one person.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.recording import STRIDE_S, WINDOW_S, Recording
from ppgnas.errors import DataError
from ppgnas.files import write_bytes_atomic

HR_RANGE_BPM = (20.0, 250.0)
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
OPTIONAL = ("acc", "acc_scale", "acc_fs", "acc_unit", "activity", "activity_names", "also_in")
_KNOWN = (*REQUIRED, *OPTIONAL, "synthetic")
# What numpy and zipfile raise on truncated, damaged, encrypted or pickled content.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
Arrays = dict[str, NDArray[Any]]


def read_folder(path: Path) -> list[Recording]:
    """Read every .npz file below `path`, in the order of their paths.

    Files with another ending and hidden files are skipped. Folders directly below `path` are
    taken as data sets.

    Args:
        path: a folder; nested folders are walked, links to folders too.

    Returns:
        At least one recording.

    Raises:
        DataError: the folder is missing or holds no .npz file, a file is not a usable recording,
            or two files name or hold the same thing in a way that would mix up people.
    """
    if not path.exists():
        raise DataError(f"{path}: no such folder. Give the folder that holds the .npz recordings.")
    if not path.is_dir():
        raise DataError(f"{path}: a file, not a folder. Give the folder that holds it.")
    files = sorted(_npz_files(path))
    if not files:
        raise DataError(
            f"{path}: no .npz file in this folder or below it. Recordings are .npz files with the "
            f"arrays {', '.join(REQUIRED)}."
        )
    read: list[tuple[Path, Recording, tuple[str, ...]]] = []
    for file in files:
        arrays = _load(file)
        read.append((file, _recording(file, arrays), _aliases(arrays)))
    _check_names(path, [(file, recording) for file, recording, _ in read])
    _check_content([(file, recording) for file, recording, _ in read])
    _check_aliases(read)
    return [recording for _, recording, _ in read]


def read_recording(path: Path) -> Recording:
    """Read and check one .npz file.

    Raises:
        DataError: the file is missing, unreadable, not a recording, or holds values that cannot
            be used; the message names the file, the array and what is allowed.
    """
    return _recording(path, _load(path))


def read_also_in(path: Path) -> tuple[str, ...]:
    """The names under which the file's person appears in other data sets; empty if none.

    Raises:
        DataError: the file is missing or unreadable.
    """
    return _aliases(_load(path))


def write_recording(path: Path, recording: Recording) -> None:
    """Write a file that `read_recording` reads back equal; atomic.

    Raises:
        DataError: `path` does not end in .npz, so that `read_folder` would skip it.
        OSError: the folder cannot be written; nothing is left behind.
    """
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path}: the name ends in {path.suffix!r}; recordings end in .npz.")
    arrays: Arrays = {
        "ppg": recording.ppg,
        "ppg_scale": np.float32(1.0),
        "ppg_fs": np.float64(recording.ppg_hz),
        "hr_bpm": recording.hr_bpm,
        "hr_start_s": recording.window_start_s,
        "hr_lag_s": np.float64(0.0),
        "hr_window_s": np.float64(WINDOW_S),
        "hr_stride_s": np.float64(STRIDE_S),
        "hr_valid": recording.valid,
        "activity": recording.activity,
        "activity_names": np.array(recording.activity_names, dtype=np.str_),
        "subject": np.array(recording.subject),
        "recording": np.array(recording.name),
        "dataset": np.array(recording.dataset),
        "synthetic": np.array(recording.synthetic),
    }
    if recording.acc is not None:
        arrays["acc"] = recording.acc
        arrays["acc_scale"] = np.float32(1.0)
        arrays["acc_fs"] = np.float64(recording.acc_hz)
        arrays["acc_unit"] = np.array("g")
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    write_bytes_atomic(path, content.getvalue())


def fingerprint(recordings: Iterable[Recording]) -> str:
    """SHA-256 over names, rates, labels and samples, as 64 hexadecimal digits.

    Depends neither on the order of the recordings, nor on file names or byte order.
    """
    digests = sorted(_digest(recording) for recording in recordings)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _digest(recording: Recording) -> str:
    digest = hashlib.sha256()
    for text in (recording.dataset, recording.subject, recording.name, *recording.activity_names):
        digest.update(f"{len(text)}:{text};".encode())
    digest.update(f"{recording.ppg_hz!r} {recording.acc_hz!r} {recording.synthetic};".encode())
    arrays: list[tuple[NDArray[Any] | None, str]] = [
        (recording.ppg, "<f4"),
        (recording.acc, "<f4"),
        (recording.window_start_s, "<f8"),
        (recording.hr_bpm, "<f8"),
        (recording.valid, "|u1"),
        (recording.activity, "<i8"),
    ]
    for array, dtype in arrays:
        if array is None:
            digest.update(b"none;")
            continue
        digest.update(f"{array.shape};".encode())
        digest.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return digest.hexdigest()


def _npz_files(path: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise DataError(f"{error.filename}: the folder cannot be read ({error.strerror}).")

    seen: set[Path] = set()
    for folder, below, names in os.walk(path, followlinks=True, onerror=stop):
        below[:] = sorted(name for name in below if not name.startswith("."))
        real = Path(folder).resolve()
        if real in seen:  # a link that leads back up, or a second link to one folder
            below.clear()
            continue
        seen.add(real)
        for name in names:
            if name.lower().endswith(".npz") and not name.startswith("."):
                yield Path(folder) / name


def _load(path: Path) -> Arrays:
    """The known arrays of a file, read with pickles refused."""
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of an .npz recording.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: one bare array, not an .npz archive. {_HOW}")
            names = tuple(archive.files)
            missing = [key for key in REQUIRED if key not in names]
            if missing:
                raise DataError(
                    f"{path}: not a recording: missing {', '.join(missing)}; it holds "
                    f"{', '.join(names) or 'nothing'}. {_HOW}"
                )
            return {key: _member(path, archive, key) for key in _KNOWN if key in names}
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: unreadable as .npz, truncated or damaged "
            f"({_first_line(error)}). Copy it again, or take it out of the folder."
        ) from error


_HOW = "Add the arrays, or take the file out of the folder."


def _member(path: Path, archive: Any, key: str) -> NDArray[Any]:
    try:
        return np.asarray(archive[key])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: `{key}` is a pickled object array; allowed: plain arrays of numbers or text, "
            f"because unpickling runs code. Save it again with a plain dtype."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _recording(path: Path, arrays: Arrays) -> Recording:
    ppg, ppg_hz = _signal(path, arrays, "ppg")
    acc, acc_hz = None, None
    if "acc" in arrays:
        acc, acc_hz = _signal(path, arrays, "acc")
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
    return Recording(
        subject=_name(path, arrays, "subject"),
        dataset=_name(path, arrays, "dataset"),
        name=_name(path, arrays, "recording"),
        ppg=ppg,
        ppg_hz=ppg_hz,
        acc=acc,
        acc_hz=acc_hz,
        window_start_s=start_s + _number(path, arrays, "hr_lag_s"),
        hr_bpm=hr_bpm,
        valid=valid,
        activity=activity,
        activity_names=names,
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
        raise DataError(f"{path}: `{key}` comes without {', '.join(missing)}. {_HOW}")
    stored = _numeric(path, arrays, key)
    columns = "(samples, 3)" if key == "acc" else "(samples, channels)"
    wrong_columns = stored.ndim == 2 and key == "acc" and stored.shape[1] != 3
    if stored.ndim != 2 or wrong_columns or stored.size == 0:
        raise _bad(path, key, f"has the shape {stored.shape}", f"the shape {columns}")
    if key == "acc" and "acc_unit" in arrays and str(arrays["acc_unit"]) != "g":
        raise _bad(path, "acc_unit", f"is {str(arrays['acc_unit'])!r}", "'g'")
    rate_hz = _number(path, arrays, f"{key}_fs", positive=True)
    scale = _number(path, arrays, f"{key}_scale", positive=True)
    scaled = stored.astype(np.float64) * scale
    finite = np.abs(scaled) <= np.finfo(np.float32).max
    if not finite.all():
        sample, channel = (int(i) for i in np.argwhere(~finite)[0])
        raise _bad(
            path,
            key,
            f"is {scaled[sample, channel]:g} at sample {sample}, channel {channel} "
            f"({int((~finite).sum())} such values)",
            "finite numbers",
            "Fill the gap and set hr_valid to False there, or leave the recording out.",
        )
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


def _activity(
    path: Path, arrays: Arrays, count: int, names: tuple[str, ...]
) -> NDArray[np.int64]:
    array = arrays.get("activity")
    if array is None:
        return np.full(count, -1, dtype=np.int64)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        seen = f"is {array.dtype} {array.shape}"
        raise _bad(path, "activity", seen, f"integers of the shape ({count},)")
    outside = (array < -1) | (array >= max(len(names), 0))
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


def _check_names(root: Path, read: list[tuple[Path, Recording]]) -> None:
    people: dict[str, Path] = {}
    recordings: dict[tuple[str, str], Path] = {}
    for file, recording in read:
        key = (recording.dataset, recording.name)
        if key in recordings:
            raise DataError(
                f"{file} and {recordings[key]}: both are the recording {recording.name!r} of data "
                f"set {recording.dataset!r}; names must differ. Rename one, or take it out."
            )
        recordings[key] = file
        first = people.setdefault(recording.person, file)
        if _data_set_folder(root, first) != _data_set_folder(root, file):
            raise DataError(
                f"{file} and {first}: two people with one name, {recording.person!r}: the files "
                f"are in different data sets. If it is one person, put the files into one folder; "
                f"if not, rename `subject` or `dataset` in one of them."
            )


def _data_set_folder(root: Path, file: Path) -> str:
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else "."


def _check_content(read: list[tuple[Path, Recording]]) -> None:
    seen: dict[bytes, tuple[Path, Recording]] = {}
    for file, recording in read:
        key = hashlib.sha256(np.ascontiguousarray(recording.ppg).tobytes()).digest()
        if key not in seen:
            seen[key] = (file, recording)
            continue
        other_file, other = seen[key]
        who = (
            f"under two names, {recording.person!r} and {other.person!r}"
            if recording.person != other.person
            else f"twice for {recording.person!r}"
        )
        raise DataError(
            f"{file} and {other_file}: the same PPG samples {who}; a person must not be on two "
            f"sides of a split, nor count twice. Take one of the files out."
        )


def _check_aliases(read: list[tuple[Path, Recording, tuple[str, ...]]]) -> None:
    """Find one person under two names by the notes in `also_in`."""
    noted: dict[str, tuple[Path, str]] = {}
    for file, recording, aliases in read:
        for alias in aliases:
            other_file, person = noted.setdefault(alias, (file, recording.person))
            if person != recording.person:
                raise _one_person(file, other_file, recording.person, person, alias)
    for file, recording, _ in read:
        for alias in dict.fromkeys((recording.subject, recording.name)):
            other_file, person = noted.get(alias, (file, recording.person))
            if person != recording.person:
                raise _one_person(file, other_file, recording.person, person, alias)


def _one_person(file: Path, other_file: Path, person: str, other: str, alias: str) -> DataError:
    return DataError(
        f"{file} and {other_file}: one person under two names, {person!r} and {other!r}: `also_in` "
        f"says {alias!r}. Take one of the files out, so that nobody is on two sides of a split."
    )
