"""What a file that cannot be read is, told by its first bytes, and the next step."""

from __future__ import annotations

from pathlib import Path

_ZIP = b"PK\x03\x04"
_COLUMNS = "Write its columns to a .csv file"
_PICKLE = "a Python pickle, read of data sets alone"
_UNPACK = "Unpack it and give what is in it"
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "packed (gzip) and no text", _UNPACK),
    (b"BZh", "compressed (bzip2)", _UNPACK),
    (b"\xfd7zXZ\0", "compressed (xz)", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", _UNPACK),
    (b"Rar!", "an archive (RAR)", _UNPACK),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save its sheet as .csv"),
    (b"\x93NUMPY", "a NumPy array", "Write .npz recordings (docs/recordings.md), or a .csv file"),
    *((b"\x80" + bytes([version]), _PICKLE, _COLUMNS) for version in range(6)),
    (b"SQLite format 3", "an SQLite database", _COLUMNS),
    (b"RIFF", "a sound or film (RIFF)", _COLUMNS),
    (b"\x89PNG", "a picture (PNG)", _COLUMNS),
    (b"\xff\xd8\xff", "a picture (JPEG)", _COLUMNS),
    (b"%PDF", "a PDF", _COLUMNS),
    (b"<", "a page of HTML or XML", "Fetch the file again, or write its columns to a .csv file"),
    (b"version https://git-lfs", "a pointer of Git LFS", "Get the file itself: git lfs pull"),
)


def is_other(start: bytes) -> bool:
    """Whether the first bytes are of a known kind that holds no rows."""
    return any(start.startswith(magic) for magic in (_ZIP, *(kind[0] for kind in _KINDS)))


def refusal(path: Path) -> str:
    """Why a file is no recording, with the next step.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(2048)
    suffix = path.suffix.lower()
    what, step = "of a kind that ppgnas does not know", f"{_COLUMNS} of text"
    if start.startswith(_ZIP):
        what, step = "an archive (zip)", _UNPACK
        if b"[Content_Types].xml" in start:
            what, step = "an Excel workbook", "Give it the ending .xlsx"
    elif start and start.isascii() and b"\0" not in start:
        what = f"text with the ending {suffix!r}"
        step = "Give rows of text the ending .csv or .txt"
    elif suffix == ".mat":
        what, step = "a MATLAB file of version 4", "In MATLAB: save it with save(..., '-v7')"
    for magic, kind, next_step in _KINDS:
        if start.startswith(magic):
            what, step = kind, next_step
    return (
        f"{path}: {what}, and no recording. {step}; a file of a data set is read with the folder "
        "that holds it. Forms that are read: ppgnas data list."
    )
