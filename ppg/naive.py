"""The naive estimator: the strongest peak of the spectrum of each window.

It shows whether labels and signals belong together: at rest it should be right, and where it is
right in motion too the task is easy. No one should ship it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.plausible import GRAVITY_G, SLOWEST_HZ, frozen, median_acc_g
from ppg.recording import Recording
from ppgnas.task import WINDOW_S

RATES_BPM = np.arange(30.0, 211.0)
STEP_S = 0.5  # between spectra; labels lie on every second or fourth
RESTING = (
    "rest", "resting", "relax", "baseline", "sit", "sitting", "seated", "lying", "supine", "prone",
    "sleep", "sleeping", "meditation",
)  # fmt: skip
STILL_G = 0.05  # spread of |a| in a window; walking has 0.1 to 0.3
TIMES = (0.5, 2.0, 0.25, 4.0, 0.125, 8.0, 0.1, 10.0)  # as the rate that is said, tried
FEWEST = 12  # windows
VARIED = 1.1  # times the lowest of the labels the highest
ALIKE, SELDOM, MOSTLY = 0.08, 0.2, 0.6  # peaks near a label, and shares of windows
NEAR, FAINT = 5, 0.15  # BPM about a label, and the share of the power there; of noise 0.06
LOOKED_S = 900.0
_HZ = 32.0
_LEAST = 1e-30
_BAND_HZ = (0.4, 5.0)


@dataclass(frozen=True)
class Spectra:
    """Spectra of 8 s windows, each with the sum 1.

    Attributes:
        start_s: `(times,)` begin of each window.
        power: `(times, rates)` share of each of `RATES_BPM`.
    """

    start_s: NDArray[np.float64]
    power: NDArray[np.float64]
    step_s: float = STEP_S

    @property
    def peak_bpm(self) -> NDArray[np.float64]:
        """`(times,)` the rate of the strongest peak."""
        return np.asarray(RATES_BPM[self.power.argmax(axis=1)])

    def at(self, start_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """`(windows,)` index of the spectrum that begins nearest; -1 outside."""
        index = np.rint(start_s / self.step_s).astype(np.int64)
        return np.where((index >= 0) & (index < len(self.start_s)), index, -1)


def spectra(recording: Recording, *, step_s: float = STEP_S, mixed: bool = False) -> Spectra:
    """Spectra of all windows.

    Args:
        mixed: of the mean of the channels' traces, which is what networks read; else the mean of
            the channels' spectra, in which a channel that is noise or inverted hides.
    """
    hz = recording.ppg_hz
    count = int(len(recording.ppg) / hz * _HZ)
    high = min(_BAND_HZ[1], 0.45 * hz)
    sections = scipy.signal.butter(2, (_BAND_HZ[0], high), "bandpass", fs=hz, output="sos")
    filtered = scipy.signal.sosfiltfilt(sections, recording.ppg.astype(np.float64), axis=0)
    at = np.arange(count) / _HZ * hz
    rows = np.arange(len(filtered))
    samples, step = int(WINDOW_S * _HZ), int(step_s * _HZ)
    if count < samples:
        return Spectra(np.zeros(0), np.zeros((0, len(RATES_BPM))), step_s)
    time_s = np.arange(samples) / _HZ
    waves = np.exp(-2j * np.pi * time_s[:, None] * RATES_BPM / 60)  # (time, rates)
    waves *= np.hanning(samples)[:, None]
    even = np.stack([np.interp(at, rows, channel) for channel in filtered.T])
    windows = np.lib.stride_tricks.sliding_window_view(even, samples, axis=1)[:, ::step]
    total = np.zeros((windows.shape[1], len(RATES_BPM)))
    mean = np.zeros(windows.shape[1:])
    for channel in windows:
        centred = channel - channel.mean(axis=1, keepdims=True)
        if mixed:
            mean += centred / np.maximum(centred.std(axis=1, keepdims=True), _LEAST)
        else:
            total += _shares(centred @ waves)
    total = (
        _shares(mean @ waves) if mixed else total / np.maximum(total.sum(axis=1)[:, None], _LEAST)
    )
    return Spectra(np.arange(len(total), dtype=np.float64) * step_s, total, step_s)


def _shares(waves: NDArray[np.complex128]) -> NDArray[np.float64]:
    power = np.abs(waves) ** 2  # (times, rates)
    return np.asarray(power / np.maximum(power.sum(axis=1, keepdims=True), _LEAST))


def still(recording: Recording, start_s: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """`(windows,)` True where the wrist hardly moves; None without an acceleration in g.

    A channel of zeros, or one in another unit, hardly changes while its wearer runs: only where
    gravity is seen is a small change rest, and none at all for a minute is a sensor that froze.
    """
    low, high = GRAVITY_G
    median = median_acc_g(recording)
    if recording.acc is None or recording.acc_hz is None or not low <= (median or 0.0) <= high:
        return None
    size = np.linalg.norm(recording.acc.astype(np.float64), axis=1)
    sums, squares = (np.r_[0.0, np.cumsum(part)] for part in (size, size**2))
    edges = np.rint(np.stack([start_s, start_s + WINDOW_S]) * recording.acc_hz).astype(np.int64)
    first, last = np.clip(edges, 0, len(size))
    count = np.maximum(last - first, 1)
    mean = (sums[last] - sums[first]) / count
    spread = np.sqrt(np.maximum((squares[last] - squares[first]) / count - mean**2, 0))
    known = last > first
    for begin_s, end_s in frozen(recording):
        known &= (start_s + WINDOW_S <= begin_s) | (start_s >= end_s)
    return np.asarray(known & (spread < STILL_G) & (low <= mean) & (mean <= high))


def at_rest(recording: Recording) -> NDArray[np.bool_]:
    """`(windows,)` True where the wrist hardly moves, or without an acceleration in g where an
    annotated activity is rest; nowhere where neither is known."""
    moved = still(recording, recording.window_start_s)
    if moved is not None:
        return moved
    resting = [i for i, name in enumerate(recording.activity_names) if name.lower() in RESTING]
    return np.isin(recording.activity, resting)


def rate_by_labels(recording: Recording, found: Spectra) -> float | None:
    """Samples a second where the beats of the PPG are those of labels, which stand in its rows, at
    twice to ten times the rate that is said, or as much less; None where it may be right."""
    place = found.at(recording.window_start_s)
    used = recording.usable & (place >= 0)
    bpm = recording.hr_bpm[used]
    if len(bpm) < FEWEST or np.divide(*np.quantile(bpm, (0.9, 0.1))) < VARIED:
        return None
    if np.mean(np.abs(found.peak_bpm[place[used]] / bpm - 1) < ALIKE) > SELDOM:
        return None
    rows = np.rint(bpm - RATES_BPM[0]).astype(np.int64)[:, None] + np.arange(-NEAR, NEAR + 1)
    there = np.take_along_axis(found.power[place[used]], rows.clip(0, len(RATES_BPM) - 1), axis=1)
    faint = float(np.median(there.sum(axis=1))) < FAINT  # else beats show there, under an overtone
    seen = recording.ppg[: round(LOOKED_S * recording.ppg_hz)]
    best, told = MOSTLY, None
    for times in TIMES if faint else [one for one in TIMES if one > 1]:
        hz = recording.ppg_hz * times
        if hz < SLOWEST_HZ or len(seen) < 2 * WINDOW_S * hz:
            continue
        other = spectra(replace(recording, ppg=seen, ppg_hz=hz, acc=None, acc_hz=None))
        middle_s = (recording.window_start_s[used] + WINDOW_S / 2) / times
        place = other.at(middle_s - WINDOW_S / 2)
        ratio = other.peak_bpm[place[place >= 0]] / bpm[place >= 0]
        near = np.abs(ratio - 1) < ALIKE
        if len(ratio) >= FEWEST and near.mean() > best:
            best, told = float(near.mean()), hz / float(np.median(ratio[near]))
    return told
