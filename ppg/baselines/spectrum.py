"""Amplitude spectra of windows at the heart rates that classes stand for.

A Hann window and zero padding to 60 s give one bin a BPM; the resolution stays that of the window,
about 7.5 BPM of 8 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
