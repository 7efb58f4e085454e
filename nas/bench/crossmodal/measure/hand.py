"""Features made by hand: of acceleration how strong and fast it is, of both signals when."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ppg.segments.cut import HZ, SAMPLES
from ppg.segments.draw import Pairs
from ppg.segments.shards import Shards

BANDS_HZ = (0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0)
FLOOR_G = 1e-4
PROFILE_S = 2


def hand_features(shards: Shards, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(segments, features)`: log strength overall, by axis and by band, its change, the peak."""
    return np.array([_of(_acc(shards, int(row))) for row in rows])


def profiles(pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of acceleration and of PPG: the log strength of each `PROFILE_S`.

    A moved wrist disturbs the PPG, so the two rise and fall together: what a retrieval without any
    training goes by.
    """
    found = []
    for signal in (pairs.acc, pairs.ppg):
        parts = signal.reshape(*signal.shape[:2], -1, PROFILE_S * HZ).astype(np.float64)
        strength = np.log((parts**2).mean(axis=(1, 3)) + FLOOR_G)
        strength -= strength.mean(axis=1, keepdims=True)
        found.append(strength / np.maximum(np.linalg.norm(strength, axis=1, keepdims=True), 1e-9))
    return found[0], found[1]


def _acc(shards: Shards, row: int) -> NDArray[np.float64]:
    first = int(shards.start[row])
    signals = shards.signals(int(shards.sitting[row]))
    return signals[first : first + SAMPLES, -3:].astype(np.float64)


def _of(acc: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = acc - acc.mean(axis=0)
    axes = np.sort(np.log(centred.std(axis=0) + FLOOR_G))
    power = (np.abs(np.fft.rfft(centred * np.hanning(SAMPLES)[:, None], axis=0)) ** 2).sum(axis=1)
    hz = np.fft.rfftfreq(SAMPLES, 1 / HZ)
    total = power.sum() + 1e-12
    bands = [
        np.log(power[(hz >= low) & (hz < high)].sum() / total + 1e-4)
        for low, high in pairwise(BANDS_HZ)
    ]
    inside = (hz >= BANDS_HZ[0]) & (hz <= BANDS_HZ[-1])
    peak = float(hz[inside][power[inside].argmax()])
    second = centred.reshape(-1, HZ, 3).std(axis=1).mean(axis=1)  # of each second
    return np.array(
        [
            *axes,
            np.log(np.sqrt((centred**2).sum(axis=1).mean()) + FLOOR_G),
            np.log(np.abs(np.diff(centred, axis=0)).mean() + FLOOR_G),
            np.log(second.std() + FLOOR_G),
            *bands,
            peak,
            float(power[inside].max() / total),
        ]
    )
