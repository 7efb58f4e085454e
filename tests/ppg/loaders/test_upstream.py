"""Folders in the published layouts become the recordings that they should."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ppg.loaders import bami, dalia, wesad
from ppg.loaders.registry import DATA_SETS, data_set, read_folder, unread_beside
from ppg.npz.folder import read_folder as read_npz
from ppg.npz.folder import write_folder
from ppg.recording import Recording
from ppgnas.errors import DataError
from tests.ppg.loaders import upstream


def _equal(left: Recording, right: Recording) -> bool:
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
        for a, b in (
            (getattr(left, field.name), getattr(right, field.name)) for field in fields(Recording)
        )
    )


def _message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_folder(path)
    return str(caught.value)


def test_dalia(tmp_path: Path) -> None:
    first, tenth = read_folder(upstream.write_dalia(tmp_path, 10, 1))
    assert (first.person, tenth.person) == ("ppg_dalia/S1", "ppg_dalia/S10")
    held = upstream.dalia_person(seed=1)
    assert np.array_equal(first.ppg, held["signal"]["wrist"]["BVP"].astype(np.float32))
    assert first.acc is not None
    assert np.array_equal(first.acc, held["signal"]["wrist"]["ACC"].astype(np.float32))
    assert (first.ppg_hz, first.acc_hz) == (64.0, 32.0)
    assert np.array_equal(first.hr_bpm, held["label"])
    # M = floor((N - 512) / 128) + 1, and window j begins at 2 j s.
    assert len(first.hr_bpm) == (64 * 60 - 512) // 128 + 1 == 27
    assert first.window_start_s.tolist() == [2.0 * j for j in range(27)]
    assert first.usable.all()
    names = [first.activity_names[i] for i in first.activity]
    # Sitting until 30 s: the window from 26 s is half of each, the first of equals is taken.
    assert names == ["sitting"] * 14 + ["walking"] * 13


def test_dalia_of_an_early_end(tmp_path: Path) -> None:
    """S6 stopped by a hardware failure: fewer samples and labels, all usable."""
    folder = upstream.write_dalia(tmp_path, 5)
    content = upstream.python2_pickle(upstream.dalia_person(seed=6, seconds=31.3))
    (folder / "S6").mkdir()
    (folder / "S6" / "S6.pkl").write_bytes(content)
    (folder / "S6" / "S6_quest.csv").write_text("")
    fifth, sixth = read_folder(folder)
    assert len(fifth.hr_bpm) == 27
    assert len(sixth.hr_bpm) == (int(31.3 * 64) - 512) // 128 + 1 == 12
    assert sixth.usable.all() and sixth.name == "S6"


def test_the_folder_above_is_read_too(tmp_path: Path) -> None:
    upstream.write_dalia(tmp_path, 3)
    assert [r.name for r in read_folder(tmp_path)] == ["S3"]


def test_wesad(tmp_path: Path) -> None:
    (recording,) = read_folder(upstream.write_wesad(tmp_path, 2))
    assert recording.person == "wesad/S2"
    assert recording.acc is not None
    assert abs(np.median(np.linalg.norm(recording.acc, axis=1)) - 1) < 0.05  # counts became g
    assert len(recording.hr_bpm) == 27
    assert recording.valid.all()
    np.testing.assert_allclose(recording.hr_bpm, 75, atol=0.1)
    assert recording.activity_names[recording.activity[0]] == "baseline"
    assert recording.activity_names[recording.activity[-1]] == "stress"


def test_wesad_and_dalia_are_told_apart_by_the_pickle_alone(tmp_path: Path) -> None:
    left, right = tmp_path / "a" / "S4", tmp_path / "b" / "S4"
    left.mkdir(parents=True)
    right.mkdir(parents=True)
    (left / "S4.pkl").write_bytes(upstream.python2_pickle(upstream.dalia_person(seed=4)))
    (right / "S4.pkl").write_bytes(upstream.python2_pickle(upstream.wesad_person(seed=4)))
    assert dalia.find(left.parent) and not wesad.find(left.parent)
    assert wesad.find(right.parent) and not dalia.find(right.parent)


def test_acceleration_in_g_stays() -> None:
    acc = upstream.gravity(32, seed=1)
    assert wesad.in_g(acc) is acc
    np.testing.assert_allclose(wesad.in_g(acc * 64), acc)


def test_spc(tmp_path: Path) -> None:
    recordings = {r.name: r for r in read_folder(upstream.write_spc(tmp_path))}
    assert {r.person for r in recordings.values()} == {
        "ieee_spc2015/SPCtrain01",
        "ieee_spc2015/SPCtest_S04",
        "ieee_spc2015/SPCtest_S01",
    }
    # One person in two folders, as in the original.
    assert recordings["DATA_S04_T01"].person == recordings["TEST_S04_T02"].person
    for recording in recordings.values():
        assert recording.ppg.shape == (7500, 2) and recording.usable.all()
        assert recording.acc is not None
        np.testing.assert_allclose(np.median(recording.acc[:, 2]), 1, atol=0.01)
    training = recordings["DATA_01_TYPE01"]
    names = [training.activity_names[i] for i in training.activity]
    assert names == ["rest"] * 13 + ["run"] * 14  # the middle of window 13 is at 30 s


def test_spc_in_another_packing(tmp_path: Path) -> None:
    upstream.write_spc(tmp_path / "original")
    folder = tmp_path / "other"
    folder.mkdir()
    original = tmp_path / "original" / "Extra_TrainingData"
    (original / "DATA_S04_T01.mat").rename(folder / "DATA_04_TYPE01.mat")
    (original / "BPM_S04_T01.mat").rename(folder / "REF_04_TYPE01.mat")
    (recording,) = read_folder(folder)
    assert (recording.name, recording.subject) == ("DATA_S04_T01", "SPCtest_S04")


def test_bami_and_its_clock(tmp_path: Path) -> None:
    upstream.write_bami(tmp_path)
    first, second = read_folder(tmp_path / "BAMI-1") + read_folder(tmp_path / "BAMI-2")
    assert (first.person, second.person) == ("bami1/BAMI1_06", "bami2/BAMI2_03")
    assert first.window_start_s[:2].tolist() == [-1.5, 0.5] and first.label_lag_s == -1.5
    assert second.window_start_s[:2].tolist() == [1.0, 3.0] and second.label_lag_s == 1.0
    assert first.also_in == ("CR_05",)
    assert np.flatnonzero(~first.valid).tolist() == [10]
    assert first.acc is not None
    np.testing.assert_allclose(first.acc, upstream.gravity(50, seed=6), atol=2e-4)
    (published,) = read_folder(tmp_path / "BAMI-2", lag_s=0.0)
    assert published.window_start_s[:2].tolist() == [0.0, 2.0] and published.label_lag_s == 0.0


def test_a_person_of_bami_and_the_rehab_set_is_refused(tmp_path: Path) -> None:
    upstream.write_bami(tmp_path)
    (rehab,) = read_folder(tmp_path / "Rehab")
    assert rehab.person == "cardiac_rehab/CR_05" and rehab.also_in == ("BAMI1_06",)
    np.testing.assert_allclose(rehab.hr_bpm, 75)
    message = _message(tmp_path)
    assert "one person under two names" in message
    assert "BAMI1_6.mat" in message and "Subject_5.mat" in message


def test_slips_of_a_reference() -> None:
    hr = np.array([80.0, 81, 82, 95, 83, 82, 81, 80, np.nan])
    assert bami.not_slipped(hr).tolist() == [True] * 3 + [False] + [True] * 4 + [False]


def test_bidmc_patients(tmp_path: Path) -> None:
    recordings = read_folder(upstream.write_bidmc(tmp_path, 2, 6, 9, 38, 39))
    assert [r.subject for r in recordings] == [
        "BIDMC_02",
        "BIDMC_s03386",
        "BIDMC_s03386",
        "BIDMC_s25323",
        "BIDMC_s25323",
    ]
    for recording in recordings:
        assert recording.acc is None and recording.valid.all()
        np.testing.assert_allclose(recording.hr_bpm, 100, atol=0.2)


def test_all_53_records_are_of_46_patients() -> None:
    from ppg.loaders.bidmc import PATIENTS

    assert len({PATIENTS.get(number, str(number)) for number in range(1, 54)}) == 46


def test_a_monitor_that_disagrees_marks_the_window(tmp_path: Path) -> None:
    upstream.write_bidmc(tmp_path, 2)
    numerics = tmp_path / "bidmc_csv" / "bidmc_02_Numerics.csv"
    lines = numerics.read_text().splitlines()
    lines[31:] = [line.replace(",100,", ",140,", 1) for line in lines[31:]]
    numerics.write_text("\n".join(lines))
    (recording,) = read_folder(tmp_path)
    assert recording.window_start_s[~recording.valid].tolist() == list(range(30, 53, 2))


def test_welltory(tmp_path: Path) -> None:
    (recording,) = read_folder(upstream.write_welltory(tmp_path))
    assert recording.person == "welltory/WELL_07" and recording.acc is None
    assert recording.ppg.shape[1] == 3 and recording.ppg_hz == 30.0
    np.testing.assert_allclose(recording.hr_bpm, 60)
    assert recording.window_start_s[-1] == 30.0  # 38 s of intervals
    time_s = np.arange(len(recording.ppg)) / 30
    red = 200 + np.sin(2 * np.pi * time_s)
    assert np.abs(recording.ppg[:, 0] - red).max() < 0.02  # linear between frames


@pytest.mark.parametrize("write", ["dalia", "wesad", "spc", "bami1", "bidmc", "welltory"])
def test_converting_reads_back_equal(write: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    if write == "dalia":
        upstream.write_dalia(source, 1, 2)
    elif write == "wesad":
        upstream.write_wesad(source, 2)
    elif write == "spc":
        upstream.write_spc(source)
    elif write == "bami1":
        source = upstream.write_bami(source) / "BAMI-1"
    elif write == "bidmc":
        upstream.write_bidmc(source, 6, 7)
    else:
        upstream.write_welltory(source)
    recordings = read_folder(source)
    files = write_folder(tmp_path / "out", recordings)
    assert len(files) == len(recordings)
    back = {(r.dataset, r.name): r for r in read_npz(tmp_path / "out")}
    assert all(_equal(r, back[(r.dataset, r.name)]) for r in recordings)
    with pytest.raises(DataError, match="is there already"):
        write_folder(tmp_path / "out", recordings)


def test_links_in_a_ring_and_to_nothing_are_passed_over(tmp_path: Path) -> None:
    folder = upstream.write_dalia(tmp_path, 1)
    before = [recording.name for recording in read_folder(folder)]
    (folder / "ring").symlink_to(folder / "ring")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    assert [recording.name for recording in read_folder(folder)] == before


def test_a_folder_inside_or_too_far_above_is_named(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    folder = upstream.write_dalia(deep, 1)
    inside = _message(folder / "S1")
    assert "a folder inside of PPG-DaLiA" in inside and f"Give {folder.resolve()}" in inside
    above = _message(tmp_path)
    assert "too high above PPG-DaLiA" in above
    assert "expected: PPG_FieldStudy, which holds S1 to S15" in above


def test_files_beside_npz_recordings_are_said_to_be_unread(tmp_path: Path) -> None:
    root = upstream.write_spc(tmp_path / "data")
    assert unread_beside(root) == ""
    write_folder(root / "npz", read_folder(root))
    said = unread_beside(root)
    assert "its .npz recordings are read, its files of IEEE Signal Processing Cup 2015" in said
    assert unread_beside(root / "npz") == "" == unread_beside(tmp_path / "nothing")


def test_an_archive_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    message = _message(tmp_path)
    assert "data.zip, which is not unpacked" in message
    assert "ppgnas data fetch ppg_dalia --from" in message


def test_an_empty_folder_says_what_could_be_there(tmp_path: Path) -> None:
    assert "no .npz file" in _message(tmp_path) and "ppgnas data list" in _message(tmp_path)


def test_labels_are_missing(tmp_path: Path) -> None:
    upstream.write_spc(tmp_path)
    message = _message(tmp_path / "TestData")
    assert "labels are missing" in message
    assert "the folder above Training_data and TestData" in message


def test_every_data_set_has_a_licence_and_a_folder() -> None:
    for known in DATA_SETS:
        assert known.licence and known.level and known.summary and known.home
        assert data_set(known.name) is known
    with pytest.raises(DataError, match="no data set 'dalia'; allowed: ppg_dalia"):
        data_set("dalia")
