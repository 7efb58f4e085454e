"""The same PPG as another sensor might have given it.

Recordings of one data set share a sensor, an optical path and an analogue filter, and a network
learns them by heart; a user's sensor has others. Each function takes normalised traces
`(windows, time)` and varies one property at random; none moves a beat by more than a fraction of
a period, so labels stay true.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BEND_CLIP = 3.0  # standard deviations, so that one spike does not become the whole trace
PIVOT_HZ = 2.0
TILT_RANGE_HZ = (0.4, 8.0)


def bend(
    rng: np.random.Generator, trace: NDArray[np.float32], *, largest: float
) -> NDArray[np.float32]:
    """Add up to `largest` times the square: stronger or weaker second harmonics."""
    share = rng.uniform(-largest, largest, (len(trace), 1)).astype(np.float32)
    return trace + share * (np.clip(trace, -BEND_CLIP, BEND_CLIP) ** 2 - 1)


def tilt(
    rng: np.random.Generator, trace: NDArray[np.float32], *, rate_hz: float, largest: float
) -> NDArray[np.float32]:
    """A random smooth filter.

    Args:
        trace: `(windows, time)`.
        largest: nepers of gain per octave, and radians of phase far from `PIVOT_HZ`; a ripple
            over frequency has up to 0.3 of it.
    """
    count, samples = trace.shape
    hz = np.fft.rfftfreq(samples, 1 / rate_hz)
    octaves = np.log2(np.clip(hz, *TILT_RANGE_HZ) / PIVOT_HZ)[None]
    gain = rng.uniform(-largest, largest, (count, 1)) * octaves
    pace, origin = rng.uniform(0.2, 0.8, (count, 1)), rng.random((count, 1))
    gain = gain + 0.3 * largest * np.sin(2 * np.pi * (octaves * pace + origin))
    phase = rng.uniform(-largest, largest, (count, 1)) * np.tanh(octaves)
    spectrum = np.fft.rfft(trace, axis=1) * np.exp(gain + 1j * phase)
    return np.fft.irfft(spectrum, samples, axis=1).astype(np.float32)


def polarity(
    rng: np.random.Generator, trace: NDArray[np.float32], *, share: float
) -> NDArray[np.float32]:
    """Turn a share of the traces upside down: sensors disagree about which way a beat points."""
    sign = np.where(rng.random((len(trace), 1)) < share, -1, 1)
    return trace * sign.astype(np.float32)
