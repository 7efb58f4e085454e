"""The causal hidden-Markov smoother of `ppg.decode` in fixed point.

Beliefs are 32-bit, their sum is 2^31. A stride of 2 s moves them by a banded kernel K and lets a
small part jump anywhere; `edge` undoes what the kernel loses at both ends of the classes:

    c[i] = floor(b[i] edge[i] / 2^30)                                   edge in units of 2^-30
    b'[i] = floor(sum_d K[|d|] c[i-d] / 2^31) + J                       |d| <= band

K sums to 1 minus the jump's probability, J is the jump's share of one class. The kernel is cut
where all that lies beyond is less than a hundredth of J. Then comes the window's evidence v:

    P[i] = b'[i] v[i],  up = max(0, 62 - bits(sum P)),  R = floor(2^61 / (sum P 2^up / 2^31))
    b[i] = floor(floor(P[i] 2^up / 2^31) R / 2^30)

The reading is that of `decoding` from the beliefs. A missed window is a stride without evidence;
after `LONGEST_GAP_STEPS` strides no more is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.decoding import Calibration, Reading, read
from deploy.device.integers import Ints, bit_length
from deploy.device.weights import Evidence, evidence, evidence_of, weights
from ppg.targets import CLASSES
from ppgnas.errors import ExportError

LONGEST_GAP_STEPS = 30
BELIEF_ONE = 2**31
START = BELIEF_ONE // CLASSES
_CUT = 0.01
_AGREEMENT = 1e-9


@dataclass(frozen=True)
class Smoother:
    """The smoother's constants.

    Attributes:
        kernel: `(band + 1,)` K by distance, units of 2^-31.
        edge: `(min(band, 90),)` factors of the first classes and, mirrored, of the last, in units
            of 2^-30; classes further inside have factor 1.
        jump: J, units of 2^-31.
        evidence: how a window's probabilities speak.
    """

    kernel: tuple[int, ...]
    edge: tuple[int, ...]
    jump: int
    evidence: Evidence


def smoother(matrix: NDArray[np.float64], *, floor: float, exponent: float) -> Smoother:
    """Constants of a transition.

    Args:
        matrix: `(classes, classes)`, column-stochastic: a step that depends on the distance alone,
            renormalised at the ends, mixed with a uniform part.
        floor, exponent: of the evidence, see `weights.evidence_of`.

    Raises:
        ExportError: a matrix of another form.
    """
    if matrix.shape != (CLASSES, CLASSES):
        raise ExportError(
            f"transition: the matrix has shape {matrix.shape}; expected {(CLASSES, CLASSES)}"
        )
    # The least likely move tells the uniform part: a step of heart rate does not go that far.
    jump = float(matrix.min()) * CLASSES
    if not 0 < jump < 1:
        raise ExportError(
            f"transition: the jump's probability is {jump:g}; allowed: above 0, below 1"
        )
    step = np.maximum((matrix - jump / CLASSES) / (1 - jump), 0)
    profile = step[:, 0]  # by distance, up to a factor
    tail = np.cumsum(profile[::-1])[::-1]
    band = max(1, int(np.flatnonzero(2 * tail > _CUT * jump / CLASSES)[-1]))
    distance = np.abs(np.subtract.outer(np.arange(CLASSES), np.arange(CLASSES)))
    kept = np.where(distance <= band, profile[distance], 0.0)
    factor = 1 / kept.sum(axis=0)
    if np.abs(kept * factor - step).max() > _AGREEMENT + _CUT * jump:
        raise ExportError(
            "transition: the matrix is no step by distance, renormalised at the ends, with a "
            "uniform part; the device's smoother knows no other"
        )
    inner = factor[CLASSES // 2]
    kernel = profile[: band + 1] * inner * (1 - jump)
    return Smoother(
        tuple(round(float(k) * BELIEF_ONE) for k in kernel),
        tuple(round(float(f / inner) * 2**30) for f in factor[: min(band, CLASSES // 2)]),
        max(1, round(jump / CLASSES * BELIEF_ONE)),
        evidence_of(floor, exponent),
    )


def advance(belief: Ints, by: Smoother) -> Ints:
    """Beliefs `(series, classes)` one stride later."""
    band, ends = len(by.kernel) - 1, len(by.edge)
    scaled = belief.copy()
    edge = np.array(by.edge, np.int64)
    scaled[:, :ends] = (scaled[:, :ends] * edge) >> 30
    scaled[:, CLASSES - ends :] = (scaled[:, CLASSES - ends :] * edge[::-1]) >> 30
    padded = np.pad(scaled, ((0, 0), (band, band)))
    moved = by.kernel[0] * scaled
    for d in range(1, band + 1):
        neighbours = padded[:, band - d : band - d + CLASSES] + padded[:, band + d :][:, :CLASSES]
        moved = moved + by.kernel[d] * neighbours
    return (moved >> 31) + by.jump


def weigh(belief: Ints, seen: Ints) -> Ints:
    """Beliefs after evidence, `(series, classes)`, with a sum of 2^31."""
    product = belief * seen
    total = product.sum(axis=1, keepdims=True)
    up = np.maximum(62 - bit_length(total), 0)
    reciprocal = (np.int64(1) << 61) // ((total << up) >> 31)
    return (((product << up) >> 31) * reciprocal) >> 30


def smooth(
    logits: NDArray[np.int8],
    steps: NDArray[np.integer],
    *,
    exponent: int,
    by: Smoother,
    calibration: Calibration | None = None,
) -> Reading:
    """Smoothed readings, windows in order of time.

    Args:
        logits: `(windows, classes)`.
        steps: `(windows,)` strides since the window before; 0 starts a new series.
        exponent: of the logits' scale, see `weights.exponent_of`.
        by: constants.
        calibration: of the spread of smoothed readings.
    """
    seen = evidence(weights(logits, exponent), by.evidence)
    first = np.flatnonzero(np.asarray(steps) == 0)
    if len(first) == 0 or first[0] != 0:
        first = np.r_[0, first]
    length = np.diff(np.r_[first, len(logits)])
    order = np.argsort(-length, kind="stable")  # all series advance together
    first, length = first[order], length[order]
    beliefs = np.empty((len(logits), CLASSES), np.int64)
    belief = np.full((len(first), CLASSES), START, np.int64)
    for number in range(int(length[0]) if len(length) else 0):
        running = int(np.count_nonzero(length > number))
        at = first[:running] + number
        belief = belief[:running].copy()
        missed = np.minimum(np.asarray(steps)[at], LONGEST_GAP_STEPS)
        for step in range(int(missed.max()) if number else 0):
            late = missed > step
            belief[late] = advance(belief[late], by)
        belief = weigh(belief, seen[at])
        beliefs[at] = belief
    return read(beliefs, calibration)
