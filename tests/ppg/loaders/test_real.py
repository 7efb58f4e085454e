"""Loaders on real upstream files against the prepared recordings of the same people."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ppg.identity import shared_people
from ppg.inspection.inspection import inspect
from ppg.loaders.ecg import heart_rate, r_peaks
from ppg.loaders.forms import read_own
from ppg.loaders.matlab import read_matrices
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.recipe import Recipe
from ppg.loaders.registry import read_folder
from ppg.npz.folder import read_folder as read_npz
from ppg.recording import Recording


@pytest.fixture(scope="module")
def folder() -> Path:
    path = Path(os.environ.get("PPGNAS_TEST_DATA", "nowhere"))
    if not (path / "native").is_dir():
        pytest.skip("no upstream files: set PPGNAS_TEST_DATA to a folder with native/ in it")
    return path


@pytest.fixture(scope="module")
def pairs(folder: Path) -> list[tuple[Recording, Recording]]:
    prepared = {(r.dataset.removesuffix("_sample"), r.name): r for r in read_npz(folder)}
    return [(r, prepared[r.dataset, r.name]) for r in read_folder(folder / "native")]


def test_signals_labels_and_clocks(pairs: list[tuple[Recording, Recording]]) -> None:
    assert len(pairs) >= 9
    for native, prepared in pairs:
        assert native.subject == prepared.subject
        assert np.array_equal(native.ppg, prepared.ppg) and native.ppg_hz == prepared.ppg_hz
        assert np.array_equal(native.window_start_s, prepared.window_start_s)
        assert native.label_lag_s == prepared.label_lag_s
        assert np.array_equal(native.valid, prepared.valid)
        names = [[r.activity_names[i] for i in r.activity if i >= 0] for r in (native, prepared)]
        assert names[0] == names[1]
        # R peaks of BIDMC were found by two programs; the others are published values.
        apart = np.abs(native.hr_bpm - prepared.hr_bpm)
        assert apart.max() < (0.4 if native.dataset == "bidmc" else 1e-4)
        if prepared.acc is not None and native.acc is not None:
            assert np.abs(native.acc - prepared.acc).max() < 2e-4  # stored as int16 of 1/4096 g
        assert (native.acc is None) == (prepared.acc is None)


def test_the_same_people_are_recognised(pairs: list[tuple[Recording, Recording]]) -> None:
    natives = [replace(native, dataset="x", subject=native.name) for native, _ in pairs]
    renamed = [replace(r, name=f"n{i}", subject=f"s{i}") for i, r in enumerate(natives)]
    found = shared_people([prepared for _, prepared in pairs], renamed)
    assert len(found) == len(pairs)
    assert {pair.why for pair in found} == {"the same PPG samples"}


def test_r_peaks_against_the_published_reference(folder: Path) -> None:
    training = folder / "native" / "ieee_spc2015" / "Training_data"
    for name in ("DATA_01_TYPE01", "DATA_02_TYPE02"):
        sig = read_matrices(training / f"{name}.mat", {"sig": (6, None)})["sig"]
        labels = read_matrices(training / f"{name}_BPMtrace.mat", {"BPM0": (None, 1)})["BPM0"]
        hr_bpm, valid = heart_rate(r_peaks(sig[0], 125.0), np.arange(0.0, 2.0 * len(labels), 2.0))
        error = np.abs(hr_bpm - labels[:, 0])
        assert valid.all() and error.mean() < 0.4 and error.max() < 3


def test_known_clocks_are_found_again(folder: Path) -> None:
    """The published labels of BAMI, whose offsets are documented, and of SPC, which has none."""
    recordings = [
        replace(r, window_start_s=r.window_start_s - r.label_lag_s, label_lag_s=0.0)
        for name in ("bami1", "bami2", "ieee_spc2015")
        for r in read_npz(folder / name)
    ]
    found = inspect(recordings)
    for name, lag_s in (("bami1", -1.5), ("bami2", 1.0), ("ieee_spc2015", 0.0)):
        lag = found.datasets[name].lag
        assert lag is not None and lag.known and abs(lag.shift_s - lag_s) < 0.6, name
    (fifteenth,) = [one for one in found.recordings if one.recording.endswith("/BAMI1_15")]
    assert fifteenth.lag is not None and fifteenth.lag.wrong
    assert abs(fifteenth.lag.shift_s + 6.5) < 0.5
    railed = [
        caution.recording
        for caution in found.warnings
        if caution.kind == "railed" and "PPG" in caution.message
    ]
    assert railed == ["bami2/BAMI2_18"]
    assert "one person twice" not in [caution.kind for caution in found.warnings]


def test_a_shift_is_found_in_real_recordings(folder: Path) -> None:
    recordings = read_npz(folder / "bami2")[:3]
    shifted = [replace(r, window_start_s=r.window_start_s - 6.0) for r in recordings]
    for one in inspect(shifted).recordings:
        assert one.lag is not None and one.lag.wrong and abs(one.lag.shift_s - 6) < 1


def test_real_files_as_text_of_ones_own(
    folder: Path, pairs: list[tuple[Recording, Recording]]
) -> None:
    """Read without their loaders: guessed columns and an ECG; intervals in a file of their own."""
    known = {(native.dataset, native.name): native for native, _ in pairs}
    bidmc = folder / "native" / "bidmc" / "bidmc_csv" / "bidmc_01_Signals.csv"
    phone = folder / "native" / "welltory" / "subject_01"
    recipe = Recipe(Columns(ppg=("R", "G", "B"), time="time"), hr_file=phone / "RR.txt")
    for path, how, which in (
        (bidmc, None, ("bidmc", "bidmc_01")),
        (phone / "PPG.csv", recipe, ("welltory", "subject_01")),
    ):
        (own,) = read_own(path, how, say=lambda _: None)
        loaded = known[which]
        both = min(len(own.hr_bpm), len(loaded.hr_bpm))
        good = own.usable[:both] & loaded.usable[:both]
        apart = np.abs(own.hr_bpm[:both] - loaded.hr_bpm[:both])[good]
        assert good.sum() >= 35 and np.median(apart) < 0.1, which


def test_a_real_session_of_an_e4(folder: Path) -> None:
    said: list[str] = []
    (found,) = read_own(folder / "native" / "empatica_e4", say=said.append)
    assert (found.ppg_hz, found.acc_hz, found.duration_s) == (64.0, 32.0, 600.0)
    assert found.started == "2022-02-14T09:27:05.000+00:00"
    assert any("no reference is HR.csv nor IBI.csv" in note for note in said)
