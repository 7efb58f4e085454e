"""The prior of a wearer: which heart rates they have, written into the head's biases.

The histogram of the calibration's heart rates, widened by 20 BPM and shrunk to the same for all
classes with the weight of 60 windows, multiplies the network's probabilities: its logarithm is
added to the logits. Biases of the dense layer come as near to that as least squares allow; a
spaced head can draw a histogram so wide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deploy.personal.head import BIAS_ROOM, TAP_BITS, TAPS, Head, Ints
from ppg.readout.classes import soft_labels
from ppgnas.task import TASK, Task

SHRINK_WINDOWS = 60
WIDEN_BPM = 20.0


def class_prior(bpm: ArrayLike, task: Task = TASK) -> NDArray[np.float64]:
    """`(classes,)` probabilities from the heart rates `(windows,)` of a wearer."""
    rates = np.asarray(bpm, np.float64)
    counted = soft_labels(rates, task, width_bpm=WIDEN_BPM).astype(np.float64).sum(axis=0)
    prior = counted + SHRINK_WINDOWS / task.classes
    result: NDArray[np.float64] = prior / prior.sum()
    return result


def prior_biases(head: Head, prior: NDArray[np.float64]) -> Ints:
    """Biases of the dense layer with a prior `(classes,)` in them."""
    wanted = np.log(prior)
    wanted -= wanted.mean()
    real = wanted
    if head.spread is not None:
        lines = np.zeros((head.task.classes, head.outputs))
        each = head.task.classes // head.outputs
        for place in range(head.outputs):
            for tap in range(TAPS):
                near = place + tap - 1
                if 0 <= near < head.outputs:
                    rows = slice(place * each, (place + 1) * each)
                    lines[rows, near] = head.spread.back[:, tap] / 2**TAP_BITS
        real = np.linalg.lstsq(lines, wanted, rcond=None)[0]
    steps = np.rint(real / (head.feature_scale * head.weight_scale))
    return head.biases + np.clip(steps, -BIAS_ROOM, BIAS_ROOM).astype(np.int64)
