"""A folder of recordings looked at as a whole: who, how much, how hard, and what looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.identity import one_person_groups
from ppg.inspection.reference import reference_noise_bpm
from ppg.inspection.signals import median_acc_g, signal_warnings
from ppg.label_lag import Lag, agreement, best_shift
from ppg.naive import spectra, still
from ppg.npz import folder as npz
from ppg.people.split import UNMAPPED
from ppg.recording import Recording

BIN_BPM = 10
POOR_BPM = 15.0  # naive error at rest; there it is 1 to 8 where signal and reference are fine
FEWEST_STILL = 10


@dataclass(frozen=True)
class Looked:
    """One recording.

    Attributes:
        recording: it.
        naive_bpm: mean absolute error of the naive estimator over usable windows, or None.
        still_bpm: the same where the wrist is still (everywhere without acceleration).
        usable, still: numbers of such windows.
        lag: how labels are shifted, or None where too few windows tell.
        warnings: kind and sentence.
    """

    recording: Recording
    naive_bpm: float | None
    still_bpm: float | None
    usable: int
    still: int
    lag: Lag | None
    warnings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Inspection:
    """All recordings, and what shows only in several."""

    looked: tuple[Looked, ...]
    lags: dict[str, Lag | None]
    warnings: tuple[tuple[str, str], ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The document of `data inspect --json`."""
        recordings = [one.recording for one in self.looked]
        names = sorted({recording.dataset for recording in recordings})
        return {
            "fingerprint": npz.fingerprint(recordings),
            "datasets": {name: self._data_set(name) for name in names},
            "recordings": [_recording(one) for one in self.looked],
            "warnings": [
                *(
                    {"recording": None, "kind": kind, "message": text}
                    for kind, text in self.warnings
                ),
                *(
                    {
                        "recording": f"{one.recording.dataset}/{one.recording.name}",
                        "kind": kind,
                        "message": text,
                    }
                    for one in self.looked
                    for kind, text in one.warnings
                ),
            ],
        }

    def _data_set(self, name: str) -> dict[str, Any]:
        members = [one for one in self.looked if one.recording.dataset == name]
        recordings = [one.recording for one in members]
        return {
            "people": len({recording.person for recording in recordings}),
            "people_known": name not in UNMAPPED,
            "recordings": len(recordings),
            "hours": round(sum(recording.duration_s for recording in recordings) / 3600, 3),
            "usable_windows": sum(one.usable for one in members),
            "windows": sum(len(recording.usable) for recording in recordings),
            "acceleration": sum(recording.acc is not None for recording in recordings),
            "synthetic": any(recording.synthetic for recording in recordings),
            "ppg_hz": sorted({float(recording.ppg_hz) for recording in recordings}),
            "acc_hz": sorted({float(r.acc_hz) for r in recordings if r.acc_hz is not None}),
            "ppg_channels": sorted({recording.ppg.shape[1] for recording in recordings}),
            "naive_mae_bpm": _mean([one.naive_bpm for one in members]),
            "naive_still_mae_bpm": _mean([one.still_bpm for one in members]),
            "still_windows": sum(one.still for one in members),
            "reference_noise_bpm": _mean([reference_noise_bpm(r) for r in recordings]),
            "lag": _lag(self.lags.get(name)),
            "hr_histogram": histogram(recordings),
        }


def inspect(recordings: Sequence[Recording], *, seed: int = 0, unread: str = "") -> Inspection:
    """Look at recordings.

    Args:
        recordings: of any data sets.
        seed: of the bootstrap of the lags.
        unread: a sentence on files beside them that were not read.
    """
    looked: list[Looked] = []
    scores: dict[str, list[NDArray[np.float64]]] = {}
    for recording in recordings:
        one, score = _look(recording, seed=seed)
        looked.append(one)
        scores.setdefault(recording.dataset, []).append(score)
    lags = {name: best_shift(np.concatenate(parts), seed=seed) for name, parts in scores.items()}
    warnings = [("not read", unread)] if unread else []
    for name, lag in lags.items():
        if lag is not None and lag.wrong and len(scores[name]) > 1:
            warnings.append(("label clock", f"{name}: {lag_sentence(lag)}"))
    links = [link for group in one_person_groups(recordings) for link in group.links]
    for left, right, why in links:
        warnings.append(
            (
                "one person twice",
                f"{left.dataset}/{left.name} ({left.person}) and {right.dataset}/{right.name} "
                f"({right.person}) have {why}: give both one subject, or leave one out",
            )
        )
    return Inspection(tuple(looked), lags, tuple(warnings))


def _look(recording: Recording, *, seed: int) -> tuple[Looked, NDArray[np.float64]]:
    found = spectra(recording)
    place = found.at(recording.window_start_s)
    used = recording.usable & (place >= 0)
    error = np.abs(found.peak_bpm[place[used]] - recording.hr_bpm[used])
    resting = still(recording, recording.window_start_s[used])
    at_rest = error if resting is None else error[resting]
    score = agreement(recording, found)
    lag = best_shift(score, seed=seed)
    warnings = list(signal_warnings(recording))
    still_bpm = float(at_rest.mean()) if len(at_rest) else None
    if lag is not None and lag.wrong:
        warnings.append(("label clock", lag_sentence(lag)))
    if still_bpm is not None and still_bpm > POOR_BPM and len(at_rest) >= FEWEST_STILL:
        warnings.append(
            (
                "poor at rest",
                f"the strongest peak is {still_bpm:.1f} BPM off in {len(at_rest)} windows without "
                "movement: a poor signal, a wrong reference or a wrong rate",
            )
        )
    one = Looked(
        recording,
        float(error.mean()) if len(error) else None,
        still_bpm,
        int(recording.usable.sum()),
        len(at_rest),
        lag,
        tuple(warnings),
    )
    return one, score


def lag_sentence(lag: Lag) -> str:
    """What a shift means and what to do."""
    late = "early" if lag.shift_s > 0 else "late"
    return (
        f"labels come {abs(lag.shift_s):.1f} s too {late} (90 % interval of the shift "
        f"{lag.low_s:+.1f} to {lag.high_s:+.1f} s): add {lag.shift_s:+.1f} s to hr_lag_s if the "
        f"reference allows it"
    )


def histogram(recordings: Sequence[Recording]) -> dict[str, int]:
    """Usable windows by heart rate, in steps of 10 BPM: "60" counts 60 up to 70."""
    rates = np.concatenate([recording.hr_bpm[recording.usable] for recording in recordings])
    bins = np.floor(rates / BIN_BPM).astype(np.int64) * BIN_BPM
    if not len(bins):
        return {}
    whole = range(int(bins.min()), int(bins.max()) + BIN_BPM, BIN_BPM)
    return {str(low): int((bins == low).sum()) for low in whole}


def _recording(one: Looked) -> dict[str, Any]:
    recording = one.recording
    return {
        "recording": f"{recording.dataset}/{recording.name}",
        "person": recording.person,
        "duration_s": float(recording.duration_s),
        "ppg_hz": float(recording.ppg_hz),
        "acc_hz": None if recording.acc_hz is None else float(recording.acc_hz),
        "median_acc_g": median_acc_g(recording),
        "windows": len(recording.usable),
        "usable_windows": one.usable,
        "naive_mae_bpm": one.naive_bpm,
        "naive_still_mae_bpm": one.still_bpm,
        "still_windows": one.still,
        "reference_noise_bpm": reference_noise_bpm(recording),
        "label_lag_s": float(recording.label_lag_s),
        "lag": _lag(one.lag),
    }


def _lag(lag: Lag | None) -> dict[str, Any] | None:
    if lag is None:
        return None
    return {
        "shift_s": round(lag.shift_s, 2),
        "low_s": round(lag.low_s, 2),
        "high_s": round(lag.high_s, 2),
        "known": lag.known,
        "wrong": lag.wrong,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
