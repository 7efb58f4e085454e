"""The causal hidden-Markov smoother of `ppg.readout.decode` in fixed point.

Beliefs are 32-bit, their sum is 2^31. A stride moves them by a banded Gaussian kernel K and
lets a small part jump anywhere; `edge` undoes what the kernel loses at both ends of the classes:

    c[i] = floor(b[i] edge[i] / 2^30)                                   edge in units of 2^-30
    b'[i] = floor(sum_d K[|d|] c[i-d] / 2^31) + J                       |d| <= band

The kernel sums to 1 minus the jump's probability, J is the jump's share of one class. It is
cut where all that lies beyond is less than a hundredth of J. Then comes the window's evidence v:

    P[i] = b'[i] v[i]       right = bits(sum P) - 31, above 0: the largest v is 2^31
    b[i] = floor(floor(P[i] / 2^right) R / 2^16)     0 where that is below min(J, 16)
    R = floor((2^32 - 1) / floor(sum P / 2^(right + 15)))

so that the sum is 2^31 but for a part in 2^15. What a jump brings back alone counts as none: most
beliefs are 0 then, and take no work.

The reading is that of `decoding` from the beliefs, with the expectation of v around their mode. A
missed window is a stride without evidence; after `LONGEST_GAP_STEPS` strides no more is forgotten.
A window with more than half a second of invalid samples has no evidence: all v are 2^31. While
there was none before, its reading is the raw one. To the spread is added what raw readings say
against smoothed ones, with d how far they lie apart:

    a' = a - floor(a / 16) + d          spread + floor(a' / 32)         a begins a series at 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.decoding import Reading, read
from deploy.device.integers import Ints, bit_length
from deploy.device.weights import Evidence, evidence, evidence_of, weights
from ppg.readout.smoothing import DOUBT_READINGS, DOUBT_SHARE, heard
from ppg.readout.transitions import Transitions
from ppgnas.errors import ExportError
from ppgnas.task import CLASSES, TASK, Task

LONGEST_GAP_STEPS = 30
BELIEF_ONE = 2**31
DOUBT_SHIFT = round(np.log2(DOUBT_READINGS / DOUBT_SHARE))
_CUT = 0.01
_LEAST = 16


@dataclass(frozen=True)
class Smoother:
    """The smoother's constants.

    Attributes:
        by_distance: `(band + 1,)`, units of 2^-31.
        edge: `(min(band, classes / 2),)` factors of the first classes and, mirrored, of the last,
            in units of 2^-30; classes further inside have factor 1.
        jump: J, units of 2^-31.
        evidence: how a window's probabilities speak.
    """

    by_distance: tuple[int, ...]
    edge: tuple[int, ...]
    jump: int
    evidence: Evidence
    classes: int = CLASSES

    @property
    def least(self) -> int:
        """A belief below it counts as none."""
        return min(self.jump, _LEAST)

    @property
    def start(self) -> int:
        """Belief in a class where nothing was seen."""
        return BELIEF_ONE // self.classes


def smoother(
    width_bpm: float, *, jump: float, floor: float, exponent: float, classes: int = CLASSES
) -> Smoother:
    """Constants of a transition.

    Args:
        width_bpm: standard deviation of the change of heart rate over a stride.
        jump: probability of the uniform part, mixed with the Gaussian.
        floor, exponent: of the evidence `(p + floor)^exponent`.

    Raises:
        ExportError: a value out of range.
    """
    if not 0.3 <= width_bpm <= 1000:
        raise ExportError(f"smoother: a step is {width_bpm} BPM wide; allowed: 0.3 to 1000")
    if not 1e-8 <= jump <= 0.5:
        raise ExportError(f"smoother: the jump's probability is {jump}; allowed: 1e-8 to 0.5")
    profile = np.exp(-0.5 * (np.arange(classes) / width_bpm) ** 2)
    distance = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    inner = 1 / profile[distance].sum(axis=0)[classes // 2]
    beyond = 2 * inner * np.cumsum(profile[::-1])[::-1]
    band = max(1, int(np.flatnonzero(beyond > _CUT * jump / classes)[-1]))
    factor = 1 / np.where(distance <= band, profile[distance], 0.0).sum(axis=0)
    inner = factor[classes // 2]
    by_distance = profile[: band + 1] * inner * (1 - jump) * BELIEF_ONE
    edge = factor[: min(band, classes // 2)] / inner * 2**30
    return Smoother(
        tuple(map(round, by_distance.tolist())),
        tuple(map(round, edge.tolist())),
        max(1, round(jump / classes * BELIEF_ONE)),
        evidence_of(floor, exponent),
        classes,
    )


def smoother_of(how: Transitions, task: Task) -> Smoother:
    """Constants of how heart rate moves, over the classes of a task."""
    by = {"jump": how.leave, "floor": how.floor, "exponent": how.evidence}
    return smoother(how.width_bpm, **by, classes=task.classes)


def advance(belief: Ints, by: Smoother) -> Ints:
    """Beliefs `(series, classes)` one stride later."""
    band, ends, classes = len(by.by_distance) - 1, len(by.edge), by.classes
    scaled = belief.copy()
    edge = np.array(by.edge, np.int64)
    scaled[:, :ends] = (scaled[:, :ends] * edge) >> 30
    scaled[:, classes - ends :] = (scaled[:, classes - ends :] * edge[::-1]) >> 30
    padded = np.pad(scaled, ((0, 0), (band, band)))
    total = by.by_distance[0] * scaled
    for d in range(1, band + 1):
        pair = padded[:, band - d :][:, :classes] + padded[:, band + d :][:, :classes]
        total = total + by.by_distance[d] * pair
    return (total >> 31) + by.jump


def weigh(belief: Ints, seen: Ints, least: int) -> Ints:
    """Beliefs after evidence, `(series, classes)`, about 2^31 together; less than `least` is 0."""
    product = belief * seen
    total = product.sum(axis=1, keepdims=True)
    right = bit_length(total) - 31
    reciprocal = np.int64(2**32 - 1) // (total >> (right + 15))
    result: Ints = ((product >> right) * reciprocal) >> 16
    return np.where(result < least, 0, result)


def smooth(
    logits: NDArray[np.int8],
    steps: NDArray[np.integer],
    *,
    exponent: int,
    by: Smoother,
    task: Task = TASK,
    valid: NDArray[np.bool_] | None = None,
) -> Reading:
    """Smoothed readings and the spread of beliefs alone, windows in order of time.

    Args:
        logits: `(windows, classes)`.
        steps: `(windows,)` strides since the window before; 0 starts a new series.
        exponent: of the logits' scale, see `weights.exponent_of`.
        valid: `(windows,)` False where a window holds invalid samples; everywhere True if None.
    """
    w = weights(logits, exponent)
    seen = evidence(w, by.evidence)
    new = np.asarray(steps) == 0
    new[:1] = True
    if valid is not None:
        seen[~valid] = BELIEF_ONE
        unheard = ~heard(valid, new)
        new[1:] |= unheard[:-1]
    first = np.flatnonzero(new)
    length = np.diff(np.r_[first, len(logits)])
    order = np.argsort(-length, kind="stable")  # all series advance together
    first, length = first[order], length[order]
    beliefs = np.empty((len(logits), by.classes), np.int64)
    belief = np.full((len(first), by.classes), by.start, np.int64)
    for number in range(int(length[0]) if len(length) else 0):
        running = int(np.count_nonzero(length > number))
        at = first[:running] + number
        belief = belief[:running].copy()
        missed = np.minimum(np.asarray(steps)[at], LONGEST_GAP_STEPS)
        for step in range(int(missed.max()) if number else 0):
            late = missed > step
            belief[late] = advance(belief[late], by)
        belief = weigh(belief, seen[at], by.least)
        beliefs[at] = belief
    if valid is not None:
        beliefs[unheard] = seen[unheard] = w[unheard]
    return read(beliefs, None, seen=seen, task=task)


def doubt(apart: Ints, steps: NDArray[np.integer], valid: NDArray[np.bool_] | None) -> Ints:
    """What raw readings add to the spread of smoothed ones, `(windows,)` in 1/256 BPM.

    Args:
        apart: `(windows,)` how far they lie from each other, 1/256 BPM.
        steps, valid: see `smooth`.
    """
    out = []
    total = 0
    says = np.ones(len(apart), np.bool_) if valid is None else valid
    for distance, step, said in zip(
        apart.tolist(), np.asarray(steps).tolist(), says.tolist(), strict=True
    ):
        total = 0 if step == 0 else total
        if said:
            total += distance - total // DOUBT_READINGS
        out.append(total >> DOUBT_SHIFT)
    return np.array(out, np.int64)
