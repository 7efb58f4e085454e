"""The data sets that can be read from their authors' files: what each is, where, on which terms.

`read_folder` takes a folder of any of them, or several beside each other, as well as a folder of
.npz recordings, which goes first.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ppg.identity import check_recordings
from ppg.loaders import bami, bidmc, dalia, forms, spc, welltory, wesad
from ppg.loaders.devices import empatica_e4
from ppg.loaders.kinds import refusal
from ppg.loaders.layout import files_like
from ppg.loaders.own.mapping import recipe_of
from ppg.npz import folder as npz
from ppg.npz.fields import REQUIRED
from ppg.recording import Entry, Recording, check_drift
from ppgnas.errors import DataError


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
        name: as in `Recording.dataset`, or what its parts have in common.
        licence: in one sentence, with what it asks for.
        level: the folder that is expected, in words.
        find: files of its layout below a folder.
        read: reads one of them; the second path is the folder that `find` was asked for. Raises
            DataError where a file is damaged, hostile or of another layout.
        url: of one archive that may be downloaded without a form, or None.
        size_bytes, sha256: of that archive, where they are known.
        inner: an archive inside of the archive that holds the recordings.
        unpack: pattern of the members that are needed (of the inner archive, if there is one).
    """

    name: str
    title: str
    summary: str
    licence: str
    level: str
    home: str
    find: Callable[[Path], list[Path]]
    read: Callable[[Path, Path], Recording]
    url: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    archive: str = ""
    inner: str | None = None
    unpack: str = r".*"


def _alone(read: Callable[[Path], Recording]) -> Callable[[Path, Path], Recording]:
    """The reader of a data set in which no file needs another one's place."""
    return lambda file, root: read(file)


DATA_SETS = (
    DataSet(
        name=dalia.NAME,
        title="PPG-DaLiA",
        summary="15 people, 36 h of daily life, wrist, 64 Hz, acceleration",
        licence="CC BY 4.0: free to use with credit to Reiss et al., Sensors 2019, 19, 3079.",
        level="PPG_FieldStudy, which holds S1 to S15, each with SX.pkl",
        home="https://archive.ics.uci.edu/dataset/495/ppg+dalia",
        find=dalia.find,
        read=_alone(dalia.read),
        url="https://archive.ics.uci.edu/static/public/495/ppg+dalia.zip",
        size_bytes=2_865_111_320,
        sha256="5772387956e34e2e2dc4c2ddbeb98cb70569d5112fa4c13ee98a17680b84a1f3",
        archive="ppg+dalia.zip",
        inner="data.zip",
        unpack=r"PPG_FieldStudy/(?:S\d+/S\d+(?:\.pkl|_activity\.csv|_quest\.csv)|[^/]*\.pdf)",
    ),
    DataSet(
        name=wesad.NAME,
        title="WESAD",
        summary="15 people, rest and stress, wrist, 64 Hz, acceleration; heart rate from ECG",
        licence="academic and non-commercial use with credit to Schmidt et al., ICMI 2018; read "
        "its readme first.",
        level="WESAD, which holds S2 to S17, each with SX.pkl",
        home="https://archive.ics.uci.edu/dataset/465/wesad",
        find=wesad.find,
        read=_alone(wesad.read),
        url="https://uni-siegen.sciebo.de/s/HGdUkoNlW1Ub0Gx/download",
        archive="WESAD.zip",
        unpack=r"WESAD/(?:S\d+/S\d+(?:\.pkl|_readme\.txt|_quest\.csv)|[^/]*\.pdf)",
    ),
    DataSet(
        name=spc.NAME,
        title="IEEE Signal Processing Cup 2015 (TROIKA)",
        summary="20 people in 23 recordings, treadmill and arm exercise, wrist, 125 Hz, "
        "acceleration",
        licence="copyrighted; academic research with credit to Zhang, Pi, Liu, IEEE TBME 62(2) "
        "2015; do not redistribute.",
        level="the folder above Training_data and TestData",
        home="https://sites.google.com/site/researchbyzhang/ieeespcup2015",
        find=partial(files_like, pattern=spc.FILES),
        read=spc.read,
    ),
    DataSet(
        name="bami",
        title="BAMI-1 and BAMI-2",
        summary="48 recordings on a treadmill, wrist, 50 Hz, 3 channels, acceleration",
        licence="none stated; research with credit to Chung et al., IEEE Access 2020; do not "
        "redistribute.",
        level="the folder above BAMI-1 and BAMI-2, or one of these",
        home="ieeexplore.ieee.org/document/9042276",
        find=partial(files_like, pattern=bami.FILES),
        read=_alone(bami.read),
    ),
    DataSet(
        name="cardiac_rehab",
        title="CardiacRehabExercise",
        summary="16 recordings, most of people who are in BAMI-1 too, wrist, 50 Hz, acceleration",
        licence="none stated; research with credit to its authors; do not redistribute.",
        level="the folder that holds Subject_1.mat to Subject_16.mat",
        home="the page of BAMI's authors",
        find=partial(files_like, pattern=bami.REHAB_FILES),
        read=_alone(bami.read_rehab),
    ),
    DataSet(
        name=bidmc.NAME,
        title="BIDMC PPG and Respiration",
        summary="46 patients in 53 records, intensive care, finger, 125 Hz, no acceleration",
        licence="ODC-BY 1.0: free to use with credit to Pimentel et al., IEEE TBME 64(8) 2017.",
        level="the folder above bidmc_csv",
        home="https://physionet.org/content/bidmc/1.0.0/",
        find=partial(files_like, pattern=bidmc.FILES),
        read=_alone(bidmc.read),
        url="https://physionet.org/content/bidmc/get-zip/1.0.0/",
        sha256="7c09847e8b9c9ad0005ad6f4041e887119e2ad9a745b6a63b1b394bd439f693b",
        archive="bidmc-1.0.0.zip",
        unpack=r".*/bidmc_csv/bidmc_\d\d_(?:Signals\.csv|Numerics\.csv|Fix\.txt)",
    ),
    DataSet(
        name=welltory.NAME,
        title="Welltory",
        summary="21 recordings of 13 people, finger on a phone, 30 Hz, no acceleration",
        licence="CC0 1.0: no conditions; Neshitov et al., Sensors 2021, 21, 6798.",
        level="the folder that holds subject_01 to subject_21",
        home="https://github.com/Welltory/welltory-ppg-dataset",
        find=welltory.find,
        read=_alone(welltory.read),
    ),
)


def data_set(name: str) -> DataSet:
    """One of `DATA_SETS`.

    Raises:
        DataError: no such name.
    """
    known = {data.name: data for data in DATA_SETS}
    if name not in known:
        raise DataError(
            f"no data set {name!r}; allowed: {', '.join(known)}. See: ppgnas data list."
        )
    return known[name]


def read_folder(
    path: Path,
    *,
    lag_s: float | None = None,
    drift_ppm: float = 0.0,
    options: Mapping[str, object] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Recording]:
    """Recordings of a folder: .npz files if it has any, else the upstream files of data sets.

    A file or folder of one of `ppg.loaders.forms` is one recording of its own.

    Args:
        path: a folder, a file of a form, or an .npz file.
        lag_s: offset of the label clock to use instead of the one of each recording.
        drift_ppm: its drift, see `Recording.with_lag`.
        options: what is known of a file of a form, by the keys of `ppg.loaders.own.mapping`.
        say: is told what was found in a file and not stated.

    Returns:
        At least one recording.

    Raises:
        DataError: nothing to read here (says which folder is expected, if a data set is near),
            a file is damaged, or people could be mixed up.
    """
    check_drift(drift_ppm)
    if lag_s is not None and not math.isfinite(lag_s):
        raise DataError(f"`lag_s` is {lag_s:g}; allowed: a number of seconds.")
    if not path.exists() and (options or path.suffix):
        raise DataError(f"{path}: no such file. Give the path of a file or folder.")
    if forms.is_own(path) and not (path.is_dir() and npz.has_recordings(path)):
        recipe = None
        if options or lag_s is not None or drift_ppm:
            clock = {"lag_s": lag_s or 0.0, "drift_ppm": drift_ppm}
            recipe = recipe_of({**(options or {}), **clock})
        return forms.read_own(path, recipe, say=say)
    whole = path.is_dir() or path.suffix.lower() == ".npz"
    if options and whole:
        named = ", ".join(f"`{name}`" for name in options)
        raise DataError(
            f"{named} is for a single file of rows, and {path} is "
            f"{'a folder' if path.is_dir() else 'an .npz file'}; leave the option out, or name "
            "the file."
        )
    if path.is_file() and whole:
        recordings = [npz.read_recording(path)]
    elif path.is_file():
        raise DataError(refusal(path))
    elif not path.is_dir() or npz.has_recordings(path):
        recordings = npz.read_folder(path)
    else:
        found = [(known, file) for known in DATA_SETS for file in known.find(path)]
        if not found:
            hint = where_it_lies(path) or empatica_e4.unread_sessions(path)
            raise DataError(
                hint
                or f"{path}: no .npz file in this folder or below it, and no files of a data set "
                f"that ppgnas reads (ppgnas data list). Recordings are .npz files with the arrays "
                f"{', '.join(REQUIRED)}. Other files of your own: ppgnas data convert "
                f"{shlex.quote(str(path))} --guess"
            )
        entries = [Entry(file, known.read(file, path)) for known, file in found]
        check_recordings(entries)
        recordings = [entry.recording for entry in entries]
    if lag_s is None and drift_ppm == 0:
        return recordings
    return [
        r.with_lag(r.label_lag_s if lag_s is None else lag_s, drift_ppm=drift_ppm)
        for r in recordings
    ]


def each_recording(path: Path) -> Iterator[Recording]:
    """The recordings of `read_folder` one by one, so that a folder may be larger than memory.

    People are not compared: who reads so looks for one person under two names afterwards.

    Raises:
        DataError: as `read_folder`.
    """
    if path.is_dir() and npz.has_recordings(path):
        yield from map(npz.read_recording, npz.files_below(path))
        return
    own = forms.is_own(path) or not path.is_dir()
    found = [] if own else [(known, file) for known in DATA_SETS for file in known.find(path)]
    if not found:  # a file or folder of one's own, or words on what is wrong
        yield from read_folder(path)
    for known, file in found:
        yield known.read(file, path)


def unread_beside(path: Path) -> str:
    """What to say of files that are not read: of data sets among .npz recordings, of an E4.

    Returns:
        A sentence; empty if there are none.
    """
    if not path.is_dir():
        return ""
    sessions = empatica_e4.unread_sessions(path)
    if not npz.has_recordings(path):
        return sessions
    found = {known.title: known.find(path)[:1] for known in DATA_SETS}
    lost = [f"{title} ({files[0].parent})" for title, files in found.items() if files]
    if not lost:
        return sessions
    return (
        f"{path}: its .npz recordings are read, its files of {' and '.join(lost)} are not; "
        "convert them to .npz too (ppgnas data convert), or keep them in a folder of their own."
        f"{' ' + sessions if sessions else ''}"
    )


def where_it_lies(path: Path) -> str:
    """What to say of a folder that is too high, too low or not unpacked; empty if nothing."""
    for above in list(path.resolve().parents)[:2]:
        for known in DATA_SETS:
            inside = [found for found in known.find(above) if path.resolve() in found.parents]
            if inside:
                return (
                    f"{path}: a folder inside of {known.title}; expected: {known.level}. Give "
                    f"{above}."
                )
    zips = {entry.name.lower(): entry for entry in path.iterdir() if entry.suffix == ".zip"}
    for known in DATA_SETS:
        for name in (known.archive, known.inner or ""):
            if name and name.lower() in zips:
                return (
                    f"{path}: holds {zips[name.lower()].name}, which is not unpacked; expected: "
                    f"{known.level}. Unpack it with: ppgnas data fetch {known.name} --from "
                    f"{shlex.quote(str(zips[name.lower()]))} --out {shlex.quote(str(path))}"
                )
    for below in _folders_below(path, depth=4, at_most=2000):
        for known in DATA_SETS:
            if known.find(below):
                return (
                    f"{path}: too high above {known.title}; expected: {known.level}. Give {below}."
                )
    return ""


def _folders_below(path: Path, *, depth: int, at_most: int) -> list[Path]:
    """Folders below, the nearest first."""
    found: list[Path] = []
    level = [path]
    for _ in range(depth):
        level = [
            entry
            for folder in level
            for entry in sorted(folder.iterdir() if os.access(folder, os.R_OK | os.X_OK) else ())
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
        ]
        found += level
        if len(found) > at_most:
            return found[:at_most]
    return found
