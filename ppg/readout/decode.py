"""From class logits to heart rate, raw and smoothed.

Raw: softmax, then the expectation over the bins within `MODE_HALF_WIDTH` of the mode; the spread
is the standard deviation of the whole distribution.
Smoothed: the forward pass of a hidden Markov model over the classes,
`b_t ~ (A b_{t-1}) * (p_t + f)^e`, which only looks back; A, the floor f and the exponent e are
`Transitions`. The floor says that a network can be sure and wrong, as on a sensor that it has
never seen. The belief says which peak is the heart's; the reading is the expectation of the
window's own evidence `(p_t + f)^e` around the belief's mode, so that it does not lag behind a
heart rate that moves. The spread is the belief's. All recordings advance together, so that a long
data set takes few steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.readout.classes import bin_centres_bpm
from ppg.readout.transitions import Transitions, usual_transitions
from ppgnas.errors import DataError
from ppgnas.task import TASK, Task

MODE_HALF_WIDTH = 8
LONGEST_GAP_STEPS = 30


@dataclass(frozen=True)
class Decoded:
    """Heart rate and its spread, both `(windows,)` in BPM."""

    bpm: NDArray[np.float64]
    spread_bpm: NDArray[np.float64]


def probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax over the last axis, `(windows, classes)`."""
    return np.asarray(scipy.special.softmax(logits.astype(np.float64), axis=-1))


def expectation(
    p: NDArray[np.float64], evidence: NDArray[np.float64] | None = None, *, task: Task = TASK
) -> Decoded:
    """Expectation around the mode of class probabilities.

    Args:
        p: `(windows, classes)`; gives the mode and the spread.
        evidence: `(windows, classes)` weights of the expectation; `p` if None.

    Raises:
        DataError: `p` has another number of classes.
    """
    if p.shape[1] != task.classes:
        raise DataError(f"{p.shape[1]} classes are no readings of {task}: it has {task.classes}")
    centres = bin_centres_bpm(task)
    mode = p.argmax(axis=1)
    near = np.abs(np.arange(task.classes)[None, :] - mode[:, None]) <= MODE_HALF_WIDTH
    weight = (p if evidence is None else evidence) * near
    bpm = (weight * centres).sum(axis=1) / weight.sum(axis=1)
    mean = p @ centres
    spread = np.sqrt(np.maximum(p @ centres**2 - mean**2, 0.0))
    return Decoded(bpm, spread)


def decode(logits: NDArray[np.floating], task: Task = TASK) -> Decoded:
    """Raw heart rate of each window from its logits `(windows, classes)` alone."""
    return expectation(probabilities(logits), task=task)


def smooth(
    p: NDArray[np.float64],
    recording: NDArray[np.integer],
    start_s: NDArray[np.floating],
    *,
    transitions: Transitions | None = None,
    task: Task = TASK,
) -> Decoded:
    """Causal smoothing within each recording.

    Args:
        p: `(windows, classes)` class probabilities, windows of a recording in order of time.
        recording: `(windows,)` index of the recording of each window.
        start_s: `(windows,)` start time; over a gap the belief spreads once a stride missed.
        transitions: how heart rate moves in a stride; the default ones if None.

    Returns:
        Heart rate of each window from it and the windows before it.
    """
    if len(p) == 0:
        return Decoded(np.empty(0), np.empty(0))
    how = usual_transitions(task) if transitions is None else transitions
    matrix = how.matrix(task).T  # beliefs are rows: next = now @ matrix
    evidence = (p + how.floor) ** how.evidence
    new = np.r_[True, np.diff(recording) != 0]
    first = np.flatnonzero(new)
    length = np.diff(np.r_[first, len(p)])
    order = np.argsort(-length, kind="stable")  # longest first: those still running are a prefix
    first, length = first[order], length[order]
    gaps = np.clip(np.rint(np.diff(start_s, prepend=0.0) / task.stride_s), 1, LONGEST_GAP_STEPS)
    beliefs = np.empty_like(p)
    belief = np.full((len(first), task.classes), 1.0 / task.classes)
    for step in range(int(length[0])):
        running = int(np.count_nonzero(length > step))
        at = first[:running] + step
        belief = belief[:running]
        if step:
            belief = belief @ matrix
            missed = gaps[at]
            for further in range(1, int(missed.max())):
                late = missed > further
                belief[late] = belief[late] @ matrix
        belief = belief * evidence[at]
        belief /= belief.sum(axis=1, keepdims=True)
        beliefs[at] = belief
    return expectation(beliefs, evidence, task=task)
