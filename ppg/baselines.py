"""Heart rate by hand-built signal processing: what a network must beat on the same people.

Spectra are amplitudes of windows at the heart rates that classes stand for. A Hann window and zero
padding to 60 s give one bin a BPM; the resolution stays that of the window, about 7.5 BPM of 8 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.readout.classes import bin_centres_bpm
from ppg.windows import WindowSet
from ppgnas.errors import DataError
from ppgnas.task import TASK, Task

CHUNK = 512

Series = NDArray[np.float64]


def spectra(x: NDArray[np.floating], rate_hz: int, task: Task = TASK) -> NDArray[np.float32]:
    """Amplitudes at the heart rates of the classes.

    Args:
        x: `(windows, channels, time)` at `rate_hz`.

    Returns:
        `(windows, channels, classes)`.
    """
    window = np.hanning(x.shape[2] + 2)[1:-1].astype(np.float32)
    first = task.lowest_bpm
    out = np.empty((*x.shape[:2], task.classes), np.float32)
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK]
        part = (part - part.mean(axis=2, keepdims=True)) * window
        whole = np.abs(np.fft.rfft(part, n=60 * rate_hz, axis=2))  # bin k is k BPM
        out[start : start + CHUNK] = whole[:, :, first : first + task.classes]
    return out


def to_unit_peak(amplitude: NDArray[np.floating]) -> Series:
    """Each row `(..., classes)` divided by its largest value."""
    largest = amplitude.max(axis=-1, keepdims=True)
    return np.asarray(amplitude / np.maximum(largest, 1e-12), dtype=np.float64)


def motion_spectrum(x: NDArray[np.floating], amplitude: NDArray[np.floating]) -> Series:
    """One spectrum `(windows, classes)` of the acceleration, zero without any.

    Its largest value is 1 where the arm moves, and near 0 at rest, where the acceleration is
    noise and must remove nothing: `normalise_acc` leaves the root-mean-square of the movement to
    the power 1/4, and less below its floor.

    Args:
        x: `(windows, 1 + axes, time)` as the network reads them; channel 0 is the PPG.
        amplitude: `(windows, 1 + axes, classes)`, see `spectra`.
    """
    if amplitude.shape[1] == 1:
        return np.zeros((len(amplitude), amplitude.shape[2]))
    shape = to_unit_peak(np.sqrt((amplitude[:, 1:].astype(np.float64) ** 2).sum(axis=1)))
    moved = np.sqrt((x[:, 1:].astype(np.float64) ** 2).mean(axis=2).sum(axis=1))
    return np.asarray(shape * np.minimum(moved, 1.0)[:, None])


STRENGTH = 0.9


def spectral_peak(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone: the strongest frequency of the PPG.

    Right at rest, wrong as soon as the arm swings.
    """
    ppg = spectra(windows.x[:, :1], rate_hz, windows.task)[:, 0]
    return np.asarray(bin_centres_bpm(windows.task)[ppg.argmax(axis=1)])


def spectral_motion(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """The same without the frequencies of the acceleration; where there is none, the plain peak.

    Bins around each strong peak of the acceleration's spectrum are damped in the PPG's, by as much
    as the acceleration is strong there; a peak that both share is kept only where nothing else is
    left. The idea of spectral subtraction as in SpaMa (Salehizadeh et al., Sensors 16, 2016),
    without its tracking.
    """
    amplitude = spectra(windows.x, rate_hz, windows.task)
    ppg = to_unit_peak(amplitude[:, 0])
    clean = ppg * (1 - STRENGTH * motion_spectrum(windows.x, amplitude))
    return np.asarray(bin_centres_bpm(windows.task)[clean.argmax(axis=1)])


PROMINENCE = 0.6  # in standard deviations of the window
INTERVAL_SHARE = 0.3  # intervals farther from the median are no beats
LEAST_INTERVALS = 2


def peaks(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone, by beats as peaks of the PPG's wave.

    As toolboxes for pulse at rest count them: peaks that stand out of their surroundings by a
    share of the window's swing, no closer than the highest heart rate allows; intervals far from
    the others are left out, as van Gent and others do (HeartPy, Transportation Research Part F 66,
    2019). Good at rest; movement makes peaks of its own. Where fewer than two intervals are left,
    that of the strongest frequency.
    """
    bpm = spectral_peak(windows, rate_hz)
    for row, wave in enumerate(windows.x[:, 0].astype(np.float64)):
        counted = _of_intervals(_peak_times_s(wave, rate_hz, windows.task), windows.task)
        if counted is not None:
            bpm[row] = counted
    return bpm


def _peak_times_s(wave: NDArray[np.float64], rate_hz: int, task: Task) -> NDArray[np.float64]:
    """Times of the peaks, between samples by the parabola through each and its neighbours."""
    least = max(1, int(rate_hz * 60 / task.highest_bpm))
    at, _ = scipy.signal.find_peaks(wave, distance=least, prominence=PROMINENCE * wave.std())
    left, middle, right = wave[at - 1], wave[at], wave[at + 1]
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend != 0)
    return np.asarray((at + shift) / rate_hz)


def _of_intervals(time_s: NDArray[np.float64], task: Task) -> float | None:
    intervals = np.diff(time_s)
    if len(intervals) < LEAST_INTERVALS:
        return None
    middle = np.median(intervals)
    kept = intervals[np.abs(intervals - middle) <= INTERVAL_SHARE * middle]
    if len(kept) < LEAST_INTERVALS:
        return None
    return float(np.clip(60 / kept.mean(), task.lowest_bpm, task.highest_bpm))


MEMORY = 15  # windows, so 30 s and their overlap
REACH_BPM = 25.0  # around the last reading, and as much again for each window missed
LOST_AFTER_S = 30.0
OUTSHONE = 0.6  # below this share of the strongest frequency a reading is doubted ...
DOUBTS = 6  # ... and given up after so many windows
LOWEST_START_BPM = 45.0  # slow drifts of the sensor are no heart rate to start from
INERTIA = 0.3  # share of the last reading in the next one
CENTRE_PULL = 0.3  # how much less the edge of the reach counts than its centre


def wiener(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM, from each window and those before it in its recording.

    The PPG's spectrum P is multiplied by `1 - A / P~`, A the acceleration's spectrum and P~ the
    mean of the PPG's over the last windows, all with a largest value of 1; then the strongest
    frequency near the last reading is taken. A reading that another frequency outshines in several
    windows in a row is given up for it.

    After the idea of Temko (IEEE TBME 64(9), 2017), who refines it further (phase vocoder, several
    filters, offline smoothing): a plain causal version that knows no start heart rate. Its
    constants were set by hand while looking at BAMI and SPC, which flatters it there.
    """
    amplitude = spectra(windows.x, rate_hz, windows.task)
    ppg = to_unit_peak(amplitude[:, 0])
    motion = motion_spectrum(windows.x, amplitude)
    centres = bin_centres_bpm(windows.task)
    out = np.empty(len(ppg))
    for number in np.unique(windows.recording):
        rows = np.flatnonzero(windows.recording == number)
        memory: list[NDArray[np.float64]] = []
        last_bpm, last_s, doubts = np.nan, -np.inf, 0
        for row in rows:
            memory = [*memory[-(MEMORY - 1) :], ppg[row]]
            level = np.mean(memory, axis=0)
            gain = np.clip(1 - motion[row] / np.maximum(level / level.max(), 1e-3), 0.0, 1.0)
            clean = ppg[row] * gain
            if clean.max() <= 0:
                clean = ppg[row]
            anywhere = np.where(centres >= LOWEST_START_BPM, clean, 0.0)
            strongest = int(anywhere.argmax())
            missed_s = windows.start_s[row] - last_s
            if missed_s > LOST_AFTER_S or doubts >= DOUBTS:
                bpm, doubts = float(centres[strongest]), 0
            else:
                reach = REACH_BPM * max(1.0, missed_s / windows.task.stride_s)
                distance = np.abs(centres - last_bpm) / reach
                near = np.where(distance <= 1, clean * (1 - CENTRE_PULL * distance), 0.0)
                found = int(near.argmax()) if near.max() > 0 else None
                seen_bpm = last_bpm if found is None else float(centres[found])
                bpm = INERTIA * last_bpm + (1 - INERTIA) * seen_bpm
                seen = 0.0 if found is None else clean[found]
                doubts = doubts + 1 if seen < OUTSHONE * anywhere[strongest] else 0
            out[row], last_bpm, last_s = bpm, bpm, windows.start_s[row]
    return out


RATE_HZ = 32
SLOPE = "-slope"

Baseline = Callable[[WindowSet, int], NDArray[np.float64]]
_METHODS = {"spectral-peak": spectral_peak, "spectral-motion": spectral_motion, "wiener": wiener}
BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {name + end: method for end in ("", SLOPE) for name, method in _METHODS.items()}
    | {"peaks": peaks}
)


def reads_slope(name: str) -> bool:
    """Whether a baseline reads the slope of the PPG, as networks do, or its wave.

    Which is better depends on the sensor: the slope takes away slow swings that are stronger than
    the pulse, and raises the second harmonic.
    """
    return name.endswith(SLOPE)


def baseline(name: str) -> Baseline:
    """A baseline: `(windows, rate_hz) -> (windows,)` heart rates.

    It takes `windows_of(..., InputSpec(RATE_HZ, True), slope=reads_slope(name))`.

    Raises:
        DataError: there is none of this name.
    """
    if name not in BASELINES:
        raise DataError(f"baseline {name!r} is unknown; allowed: {', '.join(BASELINES)}.")
    return BASELINES[name]
