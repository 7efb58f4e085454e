"""How much of an error is the reference's own."""

from __future__ import annotations

import numpy as np

from ppg.recording import Recording
from ppgnas.task import STRIDE_S

FEWEST_TRIPLES = 20


def reference_noise_bpm(recording: Recording) -> float | None:
    """Mean absolute error that even an exact reading would have against this reference.

    Heart rates averaged over 8 s and taken every 2 s lie nearly on a line three at a time; what
    is left of it is noise of the reference: few beats, a coarse clock, rounding. With independent
    Gaussian errors of three neighbours the second difference is sqrt(6) times as large as one of
    them. Neighbours share beats, so their errors are not quite independent, and a turn of the rate
    counts as noise: an estimate, not a bound.

    Returns:
        BPM; None where fewer than 20 triples of windows follow each other.
    """
    usable, at = recording.usable, recording.window_start_s
    follows = (np.abs(np.diff(at) - STRIDE_S) < 0.1) & usable[1:] & usable[:-1]
    middle = np.flatnonzero(follows[1:] & follows[:-1]) + 1
    if len(middle) < FEWEST_TRIPLES:
        return None
    bpm = recording.hr_bpm
    second = bpm[middle - 1] - 2 * bpm[middle] + bpm[middle + 1]
    return float(np.abs(second).mean() / np.sqrt(6))
