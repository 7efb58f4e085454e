"""From weights of classes to a reading: `ppg.readout.decode.expectation` in integers.

With w the weights, S their sum, m the first class of the largest weight, N the sum of w within
`MODE_HALF_WIDTH` = 8 of m, C and B the sums of w i and w (i - m)^2 over the classes i, A that of
w (i - m + 8) near m, and [] the floor. Sums lose the bits that S or N have beyond 16: `right` is
max(0, bits(S) - 16), s = [S / 2^right], c, b and n = [C, B, N / 2^right], likewise a' and n' of N:

    bpm        = 256 (first + m - 8) + [(256 a' + [n' / 2]) / n']
    mean       = Q12(c / s) - 2^12 m        variance = Q16(b / s) - [mean^2 / 2^8]
    spread     = isqrt(max(variance, 0))    confidence = [2^15 n / s]

where Qk(x / y) = 2^k [x / y] + [(x mod y) 2^16 / y / 2^(16 - k)]: 32-bit divisions all.

first is the heart rate of the first class. bpm and spread are in 1/256 BPM (bpm at most 0.01 off),
confidence is in 1/32768: the share of the probability that lies within 8 BPM of the mode.

A `Calibration` maps the spread to the error that readings of such a spread had on people the
network was not trained on: linear between knots, flat beyond its ends,

    error = y0 + [(y1 - y0) (spread - x0) / (x1 - x0)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints, bit_length, square_root
from deploy.device.weights import classes, weights
from ppg.readout.decode import MODE_HALF_WIDTH
from ppgnas.errors import ExportError
from ppgnas.task import TASK, Task

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


def read(
    w: Ints, calibration: Calibration | None = None, *, seen: Ints | None = None, task: Task = TASK
) -> Reading:
    """Readings from weights.

    Args:
        w: `(windows, classes)`, each below 2^32, their sum below 2^40 and above 2^15; they give
            the mode, the spread and the confidence.
        seen: weights, below 2^32 and above 0 at the mode, whose expectation around the mode is
            the heart rate; `w` if None.
    """
    mode, places = w.argmax(axis=1), classes(w.shape[1])
    j = places - mode[:, None]
    close = np.abs(j) <= MODE_HALF_WIDTH
    near = np.where(close, w if seen is None else seen, 0)
    total, near_total = w.sum(axis=1), near.sum(axis=1)
    right = _beyond_16_bits(total)
    share = total >> right
    mean = _quotient((w * places).sum(axis=1) >> right, share, 12) - (mode << 12)
    variance = _quotient((w * j * j).sum(axis=1) >> right, share, 16) - ((mean * mean) >> 8)
    spread = square_root(np.maximum(variance, 0))
    near_right = _beyond_16_bits(near_total)
    near_share = near_total >> near_right
    ahead = (near * (j + MODE_HALF_WIDTH)).sum(axis=1) >> near_right
    mass = np.where(close, w, 0).sum(axis=1) >> right
    return Reading(
        BPM_UNITS * (task.lowest_bpm - MODE_HALF_WIDTH + mode)
        + (BPM_UNITS * ahead + (near_share >> 1)) // near_share,
        spread,
        (CONFIDENCE_ONE * mass) // share,
        expected_error(spread, calibration),
    )


def _beyond_16_bits(total: Ints) -> Ints:
    return np.asarray(np.maximum(bit_length(total) - 16, 0), np.int64)


def _quotient(x: Ints, y: Ints, bits: int) -> Ints:
    """`x / y` in units of `2^-bits`, bits <= 16, 0 < y < 2^16."""
    return ((x // y) << bits) + (((x % y << 16) // y) >> (16 - bits))


def decode(
    logits: NDArray[np.int8],
    exponent: int,
    calibration: Calibration | None = None,
    *,
    task: Task = TASK,
) -> Reading:
    """Raw readings of logits `(windows, classes)`; `exponent` as of `weights.exponent_of`."""
    if logits.ndim != 2 or logits.shape[1] != task.classes:
        raise ExportError(f"logits have shape {logits.shape}; expected (windows, {task.classes})")
    return read(weights(logits, exponent), calibration, task=task)
