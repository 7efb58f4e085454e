"""Recordings that are written, read back and told apart by content."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.npz.folder import fingerprint, read_recording, write_recording
from ppg.recording import Recording
from tests.ppg.npz.npz_files import equal, message, save


def test_round_trip(tmp_path: Path) -> None:
    recording = replace(read_recording(save(tmp_path / "r.npz")), synthetic=True)
    write_recording(tmp_path / "deep" / "copy.npz", recording)
    assert equal(read_recording(tmp_path / "deep" / "copy.npz"), recording)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy.npz"]


@settings(max_examples=25)
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
        hr_bpm=rng.uniform(30, 209, windows),
        valid=rng.random(windows) < 0.5,
        activity=np.full(windows, -1, dtype=np.int64),
    )
    path = tmp_path_factory.mktemp("round") / "r.npz"
    write_recording(path, recording)
    assert equal(read_recording(path), recording)
    assert fingerprint([read_recording(path)]) == fingerprint([recording])


def test_gaps_are_kept_and_count_in_the_fingerprint(tmp_path: Path) -> None:
    plain = read_recording(save(tmp_path / "r.npz"))
    holed = replace(plain, gaps=((1.0, 2.5), (9.0, 9.75)))
    write_recording(tmp_path / "g.npz", holed)
    again = read_recording(tmp_path / "g.npz")
    assert again.gaps == holed.gaps and equal(again, holed)
    assert fingerprint([again]) == fingerprint([holed]) != fingerprint([plain])


def test_write_wants_npz(tmp_path: Path) -> None:
    recording = read_recording(save(tmp_path / "r.npz"))
    text = message(lambda: write_recording(tmp_path / "r.mat", recording))
    assert "ends in '.mat'" in text


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "r.npz")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_recording(path, read_recording(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.npz"]


def test_the_clock_and_other_names_are_kept(tmp_path: Path) -> None:
    first = read_recording(save(tmp_path / "r.npz", also_in=np.array("CR_01")))
    assert first.label_lag_s == -1.5 and first.also_in == ("CR_01",)
    write_recording(tmp_path / "s.npz", first)
    assert equal(read_recording(tmp_path / "s.npz"), first)
    assert float(np.load(tmp_path / "s.npz")["hr_lag_s"]) == -1.5


def test_fingerprint_follows_content_not_order_or_place(tmp_path: Path) -> None:
    other = np.arange(1000.0)[:, None]
    a = read_recording(save(tmp_path / "x" / "a.npz"))
    b = read_recording(save(tmp_path / "b.npz", subject=np.array("S2"), ppg=other))
    moved = read_recording(save(tmp_path / "y" / "moved.npz"))
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
