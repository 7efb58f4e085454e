"""R peaks of an electrocardiogram, and the heart rate of 8 s windows from beats.

Steps: band-pass 5 to 20 Hz (forward and backward, so nothing is delayed), squared slope averaged
over 0.12 s, a threshold that follows the height of the beats around, one search back where a beat
seems missing, then the exact place of the peak between samples.

After the scheme of Pan and Tompkins, IEEE TBME 32(3) 1985, with a threshold from the median height
of the neighbouring beats instead of their running one.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from ppgnas.task import WINDOW_S

BAND_HZ = (5.0, 20.0)
INTEGRATION_S = 0.12
REFRACTORY_S = 0.25
BLOCK_S = 2.0  # holds a beat down to 30 BPM
BLOCKS_AROUND = 7
THRESHOLD = 0.25  # of the median height around
SECOND_LOOK = 0.4  # of the threshold, where a gap is too long
LONG_GAP = 1.6  # in median intervals
T_WAVE_S = 0.36  # closer than that to a beat and half as high: its T wave
RR_RANGE_S = (0.24, 2.5)
RR_RATIO = (0.55, 1.6)  # to the median of the intervals around: below an extra, above a lost beat


def r_peaks(ecg: NDArray[np.floating], hz: float) -> NDArray[np.float64]:
    """Times of the R peaks.

    Args:
        ecg: `(samples,)` one lead, any unit and polarity.
        hz: its rate, above 40 Hz.

    Returns:
        `(beats,)` seconds from sample 0, increasing; empty if nothing stands out.
    """
    values = np.asarray(ecg, np.float64)
    if len(values) < 2 * hz or np.ptp(values) == 0:
        return np.zeros(0)
    sections = scipy.signal.butter(2, BAND_HZ, "bandpass", fs=hz, output="sos")
    # Mirrored at both ends for a second, so that the ends look like no beat.
    filtered = scipy.signal.sosfiltfilt(sections, values, padtype="even", padlen=round(hz))
    energy = scipy.ndimage.uniform_filter1d(
        np.gradient(filtered) ** 2, max(round(INTEGRATION_S * hz), 1)
    )
    threshold = _threshold(energy, hz)
    places, _ = scipy.signal.find_peaks(energy, distance=max(round(REFRACTORY_S * hz), 1))
    beats = places[energy[places] > threshold[places]]
    beats = _without_t_waves(beats, energy, hz)
    beats = _look_again(beats, places, energy, threshold * SECOND_LOOK)
    return _refine(beats, filtered, hz)


def _threshold(energy: NDArray[np.float64], hz: float) -> NDArray[np.float64]:
    """`(samples,)` a share of the median block maximum around each sample."""
    size = round(BLOCK_S * hz)
    starts = np.arange(0, len(energy), size)
    highest = np.maximum.reduceat(energy, starts)
    around = scipy.ndimage.median_filter(
        highest, size=min(BLOCKS_AROUND, len(highest)), mode="nearest"
    )
    return THRESHOLD * np.interp(np.arange(len(energy)), starts + size / 2, around)


def _without_t_waves(
    beats: NDArray[np.int64], energy: NDArray[np.float64], hz: float
) -> NDArray[np.int64]:
    kept: list[int] = []
    for beat in beats.tolist():
        if kept and beat - kept[-1] < T_WAVE_S * hz:
            if energy[beat] < 0.5 * energy[kept[-1]]:
                continue
            if energy[kept[-1]] < 0.5 * energy[beat]:
                kept.pop()
        kept.append(beat)
    return np.array(kept, np.int64)


def _look_again(
    beats: NDArray[np.int64],
    places: NDArray[np.int64],
    energy: NDArray[np.float64],
    threshold: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Add the highest place of each gap that is too long, if it reaches the lower threshold."""
    if len(beats) < 4:
        return beats
    gaps = np.diff(beats)
    usual = scipy.ndimage.median_filter(gaps, size=min(9, len(gaps)), mode="nearest")
    added = []
    for index in np.flatnonzero(gaps > LONG_GAP * usual):
        margin = 0.4 * usual[index]
        inside = places[(places > beats[index] + margin) & (places < beats[index + 1] - margin)]
        inside = inside[energy[inside] > threshold[inside]]
        if len(inside):
            added.append(int(inside[np.argmax(energy[inside])]))
    return np.sort(np.concatenate([beats, np.array(added, np.int64)]))


def _refine(
    beats: NDArray[np.int64], filtered: NDArray[np.float64], hz: float
) -> NDArray[np.float64]:
    """Times of the extremes of the filtered lead near each beat, between samples by a parabola."""
    if not len(beats):
        return np.zeros(0)
    reach = max(round(0.08 * hz), 1)
    offsets = np.arange(-reach, reach + 1)
    index = np.clip(beats[:, None] + offsets, 1, len(filtered) - 2)  # (beats, around)
    around = filtered[index]
    upward = np.median(around.max(axis=1)) >= np.median(-around.min(axis=1))
    oriented = filtered if upward else -filtered
    best = index[np.arange(len(beats)), oriented[index].argmax(axis=1)]
    left, middle, right = oriented[best - 1], oriented[best], oriented[best + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    times = (best + np.clip(shift, -0.5, 0.5)) / hz
    apart = np.concatenate([[True], np.diff(times) > RR_RANGE_S[0] / 2])
    return np.asarray(times[apart])


def heart_rate(
    beats_s: NDArray[np.float64],
    start_s: NDArray[np.float64],
    *,
    of: Literal["rates", "intervals"] = "rates",
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean heart rate of 8 s windows.

    Args:
        beats_s: `(beats,)` times of beats, increasing.
        start_s: `(windows,)`.
        of: "rates": the mean of 60 / interval; "intervals": 60 / mean of the intervals. An
            interval belongs to the windows in which its second beat lies.

    Returns:
        `(windows,)` BPM, NaN without an interval; and `(windows,)` True where every interval is
        plausible and the beats fill the window.
    """
    intervals = np.diff(beats_s)
    ends = beats_s[1:]
    fine = _plausible(intervals)
    first = np.searchsorted(ends, start_s, side="right")
    last = np.searchsorted(ends, start_s + WINDOW_S, side="right")
    hr_bpm = np.full(len(start_s), np.nan)
    valid = np.zeros(len(start_s), np.bool_)
    for index, (a, b) in enumerate(zip(first, last, strict=True)):
        part = intervals[a:b]
        if not len(part):
            continue
        hr_bpm[index] = np.mean(60 / part) if of == "rates" else 60 / np.mean(part)
        open_s = start_s[index] + WINDOW_S - ends[b - 1], ends[a] - start_s[index]
        valid[index] = len(part) >= 3 and fine[a:b].all() and max(open_s) <= RR_RANGE_S[1]
    return hr_bpm, valid


def _plausible(intervals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`(intervals,)` False where a beat was lost or made up."""
    if not len(intervals):
        return np.zeros(0, np.bool_)
    usual = scipy.ndimage.median_filter(intervals, size=min(9, len(intervals)), mode="nearest")
    ratio = intervals / usual
    return np.asarray(
        (intervals >= RR_RANGE_S[0])
        & (intervals <= RR_RANGE_S[1])
        & (ratio >= RR_RATIO[0])
        & (ratio <= RR_RATIO[1])
    )
