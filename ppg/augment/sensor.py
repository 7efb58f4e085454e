"""The same signals as another sensor, another strap and another place on the arm would show them.

Recordings of one data set share a sensor, an optical path and an analogue filter, and a network
learns them by heart; a user's sensor has others. Functions of the PPG take normalised traces
`(windows, time)` and vary one property at random; none moves a beat by more than a fraction of a
period, so labels stay true. Those of movement take acceleration `(windows, time, 3)` in g.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import PPG_FLOOR

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


ARTEFACT_TAPS = 5


def artefacts(rng: np.random.Generator, acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """What movement might do to a sensor: `(windows, time)` traces of unit spread.

    A random direction of the acceleration, through a random short causal filter, bent by a random
    share of its square (tissue and contact are not linear, which gives harmonics).
    """
    count, samples, _ = acc.shape
    direction = rng.standard_normal((count, 3)).astype(np.float32)
    along = np.einsum("wtc,wc->wt", acc, direction)
    along /= np.maximum(along.std(axis=1, keepdims=True), PPG_FLOOR)
    bend = rng.uniform(-0.5, 0.5, (count, 1)).astype(np.float32)
    along = along + bend * along**2
    along -= along.mean(axis=1, keepdims=True)  # where nothing moves, nothing is disturbed
    taps = rng.standard_normal((count, ARTEFACT_TAPS)).astype(np.float32)
    out = np.zeros_like(along)
    for tap in range(ARTEFACT_TAPS):
        delay = 2 * tap
        out[:, delay:] += taps[:, tap : tap + 1] * along[:, : samples - delay]
    out -= out.mean(axis=1, keepdims=True)
    return np.asarray(out / np.maximum(out.std(axis=1, keepdims=True), PPG_FLOOR))


def rotations(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """`(count, 3, 3)` rotations, uniform over all of them (unit quaternions)."""
    q = rng.standard_normal((count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1).astype(np.float32)
