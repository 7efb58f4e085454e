"""Matrices of MATLAB 5 files, which is what the data sets of the field are.

The first 128 bytes tell the version apart: MATLAB 5 and 7 begin with `MATLAB 5.0 MAT-file`,
MATLAB 7.3 with `MATLAB 7.3 MAT-file` (it is HDF5 inside), MATLAB 4 with a small binary header.
"""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppgnas.errors import DataError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_BYTES = 1 << 30  # the largest recording of these sets has 5 MB
_SAVE = "In MATLAB: load the file and save it again with save(..., '-v7')."


def read_matrices(path: Path, shapes: dict[str, tuple[int | None, ...]]) -> dict[str, Any]:
    """Read named numeric matrices of one file.

    Args:
        path: a .mat file.
        shapes: variable -> its shape, None where any length is allowed. Others are not read.

    Returns:
        Variable -> float64 array of that shape.

    Raises:
        DataError: missing, another version, damaged, or a variable is missing, of another shape
            or not finite.
    """
    _check_version(path)
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged or duplicate variables: checked below
            declared = {name: shape for name, shape, _ in whosmat(str(path))}
            _check_declared(path, declared, shapes)
            found = loadmat(str(path), variable_names=list(shapes), struct_as_record=True)
    except DataError:
        raise
    except (
        MatReadError,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        MemoryError,
        OverflowError,
        NotImplementedError,
        zlib.error,
    ) as error:
        reason = (str(error).strip().split("\n")[0] or type(error).__name__)[:120]
        raise DataError(
            f"{path}: unreadable, truncated or damaged ({reason}). Copy or fetch the file again."
        ) from error
    return {name: _matrix(path, name, found.get(name), shapes[name]) for name in shapes}


def _check_version(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Each recording and its labels are needed.")
    with path.open("rb") as stream:
        start = stream.read(128)
    if start.startswith(b"MATLAB 5.0 MAT-file"):
        return
    if start.startswith((b"MATLAB 7.3 MAT-file", _HDF5)):
        raise DataError(f"{path}: a MATLAB 7.3 (HDF5) file; allowed: MATLAB 5 to 7. {_SAVE}")
    if len(start) >= 20 and _is_version_4(start):
        raise DataError(f"{path}: a MATLAB 4 file; allowed: MATLAB 5 to 7. {_SAVE}")
    seen = f"begins with {start[:16]!r}" if start else "is empty"
    raise DataError(
        f"{path}: not a MATLAB file: it {seen}; allowed: MATLAB 5 to 7, which begin with "
        f"'MATLAB 5.0 MAT-file'. Copy or fetch the file again."
    )


def _is_version_4(start: bytes) -> bool:
    """A code of at most four digits, then rows, columns, a flag and the length of the name."""
    for order in ("<i4", ">i4"):
        code, rows, columns, flag, name = np.frombuffer(start[:20], order).tolist()
        if 0 <= code <= 5000 and rows >= 0 and columns >= 0 and flag in (0, 1) and 0 < name < 64:
            return True
    return False


def _check_declared(
    path: Path, declared: dict[str, Any], shapes: dict[str, tuple[int | None, ...]]
) -> None:
    missing = [name for name in shapes if name not in declared]
    if missing:
        raise DataError(
            f"{path}: no variable {', '.join(missing)}; it holds "
            f"{', '.join(sorted(declared)) or 'nothing'}. Is it the file of another data set?"
        )
    for name in shapes:
        count = float(np.prod([float(n) for n in declared[name]]))
        if count * 8 > _LARGEST_BYTES:
            raise DataError(
                f"{path}: {name} declares the shape {tuple(declared[name])}, "
                f"{count * 8 / 2**30:.0f} GiB; allowed: up to 1 GiB. The file is damaged: copy or "
                f"fetch it again."
            )


def _matrix(
    path: Path, name: str, value: Any, shape: tuple[int | None, ...]
) -> NDArray[np.float64]:
    array = np.asarray(value)
    wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    fits = array.ndim == len(shape) and all(
        n is None or n == m for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits or array.size == 0:
        raise DataError(
            f"{path}: {name} has the shape {array.shape}; allowed: {wanted}. Is it the file of "
            f"another data set?"
        )
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path}: {name} is of the type {array.dtype}; allowed: numbers.")
    return array.astype(np.float64)
