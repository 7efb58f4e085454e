"""Reading .npz recordings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ppg.npz.folder import files_below, read_folder, read_recording, write_recording
from ppg.recording import Recording
from tests.ppg.npz.npz_files import arrays, equal, message, save


def test_physical_values_and_corrected_clock(tmp_path: Path) -> None:
    recording = read_recording(save(tmp_path / "r.npz"))
    stored = arrays()
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
    recording = read_recording(save(tmp_path / "r.npz"))
    assert recording.label_lag_s == -1.5
    assert recording.with_lag(0.0).window_start_s.tolist() == [0, 2, 4, 6]
    write_recording(tmp_path / "again.npz", recording)
    assert equal(read_recording(tmp_path / "again.npz"), recording)


def test_signals_need_no_reference_and_no_names(tmp_path: Path) -> None:
    labels = ("hr_bpm", "hr_start_s", "hr_lag_s", "hr_valid", "hr_window_s")
    names = ("subject", "recording", "dataset")
    path = save(tmp_path / "mine.npz", **dict.fromkeys((*labels, *names)))
    found = read_recording(path)
    assert (found.person, found.name) == ("unlabelled/mine", "mine")
    assert len(found.usable) == 0 and found.acc is not None
    named = read_recording(save(tmp_path / "named.npz", **dict.fromkeys(labels)))
    assert (named.person, named.name) == ("lab/S1", "R1")
    empty = read_recording(save(tmp_path / "empty.npz", hr_bpm=np.zeros(0)))
    assert equal(empty, named)
    # with a reference it is a recording like any other, and must be whole
    half = save(tmp_path / "half.npz", hr_valid=None)
    assert "missing hr_valid" in message(lambda: read_recording(half))
    none = save(tmp_path / "none.npz", ppg=None)
    assert "missing ppg" in message(lambda: read_recording(none))


@pytest.mark.parametrize(
    ("level", "scale"), [(1.9e9, 1e-9), (1e12, 1.0), (65_535.0, 2e-8), (-3e9, 1e3)]
)
def test_a_pulse_on_a_far_level_of_any_unit_is_kept(
    tmp_path: Path, level: float, scale: float
) -> None:
    pulse = 20 * np.sin(np.arange(1000) / 8)[:, None]
    path = save(tmp_path / "a.npz", ppg=level + pulse, ppg_scale=scale)
    kept = read_recording(path).ppg.astype(np.float64)
    assert np.abs(kept - kept.mean() - scale * (pulse - pulse.mean())).max() < 1e-3 * 20 * scale


def test_a_pulse_on_a_far_level_is_kept(tmp_path: Path) -> None:
    """Counts of 1.9e9 with a pulse of 20: float32 steps there are 128 wide."""
    ppg = 1_900_000_000 + np.rint(10 * np.sin(np.arange(1000) / 8)).astype(np.int64)[:, None]
    recording = read_recording(save(tmp_path / "r.npz", ppg=ppg, ppg_scale=np.float32(1)))
    np.testing.assert_array_equal(np.diff(recording.ppg[:, 0]), np.diff(ppg[:, 0]))
    write_recording(tmp_path / "again.npz", recording)
    assert equal(read_recording(tmp_path / "again.npz"), recording)
    near = read_recording(save(tmp_path / "n.npz", ppg=ppg - 1_899_950_000, ppg_scale=1.0))
    assert near.ppg.min() > 49_000  # others keep their level


def test_acceleration_and_activity_may_be_absent(tmp_path: Path) -> None:
    gone = dict.fromkeys(("acc", "acc_scale", "acc_fs", "acc_unit", "activity", "activity_names"))
    recording = read_recording(save(tmp_path / "r.npz", **gone))
    assert recording.acc is None and recording.acc_hz is None
    assert recording.activity.tolist() == [-1] * 4
    assert recording.activity_names == ()


def test_one_flat_channel_is_kept(tmp_path: Path) -> None:
    ppg = np.c_[np.full(1000, 255.0), np.arange(1000.0)]
    assert read_recording(save(tmp_path / "r.npz", ppg=ppg)).ppg.shape == (1000, 2)


def test_folder_is_walked_and_other_files_skipped(tmp_path: Path) -> None:
    first = np.random.default_rng(1).normal(size=(1000, 1))
    second = np.random.default_rng(2).normal(size=(1000, 1))
    save(tmp_path / "lab" / "day2" / "b.npz", ppg=first, recording=np.array("R2"))
    save(tmp_path / "lab" / "day1" / "a.npz")
    save(tmp_path / "other" / "c.NPZ.npz", ppg=second, dataset=np.array("other"))
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
    save(tmp_path / "store" / "a.npz")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lab").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "loop").symlink_to(tmp_path / "data", target_is_directory=True)
    assert len(read_folder(tmp_path / "data")) == 1


def test_a_link_that_points_above_leads_nowhere(tmp_path: Path) -> None:
    save(tmp_path / "others" / "private.npz", subject=np.array("S9"))
    save(tmp_path / "data" / "a.npz")
    for name, target in (("up", tmp_path), ("root", Path("/")), ("self", tmp_path / "data")):
        (tmp_path / "data" / name).symlink_to(target, target_is_directory=True)
    (tmp_path / "data" / "ring").symlink_to(tmp_path / "data" / "ring")
    assert files_below(tmp_path / "data") == [tmp_path / "data" / "a.npz"]


def test_folders_deeper_than_the_stack(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1010):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    try:
        assert files_below(tmp_path) == []
    finally:  # Python's own way of removing it recurses
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)


def test_folder_missing_empty_or_a_file(tmp_path: Path) -> None:
    assert "no such folder" in message(lambda: read_folder(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("x")
    text = message(lambda: read_folder(tmp_path))
    assert str(tmp_path) in text and "no .npz file" in text and "hr_start_s" in text
    text = message(lambda: read_folder(tmp_path / "notes.txt"))
    assert "a file, not a folder" in text
    assert "no such file" in message(lambda: read_recording(tmp_path / "no.npz"))


def _real_folder() -> Path:
    default = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
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
