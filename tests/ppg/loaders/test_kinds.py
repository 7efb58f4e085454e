"""Files that are no recordings are refused by what they are, whatever their ending."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ppg.loaders.registry import read_folder
from ppgnas.errors import DataError

ROWS = b"t,green,hr\n" + b"".join(b"%.2f,%d,72\n" % (i / 50, i % 40) for i in range(3000))


def _mat(version: str) -> bytes:
    stream = io.BytesIO()
    savemat(stream, {"ppg": np.arange(9.0)}, format=version)  # type: ignore[arg-type]
    return stream.getvalue()


def _npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(9.0))
    return stream.getvalue()


def _zip(member: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member, ROWS)
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return stream.getvalue()


KINDS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a.bz2": (lambda: bz2.compress(ROWS), "compressed (bzip2)", "Unpack it"),
    "a.xz": (lambda: lzma.compress(ROWS), "compressed (xz)", "Unpack it"),
    "a.tar.gz": (_tar, "packed (gzip) and no text", "Unpack it"),
    "a.bag": (lambda: _zip("a.csv"), "an archive (zip)", "Unpack it"),
    "old.mat": (lambda: _mat("4"), "a MATLAB file of version 4", "save(..., '-v7')"),
    "a.npy": (_npy, "a NumPy array", "Write .npz recordings"),
    "a.pkl": (lambda: b"\x80\x04\x95\0\0", "a Python pickle, read of data sets alone", ".csv"),
    "a": (lambda: _zip("[Content_Types].xml"), "an Excel workbook", "Give it the ending .xlsx"),
    "a.rows": (lambda: ROWS, "text with the ending '.rows'", "the ending .csv or .txt"),
    "a.html": (lambda: b"<!DOCTYPE html><p>404", "a page of HTML or XML", "Fetch the file again"),
    "lfs": (
        lambda: b"version https://git-lfs.github.com/spec/v1\nsize 9\n",
        "a pointer of Git LFS",
        "git lfs pull",
    ),
    "a.bin": (lambda: bytes(range(256)), "of a kind that ppgnas does not know", ".csv"),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("renamed", [False, True])
def test_a_file_is_refused_by_its_kind(tmp_path: Path, name: str, renamed: bool) -> None:
    make, what, step = KINDS[name]
    if renamed and name in ("old.mat", "a.rows", "a.bin"):
        pytest.skip("told by its ending, or read as text under another one")
    path = tmp_path / (f"{name}.csv" if renamed else name)
    path.write_bytes(make())
    with pytest.raises(DataError) as refused:
        read_folder(path)
    assert f"{path}: {what}, and no recording. " in str(refused.value)
    assert step in str(refused.value)
