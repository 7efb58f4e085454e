"""The rule that adapts a head, in integers: what `ppg_adapt_fit` computes, bit for bit.

One window at a time, forward through the very integers that will run, then

    g[k] = p[k] - q[k]              p softmax of the logits, q Gaussian label, units of 2^-15
    parameters -= rate * gradient   applied at once: no gradient is stored

and after each round over the windows `parameters -= parameters * pull`. Windows are taken in
steps of about 0.618 of their number, so that neighbours, which overlap, do not follow each other.

Guard: the windows are cut into `FOLDS` stretches of time. Each is read by a head that learnt from
the others, less the windows that share samples with it. Of each window, with y its heart rate,

    e = sum_k p[k] |30 + k - y|     expected absolute error, units of 2^-12 BPM

With d the fall of e, the head that learns from all windows stays only where mean(d) is above
`CERTAINTY` standard errors of it, which in whole numbers is `sum d > 0 and
(sum d)^2 > CERTAINTY^2 sum d^2`. Otherwise the factory head comes back. Three and not one, because
neighbouring windows share three quarters of their samples and are wrong together. The error of the
decoded reading is what counts in the end, but in so few windows it is right or wrong by a handful
of them; the expected one moves before a reading does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray

from deploy.personal.head import WEIGHT_BITS, Head, Ints, exp2, weights
from deploy.personal.kinds import GRADIENT_BITS, Change, Kind, change_of
from ppg.readout.classes import SOFT_LABEL_BPM
from ppgnas.errors import DataError
from ppgnas.tables import counted
from ppgnas.task import TASK, Task

LABEL_FACTOR = round(np.log2(np.e) / (2 * SOFT_LABEL_BPM**2) * 2**18)
"""Squares of 1/256 BPM to exponents of two in units of 2^-34."""
FEWEST_WINDOWS = 20
FOLDS = 5
CERTAINTY = 3
ERROR_BITS = 12


@dataclass(frozen=True)
class Settings:
    """How a head learns.

    Attributes:
        rate: on real weights; it falls on a line to nothing.
        pull: share of the change that is taken back after each round, in units of 2^-16.
    """

    rate: float
    rounds: int = 5
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
    """What windows say that a head did not learn from.

    Attributes:
        kept: whether adapted heads are better by more than `CERTAINTY` standard errors.
        windows: that were asked.
        before_bpm, after_bpm: mean of their expected absolute errors with the factory head and
            with adapted ones.
    """

    kept: bool
    windows: int
    before_bpm: float
    after_bpm: float


def probabilities_q15(w: Ints) -> Ints:
    """Shares of weights below 2^32 whose sum is at least 2^30, `(classes,)` in 2^-15."""
    inverse = (1 << 62) // int(w.sum())
    return (w * inverse) >> (62 - GRADIENT_BITS)


def label_q15(bpm_q8: int, task: Task = TASK) -> Ints:
    """A Gaussian around a heart rate in 1/256 BPM, `(classes,)` in 2^-15."""
    away = _classes_q8(task) - bpm_q8
    return probabilities_q15(exp2((away * away * LABEL_FACTOR) >> 10) >> 1)


def order(windows: int) -> list[int]:
    """Each window once, neighbours apart."""
    step = max(1, windows * 618 // 1000)
    while gcd(step, windows) > 1:
        step += 1
    return [index * step % windows for index in range(windows)]


def shared(task: Task) -> int:
    """Windows on either side of another that share samples with it."""
    return task.window_s // task.stride_s - 1


def folds(windows: int, task: Task = TASK) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Windows that teach and windows that are read, for each fold.

    Raises:
        DataError: fewer than `FEWEST_WINDOWS` windows.
    """
    if windows < FEWEST_WINDOWS:
        raise DataError(
            f"{counted(windows, 'window')} with a heart rate to learn from; at least "
            f"{FEWEST_WINDOWS} are needed: give more minutes, or a recording with a reference"
        )
    every, near = np.arange(windows), shared(task)
    edges = [windows * number // FOLDS for number in range(FOLDS + 1)]
    return [
        (every[(every < first - near) | (every >= last + near)], every[first:last])
        for first, last in pairwise(edges)
    ]


def labels_of(bpm_q8: NDArray[np.integer], task: Task) -> Ints:
    """Heart rates within the classes."""
    result: Ints = np.clip(bpm_q8, 256 * task.lowest_bpm, 256 * task.highest_bpm).astype(np.int64)
    return result


def _classes_q8(task: Task) -> Ints:
    return 256 * (task.lowest_bpm + np.arange(task.classes, dtype=np.int64))


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
        features: `(windows, features)` stored, in order of time.
        bpm_q8: `(windows,)` heart rate of each in 1/256 BPM.
    """
    wanted = [label_q15(int(bpm), head.task) for bpm in labels_of(bpm_q8, head.task)]
    f = features.astype(np.int64) - head.feature_zero
    parts = [np.zeros(size, np.int64) for size in change.sizes]
    own, biases = change.fold(parts)
    rates = change.rates(settings.rate)
    for number in range(settings.rounds):
        now = [rate.in_round(number, settings.rounds) for rate in rates]
        for index in order(len(f)):
            logits = head.logits(f[index : index + 1], own, biases)
            p = probabilities_q15(weights(logits, head.exponent)[0] >> (WEIGHT_BITS - 30))
            g = head.back(p - wanted[index])
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


def adapted(
    head: Head,
    make: Callable[[NDArray[np.int64]], tuple[Ints, Ints]],
    features: NDArray[np.int8],
    bpm_q8: NDArray[np.integer],
) -> tuple[Ints, Ints, Guard]:
    """Weights and biases that learn from all windows, and what the guard says of them.

    Args:
        make: weights and biases from the windows of some numbers.
        features, bpm_q8: of all windows, as in `learn`.

    Raises:
        DataError: fewer than `FEWEST_WINDOWS` windows.
    """
    falls = [
        errors(head, of, features[read], bpm_q8[read])
        for taught, read in folds(len(features), head.task)
        for of in ((head.weights, head.biases), make(taught))
    ]
    before, after = np.concatenate(falls[::2]), np.concatenate(falls[1::2])
    return *make(np.arange(len(features))), guard_of(before, after)


def guard_of(before: Ints, after: Ints) -> Guard:
    """From expected errors `(windows,)` of either head."""
    fall = before - after
    total = int(fall.sum())
    kept = total > 0 and total * total > CERTAINTY**2 * int((fall * fall).sum())
    return Guard(
        kept, len(fall), *(float(part.mean() / 2**ERROR_BITS) for part in (before, after))
    )


def errors(
    head: Head, of: tuple[Ints, Ints], features: NDArray[np.int8], bpm_q8: NDArray[np.integer]
) -> Ints:
    """Expected absolute error of each window by weights and biases `of` a head."""
    f = features.astype(np.int64) - head.feature_zero
    away = np.abs(_classes_q8(head.task) - labels_of(bpm_q8, head.task)[:, None])
    # (windows, classes)
    found = weights(head.logits(f, *of), head.exponent) >> (WEIGHT_BITS - 30)
    p = np.stack([probabilities_q15(row) for row in found])
    result: Ints = (p * away).sum(axis=1) >> (GRADIENT_BITS + 8 - ERROR_BITS)
    return result


def fitted(
    head: Head, kind: Kind, features: NDArray[np.int8], bpm_q8: NDArray[np.integer]
) -> tuple[Ints, Ints, Guard]:
    """What `ppg_adapt_fit` computes: weights, biases, and whether they stay; see `adapted`."""
    change = change_of(kind, head)

    def make(taught: NDArray[np.int64]) -> tuple[Ints, Ints]:
        parts = learn(head, change, features[taught], bpm_q8[taught], settings=SETTINGS[kind])
        return change.fold(parts)

    return adapted(head, make, features, bpm_q8)
