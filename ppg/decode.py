"""From class logits to heart rate, raw and smoothed.

Raw: softmax, then the expectation over the bins within `MODE_HALF_WIDTH` of the mode; the spread
is the standard deviation of the whole distribution.
Smoothed: the forward pass of a hidden Markov model over the 180 classes,
`b_t ~ (A b_{t-1}) * (p_t + floor)`, which only looks back. A mixes a narrow Gaussian step (heart
rate moves by a few BPM in 2 s) with a tiny uniform part that lets the tracker leave a wrong mode;
the floor says that a network can be sure and wrong, as on a sensor that it has never seen.
The step is wider than heart rates move, so that the estimate does not lag behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.targets import CLASSES, bin_centres_bpm

MODE_HALF_WIDTH = 8
STEP_BPM = 5.0
JUMP_PROBABILITY = 1e-6
EVIDENCE_FLOOR = 2e-3  # added to the probability of each class


@dataclass(frozen=True)
class Decoded:
    """Heart rate and its spread, both `(windows,)` in BPM."""

    bpm: NDArray[np.float64]
    spread_bpm: NDArray[np.float64]


def probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax over the last axis, `(windows, classes)`."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    weight: NDArray[np.float64] = np.exp(shifted)
    return weight / weight.sum(axis=-1, keepdims=True)


def expectation(p: NDArray[np.float64]) -> Decoded:
    """Expectation around the mode of class probabilities `(windows, classes)`."""
    centres = bin_centres_bpm()
    mode = p.argmax(axis=1)
    near = np.abs(np.arange(CLASSES)[None, :] - mode[:, None]) <= MODE_HALF_WIDTH
    weight = p * near
    bpm = (weight * centres).sum(axis=1) / weight.sum(axis=1)
    mean = p @ centres
    spread = np.sqrt(np.maximum(p @ centres**2 - mean**2, 0.0))
    return Decoded(bpm, spread)


def decode(logits: NDArray[np.floating]) -> Decoded:
    """Raw heart rate of each window from its logits `(windows, classes)` alone."""
    return expectation(probabilities(logits))


def transition(step_bpm: float = STEP_BPM, jump: float = JUMP_PROBABILITY) -> NDArray[np.float64]:
    """`(classes, classes)` column-stochastic transition matrix between successive windows."""
    difference = np.subtract.outer(bin_centres_bpm(), bin_centres_bpm())
    step = np.exp(-0.5 * (difference / step_bpm) ** 2)
    step /= step.sum(axis=0, keepdims=True)
    return (1 - jump) * step + jump / CLASSES


def smooth(
    logits: NDArray[np.floating],
    recording: NDArray[np.integer],
    start_s: NDArray[np.floating],
) -> Decoded:
    """Causal smoothing within each recording.

    Args:
        logits: `(windows, classes)`, windows of a recording in order of time.
        recording: `(windows,)` index of the recording of each window.
        start_s: `(windows,)` start time; over a gap the belief spreads once per 2 s missed.

    Returns:
        Heart rate of each window from it and the windows before it.
    """
    matrix = transition()
    evidence = probabilities(logits) + EVIDENCE_FLOOR
    belief = np.full(CLASSES, 1.0 / CLASSES)
    beliefs = np.empty_like(evidence)
    for index in range(len(evidence)):
        if index == 0 or recording[index] != recording[index - 1]:
            belief = np.full(CLASSES, 1.0 / CLASSES)
        else:
            steps = int(np.clip(round((start_s[index] - start_s[index - 1]) / 2.0), 1, 30))
            for _ in range(steps):
                belief = matrix @ belief
        belief = belief * evidence[index]
        belief = belief / belief.sum()
        beliefs[index] = belief
    return expectation(beliefs)
