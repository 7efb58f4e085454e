"""The rule that adapts a head, in integers: what `ppg_adapt_fit` computes, bit for bit.

One window at a time, forward through the very integers that will run, then

    g[k] = p[k] - q[k]              p softmax of the logits, q Gaussian label, units of 2^-15
    parameters -= rate * gradient   applied at once: no gradient is stored

and after each round over the windows `parameters -= parameters * pull`. Windows are taken in
steps of about 0.618 of their number, so that neighbours, which overlap, do not follow each other.

Guard: the last fifth of the windows teaches nothing. Of each of them, with y its heart rate,

    e = sum_k p[k] |30 + k - y|     expected absolute error, units of 2^-12 BPM

With d the fall of e, the adapted head stays only where mean(d) is above one standard error of it,
which in whole numbers is `sum d > 0 and (sum d)^2 > sum d^2`. Otherwise the factory head comes
back. The error of the decoded reading is what counts in the end, but in so few windows it is right
or wrong by a handful of them; the expected one moves before a reading does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from deploy.personal.head import Head, Ints
from deploy.personal.kinds import GRADIENT_BITS, Change, Kind
from deploy.personal.weights import WEIGHT_BITS, exp2, weights
from ppg.readout.classes import FIRST_BPM, SOFT_LABEL_BPM
from ppgnas.errors import DataError
from ppgnas.task import CLASSES

LABEL_FACTOR = round(np.log2(np.e) / (2 * SOFT_LABEL_BPM**2) * 2**18)
"""Squares of 1/256 BPM to exponents of two in units of 2^-34."""
FEWEST_WINDOWS = 20
CHECK_PARTS = 5
ERROR_BITS = 12


@dataclass(frozen=True)
class Settings:
    """How a head learns.

    Attributes:
        rate: on real weights; it falls on a line to nothing.
        rounds: over the windows.
        pull: share of the change that is taken back after each round, in units of 2^-16.
    """

    rate: float
    rounds: int = 10
    pull: int = 1311


SETTINGS: dict[Kind, Settings] = {
    "bias": Settings(0.05),
    "scale-bias": Settings(0.003),
    "head": Settings(0.01),
    "low-rank": Settings(0.01),
}
"""Chosen on search people of two networks, see docs/personalisation.md."""


@dataclass(frozen=True)
class Guard:
    """What the check set says.

    Attributes:
        kept: whether the adapted head is better by more than one standard error.
        windows: that were asked.
        before_bpm, after_bpm: mean of their expected absolute errors with either head.
    """

    kept: bool
    windows: int
    before_bpm: float
    after_bpm: float


def probabilities_q15(w: Ints) -> Ints:
    """Shares of weights below 2^32 whose sum is at least 2^30, `(classes,)` in 2^-15."""
    inverse = (1 << 62) // int(w.sum())
    return (w * inverse) >> (62 - GRADIENT_BITS)


def label_q15(bpm_q8: int) -> Ints:
    """A Gaussian around a heart rate in 1/256 BPM, `(classes,)` in 2^-15."""
    away = 256 * (int(FIRST_BPM) + np.arange(CLASSES, dtype=np.int64)) - bpm_q8
    return probabilities_q15(exp2((away * away * LABEL_FACTOR) >> 10) >> 1)


def order(windows: int) -> list[int]:
    """Each window once, neighbours apart."""
    step = max(1, windows * 618 // 1000)
    while gcd(step, windows) > 1:
        step += 1
    return [index * step % windows for index in range(windows)]


def check_count(windows: int) -> int:
    """How many of the last windows are kept for the guard.

    Raises:
        DataError: fewer than `FEWEST_WINDOWS` windows.
    """
    if windows < FEWEST_WINDOWS:
        raise DataError(
            f"{windows} windows with a heart rate to learn from; at least {FEWEST_WINDOWS} are "
            "needed: give more minutes, or a recording with a reference"
        )
    return windows // CHECK_PARTS


def labels_of(bpm_q8: NDArray[np.integer]) -> Ints:
    """Heart rates within the classes."""
    low, high = 256 * int(FIRST_BPM), 256 * (int(FIRST_BPM) + CLASSES - 1)
    result: Ints = np.clip(bpm_q8, low, high).astype(np.int64)
    return result


def learn(
    head: Head,
    change: Change,
    features: NDArray[np.int8],
    bpm_q8: NDArray[np.integer],
    *,
    settings: Settings,
) -> list[Ints]:
    """The parameters after all rounds over labelled windows.

    Args:
        head, change: what is adapted, and what of it.
        features: `(windows, features)` stored, in order of time.
        bpm_q8: `(windows,)` heart rate of each in 1/256 BPM.
        settings: how.
    """
    labels = labels_of(bpm_q8)
    f = features.astype(np.int64) - head.feature_zero
    parts = [np.zeros(size, np.int64) for size in change.sizes]
    own, biases = change.fold(parts)
    rates = change.rates(settings.rate)
    for number in range(settings.rounds):
        now = [rate.in_round(number, settings.rounds) for rate in rates]
        for index in order(len(f)):
            logits = head.logits(f[index : index + 1], own, biases)
            p = probabilities_q15(weights(logits, head.exponent)[0] >> (WEIGHT_BITS - 30))
            g = head.back(p - label_q15(int(labels[index])))
            for part, rate, limit, step in zip(
                parts, now, change.limits, change.gradients(g, f[index]), strict=True
            ):
                part -= rate(step)
                np.clip(part, -limit, limit, out=part)
            own, biases = change.fold(parts)
        for part in parts:
            part -= (part * settings.pull) >> 16
        own, biases = change.fold(parts)
    return parts


def judge(
    head: Head,
    own: Ints,
    biases: Ints,
    features: NDArray[np.int8],
    bpm_q8: NDArray[np.integer],
) -> Guard:
    """Whether weights and biases beat the factory's on windows that taught nothing."""
    labels = labels_of(bpm_q8)
    f = features.astype(np.int64) - head.feature_zero

    away = np.abs(256 * (int(FIRST_BPM) + np.arange(CLASSES, dtype=np.int64)) - labels[:, None])
    # (windows, classes)

    def errors(of: Ints, and_biases: Ints) -> Ints:
        found = weights(head.logits(f, of, and_biases), head.exponent) >> (WEIGHT_BITS - 30)
        p = np.stack([probabilities_q15(row) for row in found])
        result: Ints = (p * away).sum(axis=1) >> (GRADIENT_BITS + 8 - ERROR_BITS)
        return result

    before, after = errors(head.weights, head.biases), errors(own, biases)
    fall = before - after
    total = int(fall.sum())
    kept = total > 0 and total * total > int((fall * fall).sum())
    means = (float(part.mean() / 2**ERROR_BITS) for part in (before, after))
    return Guard(kept, len(f), *means)
