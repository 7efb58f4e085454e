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
    gaps_s (gaps, 2)                                 optional, begin and end of invented samples
    started                                          optional, ISO time of sample 0

Two files with one `dataset` and one `subject` are two recordings of one person.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.identity import check_people
from ppg.npz.fields import HOW_TO_FIX, OPTIONAL, REQUIRED, SIGNALS, Arrays, labelled, recording_of
from ppg.recording import Entry, Recording
from ppgnas.errors import DataError
from ppgnas.files import write_bytes_atomic
from ppgnas.tables import counted
from ppgnas.task import STRIDE_S, WINDOW_S

# What numpy and zipfile raise on truncated, damaged, encrypted or pickled content.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    MemoryError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,  # a damaged .npy header, which numpy parses as Python text
    SyntaxError,
)
LARGEST_ARRAY = 50_000_000  # numbers: 70 hours of three channels at 64 Hz
_ZIP_START = b"PK\x03\x04"


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
        raise DataError(f"{path}: no such folder. Give the folder that holds the recordings.")
    if not path.is_dir():
        raise DataError(f"{path}: a file, not a folder. Give the folder that holds it.")
    files = files_below(path)
    if not files:
        raise DataError(
            f"{path}: no .npz file in this folder or below it. Recordings are .npz files with the "
            f"arrays {', '.join(REQUIRED)}."
        )
    entries = [Entry(file, read_recording(file)) for file in files]
    check_people(path, entries)
    return [entry.recording for entry in entries]


def has_recordings(path: Path) -> bool:
    """Whether a folder holds an .npz file, here or below.

    Raises:
        DataError: a folder cannot be read.
    """
    return next(_found(path), None) is not None


def read_recording(path: Path) -> Recording:
    """Read and check one .npz file.

    Where it holds no heart rate, the reference may be missing altogether, and names too.

    Raises:
        DataError: the file is missing, unreadable, not a recording, or holds values that cannot
            be used; the message names the file, the array and what is allowed.
    """
    return recording_of(path, _load(path))


def write_recording(path: Path, recording: Recording) -> None:
    """Write a file that `read_recording` reads back equal; atomic.

    One without labels has no arrays of them.

    Raises:
        DataError: `path` does not end in .npz, so that `read_folder` would skip it.
        OSError: the folder cannot be written; nothing is left behind.
    """
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path}: the name ends in {path.suffix!r}; recordings end in .npz.")
    arrays: Arrays = {
        "ppg": recording.ppg,
        "ppg_scale": np.array(1.0, dtype=np.float32),
        "ppg_fs": np.array(recording.ppg_hz, dtype=np.float64),
        "subject": np.array(recording.subject),
        "recording": np.array(recording.name),
        "dataset": np.array(recording.dataset),
        "synthetic": np.array(recording.synthetic),
    }
    if len(recording.hr_bpm):
        arrays |= {
            "hr_bpm": recording.hr_bpm,
            "hr_start_s": recording.window_start_s - recording.label_lag_s,
            "hr_lag_s": np.array(recording.label_lag_s, dtype=np.float64),
            "hr_window_s": np.array(WINDOW_S, dtype=np.float64),
            "hr_stride_s": np.array(STRIDE_S, dtype=np.float64),
            "hr_valid": recording.valid,
            "activity": recording.activity,
            "activity_names": np.array(recording.activity_names, dtype=np.str_),
        }
    if recording.gaps:
        arrays["gaps_s"] = np.array(recording.gaps, dtype=np.float64)
    if recording.started:
        arrays["started"] = np.array(recording.started)
    if recording.also_in:
        arrays["also_in"] = np.array(recording.also_in, dtype=np.str_)
    if recording.acc is not None:
        arrays["acc"] = recording.acc
        arrays["acc_scale"] = np.array(1.0, dtype=np.float32)
        arrays["acc_fs"] = np.array(recording.acc_hz, dtype=np.float64)
        arrays["acc_unit"] = np.array("g")
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes_atomic(path, content.getvalue())


def write_folder(out: Path, recordings: Sequence[Recording]) -> list[Path]:
    """Write `OUT/DATASET/NAME.npz` for each recording.

    Returns:
        The files, in the order of the recordings.

    Raises:
        DataError: two recordings would have one file, or one of the files is there already.
        OSError: the disk is full; the files before are whole.
    """
    files = [out / _safe(r.dataset) / f"{_safe(r.name)}.npz" for r in recordings]
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: a file, not a folder; give a folder to write to.")
    there = [file for file in files if file.exists()]
    if there:
        raise DataError(
            f"{there[0]}: is there already ({counted(len(there), 'such file')}); nothing was "
            "written. Choose another folder, give a .csv another name, or remove them."
        )
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise DataError(f"{twice}: two recordings have this name; rename one of them.")
    for file, recording in zip(files, recordings, strict=True):
        write_recording(file, recording)
    return files


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
    if recording.gaps:
        digest.update(f"{recording.gaps!r};".encode())
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


def _safe(name: str) -> str:
    """A file name from a recording's, which may hold anything but a slash."""
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "_"


def files_below(path: Path, *, ending: str = ".npz") -> list[Path]:
    """The files of a folder and those inside of it whose name ends so, sorted.

    Raises:
        DataError: a folder cannot be read.
    """
    return sorted(_found(path, ending))


def _found(path: Path, ending: str = ".npz") -> Iterator[Path]:
    # What was seen, or lies above: a link there leads back up, or again to a folder.
    seen = {_identity(folder) for folder in path.resolve().parents}
    waiting = [path]
    while waiting:  # no recursion: folders may lie deeper than Python's stack
        folder = waiting.pop()
        try:
            if (identity := _identity(folder)) in seen:
                continue
            seen.add(identity)
            inside = sorted(folder.iterdir())
        except OSError as error:
            raise DataError(
                f"{error.filename}: the folder cannot be read ({error.strerror})."
            ) from error
        shown = [entry for entry in inside if not entry.name.startswith(".")]
        yield from (e for e in shown if e.name.lower().endswith(ending) and not e.is_dir())
        waiting += [entry for entry in reversed(shown) if entry.is_dir()]


def _identity(folder: Path) -> tuple[int, int]:
    """What a folder is, by whatever path."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _load(path: Path) -> Arrays:
    """The known arrays of a file, read with pickles refused."""
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of an .npz recording.")
    try:
        # Opened here, so that it is closed whatever np.load makes of the content.
        with path.open("rb") as stream:
            start = stream.read(len(_ZIP_START))
            # np.load would take a bare array or a pickle for what it is, whatever the name says.
            if start != _ZIP_START:
                raise DataError(
                    f"{path}: not an .npz archive: it begins with {start!r}, not {_ZIP_START!r}. "
                    f"Save it with np.savez_compressed, or take it out of the folder."
                )
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return _members(path, archive)
    except DataError:  # a DataError is a ValueError
        raise
    except UNREADABLE as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(
            f"{path}: unreadable, truncated or damaged ({reason}). Copy it again, or take it out "
            f"of the folder."
        ) from error


def _members(path: Path, archive: Any) -> Arrays:
    names = tuple(archive.files)
    arrays = {key: _member(path, archive, key) for key in REQUIRED + OPTIONAL if key in names}
    missing = [key for key in (REQUIRED if labelled(arrays) else SIGNALS) if key not in arrays]
    if missing:
        raise DataError(
            f"{path}: not a recording: missing {', '.join(missing)}; it holds "
            f"{', '.join(names) or 'nothing'}. {HOW_TO_FIX}"
        )
    return arrays


def _member(path: Path, archive: Any, key: str) -> NDArray[Any]:
    with archive.zip.open(f"{key}.npy") as member:  # its header alone
        version = np.lib.format.read_magic(member)
        headers = {(1, 0): np.lib.format.read_array_header_1_0}
        shape, _, dtype = headers.get(version, np.lib.format.read_array_header_2_0)(member)
    if prod(shape) * max(dtype.itemsize, 8) > 8 * LARGEST_ARRAY:
        raise DataError(
            f"{path}: '{key}' has the shape {shape} ({dtype}); allowed: up to {LARGEST_ARRAY} "
            f"numbers. Cut the recording in two."
        )
    try:
        array = np.asarray(archive[key])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: '{key}' is a pickled object array; allowed: plain arrays of numbers or "
            f"text, because unpickling runs code. Save it again with a plain dtype."
        ) from error
    if array.dtype.kind == "U":
        codes = np.frombuffer(array.astype(array.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise DataError(f"{path}: '{key}' is no Unicode text. Save it again as text.")
    return array
