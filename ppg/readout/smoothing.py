"""What is done with a series of raw readings: nothing, the field's clipping, or the smoother.

`clip` is how published wrist networks are reported (TimePPG, arXiv 2203.16339; KD-PULSE, zenodo
15837349): a reading that leaves the mean of the last ten by more than 10 % is drawn back to that
limit. `hmm` is the hidden-Markov smoother of `ppg.readout.decode`. All look back only, and start
anew in every recording.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ppg.readout.decode import Decoded, expectation, probabilities, smooth
from ppg.readout.transitions import Transitions
from ppgnas.errors import DataError
from ppgnas.parsing import one_of
from ppgnas.task import STRIDE_S, Task

Smoothing = Literal["none", "clip", "hmm"]
SMOOTHINGS: tuple[Smoothing, ...] = get_args(Smoothing)
CLIP_READINGS = 10
CLIP_SHARE = 0.1
DOUBT_READINGS = 16  # of the running mean, half a minute
DOUBT_SHARE = 0.5
CLIP_GAP_STEPS = 10  # what the readings span; a longer gap leaves nothing to hold on to


def clip(
    bpm: NDArray[np.float64],
    recording: NDArray[np.integer],
    start_s: NDArray[np.floating],
    *,
    stride_s: float = STRIDE_S,
    measured: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Readings limited to +-10 % of the mean of the last ten that were given out.

    The first ten of a recording, or after a gap of more than ten strides, pass as they are.

    Args:
        bpm: `(windows,)` raw readings, those of a recording in order of time.
        recording: `(windows,)` index of the recording of each window.
        start_s: `(windows,)` start time.
        measured: `(windows,)` False where a reading limits none after it; everywhere True if None.

    Returns:
        `(windows,)` readings.
    """
    last: deque[float] = deque(maxlen=CLIP_READINGS)
    out = np.asarray(bpm, dtype=np.float64).tolist()
    starts, of = np.asarray(start_s).tolist(), np.asarray(recording).tolist()
    before = 0  # the last reading that was listened to
    for index, value in enumerate(out):
        if of[index] != of[before] or starts[index] - starts[before] > CLIP_GAP_STEPS * stride_s:
            last.clear()
        if len(last) == CLIP_READINGS:
            mean = sum(last) / CLIP_READINGS
            value = min(max(value, (1 - CLIP_SHARE) * mean), (1 + CLIP_SHARE) * mean)
            out[index] = value
        if measured is None or measured[index]:
            last.append(value)
            before = index
    return np.array(out, dtype=np.float64)


def most_missing(rate_hz: int) -> int:
    """Samples that a window may lack, half a second, for its reading to be listened to."""
    return rate_hz // 2


def heard(measured: NDArray[np.bool_], new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`(windows,)` True from the first measured window of a series on; `new` where one begins."""
    count = np.cumsum(measured)
    earlier: NDArray[np.int64] = (count - measured)[new]
    return np.asarray(count > earlier[np.cumsum(new) - 1])


def read_series(
    logits: NDArray[np.floating],
    recording: NDArray[np.integer],
    start_s: NDArray[np.floating],
    *,
    smoothing: Smoothing = "hmm",
    transitions: Transitions | None = None,
    measured: NDArray[np.bool_] | None = None,
    task: Task,
) -> tuple[Decoded, Decoded]:
    """Raw and smoothed heart rate of a series of windows.

    Args:
        logits: `(windows, classes)`.
        recording, start_s: `(windows,)`, see `clip`.
        transitions: of `hmm`; the default ones if None.
        measured: `(windows,)` False where a window says nothing to those after it; everywhere True
            if None. Its own smoothed reading is what those before let expect, and the raw one
            where there are none.
        task: what windows and classes are.

    Returns:
        Raw and smoothed; with `none` and `clip` the spread stays that of the raw reading, with
        `hmm` it is the belief's and a share of how far raw readings lie from smoothed ones.

    Raises:
        DataError: another name of a smoothing.
    """
    smoothing = smoothing_of(smoothing)
    p = probabilities(logits)
    raw = expectation(p, task=task)
    if smoothing == "clip":
        clipped = clip(raw.bpm, recording, start_s, stride_s=task.stride_s, measured=measured)
        return raw, Decoded(clipped, raw.spread_bpm)
    if smoothing == "none":
        return raw, raw
    if measured is None:
        measured = np.ones(len(p), np.bool_)
    known = heard(measured, np.diff(recording, prepend=-1) != 0)
    p = np.where(measured[:, None], p, 1 / p.shape[1])[known]
    smoothed = smooth(p, recording[known], start_s[known], transitions=transitions, task=task)
    bpm, spread = raw.bpm.copy(), raw.spread_bpm.copy()
    bpm[known], spread[known] = smoothed.bpm, smoothed.spread_bpm
    return raw, Decoded(bpm, spread + _doubt(bpm - raw.bpm, recording, measured))


def _doubt(
    apart_bpm: NDArray[np.float64],
    recording: NDArray[np.integer],
    measured: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """`DOUBT_SHARE` of the running mean of how far smoothed readings lie from raw ones, in BPM.

    A belief that holds to a wrong peak is as narrow as one that holds to the heart's; what tells
    them apart is that raw readings keep saying something else. Begins at 0 in each recording.

    Args:
        apart_bpm, recording, measured: `(windows,)`; what was not measured moves no mean.
    """
    out = []
    mean, before = 0.0, -1
    for distance, of, says in zip(
        np.abs(apart_bpm).tolist(), recording.tolist(), measured.tolist(), strict=True
    ):
        mean = 0.0 if of != before else mean
        if says:
            mean += (distance - mean) / DOUBT_READINGS
        out.append(DOUBT_SHARE * mean)
        before = of
    return np.array(out, np.float64)


def smoothing_of(name: str) -> Smoothing:
    """The smoothing of a name; refuses one that is none of `SMOOTHINGS`."""
    return one_of("smoothing", name, SMOOTHINGS, DataError)
