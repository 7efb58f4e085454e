"""A pickle may rebuild arrays and do nothing else."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.loaders.unpickle import load_arrays
from ppgnas.errors import DataError
from tests.ppg.loaders.upstream import dalia_person, python2_pickle

HELD: dict[str, Any] = {
    "c": np.arange(12.0).reshape(4, 3),
    "f": np.asfortranarray(np.arange(12.0).reshape(4, 3)),
    "big": np.arange(5, dtype=">i4"),
    "small": np.array([True, False]),
    "text": np.array(["rest", "walk"]),
    "scalar": np.float64(3.5),
    "plain": [1, 2.5, None, ("a", b"b")],
}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _message(path: Path, content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        load_arrays(_write(path, content))
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_python_3(protocol: int, tmp_path: Path) -> None:
    read = load_arrays(_write(tmp_path / "a.pkl", pickle.dumps(HELD, protocol)))
    for key in ("c", "f", "big", "small", "text"):
        assert np.array_equal(read[key], HELD[key]), key
    assert read["big"].dtype.kind == "i" and read["scalar"] == 3.5
    assert read["plain"] == [1, 2.5, None, ("a", "b")]


def test_arrays_of_python_2_as_pickle_itself_reads_them(tmp_path: Path) -> None:
    held = dalia_person()
    content = python2_pickle(held)
    assert b"numpy.core.multiarray\n_reconstruct" in content and b"numpy._core" not in content
    read = load_arrays(_write(tmp_path / "S1.pkl", content))
    oracle = pickle.loads(content, encoding="latin1")  # our own bytes
    assert read["subject"] == oracle["subject"] == "S1"
    assert list(read) == list(oracle)
    for room, signals in oracle["signal"].items():
        for key, samples in signals.items():
            assert np.array_equal(read["signal"][room][key], samples)
            assert read["signal"][room][key].dtype == samples.dtype


class _Runs:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_by_name_and_nothing_runs(
    protocol: int, tmp_path: Path
) -> None:
    mark = tmp_path / "owned"
    for function, name in (
        (os.system, "posix.system"),
        (eval, "builtins.eval" if protocol > 2 else "__builtin__.eval"),
        (np.load, "numpy.load"),
        (np.memmap, "numpy.memmap"),
        (getattr, "getattr"),
    ):
        hostile = {"label": HELD["c"], "x": _Runs(function, f"touch {mark}")}
        message = _message(tmp_path / "S1.pkl", pickle.dumps(hostile, protocol))
        assert name in message and "Nothing was run" in message
        assert str(tmp_path / "S1.pkl") in message
    assert not mark.exists()


def _steps(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


NDARRAY = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n"
BUILD = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello, this is text\n", "no readable pickle"),
        (_steps(b"i", b"os\nsystem\n"), "INST"),
        (b"\x80\x02P1\n.", "PERSID"),
        (_steps(b"r" + struct.pack("<I", 2**31 - 1)), "place 2147483647"),
        (_steps(b"(", b"p99999999999\n"), "place 99999999999"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "truncated or damaged"),
        (_steps(b"\x82\x01"), "EXT1"),
        (_steps(b"(dq\x00", b"cos\nsystem\n"), "os.system"),
        # The array class itself may not be called or changed.
        (_steps(NDARRAY, b"K\x05\x85R"), "ndarray is called"),
        (_steps(NDARRAY, b"}b"), "ndarray is given a state"),
        (_steps(DTYPE, b"}b"), "dtype is given a state"),
        # Sizes that nobody has, and types that hold objects.
        (_steps(BUILD, NDARRAY, b"J\xff\xff\xff\x7f\x85", b"U\x01b", b"\x87R"), "is called with"),
        (_steps(DTYPE, b"U\x01O\x85R"), "array type 'O'"),
        (_steps(DTYPE, b"U\x02i4\x85R", b"}b"), "no readable pickle"),
        (b"c\\u\nx\n.", "the pickle asks for"),  # Python warns of the escape
        (_steps(NDARRAY), "bare StandIn"),
    ],
)
def test_steps_that_build_something_else(content: bytes, said: str, tmp_path: Path) -> None:
    assert said in _message(tmp_path / "S1.pkl", content)


def test_types_with_objects_or_fields(tmp_path: Path) -> None:
    for held in (np.array([1, "a"], dtype=object), np.zeros(2, [("a", "i4")])):
        message = _message(tmp_path / "S1.pkl", pickle.dumps(held, 2))
        assert "no readable pickle" in message and "array type" in message


def test_a_list_in_itself(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "nests deeper" in _message(tmp_path / "S1.pkl", pickle.dumps(loop))


def test_lists_that_are_shared_are_made_once(tmp_path: Path) -> None:
    shared: list[Any] = [1]
    for _ in range(15):
        shared = [shared] * 30  # 30^15 if each place were made anew
    held = load_arrays(_write(tmp_path / "S1.pkl", pickle.dumps(shared)))
    assert len(held) == 30 and held[0] is held[29]


@pytest.mark.parametrize(
    "content",
    [
        b"}" + pickle.dumps(np.arange(3), 2)[2:-1] + b"K\x01s.",  # an array as a key
        pickle.dumps(np.arange(3), 2).replace(b"i8", b",,"),
    ],
)
def test_what_cannot_be_a_key_or_a_type(content: bytes, tmp_path: Path) -> None:
    assert "no readable pickle" in _message(tmp_path / "S1.pkl", content)


def test_truncated_anywhere(tmp_path: Path) -> None:
    content = python2_pickle({"label": np.arange(40.0), "subject": "S1"})
    for length in range(len(content)):
        assert "S1.pkl" in _message(tmp_path / "S1.pkl", content[:length])


@settings(max_examples=150)
@given(st.data())
def test_garbled_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    import tempfile

    content = bytearray(python2_pickle({"label": np.arange(10.0), "s": "S1"}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        try:
            load_arrays(_write(Path(folder) / "S1.pkl", bytes(content)))
        except DataError as error:
            assert "S1.pkl" in str(error)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_arrays(tmp_path / "S1.pkl")
