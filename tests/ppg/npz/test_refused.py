"""Files and values that are no recording are refused by name."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.npz.folder import read_folder, read_recording
from tests.ppg.npz.npz_files import arrays, message, save


@pytest.mark.parametrize("keep", [0, 3, 40, 0.3, 0.7, 0.99])
def test_truncated_file(tmp_path: Path, keep: float) -> None:
    path = save(tmp_path / "cut.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    text = message(lambda: read_folder(tmp_path))
    assert "cut.npz" in text and ("truncated or damaged" in text or "not an .npz archive" in text)


def test_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "flip.npz")
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("ppg.npy").header_offset + 600
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    assert "truncated or damaged" in message(lambda: read_recording(path))


def test_damaged_header_inside_a_sound_archive(tmp_path: Path) -> None:
    source = save(tmp_path / "source.npz")
    target = tmp_path / "header.npz"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "hr_bpm.npy":
                content = content.replace(b"}", b"{", 1)
            new.writestr(name, content)
    assert "header.npz: unreadable" in message(lambda: read_recording(target))


def test_bare_array_and_text_are_not_archives(tmp_path: Path) -> None:
    with (tmp_path / "bare.npz").open("wb") as stream:
        np.save(stream, np.arange(5))
    assert "not an .npz archive" in message(lambda: read_recording(tmp_path / "bare.npz"))
    (tmp_path / "text.npz").write_text("hello")
    assert "b'hell'" in message(lambda: read_recording(tmp_path / "text.npz"))


def test_foreign_archive_lists_what_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "foreign.npz", ppg=np.zeros((9, 1)), weights=np.zeros(3))
    text = message(lambda: read_folder(tmp_path))
    assert "foreign.npz: not a recording: missing ppg_scale, ppg_fs; it holds" in text
    assert "it holds ppg, weights" in text


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "ran"),))

    path = save(tmp_path / "pickle.npz", subject=np.array([Trap()], dtype=object))
    text = message(lambda: read_recording(path))
    assert "pickle.npz: 'subject' is a pickled object array" in text
    assert not (tmp_path / "ran").exists()


def test_an_array_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.npz")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "b.npz", "w") as bomb:
        for name in whole.namelist():
            raw = whole.read(name)
            if name == "ppg.npy":
                raw = raw.replace(b"(1000, 2)", b"(900000000, 2)")
            bomb.writestr(name, raw)
    text = message(lambda: read_recording(tmp_path / "b.npz"))
    assert "b.npz: 'ppg' has the shape (900000000, 2) (uint16); allowed: up to 50000000" in text


@pytest.mark.parametrize("code", [0xD800, 0x110000, 0x7FFFFFFF])
def test_text_beyond_unicode(tmp_path: Path, code: int) -> None:
    path = save(tmp_path / "odd.npz", subject=np.array([code], np.uint32).view("<U1").reshape(()))
    assert "odd.npz: 'subject' is no Unicode text" in message(lambda: read_recording(path))


def _with(array: Any, index: Any, value: float) -> Any:
    changed = np.array(array, dtype=np.float64)
    changed[index] = value
    return changed


BASE = arrays()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"ppg": _with(BASE["ppg"], (70, 1), np.nan)}, "'ppg' is nan at sample 70, channel 1"),
    ({"ppg": _with(BASE["ppg"], (3, 0), -np.inf)}, "'ppg' is -inf at sample 3, channel 0"),
    ({"ppg": _with(BASE["ppg"], (3, 0), 1e300)}, "at sample 3, channel 0"),
    ({"acc": _with(BASE["acc"], (5, 2), np.nan)}, "'acc' is nan at sample 5, channel 2"),
    ({"ppg": np.full((1000, 2), 7)}, "'ppg' is constant (3.5) in all 2 channels"),
    ({"acc": np.zeros((640, 3))}, "write it without acc"),
    ({"ppg": BASE["ppg"][:, 0]}, "'ppg' has the shape (1000,); allowed: the shape (samples, ch"),
    ({"ppg": np.zeros((0, 2))}, "'ppg' has the shape (0, 2)"),
    ({"ppg": BASE["ppg"].astype(str)}, "'ppg' has the type <U"),
    ({"acc": BASE["acc"][:, :2]}, "'acc' has the shape (640, 2); allowed: the shape (samples, 3)"),
    ({"acc_fs": None}, "'acc' comes without acc_fs"),
    ({"acc_unit": np.array("m/s2")}, "'acc_unit' is 'm/s2'; allowed: 'g'"),
    ({"ppg_fs": np.float32(0)}, "'ppg_fs' is 0; allowed: a number above 0"),
    ({"acc_fs": np.float32(-32)}, "'acc_fs' is -32; allowed: a number above 0"),
    ({"ppg_fs": np.float32(np.nan)}, "'ppg_fs' is nan"),
    ({"ppg_fs": np.array([50, 50])}, "'ppg_fs' has the shape (2,); allowed: one number"),
    ({"ppg_scale": np.float32(0)}, "'ppg_scale' is 0"),
    ({"ppg": BASE["ppg"][:399]}, "'ppg' lasts 7.98 s (399 samples at 50 Hz); allowed: at least"),
    ({"acc": BASE["acc"][:255]}, "'acc' lasts 7.97 s"),
    ({"hr_window_s": np.float32(10)}, "'hr_window_s' is 10 s; allowed: 8 s"),
    ({"hr_lag_s": np.float64(1e30)}, "'hr_lag_s' reaches 1e+30 s"),
    ({"ppg_fs": np.float64(5)}, "'ppg_fs' is 5; allowed: a rate of 10.5 Hz or more"),
    ({"hr_lag_s": np.float32(np.inf)}, "'hr_lag_s' is inf"),
    ({"hr_bpm": np.array([60, 29.9, 60, 60])}, "'hr_bpm' is 29.9 at window 1 (1 such windows)"),
    (
        {"hr_bpm": np.array([60, 60, 60, 210])},
        "is 210 at window 3 (1 such windows); allowed: 30",
    ),
    ({"hr_bpm": np.array([np.nan, 60, 60, 60])}, "'hr_bpm' is nan at window 0"),
    ({"hr_bpm": np.zeros((4, 1))}, "'hr_bpm' has the shape (4, 1)"),
    ({"hr_start_s": np.array([0, 2, 2, 6])}, "'hr_start_s' is 2 s at window 2 after 2 s"),
    ({"hr_start_s": np.array([0, 4, 2, 6])}, "'hr_start_s' is 2 s at window 2 after 4 s"),
    ({"hr_start_s": np.array([0, np.nan, 4, 6])}, "'hr_start_s' is nan s at window 1"),
    ({"hr_start_s": np.arange(3)}, "'hr_start_s' has the shape (3,); allowed: the shape (4,)"),
    ({"hr_valid": np.ones(3, bool)}, "'hr_valid' has the shape (3,)"),
    ({"hr_valid": np.array([1, 2, 0, 1])}, "'hr_valid' has the type int64; allowed: True and"),
    (
        {"activity": np.array([0, 0, 2, 0])},
        "'activity' is 2 at window 2; allowed: -1 (unknown) to",
    ),
    ({"activity": np.zeros(4)}, "'activity' is float64 (4,)"),
    ({"gaps_s": np.zeros(4)}, "'gaps_s' has the shape (4,); allowed: the shape (gaps, 2)"),
    ({"gaps_s": np.array([[1.0, 2], [5, 4]])}, "'gaps_s' is 5 to 4 s at gap 1; allowed: sec"),
    ({"gaps_s": np.array([[1.0, np.nan]])}, "'gaps_s' is 1 to nan s at gap 0"),
    ({"gaps_s": np.array([["a", "b"]])}, "'gaps_s' has the type <U1"),
    ({"subject": np.array("")}, "'subject' is"),
    ({"subject": np.array("a/b")}, "'subject' is a/b (<U3); allowed: one printable name without"),
    ({"subject": np.array(["a", "b"])}, "'subject' is ['a' 'b']"),
    ({"dataset": np.array(3)}, "'dataset' is 3 (int64)"),
    ({"recording": np.array("a\nb")}, "'recording' is"),
]


@pytest.mark.parametrize(("changes", "expected"), BAD)
def test_bad_values_name_file_array_and_value(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    save(tmp_path / "bad.npz", **changes)
    text = message(lambda: read_folder(tmp_path))
    assert text.startswith(str(tmp_path / "bad.npz"))
    assert expected in text


def test_values_of_invalid_windows_do_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", hr_bpm=np.array([60, 60, np.nan, 60]))
    assert not read_recording(path).usable[2]


def test_windows_more_often_than_the_smoother_steps(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", hr_start_s=np.arange(4.0))
    text = message(lambda: read_recording(path))
    assert "'hr_start_s' has windows 1 s apart; allowed: 2 s, the stride of the smoother" in text
    save(tmp_path / "a.npz", hr_start_s=np.array([0.0, 2.0, 4.0, 1e9]))
    assert "'hr_start_s' reaches 1e+09 s" in message(lambda: read_recording(path))


def test_swapped_rates_and_other_units_are_refused(tmp_path: Path) -> None:
    swapped = {"ppg_fs": np.float32(32), "acc_fs": np.float32(50)}
    text = message(lambda: read_recording(save(tmp_path / "r.npz", **swapped)))
    assert "the PPG lasts 31.2 s at 32 Hz and the acceleration 12.8 s at 50 Hz" in text
    assert "The two rates look swapped: exchange them." in text
    counts = {"acc_scale": np.float32(0.064)}
    text = message(lambda: read_recording(save(tmp_path / "r.npz", **counts)))
    assert "median size of the acceleration" in text and "at most 4" in text
    # One that ends early is a recording; inspect speaks of it.
    early = read_recording(save(tmp_path / "r.npz", acc=arrays()["acc"][:500]))
    assert early.duration_s < 16
