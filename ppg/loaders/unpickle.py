"""Pickles of numpy arrays, read without running anything that they bring.

PPG-DaLiA and WESAD are published as Python 2 pickles. A pickle is a program: it may name any
function and call it. Here it may name only what numpy needs to rebuild an array, and even those
names are bound to stand-ins that check their arguments and never let the pickle set the state of
a real numpy object. Everything else is refused by its name: the opcodes are scanned before any of
them runs, and a name that the pickle puts together is refused where it is looked up.

Convention: texts of Python 2 are decoded as Latin-1; samples stay bytes until numpy reads them.
Reference: https://docs.python.org/3/library/pickle.html#restricting-globals
"""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppgnas.errors import DataError

_NUMBERS = "biufSU"  # kinds of numpy types that hold no Python objects
_MODULES = ("numpy.core", "numpy._core")
_REFUSED = {"INST", "OBJ", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEWOBJ", "NEWOBJ_EX"}
_STEP = (
    "Nothing was run. A data set of the field holds arrays alone: fetch the file again from its "
    "publisher."
)


def load_arrays(path: Path) -> Any:
    """Read a pickle of dicts, lists, tuples, texts, numbers and numpy arrays.

    Args:
        path: a file of any pickle protocol, written by Python 2 or 3.

    Returns:
        The object; keys and short texts are `str`, arrays hold numbers or texts.

    Raises:
        DataError: no such file, not a pickle, damaged, or it names something other than what
            numpy needs to rebuild an array. The message says which.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of a .pkl file of the data set.")
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes and type codes in a damaged file
        return _load(path, content)


def _load(path: Path, content: bytes) -> Any:
    _scan(path, content)
    try:
        return _plain(path, _Reader(path, content).load(), {})
    except DataError:
        raise
    except (
        pickle.UnpicklingError,
        SyntaxError,  # of numpy, which parses some array types as Python text
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
        MemoryError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    reason = (str(error).strip().split("\n")[0] or type(error).__name__)[:120]
    return DataError(
        f"{path}: no readable pickle, truncated or damaged ({reason}). Allowed: a whole pickle of "
        f"numpy arrays. Copy or fetch the file again."
    )


def _scan(path: Path, content: bytes) -> None:
    """Walk the opcodes without running them: steps, names and memo places."""
    if not content:
        raise DataError(f"{path}: the file is empty; allowed: a pickle. Fetch the file again.")
    if not content.endswith(pickle.STOP):
        raise _damaged(path, ValueError("it does not end as one"))
    try:
        for steps, (code, argument, _) in enumerate(pickletools.genops(content), start=1):
            if code.name in _REFUSED:
                raise DataError(
                    f"{path}: the pickle holds the step {code.name}, which builds objects other "
                    f"than arrays. {_STEP}"
                )
            if code.name == "GLOBAL":
                _allowed(path, *str(argument).split(" ", 1))
            if isinstance(argument, int) and code.name.endswith("PUT") and argument > steps:
                # A huge place makes the reader reserve a table of that size.
                raise DataError(
                    f"{path}: the pickle puts a value into place {argument} after {steps} steps; "
                    f"allowed: places in order. {_STEP}"
                )
    except DataError:
        raise
    except (ValueError, IndexError, KeyError, MemoryError, OverflowError) as error:
        raise _damaged(path, error) from error


def _allowed(path: Path, module: str, name: str) -> _StandIn:
    """The stand-in for a name of a pickle."""
    room = next((room for room in _MODULES if module.startswith(room + ".")), "")
    found = _STAND_INS.get((module.removeprefix(room), name))
    if found is None:
        raise DataError(
            f"{path}: the pickle asks for {module}.{name}; allowed: only what numpy needs to "
            f"rebuild an array, because anything else could run code. {_STEP}"
        )
    return found


class _Reader(pickle.Unpickler):
    """Finds nothing but the stand-ins."""

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        return _allowed(self._path, module, name)


class _StandIn:
    """What a name of the pickle is bound to: may be called, never changed."""

    __slots__ = ("role",)
    role: str

    def __init__(self, role: str) -> None:
        object.__setattr__(self, "role", role)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ValueError(f"{self.role} is given a {name}")

    def __call__(self, *arguments: Any) -> Any:
        if self.role == "reconstruct" and arguments[:2] == (_NDARRAY, (0,)):
            return _Array()
        if self.role == "dtype":
            return _Type(*arguments[:1])
        if self.role == "scalar":
            return _scalar(*arguments)
        if self.role == "frombuffer":
            content, kind, shape, order = arguments
            return _samples(content, kind, shape, fortran=order == "F")
        if self.role == "encode":
            return _encode(*arguments)
        raise ValueError(f"{self.role} is called with {str(arguments)[:60]}")

    def __setstate__(self, state: Any) -> None:
        raise ValueError(f"{self.role} is given a state")


_NDARRAY = _StandIn("ndarray")
_STAND_INS = {
    (".multiarray", "_reconstruct"): _StandIn("reconstruct"),
    (".multiarray", "scalar"): _StandIn("scalar"),
    (".numeric", "_frombuffer"): _StandIn("frombuffer"),
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _StandIn("dtype"),
    ("_codecs", "encode"): _StandIn("encode"),
}


class _Type:
    """An array type, told in two steps: code, then byte order."""

    __slots__ = ("numpy",)

    def __init__(self, code: Any = None) -> None:
        text = code.decode("latin-1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or len(text) > 16:
            raise ValueError(f"an array type {str(text)[:40]!r}; allowed: numbers and texts")
        self.numpy: np.dtype[Any] = np.dtype(text)
        if self.numpy.kind not in _NUMBERS:
            raise ValueError(f"an array type {text!r}; allowed: numbers and texts")

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("latin-1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise ValueError("an array type with fields; allowed: numbers and texts")
        if order in ("<", ">"):
            self.numpy = self.numpy.newbyteorder("<" if order == "<" else ">")


class _Array:
    """An array, told in two steps: that it is one, then shape, type and samples."""

    __slots__ = ("samples",)

    def __init__(self) -> None:
        self.samples: NDArray[Any] = np.zeros(0, np.int8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        self.samples = _samples(content, kind, shape, fortran=bool(fortran))


def _samples(content: Any, kind: Any, shape: Any, *, fortran: bool) -> NDArray[Any]:
    """The array of some bytes, which must be as many as its shape says."""
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray | memoryview):
        raise ValueError("an array whose samples are no numbers or texts")
    return np.frombuffer(content, kind.numpy).reshape(shape, order="F" if fortran else "C")


def _scalar(kind: Any, content: Any = b"") -> Any:
    if not isinstance(kind, _Type):
        raise ValueError("a scalar of a type other than numbers and texts")
    return np.frombuffer(content, kind.numpy, count=1)[0]


def _encode(text: Any, coding: Any = "latin1") -> bytes:
    if coding not in ("latin1", "latin-1", b"latin1"):
        raise ValueError(f"a coding {coding!r}; allowed: latin1")
    return str(text).encode("latin-1")


def _plain(path: Path, value: Any, made: dict[int, Any], depth: int = 0) -> Any:
    """Arrays for their stand-ins, and the texts of Python 2 as `str`.

    What stands in several places is made once (`made`, by identity): lists of one list, ten levels
    deep, would be thousands of millions.
    """
    if depth > 20:
        raise DataError(f"{path}: the pickle nests deeper than 20 levels; allowed: a few. {_STEP}")
    if isinstance(value, _Array):
        return value.samples
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict | list | tuple):
        if id(value) not in made:
            plain = partial(_plain, path, made=made, depth=depth + 1)
            made[id(value)] = (
                {plain(key): plain(item) for key, item in value.items()}
                if isinstance(value, dict)
                else type(value)(map(plain, value))
            )
        return made[id(value)]
    if isinstance(value, _StandIn | _Type):
        raise DataError(f"{path}: the pickle holds a bare {type(value).__name__[1:]}. {_STEP}")
    return value
