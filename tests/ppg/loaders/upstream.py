"""Small folders in the layouts that the authors of data sets publish."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

SECONDS = 60.0


_Pickler: Any = pickle._Pickler  # the one that is written in Python


class Python2Pickler(_Pickler):
    """Writes what Python 2 and the numpy of its time wrote: byte strings, numpy.core."""

    dispatch: ClassVar[dict[Any, Any]] = dict(_Pickler.dispatch)

    def save_bytes(self, value: bytes) -> None:
        if len(value) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)

    def save_text(self, value: str) -> None:
        self.save_bytes(value.encode("latin-1"))

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text
    dispatch[type] = save_global
    dispatch[type(lambda: 0)] = save_global


def python2_pickle(value: Any) -> bytes:
    """As `cPickle.dumps(value, 2)` of Python 2."""
    stream = io.BytesIO()
    Python2Pickler(stream, 2).dump(value)
    return stream.getvalue()


def pulse(hz: float, *, bpm: float = 72.0, seconds: float = SECONDS) -> NDArray[np.float64]:
    """`(samples,)` a sine at a heart rate."""
    return np.sin(2 * np.pi * bpm / 60 * np.arange(round(seconds * hz)) / hz)


def ecg(hz: float, beats_s: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """`(samples,)` R waves of 10 ms and T waves, without noise."""
    time_s = np.arange(round(seconds * hz)) / hz
    lead = np.zeros(len(time_s))
    for beat in beats_s:
        lead += np.exp(-0.5 * ((time_s - beat) / 0.01) ** 2)
        lead += 0.25 * np.exp(-0.5 * ((time_s - beat - 0.3) / 0.05) ** 2)
    return lead


def gravity(hz: float, *, seed: int, seconds: float = SECONDS) -> NDArray[np.float64]:
    """`(samples, 3)` a wrist that lies still, in g."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (round(seconds * hz), 3))
    return noise + np.array([0, 0, 1])


def dalia_person(*, seed: int = 1, seconds: float = SECONDS) -> dict[str, Any]:
    """What a pickle of PPG-DaLiA holds."""
    rng = np.random.default_rng(seed)
    ppg = pulse(64, seconds=seconds) + rng.normal(0, 0.1, round(seconds * 64))
    windows = (len(ppg) - 512) // 128 + 1
    chest = round(seconds * 700)
    return {
        "signal": {
            "wrist": {
                "BVP": ppg[:, None],
                "ACC": gravity(32, seed=seed, seconds=seconds),
                "EDA": np.zeros((round(seconds * 4), 1)),
                "TEMP": np.full((round(seconds * 4), 1), 33.0),
            },
            "chest": {"ECG": np.zeros((chest, 1)), "EMG": np.full((chest, 1), -1.5)},
        },
        "label": 72 + rng.normal(0, 1, windows),
        "activity": np.repeat([1.0, 7.0], round(seconds * 2))[:, None],
        "rpeaks": np.arange(0, chest, 583),
        "questionnaire": {"AGE": 34.0, "GENDER": " m", "SPORT": 6.0},
        "subject": f"S{seed}",
    }


def write_dalia(root: Path, *people: int, seconds: float = SECONDS) -> Path:
    """`PPG_FieldStudy` with some people."""
    folder = root / "PPG_FieldStudy"
    for number in people:
        person = folder / f"S{number}"
        person.mkdir(parents=True)
        content = python2_pickle(dalia_person(seed=number, seconds=seconds))
        (person / f"S{number}.pkl").write_bytes(content)
        (person / f"S{number}_activity.csv").write_text("# NO_ACTIVITY, 0\n")
    return folder


def wesad_person(*, seed: int = 2, seconds: float = SECONDS) -> dict[str, Any]:
    """What a pickle of WESAD holds: 75 BPM, and no heart rate."""
    person = dalia_person(seed=seed, seconds=seconds)
    beats_s = np.arange(0.4, seconds, 0.8)
    chest = round(seconds * 700)
    person["signal"]["chest"]["ECG"] = ecg(700, beats_s, seconds)[:, None]
    person["signal"]["wrist"]["ACC"] = np.round(person["signal"]["wrist"]["ACC"] * 64)
    condition = np.where(np.arange(chest) < chest / 2, 1, 2)
    return {"signal": person["signal"], "label": condition, "subject": f"S{seed}"}


def write_wesad(root: Path, *people: int) -> Path:
    """`WESAD` with some people."""
    folder = root / "WESAD"
    for number in people:
        person = folder / f"S{number}"
        person.mkdir(parents=True)
        (person / f"S{number}.pkl").write_bytes(python2_pickle(wesad_person(seed=number)))
        (person / f"S{number}_readme.txt").write_text("### Personal information ###\n")
    return folder


def write_spc(root: Path) -> Path:
    """One training, one extra and two test recordings; S04 is one person in two folders."""
    rng = np.random.default_rng(3)
    names = {
        "Training_data/DATA_01_TYPE01": "Training_data/DATA_01_TYPE01_BPMtrace",
        "Extra_TrainingData/DATA_S04_T01": "Extra_TrainingData/BPM_S04_T01",
        "TestData/TEST_S04_T02": "TrueBPM/True_S04_T02",
        "TestData/TEST_S01_T01": "TrueBPM/True_S01_T01",
    }
    for signals, labels in names.items():
        count = 7500
        acc = gravity(125, seed=4)
        rows = [pulse(125) + rng.normal(0, 0.1, count) for _ in range(2)]
        lead = [] if "TEST" in signals else [rng.normal(size=count)]
        sig = np.concatenate([np.array([*lead, *rows]), acc.T])
        for name in (signals, labels):
            (root / f"{name}.mat").parent.mkdir(parents=True, exist_ok=True)
        savemat(root / f"{signals}.mat", {"sig": sig})
        savemat(root / f"{labels}.mat", {"BPM0": 72 + rng.normal(size=(27, 1))})
    return root


def write_bami(root: Path) -> Path:
    """One recording of each of BAMI-1, BAMI-2 and CardiacRehabExercise."""
    rng = np.random.default_rng(5)
    for name in ("BAMI-1/BAMI1_6", "BAMI-2/BAMI2_3", "Rehab/Subject_5"):
        acc = np.round((gravity(50, seed=6).T + 8) / 16 * 65535)
        ppg = np.round(2000 + 500 * pulse(50) + rng.normal(0, 20, (3, 3000)))
        path = root / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        if "Subject" in name:
            beats = np.arange(0.5, 60, 0.8)[:, None]
            rates = {"timeECG": beats, "bpmECG": np.full_like(beats, 75)}
            savemat(path, {"sigPPG": ppg, "sigAcc": acc, **rates})
            continue
        labels = 72 + rng.normal(size=(27, 1))
        labels[10] = 95.0  # a slip
        savemat(path, {"rawPPG": ppg, "rawAcc": acc, "bpm_ecg": labels, "bpm_proposed": labels})
    return root


def write_bidmc(root: Path, *records: int) -> Path:
    """Records of 60 s at 100 BPM, with the monitor's numerics."""
    folder = root / "bidmc_csv"
    folder.mkdir(parents=True)
    for number in records:
        rng = np.random.default_rng(number)
        lead = ecg(125, np.arange(0.3, 60, 0.6), SECONDS)
        ppg = 0.5 + 0.2 * pulse(125, bpm=100) + rng.normal(0, 0.01, 7500)
        lines = ["Time [s], RESP, PLETH, V, II"]
        lines += [f"{i / 125:.5g},0.3,{ppg[i]:.5f},0.5,{lead[i]:.5f}" for i in range(7500)]
        (folder / f"bidmc_{number:02d}_Signals.csv").write_text("\n".join(lines) + "\n")
        rows = ["Time [s], HR, PULSE, RESP, SpO2"]
        rows += [f"{second},{'' if second == 9 else 100},100,25,97" for second in range(61)]
        (folder / f"bidmc_{number:02d}_Numerics.csv").write_text("\n".join(rows) + "\n")
    return root


def write_welltory(root: Path) -> Path:
    """One recording of 40 s at 60 BPM with uneven frames."""
    folder = root / "subject_07"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(8)
    times = np.cumsum(rng.integers(25, 42, 1300))
    times = times[times < 40_000] - times[0]
    red = 200 + np.sin(2 * np.pi * times / 1000)
    rows = [f"{t},{r:.4f},0.0,0.01" for t, r in zip(times, red, strict=True)]
    (folder / "PPG.csv").write_text("\n".join(["time,R,G,B", *rows]) + "\n")
    (folder / "RR.txt").write_text(" ".join(["1000"] * 38))
    return root
