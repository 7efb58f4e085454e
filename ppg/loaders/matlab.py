"""Matrices of MATLAB 5 files, which is what the data sets of the field are.

The format is small where only real matrices are wanted: a header of 128 bytes, then elements of a
tag (type, bytes) and content padded to 8. A matrix is an element of elements: class, dimensions,
name, numbers; it may lie in a compressed element. It is read here and not by `scipy.io`, because
a damaged file can end the process in there, which no message can catch.

The first 128 bytes tell versions apart: MATLAB 5 and 7 begin with `MATLAB 5.0 MAT-file`, MATLAB
7.3 with `MATLAB 7.3 MAT-file` (HDF5 inside), MATLAB 4 with a small binary header.
Reference: MathWorks, MAT-File Format, R2023b, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import fits, shape_text
from ppgnas.errors import DataError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER_BYTES = 128
_LARGEST_BYTES = 1 << 30  # the largest recording of these sets has 5 MB
_SAVE = "In MATLAB: load the file and save it again with save(..., '-v7')."
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {  # element type -> numpy type
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse"}  # above: numbers
_COMPLEX = 0x0800


class _Damaged(ValueError):
    """The bytes are not what the format says."""


@dataclass(frozen=True)
class _Matrix:
    """A matrix before its numbers are read.

    Attributes:
        kind: number of its class, and whether it is complex.
        rest: the elements after the name, from where the numbers come.
    """

    name: str
    kind: int
    complex: bool
    shape: tuple[int, ...]
    rest: memoryview


def read_matrices(
    path: Path, shapes: Mapping[str, tuple[int | None, ...]]
) -> dict[str, NDArray[np.float64]]:
    """Read named numeric matrices of one file.

    Args:
        shapes: variable -> its shape, None where any length is allowed. Others are not read.

    Returns:
        Variable -> float64 array of that shape.

    Raises:
        DataError: missing, another version, damaged, or a variable is missing or of another
            shape.
    """
    order = _check_version(path)
    try:
        content = memoryview(path.read_bytes())[_HEADER_BYTES:]
        unread: list[_Damaged] = []
        found = {matrix.name: matrix for matrix in _matrices(content, order, unread)}
        missing = [name for name in shapes if name not in found]
        if missing and unread:
            raise unread[0]
        if missing:
            raise DataError(
                f"{path}: no variable {', '.join(missing)}; it holds "
                f"{', '.join(sorted(found)) or 'nothing'}. Is it the file of another data set?"
            )
        return {name: _numbers(path, found[name], shape, order) for name, shape in shapes.items()}
    except (_Damaged, zlib.error) as error:
        raise _damaged(path, error) from error


def all_matrices(path: Path) -> dict[str, NDArray[np.float64]]:
    """Every matrix of real numbers of one file by its name, without structs and texts.

    Raises:
        DataError: as `read_matrices`, or there is none.
    """
    order = _check_version(path)
    try:
        content = memoryview(path.read_bytes())[_HEADER_BYTES:]
        found = {
            matrix.name: _numbers(path, matrix, matrix.shape, order)
            for matrix in _matrices(content, order, [])
            if matrix.kind not in _CLASSES and not matrix.complex and min(matrix.shape) > 0
        }
    except (_Damaged, zlib.error) as error:
        raise _damaged(path, error) from error
    if not found:
        raise DataError(
            f"{path}: holds no matrix of numbers; allowed: variables such as ppg and fs. Save the "
            "fields of a struct as variables: save(..., '-struct', 'name')."
        )
    return found


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: truncated or damaged ({error}). Copy or fetch the file again.")


def _check_version(path: Path) -> str:
    """Byte order of a MATLAB 5 file, `<` or `>`."""
    if not path.is_file():
        raise DataError(f"{path}: no such file. Each recording and its labels are needed.")
    with path.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    if start.startswith(b"MATLAB 5.0 MAT-file"):
        order = {b"IM": "<", b"MI": ">"}.get(start[126:])
        if order is None:
            raise DataError(
                f"{path}: truncated or damaged (its header ends with {start[126:]!r}, not with IM "
                f"or MI). Copy or fetch the file again."
            )
        return order
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


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Type and content of each element, and what follows it."""
    while len(content) >= 8:
        first, second = np.frombuffer(content[:8], f"{order}u4").tolist()
        if first >> 16:  # a small element: bytes and type share one word
            kind, length, begin, end = first & 0xFFFF, first >> 16, 4, 8
            if length > 4:
                raise _Damaged(f"a small element of {length} bytes")
        else:
            kind, length, begin = first, second, 8
            # Compressed elements are not padded.
            end = begin + (length if kind == _COMPRESSED else -(-length // 8) * 8)
        if begin + length > len(content):
            raise _Damaged(f"an element of {length} bytes, {len(content) - begin} are left")
        yield kind, content[begin : begin + length], content[end:]
        content = content[end:]


def _matrices(
    content: memoryview, order: str, unread: list[_Damaged], *, inside: bool = False
) -> Iterator[_Matrix]:
    """Variables; those of other forms (strings, objects) go to `unread`: nobody asks for them."""
    for kind, part, _ in _elements(content, order):
        if kind == _COMPRESSED:
            if inside:
                raise _Damaged("a compressed variable within a compressed one")
            plain = zlib.decompressobj()
            whole = plain.decompress(part, _LARGEST_BYTES)
            if not plain.eof:
                raise _Damaged("a compressed variable does not end, or is above 1 GiB")
            yield from _matrices(memoryview(whole), order, unread, inside=True)
        elif kind == _MATRIX and len(part):
            try:
                yield _matrix(part, order)
            except _Damaged as error:
                unread.append(error)
        elif kind != _MATRIX:
            unread.append(_Damaged(f"an element of the type {kind} between variables"))


def _matrix(content: memoryview, order: str) -> _Matrix:
    parts = _elements(content, order)
    try:
        (flag_kind, flags, _), (_, dimensions, _), (_, name, rest) = (next(parts) for _ in "abc")
    except (StopIteration, RuntimeError) as error:
        raise _Damaged("a variable without class, dimensions and name") from error
    if flag_kind != 6 or len(flags) < 4 or len(dimensions) % 4 or not 8 <= len(dimensions) <= 64:
        raise _Damaged("a variable without class or dimensions")
    kind = int(np.frombuffer(flags[:4], f"{order}u4")[0])
    shape = tuple(np.frombuffer(dimensions, f"{order}i4").tolist())
    if min(shape) < 0:
        raise _Damaged(f"a variable of the shape {shape}")
    return _Matrix(bytes(name).decode("latin-1"), kind & 0xFF, bool(kind & _COMPLEX), shape, rest)


def _numbers(
    path: Path, matrix: _Matrix, shape: tuple[int | None, ...], order: str
) -> NDArray[np.float64]:
    declared_bytes = 8 * math.prod(matrix.shape)
    if declared_bytes > _LARGEST_BYTES:
        raise DataError(
            f"{path}: {matrix.name} declares the shape {matrix.shape}, "
            f"{declared_bytes / 2**30:.0f} GiB; allowed: up to 1 GiB. The file is damaged: copy "
            f"or fetch it again."
        )
    if not fits(matrix.shape, shape):
        raise DataError(
            f"{path}: {matrix.name} has the shape {matrix.shape}; allowed: {shape_text(shape)}. "
            f"Is it the file of another data set?"
        )
    if matrix.kind in _CLASSES or matrix.complex:
        seen = "complex" if matrix.complex else _CLASSES[matrix.kind]
        raise DataError(f"{path}: {matrix.name} is of the class {seen}; allowed: real numbers.")
    kind, content, _ = next(_elements(matrix.rest, order), (0, memoryview(b""), matrix.rest))
    if kind not in _NUMBERS:
        raise _Damaged(f"{matrix.name} holds numbers of the type {kind}")
    stored = np.dtype(order + _NUMBERS[kind])
    count = math.prod(matrix.shape)
    if len(content) != count * stored.itemsize:
        raise _Damaged(f"{matrix.name} has {len(content)} bytes for {count} numbers")
    values = np.frombuffer(content, stored).astype(np.float64)
    return values.reshape(matrix.shape, order="F")
