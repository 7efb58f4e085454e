"""What a recording gives: one clock for PPG and acceleration, and segments with what is known.

Intervals between pulses are told in a clean stretch of PPG, where beats can be seen. A pulse
arrives a little later or earlier than its beat (transit time), so these are figures of pulse rate
variability, and a stretch with movement has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.frontend import DEAD_SPREAD, band_pass, interpolate, stream
from ppg.recording import Recording
from ppgnas.task import WINDOW_S

SEGMENT_S, HOP_S = 30, 10
HZ = 32
SAMPLES = SEGMENT_S * HZ
FEWEST_LABELS = 0.75  # of the windows that lie in a segment
_PULSE_HZ = 128.0  # where pulses are looked for: intervals want finer steps than a network


@dataclass(frozen=True)
class Cut:
    """Signals of a recording, and its segments.

    Attributes:
        signals: `(samples, channels + 3)` float16 at `HZ`: PPG channels of unit spread, then
            acceleration in g, both filtered by `ppg.frontend.stream`.
        start: `(segments,)` first sample of each.
        hr_bpm: `(segments,)` mean reference heart rate; NaN where there is none.
        sdnn_ms, rmssd_ms: `(segments,)` of the intervals between pulses, see `variability_ms`.
        activity: `(segments,)` index into the recording's names, where it is one throughout; -1.
    """

    signals: NDArray[np.float16]
    start: NDArray[np.int64]
    hr_bpm: NDArray[np.float32]
    sdnn_ms: NDArray[np.float32]
    rmssd_ms: NDArray[np.float32]
    activity: NDArray[np.int16]


def cut(recording: Recording) -> Cut:
    """Cut a recording that has acceleration; one that is shorter than a segment has none."""
    assert recording.acc is not None
    signals = stream(recording, hz=HZ)
    assert signals.acc is not None
    start = np.arange(0, max(0, len(signals.ppg) - SAMPLES + 1), HOP_S * HZ)
    clear = recording.measured(start / HZ, SEGMENT_S)
    for index, first in enumerate(start):
        part = slice(first, first + SAMPLES)
        clear[index] &= bool((signals.ppg[part].std(axis=0) > DEAD_SPREAD).any())
        # A sensor that was not worn for a while repeats one value.
        clear[index] &= bool((np.ptp(signals.acc[part], axis=0) > 0).any())
    start = start[clear]
    known = [_known(recording, first / HZ) for first in start]
    wave = _wave(recording)
    spread = np.array(
        [
            variability_ms(_part(wave, int(first)), _PULSE_HZ, reference_bpm=bpm)
            for first, (bpm, _) in zip(start, known, strict=True)
        ],
        np.float32,
    ).reshape(len(start), 2)
    return Cut(
        signals=np.concatenate([signals.ppg, signals.acc], axis=1).astype(np.float16),
        start=start,
        hr_bpm=np.array([bpm for bpm, _ in known], np.float32),
        sdnn_ms=spread[:, 0],
        rmssd_ms=spread[:, 1],
        activity=np.array([activity for _, activity in known], np.int16),
    )


def _wave(recording: Recording) -> NDArray[np.float64]:
    """The slope of all PPG channels together, at `_PULSE_HZ`."""
    slope = band_pass(recording.ppg, recording.ppg_hz, slope=True)
    spread = slope.std(axis=0)
    mixed = (slope / np.where(spread > 0, spread, np.inf)).sum(axis=1, keepdims=True)
    at_s = np.arange(int(recording.duration_s * _PULSE_HZ)) / _PULSE_HZ
    return interpolate(mixed, recording.ppg_hz, at_s)[:, 0]


def _part(wave: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    begin = round(first / HZ * _PULSE_HZ)
    return wave[begin : begin + round(SEGMENT_S * _PULSE_HZ)]


def _known(recording: Recording, begin_s: float) -> tuple[float, int]:
    """Mean heart rate and the one activity of the windows that lie in a segment."""
    start_s = recording.window_start_s
    inside = (start_s >= begin_s) & (start_s + WINDOW_S <= begin_s + SEGMENT_S)
    if not inside.any():
        return float("nan"), -1
    activities = np.unique(recording.activity[inside])
    activity = int(activities[0]) if len(activities) == 1 else -1
    usable = inside & recording.usable
    if usable.sum() < FEWEST_LABELS * inside.sum():
        return float("nan"), activity
    return float(recording.hr_bpm[usable].mean()), activity


SHORTEST_S, LONGEST_S = 0.3, 1.6  # intervals of 200 and of 37 BPM
LARGEST_STEP = 0.2  # of one interval to the median around it
COVERED = 0.9  # of the stretch
APART_BPM = 3.0  # of a reference
PROMINENCE = 0.6  # standard deviations


def variability_ms(
    wave: NDArray[np.floating], hz: float, *, reference_bpm: float = float("nan")
) -> tuple[float, float]:
    """SDNN and RMSSD of a stretch, in ms; NaN where pulses cannot be told without doubt.

    Args:
        wave: `(samples,)` PPG between 0.4 and 5 Hz, as a wave or as its slope.
        reference_bpm: mean heart rate, where it is known: steps are regular, too.
    """
    unknown = (float("nan"), float("nan"))
    spread = float(wave.std())
    if spread == 0:
        return unknown
    peaks, _ = scipy.signal.find_peaks(
        wave, distance=max(1, int(SHORTEST_S * hz)), prominence=PROMINENCE * spread
    )
    if len(peaks) < 8:
        return unknown
    # The top of a parabola through three samples: a sample of 64 Hz is 16 ms.
    left, top, right = (wave[peaks + shift].astype(np.float64) for shift in (-1, 0, 1))
    bend = left - 2 * top + right
    at_s = (peaks + 0.5 * (left - right) / np.where(bend == 0, -1, bend)) / hz
    intervals_s = np.diff(at_s)
    if at_s[-1] - at_s[0] < COVERED * len(wave) / hz:
        return unknown
    if abs(60 / intervals_s.mean() - reference_bpm) > APART_BPM:
        return unknown
    around = np.array(
        [np.median(intervals_s[max(0, i - 2) : i + 3]) for i in range(len(intervals_s))]
    )
    steady = np.abs(intervals_s - around) <= LARGEST_STEP * around
    if not steady.all() or intervals_s.max() > LONGEST_S:
        return unknown
    sdnn = 1e3 * float(intervals_s.std(ddof=1))
    rmssd = 1e3 * float(np.sqrt(np.mean(np.diff(intervals_s) ** 2)))
    return sdnn, rmssd
