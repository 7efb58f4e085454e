"""The forms in which single recordings come: which one a file or folder has, and its reader.

A file that no form claims is read as text with rows of cells (`ppg.loaders.own.text`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ppg.loaders.archive import unpack
from ppg.loaders.devices import (
    biopac,
    bluetooth,
    edf,
    embrace_plus,
    empatica_e4,
    fit,
    galaxy_ppg,
    hdf5,
    multisite_ppg,
    parquet,
    spreadsheet,
    trainings,
    wfdb_record,
    wild_ppg,
)
from ppg.loaders.own import json_rows
from ppg.loaders.own.grouping import group
from ppg.loaders.own.mapping import MAPPING, mapping_text, read_mapping
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe, Say
from ppg.loaders.own.shapes import with_rates
from ppg.loaders.own.table import Table
from ppg.loaders.own.text import read_text
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.files import temporary_folder, write_text_atomic

TEXT = (".csv", ".txt", ".tsv", ".tab", ".log", ".dat", ".asc", ".gz")
ZIP = ".zip"
SNIFFED_BYTES = 1 << 16

NO_FILE = "no file seen"


@dataclass(frozen=True)
class Form:
    """One form of files or folders.

    Attributes:
        what: the file or folder to name, in words.
        tried_on: "real files", or what the reader was written to.
        fits: whether a path is one, from its name and its first bytes (none of a folder).
    """

    title: str
    what: str
    tried_on: str
    fits: Callable[[Path, bytes], bool]
    read: Callable[[Path], Table]


FORMS = (
    Form(
        "Empatica E4",
        "a session's folder or .zip with BVP.csv",
        "real files",
        empatica_e4.is_session,
        empatica_e4.read,
    ),
    Form(
        "Empatica E4 beats",
        "IBI.csv, for --hr-csv",
        "files made in tests",
        empatica_e4.is_beats,
        empatica_e4.read_beats,
    ),
    Form(
        "Empatica EmbracePlus",
        "a raw .avro file",
        f"its schema; {NO_FILE}",
        embrace_plus.is_avro,
        embrace_plus.read,
    ),
    Form(
        "Bluetooth heart-rate log",
        "the text of nRF Connect, for --hr-csv",
        f"its documentation; {NO_FILE}",
        bluetooth.is_log,
        bluetooth.read,
    ),
    Form(
        "Polar Flow",
        "the .csv, for --hr-csv",
        f"its documentation; {NO_FILE}",
        trainings.is_session,
        trainings.read,
    ),
    Form(
        "GalaxyPPG",
        "a person's folder with GalaxyWatch/ and PolarH10/",
        f"its documentation; {NO_FILE}",
        galaxy_ppg.is_person,
        galaxy_ppg.read,
    ),
    Form(
        "Multisite-PPG",
        "P<N>_<Site>_raw.npz",
        f"its documentation; {NO_FILE}",
        multisite_ppg.is_site,
        multisite_ppg.read,
    ),
    Form(
        "WildPPG",
        "WildPPG_Part_<id>.mat",
        f"its authors' code; {NO_FILE}",
        wild_ppg.is_person,
        wild_ppg.read,
    ),
    Form(
        "WFDB (PhysioNet)",
        "the .hea of a record",
        "files written by wfdb",
        wfdb_record.is_record,
        wfdb_record.read,
    ),
    Form("EDF, BDF", "the file", "files written by pyEDFlib", edf.is_edf, edf.read),
    Form("Parquet", "the file", "files written by pyarrow", parquet.is_parquet, parquet.read),
    Form("HDF5, MATLAB 7.3", "the file", "files written by h5py", hdf5.is_hdf5, hdf5.read),
    Form(
        "MATLAB 5 to 7",
        "the file, of matrices; structs are not read",
        "files written by scipy",
        hdf5.is_matlab,
        hdf5.read_matlab,
    ),
    Form("FIT", "the activity, for --hr-csv", "files made by hand", fit.is_fit, fit.read),
    Form(
        "Apple Health, TCX, GPX",
        "the .xml, .tcx or .gpx, for --hr-csv",
        f"their documentation; {NO_FILE}",
        trainings.is_xml,
        trainings.read_xml,
    ),
    Form(
        "Spreadsheet",
        "the .xlsx, .xls or .ods",
        "files written by openpyxl",
        spreadsheet.is_spreadsheet,
        spreadsheet.read,
    ),
    Form("JSON", "objects in lines or lists", "text as any", json_rows.is_json, json_rows.read),
    Form(
        "BIOPAC AcqKnowledge",
        "the text export",
        f"exports described by others; {NO_FILE}",
        biopac.is_export,
        biopac.read,
    ),
)


def form_of(path: Path) -> Form | None:
    """The form of a file or folder, or None.

    Raises:
        OSError: it cannot be read.
    """
    start = b""
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(SNIFFED_BYTES)
    elif not path.is_dir():
        return None
    return next((form for form in FORMS if form.fits(path, start)), None)


def open_table(path: Path) -> Table:
    """The columns of a file or folder of any form.

    Raises:
        DataError: it has no form that is known, or is damaged.
        DependencyError: its form needs a package that is not installed.
    """
    form = form_of(path)
    if form is None and path.is_dir():
        raise DataError(
            f"{path}: a folder of no form that ppgnas knows (ppgnas data list); name the file."
        )
    return with_rates(read_text(path) if form is None else form.read(path))


def is_own(path: Path) -> bool:
    """Whether a path is a recording of a known form, or a folder with a mapping file."""
    if path.is_dir():
        return (path / MAPPING).is_file() or form_of(path) is not None
    return path.is_file() and (
        path.name == MAPPING or path.suffix.lower() in (*TEXT, ZIP) or form_of(path) is not None
    )


def read_own(path: Path, recipe: Recipe | None = None, *, say: Say) -> list[Recording]:
    """The recordings of a file or folder of any form, or of a mapping file.

    Args:
        path: of one, see `is_own`.
        recipe: what is known of it; None: everything is told from the file.

    Raises:
        DataError: it cannot be read; says which file and what to do.
    """
    mapping = path / MAPPING if path.is_dir() else path
    if mapping.name == MAPPING and mapping.is_file():
        if recipe is not None:
            raise DataError(
                f"{mapping} says how its files are read; options beside it would not count. Write "
                "them in it, or name one file."
            )
        return [
            recording
            for file, one in read_mapping(mapping)
            for recording in read_recordings(file, one, open_table=open_table, say=say)
        ]
    if path.suffix.lower() == ZIP and form_of(path) is None:
        return _read_zip(path, recipe, say)
    return read_recordings(path, recipe or Recipe(), open_table=open_table, say=say)


def _read_zip(path: Path, recipe: Recipe | None, say: Say) -> list[Recording]:
    """The recordings of an archive, and of those in it: its files as a folder's are guessed."""
    with temporary_folder() as made:
        root = made / path.stem
        try:
            found = _read_unpacked(path, root, recipe, say)
        except DataError as error:
            raise DataError(str(error).replace(str(root), str(path))) from error
    if len(found) > 1 or recipe is not None:
        return found
    return [replace(found[0], subject=path.stem, name=path.stem, dataset="own")]


def _read_unpacked(path: Path, root: Path, recipe: Recipe | None, say: Say) -> list[Recording]:
    unpack(path, root, members=".*")
    for inner in sorted(root.rglob(f"*{ZIP}")):
        if not inner.name.startswith("."):
            unpack(inner, inner.with_suffix(""), members=".*")
            inner.unlink()
    if recipe is None:
        text, _ = guess_mapping(root, say=say)
        write_text_atomic(root / MAPPING, text)
        return read_own(root, say=say)
    files = list(_candidates(root))
    if len(files) != 1:
        raise DataError(
            f"{path}: holds {len(files)} files, and options are for one; unpack it, and name the "
            "file with its PPG."
        )
    return read_own(files[0], recipe, say=say)


def guess_mapping(folder: Path, *, say: Say) -> tuple[str, int]:
    """The text of a mapping file for a folder, and how many recordings it names.

    Args:
        folder: looked through, and the folders below it.

    Raises:
        DataError: no file has a PPG.
    """
    found = group(folder, list(_candidates(folder)), open_table, say)
    return mapping_text(found, folder.resolve().name), len(found)


def _candidates(folder: Path) -> Iterator[Path]:
    """Files and folders below that may be of a form; a folder of one is not looked into."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        here = waiting.pop()
        if here.resolve() in seen:  # a link that leads back up, or a second link to one folder
            continue
        seen.add(here.resolve())
        below: list[Path] = []
        for path in sorted(here.iterdir()):
            if path.name.startswith((".", "__MACOSX")) or path.name == MAPPING:
                continue
            if path.is_dir() and form_of(path) is None:
                below.append(path)
            elif is_own(path):
                yield path
        waiting += reversed(below)
