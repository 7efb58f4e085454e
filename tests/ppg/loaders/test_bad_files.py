"""Truncated, garbled and foreign files of every format: one message each, with the file's name."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from ppg.loaders.matlab import read_matrices
from ppg.loaders.own.text import read_columns
from ppg.loaders.registry import read_folder
from ppgnas.errors import DataError
from tests.ppg.loaders import upstream

SETS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "dalia": (lambda root: upstream.write_dalia(root, 1), "S1/S1.pkl"),
    "wesad": (lambda root: upstream.write_wesad(root, 2), "S2/S2.pkl"),
    "spc": (upstream.write_spc, "TestData/TEST_S01_T01.mat"),
    "spc labels": (upstream.write_spc, "TrueBPM/True_S01_T01.mat"),
    "bami": (lambda root: upstream.write_bami(root) / "BAMI-1", "BAMI1_6.mat"),
    "bidmc": (lambda root: upstream.write_bidmc(root, 2), "bidmc_csv/bidmc_02_Signals.csv"),
    "numerics": (lambda root: upstream.write_bidmc(root, 2), "bidmc_csv/bidmc_02_Numerics.csv"),
    "welltory": (upstream.write_welltory, "subject_07/PPG.csv"),
    "intervals": (upstream.write_welltory, "subject_07/RR.txt"),
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"<html>404 not found</html>",
    "binary": lambda content: bytes(range(256)) * 8,
    "zeros": lambda content: bytes(len(content)),
    "truncated": lambda content: content[: len(content) * 2 // 5],
    "header alone": lambda content: content[:40],
}


def _message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_folder(path)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    return text


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", SETS)
def test_damaged_files(name: str, damage: str, tmp_path: Path) -> None:
    write, inside = SETS[name]
    root = write(tmp_path)
    file = root / inside
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    if name == "numerics" and damage in ("truncated", "header alone"):
        return  # the monitor's rows are a second opinion: fewer of them are fewer opinions
    cut = damage == "truncated" or (name, damage) == ("intervals", "header alone")
    if name in ("bidmc", "welltory", "intervals") and cut:
        # A text that ends early is a shorter recording, or ends within a number.
        try:
            (recording,) = read_folder(root)
        except DataError as error:
            assert file.name in str(error)
        else:
            assert len(recording.hr_bpm) < 27
        return
    assert file.name in _message(root)


def _dalia(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    person = upstream.dalia_person(seed=1)
    change(person)
    folder = tmp_path / "S1"
    folder.mkdir()
    (folder / "S1.pkl").write_bytes(upstream.python2_pickle(person))
    (folder / "S1_activity.csv").write_text("")
    return _message(tmp_path)


def test_an_activity_that_is_no_number_is_unknown(tmp_path: Path) -> None:
    person = upstream.dalia_person(seed=1)
    person["activity"] = np.full(len(person["activity"]), np.nan)
    (tmp_path / "S1").mkdir()
    (tmp_path / "S1" / "S1.pkl").write_bytes(upstream.python2_pickle(person))
    (tmp_path / "S1" / "S1_activity.csv").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_folder(tmp_path)
    assert (recording.activity == -1).all()


def _swap(person: dict[str, Any]) -> None:
    """Write both signals at the rate of the other."""
    wrist = person["signal"]["wrist"]
    wrist["BVP"], wrist["ACC"] = wrist["BVP"][::2], np.repeat(wrist["ACC"], 2, axis=0)
    person["label"] = person["label"][:12]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.pop("label"), "missing label; it holds signal"),
        (lambda p: p["signal"].pop("wrist"), "holds no wrist with BVP and ACC"),
        (lambda p: p["signal"].update(wrist=3), "holds no wrist"),
        (lambda p: p.update(label="seventy"), "label is str; allowed: numbers"),
        (lambda p: p.update(label=[[1.0], [2.0, 3.0]]), "label is a list of unequal rows"),
        (lambda p: p.update(label=np.zeros((0,))), "allowed: numbers of the shape (any)"),
        (lambda p: p.update(label=p["label"][:5]), "5 labels for a PPG of 60.0 s; allowed: about"),
        (lambda p: p.update(label=p["label"] * np.nan), "none of the 27 reference heart rates"),
        (lambda p: p.update(label=p["label"] + 900), "within 30 to 209 BPM"),
        (lambda p: p["signal"]["wrist"].update(ACC=np.zeros((9, 2))), "shape (any, 3)"),
        (lambda p: p["signal"]["wrist"].update(BVP=np.array([["a"]])), "signal.wrist.BVP is <U1"),
        (lambda p: p["signal"]["wrist"]["BVP"].__setitem__(7, np.nan), "nan at sample 7"),
        (lambda p: p["signal"]["wrist"]["BVP"].fill(0), "the PPG is constant (0)"),
        (lambda p: p["signal"]["wrist"]["ACC"].__imul__(64), "counts of 1/64 g: divide by 64"),
        (lambda p: p["signal"]["wrist"]["ACC"].__imul__(9.81), "looks like m/s2"),
        (lambda p: p["signal"]["wrist"]["ACC"].__imul__(1000), "looks like mg"),
        (_swap, "The two rates look swapped"),
    ],
)
def test_wrong_contents_of_dalia(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    assert said in _dalia(tmp_path, change)


def test_wesad_without_an_electrocardiogram(tmp_path: Path) -> None:
    root = upstream.write_wesad(tmp_path, 2)
    for ecg, said in (
        (None, "holds no ECG"),
        (np.full((42000, 1), np.nan), "not finite in 42000 samples"),
        (np.zeros((42000, 1)), "none of the 27 reference heart rates"),
        (np.zeros((700, 1)), "the PPG lasts 60.0 s and the ECG 1.0 s"),
    ):
        person = upstream.wesad_person(seed=2)
        if ecg is None:
            del person["signal"]["chest"]["ECG"]
        else:
            person["signal"]["chest"]["ECG"] = ecg
        (root / "S2" / "S2.pkl").write_bytes(upstream.python2_pickle(person))
        assert said in _message(root)


# ---- MATLAB -----------------------------------------------------------------------------------


def _refused(path: Path, **shapes: tuple[int | None, ...]) -> str:
    with pytest.raises(DataError) as caught:
        read_matrices(path, shapes or {"sig": (None, None)})
    return str(caught.value)


def test_matlab_of_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "DATA_01_TYPE01.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(90) + b"\x89HDF\r\n\x1a\n")
    assert "MATLAB 7.3 (HDF5) file" in _refused(path) and "'-v7'" in _refused(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    assert "MATLAB 7.3 (HDF5) file" in _refused(path)
    savemat(path, {"sig": np.ones((5, 7))}, format="4")
    assert "a MATLAB 4 file" in _refused(path)


def test_matlab_matrices_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"sig": np.ones((5, 7)), "word": "text", "cell": np.array([1, "a"], object)})
    assert "no variable BPM0; it holds cell, sig, word" in _refused(path, BPM0=(None, 1))
    assert "sig has the shape (5, 7); allowed: (6, any)" in _refused(path, sig=(6, None))
    assert "word is of the class char; allowed: real" in _refused(path, word=(1, None))
    assert "cell is of the class cell; allowed: real" in _refused(path, cell=(1, None))
    savemat(path, {"sig": np.ones((2, 2)) * 1j})
    assert "sig is of the class complex" in _refused(path)


def test_matlab_variables_compressed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"sig": np.ones((5, 7))})
    content = path.read_bytes()
    part = content[128:]
    for _ in range(1500):
        packed = zlib.compress(part)
        part = struct.pack("<II", 15, len(packed)) + packed
    path.write_bytes(content[:128] + part)
    with pytest.raises(
        DataError, match=r"a\.mat: .*a compressed variable within a compressed one"
    ):
        read_matrices(path, {"sig": (5, None)})


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i2", "u2", "u1", "i4", "u4", "i8", "bool"])
def test_matlab_as_scipy_reads_it(kind: str, compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    rng = np.random.default_rng(0)
    held = {
        "sig": rng.integers(0, 2 if kind == "bool" else 120, (3, 41)).astype(kind),
        "a_long_name_of_a_variable": np.array([[1.5]]),
        "word": "text",
        "st": {"x": 1, "y": np.ones(3)},
        "BPM0": rng.normal(size=(7, 1)),
    }
    savemat(path, held, do_compression=compressed)
    shapes = {"sig": (3, None), "BPM0": (None, 1), "a_long_name_of_a_variable": (1, 1)}
    found = read_matrices(path, shapes)
    oracle = loadmat(path)
    for name in shapes:
        assert np.array_equal(found[name], oracle[name]) and found[name].dtype == np.float64


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_matlab_variables_that_nobody_asked_for(packed: bool, first: bool, tmp_path: Path) -> None:
    """A string of MATLAB's own ("..." rather than '...') is an object without dimensions."""
    path = tmp_path / "a.mat"
    savemat(path, {"sig": np.ones((5, 7))})
    header, signal = path.read_bytes()[:128], path.read_bytes()[128:]
    parts = [struct.pack("<II", 17, 0), b"note", b"MCOS", b"string", bytes(24)]
    text = b"".join(_element(k, part) for k, part in zip((6, 1, 1, 1, 6), parts, strict=True))
    text = _element(14, text)
    text = (
        struct.pack("<II", 15, len(zlib.compress(text))) + zlib.compress(text) if packed else text
    )
    path.write_bytes(header + (text + signal if first else signal + text))
    assert read_matrices(path, {"sig": (5, None)})["sig"].shape == (5, 7)
    with pytest.raises(DataError, match="a variable without class or dimensions"):
        read_matrices(path, {"note": (None, 1)})
    path.write_bytes(header + text + signal[:-40])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_matrices(path, {"sig": (5, None)})


def test_matlab_of_a_huge_declared_size(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"sig": np.ones((5, 7))}, do_compression=False)
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<ii", 5, 7))
    content[at : at + 8] = struct.pack("<ii", 2**20, 2**20)
    path.write_bytes(content)
    assert "declares the shape (1048576, 1048576), 8192 GiB" in _refused(path)


@settings(max_examples=400)
@given(data=st.data())
def test_matlab_garbled_anywhere(data: st.DataObject, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    savemat(path, {"sig": np.arange(35.0).reshape(5, 7)}, do_compression=data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = read_matrices(path, {"sig": (5, None)})
    except DataError as error:
        assert "a.mat" in str(error)
    else:
        assert found["sig"].shape[0] == 5


def test_a_signal_with_a_wrong_number_of_rows(tmp_path: Path) -> None:
    root = upstream.write_spc(tmp_path)
    savemat(root / "TestData" / "TEST_S01_T01.mat", {"sig": np.ones((4, 7500))})
    assert "sig has 4 rows; allowed: 6" in _message(root)


# ---- text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,2", "has 2 cells; allowed: 5"),
        ("0.008,a,b,c,d", "PLETH is 'b' in line 3"),
        ("9.0,0,0,0,0", "does not run at 125 Hz"),
        ("0.008,0,0,0,", "lead II is empty in 1 rows"),
        ("0.008,0,,0,0", "the PPG is nan at sample 1"),
    ],
)
def test_wrong_rows_of_bidmc(line: str, said: str, tmp_path: Path) -> None:
    root = upstream.write_bidmc(tmp_path, 2)
    file = root / "bidmc_csv" / "bidmc_02_Signals.csv"
    lines = file.read_text().splitlines()
    lines[2] = line
    file.write_text("\n".join(lines))
    assert said in _message(root)


def test_wrong_columns_of_bidmc(tmp_path: Path) -> None:
    root = upstream.write_bidmc(tmp_path, 2)
    file = root / "bidmc_csv" / "bidmc_02_Signals.csv"
    file.write_text(file.read_text().replace("PLETH", "PPG"))
    assert "the column 'PLETH' is missing; allowed: one of Time [s], RESP" in _message(root)


def test_times_of_welltory_that_run_back(tmp_path: Path) -> None:
    root = upstream.write_welltory(tmp_path)
    file = root / "subject_07" / "PPG.csv"
    lines = file.read_text().splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    file.write_text("\n".join(lines))
    assert "time does not increase" in _message(root)


def test_intervals_in_seconds(tmp_path: Path) -> None:
    root = upstream.write_welltory(tmp_path)
    (root / "subject_07" / "RR.txt").write_text("1.0 1.0 0.9 1.1 1.0 1.0")
    assert "not all between 200 and 5000 ms" in _message(root)
    (root / "subject_07" / "RR.txt").unlink()
    assert "RR.txt: no such file" in _message(root)


@settings(max_examples=100)
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_columns(content: bytes, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    for head in (b"", b"t,green,hr\n0,1,2\n"):
        path.write_bytes(head + content)
        try:
            read_columns(path, ("t", "green", "hr"))
        except DataError as error:
            assert "a.csv" in str(error) and "\n" not in str(error)
