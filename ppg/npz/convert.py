"""Recordings written as a folder of .npz files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ppg.npz.folder import write_recording
from ppg.recording import Recording
from ppgnas.errors import DataError


def write_folder(out: Path, recordings: Sequence[Recording]) -> list[Path]:
    """Write `OUT/DATASET/NAME.npz` for each recording.

    Args:
        out: made if it is not there.
        recordings: of any data sets.

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
            f"{there[0]}: is there already ({len(there)} such files); nothing was written. Choose "
            "another folder, give a .csv another name, or remove them."
        )
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise DataError(f"{twice}: two recordings have this name; rename one of them.")
    for file, recording in zip(files, recordings, strict=True):
        write_recording(file, recording)
    return files


def _safe(name: str) -> str:
    """A file name from a recording's, which may hold anything but a slash."""
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "_"
