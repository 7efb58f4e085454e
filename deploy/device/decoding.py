"""From weights of classes to a reading: `ppg.readout.decode.expectation` in integers.

With w the weights (largest around 2^30), S their sum, m the first class of the largest weight,
N the sum of w within `MODE_HALF_WIDTH` of m, j the class minus m, and [] the floor:

    bpm        = 256 (30 + m) + [(256 A + [N / 2]) / N]                A = sum of w j near m
    variance   = [B / [S / 2^16]] - [M^2 / 2^8]                         B = sum of w j^2
    spread     = isqrt(max(variance, 0))                                M = [C / [S / 2^12]]
    confidence = [2^15 N / S]                                           C = sum of w j

bpm and spread are in 1/256 BPM (at most 0.004 off), confidence is in 1/32768: the share of the
probability that lies within 8 BPM of the mode.

A `Calibration` maps the spread to the error that readings of such a spread had on people the
network was not trained on: linear between knots, flat beyond its ends,

    error = y0 + [(y1 - y0) (spread - x0) / (x1 - x0)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints, square_root
from deploy.device.weights import WEIGHT_BITS, classes, weights
from ppg.readout.classes import FIRST_BPM
from ppg.readout.decode import MODE_HALF_WIDTH, Decoded
from ppgnas.errors import ExportError
from ppgnas.task import CLASSES

BPM_UNITS = 256
CONFIDENCE_ONE = 2**15


@dataclass(frozen=True)
class Reading:
    """What the device says of each window, integer arrays `(windows,)`.

    Attributes:
        bpm_q8: heart rate in 1/256 BPM.
        spread_q8: standard deviation of the class probabilities in 1/256 BPM.
        confidence_q15: probability near the mode in 1/32768.
        error_q8: expected absolute error in 1/256 BPM; the spread where nothing is calibrated.
    """

    bpm_q8: Ints
    spread_q8: Ints
    confidence_q15: Ints
    error_q8: Ints

    @property
    def decoded(self) -> Decoded:
        """The reading in BPM."""
        return Decoded(self.bpm_q8 / BPM_UNITS, self.spread_q8 / BPM_UNITS)


@dataclass(frozen=True)
class Calibration:
    """Knots of the map from spread to expected error, both in 1/256 BPM.

    Attributes:
        spread_q8: rising.
        error_q8: never falling.
    """

    spread_q8: tuple[int, ...]
    error_q8: tuple[int, ...]


def calibration_of(spread_bpm: Sequence[float], error_bpm: Sequence[float]) -> Calibration:
    """The map for the device.

    Args:
        spread_bpm: knots, rising.
        error_bpm: expected absolute error at each knot, never falling.

    Raises:
        ExportError: knots that do not rise, or leave 0 to 255 BPM.
    """
    spread = np.asarray(spread_bpm, np.float64)
    error = np.asarray(error_bpm, np.float64)
    knots = np.concatenate([spread.ravel(), error.ravel()])
    inside = bool(((knots >= 0) & (knots < 255)).all())  # NaN is not
    if (
        spread.shape != error.shape
        or spread.ndim != 1
        or not 1 <= len(spread) <= 64
        or not inside
        or (np.diff(spread) <= 0).any()
        or (np.diff(error) < 0).any()
    ):
        raise ExportError(
            f"calibration: spreads {list(spread_bpm)} and errors {list(error_bpm)}; allowed: 1 to "
            "64 knots from 0 to 255 BPM, spreads that rise, errors that do not fall"
        )
    rounded = np.rint(np.stack([spread, error], axis=1) * BPM_UNITS)
    table = {int(x): int(y) for x, y in rounded}
    return Calibration(tuple(table), tuple(table.values()))


def expected_error(spread_q8: Ints, calibration: Calibration | None) -> Ints:
    """Expected error of each spread; the spread itself without a calibration."""
    if calibration is None:
        return spread_q8
    x = np.array(calibration.spread_q8, np.int64)
    y = np.array(calibration.error_q8, np.int64)
    at = np.clip(spread_q8, x[0], x[-1])
    right = np.clip(np.searchsorted(x, at, side="right"), 1, max(len(x) - 1, 1))
    right = np.minimum(right, len(x) - 1)
    left = np.maximum(right - 1, 0)
    result: Ints = y[left] + (y[right] - y[left]) * (at - x[left]) // np.maximum(
        x[right] - x[left], 1
    )
    return result


def read(w: Ints, calibration: Calibration | None = None, *, seen: Ints | None = None) -> Reading:
    """Readings from weights.

    Args:
        w: `(windows, classes)`, each below 2^32 and their largest above 2^22; they give the mode,
            the spread and the confidence.
        calibration: of the spread.
        seen: weights, below 2^32 and above 0 at the mode, whose expectation around the mode is
            the heart rate; `w` if None.
    """
    mode = w.argmax(axis=1)[:, None]
    j = classes() - mode
    close = np.abs(j) <= MODE_HALF_WIDTH
    near = np.where(close, w if seen is None else seen, 0)
    total, mass, seen_mass = w.sum(axis=1), np.where(close, w, 0).sum(axis=1), near.sum(axis=1)
    shift = (BPM_UNITS * (near * j).sum(axis=1) + (seen_mass >> 1)) // seen_mass
    mean = (w * j).sum(axis=1) // (total >> 12)
    variance = (w * j * j).sum(axis=1) // (total >> 16) - ((mean * mean) >> 8)
    spread = square_root(np.maximum(variance, 0))
    return Reading(
        BPM_UNITS * (int(FIRST_BPM) + mode[:, 0]) + shift,
        spread,
        (CONFIDENCE_ONE * mass) // total,
        expected_error(spread, calibration),
    )


def decode(
    logits: NDArray[np.int8], exponent: int, calibration: Calibration | None = None
) -> Reading:
    """Raw readings of logits `(windows, classes)`; `exponent` as of `weights.exponent_of`."""
    if logits.ndim != 2 or logits.shape[1] != CLASSES:
        raise ExportError(f"logits have shape {logits.shape}; expected (windows, {CLASSES})")
    return read(weights(logits, exponent) >> (WEIGHT_BITS - 30), calibration)
