"""Reading, checking and writing of .npz recordings."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.npz import (
    fingerprint,
    read_folder,
    read_recording,
    read_signals,
    write_recording,
)
from ppg.recording import Recording
from ppgnas.errors import DataError


def _arrays(**changes: Any) -> dict[str, Any]:
    """A well-formed file of 20 s: 4 windows; `None` takes an array out."""
    noise = np.random.default_rng(7)
    arrays: dict[str, Any] = {
        "ppg": noise.integers(0, 4096, (1000, 2)).astype(np.uint16),
        "ppg_scale": np.float32(0.5),
        "ppg_fs": np.float32(50),
        "ppg_unit": np.array("ADC counts"),
        "acc": noise.integers(-4000, 4000, (640, 3)).astype(np.int16),
        "acc_scale": np.float32(0.001),
        "acc_fs": np.float32(32),
        "acc_unit": np.array("g"),
        "hr_bpm": np.array([60.0, 61.5, 63.0, 64.0], dtype=np.float32),
        "hr_window_s": np.float32(8),
        "hr_stride_s": np.float32(2),
        "hr_start_s": np.array([0, 2, 4, 6], dtype=np.float32),
        "hr_lag_s": np.float32(-1.5),
        "hr_valid": np.array([True, True, False, True]),
        "activity": np.array([0, 0, 1, -1], dtype=np.int8),
        "activity_names": np.array(["rest", "walk"]),
        "subject": np.array("S1"),
        "recording": np.array("R1"),
        "dataset": np.array("lab"),
    }
    arrays.update(changes)
    return {key: value for key, value in arrays.items() if value is not None}


def _save(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **_arrays(**changes))
    return path


def _message(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def _equal(left: Recording, right: Recording) -> bool:
    for name in (field.name for field in fields(Recording)):
        a, b = getattr(left, name), getattr(right, name)
        if isinstance(a, np.ndarray):
            if not (isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)):
                return False
        elif a != b:
            return False
    return True


def test_physical_values_and_corrected_clock(tmp_path: Path) -> None:
    recording = read_recording(_save(tmp_path / "r.npz"))
    stored = _arrays()
    assert recording.ppg.dtype == np.float32
    assert np.array_equal(recording.ppg, stored["ppg"] * 0.5)
    assert recording.acc is not None
    np.testing.assert_allclose(recording.acc, stored["acc"] / 1000, atol=1e-6)
    assert (recording.ppg_hz, recording.acc_hz) == (50.0, 32.0)
    assert recording.window_start_s.tolist() == [-1.5, 0.5, 2.5, 4.5]
    assert recording.usable.tolist() == [False, True, False, True]
    assert recording.activity.tolist() == [0, 0, 1, -1]
    assert recording.activity_names == ("rest", "walk")
    assert (recording.person, recording.name, recording.synthetic) == ("lab/S1", "R1", False)


def test_the_published_clock_is_kept_and_written_back(tmp_path: Path) -> None:
    recording = read_recording(_save(tmp_path / "r.npz"))
    assert recording.label_lag_s == -1.5
    assert recording.on_published_clock().window_start_s.tolist() == [0, 2, 4, 6]
    write_recording(tmp_path / "again.npz", recording)
    assert _equal(read_recording(tmp_path / "again.npz"), recording)


def test_signals_need_no_reference_and_no_names(tmp_path: Path) -> None:
    labels = ("hr_bpm", "hr_start_s", "hr_lag_s", "hr_valid", "hr_window_s")
    names = ("subject", "recording", "dataset")
    path = _save(tmp_path / "mine.npz", **dict.fromkeys((*labels, *names)))
    found = read_signals(path)
    assert (found.person, found.name) == ("unlabelled/mine", "mine")
    assert len(found.usable) == 0 and found.acc is not None
    named = read_signals(_save(tmp_path / "named.npz", **dict.fromkeys(labels)))
    assert (named.person, named.name) == ("lab/S1", "R1")
    # with a reference it is a recording like any other, and must be whole
    assert _equal(read_signals(_save(tmp_path / "r.npz")), read_recording(tmp_path / "r.npz"))
    half = _save(tmp_path / "half.npz", hr_valid=None)
    assert "missing hr_valid" in _message(lambda: read_signals(half))
    none = _save(tmp_path / "none.npz", ppg=None)
    assert "missing ppg" in _message(lambda: read_signals(none))


def test_acceleration_and_activity_may_be_absent(tmp_path: Path) -> None:
    gone = dict.fromkeys(("acc", "acc_scale", "acc_fs", "acc_unit", "activity", "activity_names"))
    recording = read_recording(_save(tmp_path / "r.npz", **gone))
    assert recording.acc is None and recording.acc_hz is None
    assert recording.activity.tolist() == [-1] * 4
    assert recording.activity_names == ()


def test_one_flat_channel_is_kept(tmp_path: Path) -> None:
    ppg = np.c_[np.full(1000, 255.0), np.arange(1000.0)]
    assert read_recording(_save(tmp_path / "r.npz", ppg=ppg)).ppg.shape == (1000, 2)


def test_folder_is_walked_and_other_files_skipped(tmp_path: Path) -> None:
    first = np.random.default_rng(1).normal(size=(1000, 1))
    second = np.random.default_rng(2).normal(size=(1000, 1))
    _save(tmp_path / "lab" / "day2" / "b.npz", ppg=first, recording=np.array("R2"))
    _save(tmp_path / "lab" / "day1" / "a.npz")
    _save(tmp_path / "other" / "c.NPZ.npz", ppg=second, dataset=np.array("other"))
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / "lab" / "raw.mat").write_bytes(b"MATLAB 5.0")
    (tmp_path / "lab" / "._a.npz").write_bytes(b"finder")
    recordings = read_folder(tmp_path)
    assert [(r.person, r.name) for r in recordings] == [
        ("lab/S1", "R1"),
        ("lab/S1", "R2"),  # two recordings of one subject in one data set are one person
        ("other/S1", "R1"),
    ]


def test_a_linked_folder_is_read_once(tmp_path: Path) -> None:
    _save(tmp_path / "store" / "a.npz")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lab").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "loop").symlink_to(tmp_path / "data", target_is_directory=True)
    assert len(read_folder(tmp_path / "data")) == 1


def test_folder_missing_empty_or_a_file(tmp_path: Path) -> None:
    assert "no such folder" in _message(lambda: read_folder(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("x")
    text = _message(lambda: read_folder(tmp_path))
    assert str(tmp_path) in text and "no .npz file" in text and "hr_start_s" in text
    text = _message(lambda: read_folder(tmp_path / "notes.txt"))
    assert "a file, not a folder" in text
    assert "no such file" in _message(lambda: read_recording(tmp_path / "no.npz"))


@pytest.mark.parametrize("keep", [0, 3, 40, 0.3, 0.7, 0.99])
def test_truncated_file(tmp_path: Path, keep: float) -> None:
    path = _save(tmp_path / "cut.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    text = _message(lambda: read_folder(tmp_path))
    assert "cut.npz" in text and ("truncated or damaged" in text or "not an .npz archive" in text)


def test_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = _save(tmp_path / "flip.npz")
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("ppg.npy").header_offset + 600
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    assert "truncated or damaged" in _message(lambda: read_recording(path))


def test_damaged_header_inside_a_sound_archive(tmp_path: Path) -> None:
    source = _save(tmp_path / "source.npz")
    target = tmp_path / "header.npz"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "hr_bpm.npy":
                content = content.replace(b"}", b"{", 1)
            new.writestr(name, content)
    assert "header.npz: unreadable" in _message(lambda: read_recording(target))


def test_bare_array_and_text_are_not_archives(tmp_path: Path) -> None:
    with (tmp_path / "bare.npz").open("wb") as stream:
        np.save(stream, np.arange(5))
    assert "not an .npz archive" in _message(lambda: read_recording(tmp_path / "bare.npz"))
    (tmp_path / "text.npz").write_text("hello")
    assert "b'hell'" in _message(lambda: read_recording(tmp_path / "text.npz"))


def test_foreign_archive_lists_what_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "foreign.npz", ppg=np.zeros((9, 1)), weights=np.zeros(3))
    text = _message(lambda: read_folder(tmp_path))
    assert "foreign.npz: not a recording: missing ppg_scale, ppg_fs, hr_bpm" in text
    assert "it holds ppg, weights" in text


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "ran"),))

    path = _save(tmp_path / "pickle.npz", subject=np.array([Trap()], dtype=object))
    text = _message(lambda: read_recording(path))
    assert "pickle.npz: `subject` is a pickled object array" in text
    assert not (tmp_path / "ran").exists()


def _with(array: Any, index: Any, value: float) -> Any:
    changed = np.array(array, dtype=np.float64)
    changed[index] = value
    return changed


BASE = _arrays()
BAD: list[tuple[dict[str, Any], str]] = [
    ({"ppg": _with(BASE["ppg"], (70, 1), np.nan)}, "`ppg` is nan at sample 70, channel 1"),
    ({"ppg": _with(BASE["ppg"], (3, 0), -np.inf)}, "`ppg` is -inf at sample 3, channel 0"),
    ({"ppg": _with(BASE["ppg"], (3, 0), 1e300)}, "at sample 3, channel 0"),
    ({"acc": _with(BASE["acc"], (5, 2), np.nan)}, "`acc` is nan at sample 5, channel 2"),
    ({"ppg": np.full((1000, 2), 7)}, "`ppg` is constant (3.5) in all 2 channels"),
    ({"acc": np.zeros((640, 3))}, "write it without acc"),
    ({"ppg": BASE["ppg"][:, 0]}, "`ppg` has the shape (1000,); allowed: the shape (samples, ch"),
    ({"ppg": np.zeros((0, 2))}, "`ppg` has the shape (0, 2)"),
    ({"ppg": BASE["ppg"].astype(str)}, "`ppg` has the type <U"),
    ({"acc": BASE["acc"][:, :2]}, "`acc` has the shape (640, 2); allowed: the shape (samples, 3)"),
    ({"acc_fs": None}, "`acc` comes without acc_fs"),
    ({"acc_unit": np.array("m/s2")}, "`acc_unit` is 'm/s2'; allowed: 'g'"),
    ({"ppg_fs": np.float32(0)}, "`ppg_fs` is 0; allowed: a number above 0"),
    ({"acc_fs": np.float32(-32)}, "`acc_fs` is -32; allowed: a number above 0"),
    ({"ppg_fs": np.float32(np.nan)}, "`ppg_fs` is nan"),
    ({"ppg_fs": np.array([50, 50])}, "`ppg_fs` has the shape (2,); allowed: one number"),
    ({"ppg_scale": np.float32(0)}, "`ppg_scale` is 0"),
    ({"ppg": BASE["ppg"][:399]}, "`ppg` lasts 7.98 s (399 samples at 50 Hz); allowed: at least"),
    ({"acc": BASE["acc"][:255]}, "`acc` lasts 7.97 s"),
    ({"hr_window_s": np.float32(10)}, "`hr_window_s` is 10 s; allowed: 8 s"),
    ({"hr_lag_s": np.float64(1e30)}, "`hr_lag_s` reaches 1e+30 s"),
    ({"ppg_fs": np.float64(5)}, "`ppg_fs` is 5; allowed: a rate of 10.5 Hz or more"),
    ({"hr_lag_s": np.float32(np.inf)}, "`hr_lag_s` is inf"),
    ({"hr_bpm": np.array([60, 19.9, 60, 60])}, "`hr_bpm` is 19.9 at window 1 (1 such windows)"),
    ({"hr_bpm": np.array([60, 60, 60, 251])}, "`hr_bpm` is 251 at window 3"),
    ({"hr_bpm": np.array([np.nan, 60, 60, 60])}, "`hr_bpm` is nan at window 0"),
    ({"hr_bpm": np.zeros((4, 1))}, "`hr_bpm` has the shape (4, 1)"),
    ({"hr_bpm": np.zeros(0)}, "`hr_bpm` is empty"),
    ({"hr_start_s": np.array([0, 2, 2, 6])}, "`hr_start_s` is 2 s at window 2 after 2 s"),
    ({"hr_start_s": np.array([0, 4, 2, 6])}, "`hr_start_s` is 2 s at window 2 after 4 s"),
    ({"hr_start_s": np.array([0, np.nan, 4, 6])}, "`hr_start_s` is nan s at window 1"),
    ({"hr_start_s": np.arange(3)}, "`hr_start_s` has the shape (3,); allowed: the shape (4,)"),
    ({"hr_valid": np.ones(3, bool)}, "`hr_valid` has the shape (3,)"),
    ({"hr_valid": np.array([1, 2, 0, 1])}, "`hr_valid` has the type int64; allowed: True and"),
    (
        {"activity": np.array([0, 0, 2, 0])},
        "`activity` is 2 at window 2; allowed: -1 (unknown) to",
    ),
    ({"activity": np.zeros(4)}, "`activity` is float64 (4,)"),
    ({"subject": np.array("")}, "`subject` is"),
    ({"subject": np.array("a/b")}, "`subject` is a/b (<U3); allowed: one printable name without"),
    ({"subject": np.array(["a", "b"])}, "`subject` is ['a' 'b']"),
    ({"dataset": np.array(3)}, "`dataset` is 3 (int64)"),
    ({"recording": np.array("a\nb")}, "`recording` is"),
]


@pytest.mark.parametrize(("changes", "expected"), BAD)
def test_bad_values_name_file_array_and_value(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    _save(tmp_path / "bad.npz", **changes)
    text = _message(lambda: read_folder(tmp_path))
    assert text.startswith(str(tmp_path / "bad.npz"))
    assert expected in text


def test_values_of_invalid_windows_do_not_matter(tmp_path: Path) -> None:
    path = _save(tmp_path / "r.npz", hr_bpm=np.array([60, 60, np.nan, 60]))
    assert not read_recording(path).usable[2]


def test_one_recording_name_twice(tmp_path: Path) -> None:
    _save(tmp_path / "lab" / "a.npz")
    _save(tmp_path / "lab" / "b.npz", ppg=np.arange(1000.0)[:, None])
    text = _message(lambda: read_folder(tmp_path))
    assert "a.npz" in text and "b.npz" in text
    assert "both are the recording 'R1' of data set 'lab'" in text


def test_two_people_with_one_name(tmp_path: Path) -> None:
    _save(tmp_path / "london" / "a.npz")
    other = np.arange(1000.0)[:, None]
    _save(tmp_path / "paris" / "b.npz", ppg=other, recording=np.array("R2"))
    text = _message(lambda: read_folder(tmp_path))
    assert "two people with one name, 'lab/S1'" in text
    assert str(tmp_path / "london" / "a.npz") in text and str(tmp_path / "paris" / "b.npz") in text


def test_one_signal_under_two_names(tmp_path: Path) -> None:
    _save(tmp_path / "a.npz")
    _save(tmp_path / "b.npz", subject=np.array("S2"), recording=np.array("R2"))
    text = _message(lambda: read_folder(tmp_path))
    assert "the same PPG samples under two names, 'lab/S2' and 'lab/S1'" in text
    assert "a.npz" in text and "b.npz" in text


def test_one_signal_twice_for_one_person(tmp_path: Path) -> None:
    _save(tmp_path / "a.npz")
    _save(tmp_path / "b.npz", recording=np.array("R2"))
    assert "twice for 'lab/S1'" in _message(lambda: read_folder(tmp_path))


@pytest.mark.parametrize(
    "second",
    [
        {"subject": np.array("CR_01")},
        {"subject": np.array("S2"), "recording": np.array("CR_01")},
        {"subject": np.array("S2"), "also_in": np.array("XX CR_01")},
    ],
)
def test_also_in_reveals_one_person_under_two_names(
    tmp_path: Path, second: dict[str, Any]
) -> None:
    _save(tmp_path / "lab" / "a.npz", also_in=np.array("CR_01"))
    (first,) = read_folder(tmp_path)
    assert first.also_in == ("CR_01",)
    names = {"dataset": np.array("cr"), "recording": np.array("R2"), **second}
    _save(tmp_path / "cr" / "b.npz", ppg=np.arange(1000.0)[:, None], **names)
    text = _message(lambda: read_folder(tmp_path))
    assert "one person under two names" in text and "`also_in` says 'CR_01'" in text
    assert "a.npz" in text and "b.npz" in text


def test_windows_more_often_than_the_smoother_steps(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.npz", hr_start_s=np.arange(4.0))
    text = _message(lambda: read_recording(path))
    assert "`hr_start_s` has windows 1 s apart; allowed: 2 s, the stride of the smoother" in text
    _save(tmp_path / "a.npz", hr_start_s=np.array([0.0, 2.0, 4.0, 1e9]))
    assert "`hr_start_s` reaches 1e+09 s" in _message(lambda: read_recording(path))


def test_also_in_on_two_recordings_of_one_person_is_fine(tmp_path: Path) -> None:
    _save(tmp_path / "a.npz", also_in=np.array("CR_01"))
    other = np.arange(1000.0)[:, None]
    _save(tmp_path / "b.npz", also_in=np.array("CR_01"), recording=np.array("R2"), ppg=other)
    assert {r.person for r in read_folder(tmp_path)} == {"lab/S1"}


def test_round_trip(tmp_path: Path) -> None:
    recording = replace(read_recording(_save(tmp_path / "r.npz")), synthetic=True)
    write_recording(tmp_path / "deep" / "copy.npz", recording)
    assert _equal(read_recording(tmp_path / "deep" / "copy.npz"), recording)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy.npz"]


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(160, 300),
    channels=st.integers(1, 3),
    windows=st.integers(1, 5),
    acc_hz=st.none() | st.floats(10.5, 30.0),
    seed=st.integers(0, 2**16),
)
def test_round_trip_of_any_recording(
    tmp_path_factory: pytest.TempPathFactory,
    samples: int,
    channels: int,
    windows: int,
    acc_hz: float | None,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    ppg_hz = float(rng.uniform(10.5, 20))
    acc = None
    if acc_hz is not None:
        acc = rng.normal(size=(int(acc_hz * samples / ppg_hz) + 1, 3)).astype(np.float32)
    recording = Recording(
        subject="s",
        dataset="d",
        name="n",
        ppg=rng.normal(size=(samples, channels)).astype(np.float32),
        ppg_hz=ppg_hz,
        acc=acc,
        acc_hz=acc_hz,
        window_start_s=np.cumsum(rng.uniform(1.9, 4, windows)) - 3,
        hr_bpm=rng.uniform(30, 210, windows),
        valid=rng.random(windows) < 0.5,
        activity=np.full(windows, -1, dtype=np.int64),
    )
    path = tmp_path_factory.mktemp("round") / "r.npz"
    write_recording(path, recording)
    assert _equal(read_recording(path), recording)
    assert fingerprint([read_recording(path)]) == fingerprint([recording])


def test_write_wants_npz(tmp_path: Path) -> None:
    recording = read_recording(_save(tmp_path / "r.npz"))
    text = _message(lambda: write_recording(tmp_path / "r.mat", recording))
    assert "ends in '.mat'" in text


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / "r.npz")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_recording(path, read_recording(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.npz"]


def test_fingerprint_follows_content_not_order_or_place(tmp_path: Path) -> None:
    other = np.arange(1000.0)[:, None]
    a = read_recording(_save(tmp_path / "x" / "a.npz"))
    b = read_recording(_save(tmp_path / "b.npz", subject=np.array("S2"), ppg=other))
    moved = read_recording(_save(tmp_path / "y" / "moved.npz"))
    assert len(fingerprint([a])) == 64
    assert fingerprint([a, b]) == fingerprint([b, moved])
    changed = [
        replace(a, ppg=a.ppg + np.float32(1)),
        replace(a, acc=None, acc_hz=None),
        replace(a, subject="S2"),
        replace(a, name="R2"),
        replace(a, ppg_hz=51.0),
        replace(a, hr_bpm=a.hr_bpm + 1),
        replace(a, window_start_s=a.window_start_s + 1),
        replace(a, valid=~a.valid),
        replace(a, synthetic=True),
    ]
    prints = {fingerprint([recording]) for recording in [a, *changed]}
    assert len(prints) == len(changed) + 1


def test_fingerprint_is_stable() -> None:
    recording = Recording(
        subject="s",
        dataset="d",
        name="n",
        ppg=np.arange(80, dtype=np.float32)[:, None],
        ppg_hz=10.0,
        acc=None,
        acc_hz=None,
        window_start_s=np.array([0.0]),
        hr_bpm=np.array([60.0]),
        valid=np.array([True]),
        activity=np.array([-1]),
    )
    assert fingerprint([recording]).startswith("0f8ff2061a311511")


def _real_folder() -> Path:
    default = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("PPGNAS_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("no real recordings: set PPGNAS_TEST_DATA to a folder of .npz recordings")
    return folder


def test_real_recordings() -> None:
    recordings = read_folder(_real_folder())
    by_set: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_set.setdefault(recording.dataset, []).append(recording)
    if "ieee_spc2015" not in by_set or "bami1" not in by_set:
        pytest.skip("the folder does not hold ieee_spc2015 and bami1")
    assert len(by_set["ieee_spc2015"]) == 23
    assert len({r.person for r in by_set["ieee_spc2015"]}) == 20
    assert sum(len(r.hr_bpm) for r in by_set["ieee_spc2015"]) == 3203
    assert len({r.person for r in by_set["bami1"]}) == 25
    first = next(r for r in by_set["bami1"] if r.name == "BAMI1_1")
    assert first.window_start_s[:2].tolist() == [-1.5, 0.5] and not first.usable[0]
    assert first.acc is not None
    size = np.linalg.norm(first.acc[: len(first.acc) // 50 * 50], axis=1).reshape(-1, 50)
    stillest_second = size[np.argmin(size.std(axis=1))]
    assert abs(np.median(stillest_second) - 1) < 0.05  # gravity alone, in g
    assert not any(r.synthetic for r in recordings)
    if "welltory" in by_set:
        assert all(r.acc is None for r in by_set["welltory"])


def test_swapped_rates_and_other_units_are_refused(tmp_path: Path) -> None:
    swapped = {"ppg_fs": np.float32(32), "acc_fs": np.float32(50)}
    message = _message(lambda: read_recording(_save(tmp_path / "r.npz", **swapped)))
    assert "the PPG lasts 31.2 s at 32 Hz and the acceleration 12.8 s at 50 Hz" in message
    assert "The two rates look swapped: exchange them." in message
    counts = {"acc_scale": np.float32(0.064)}
    message = _message(lambda: read_recording(_save(tmp_path / "r.npz", **counts)))
    assert "median size of the acceleration" in message and "at most 4" in message
    # One that ends early is a recording; inspect speaks of it.
    early = read_recording(_save(tmp_path / "r.npz", acc=_arrays()["acc"][:500]))
    assert early.duration_s < 16


def test_the_clock_and_other_names_are_kept(tmp_path: Path) -> None:
    first = read_recording(_save(tmp_path / "r.npz", also_in=np.array("CR_01")))
    assert first.label_lag_s == -1.5 and first.also_in == ("CR_01",)
    write_recording(tmp_path / "s.npz", first)
    assert _equal(read_recording(tmp_path / "s.npz"), first)
    assert float(np.load(tmp_path / "s.npz")["hr_lag_s"]) == -1.5
