"""Checks across the files of a folder: nobody under two names, no two people with one name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ppg.recording import Recording
from ppgnas.errors import DataError


class Entry(NamedTuple):
    """One file: its path and its recording."""

    file: Path
    recording: Recording


def check_people(root: Path, entries: list[Entry]) -> None:
    """Refuse a folder in which people could be mixed up.

    Args:
        root: the folder that was read; the folders directly below it are data sets.
        entries: what was read, in any order.

    Raises:
        DataError: one recording name twice in a data set, one person in the folders of two data
            sets, the same samples in two files, or one person under two names by `also_in`. The
            message names both files.
    """
    check_recordings(entries)
    people: dict[str, Path] = {}
    for file, recording in entries:
        first = people.setdefault(recording.person, file)
        if _data_set_folder(root, first) != _data_set_folder(root, file):
            raise DataError(
                f"{file} and {first}: two people with one name, {recording.person!r}: the files "
                f"are in different data sets. If it is one person, put the files into one folder; "
                f"if not, rename `subject` or `dataset` in one of them."
            )


def check_recordings(entries: list[Entry]) -> None:
    """The same, but for one person whose files lie in several folders, which is allowed.

    Raises:
        DataError: see `check_people`.
    """
    _check_names(entries)
    _check_content(entries)
    _check_aliases(entries)


def _check_names(entries: list[Entry]) -> None:
    recordings: dict[tuple[str, str], Path] = {}
    for file, recording in entries:
        key = (recording.dataset, recording.name)
        if key in recordings:
            raise DataError(
                f"{file} and {recordings[key]}: both are the recording {recording.name!r} of data "
                f"set {recording.dataset!r}; names must differ. Rename one, or take it out."
            )
        recordings[key] = file


def _data_set_folder(root: Path, file: Path) -> str:
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else "."


def _check_content(entries: list[Entry]) -> None:
    seen: dict[bytes, tuple[Path, Recording]] = {}
    for file, recording in entries:
        key = samples_digest(recording)
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


def samples_digest(recording: Recording) -> bytes:
    """SHA-256 of the PPG samples, whatever the recording is called."""
    return hashlib.sha256(np.ascontiguousarray(recording.ppg).tobytes()).digest()


def _check_aliases(entries: list[Entry]) -> None:
    """Find one person under two names by the notes in `also_in`."""
    noted: dict[str, tuple[Path, str]] = {}
    for file, recording in entries:
        for alias in recording.also_in:
            other_file, person = noted.setdefault(alias, (file, recording.person))
            if person != recording.person:
                raise _one_person(file, other_file, recording.person, person, alias)
    for file, recording in entries:
        for alias in dict.fromkeys((recording.subject, recording.name)):
            other_file, person = noted.get(alias, (file, recording.person))
            if person != recording.person:
                raise _one_person(file, other_file, recording.person, person, alias)


def _one_person(file: Path, other_file: Path, person: str, other: str, alias: str) -> DataError:
    return DataError(
        f"{file} and {other_file}: one person under two names, {person!r} and {other!r}: "
        f"`also_in` says {alias!r}. Take one of the files out, so that nobody is on two sides "
        f"of a split."
    )
