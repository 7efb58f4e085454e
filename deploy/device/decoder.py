"""Everything after the network: one value that runs in numpy and is emitted as C.

`clip` is the field's smoothing in integers, as published wrist networks are reported (TimePPG,
arXiv 2203.16339; KD-PULSE, zenodo 15837349): a reading stays within 10 % of the mean of the last
ten. With s the sum of the last ten readings that were given out, in 1/256 BPM, and [] the floor:

    bpm = min(max(bpm, [9 s / 100]), [11 s / 100])

The first ten after a start, or after a gap of more than ten strides, pass as they are. Readings of
windows with more than half a second of invalid samples are not listened to.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.device import decoding, smoothing
from deploy.device.decoding import Calibration, Reading, expected_error
from deploy.device.integers import Ints
from deploy.device.smoothing import Smoother
from deploy.device.weights import exponent_of
from ppg.readout.smoothing import SMOOTHINGS
from ppgnas.errors import ExportError
from ppgnas.task import TASK, Task

CLIP_READINGS = 10
CLIP_PERCENT = 10
CLIP_GAP_STEPS = 10


def clip(bpm_q8: Ints, steps: NDArray[np.integer], valid: NDArray[np.bool_] | None = None) -> Ints:
    """Clipped readings in order of time.

    Args:
        bpm_q8: `(windows,)` raw readings.
        steps: `(windows,)` strides since the window before; 0 starts anew.
        valid: `(windows,)` False where a window says nothing; everywhere True if None.
    """
    last: deque[int] = deque(maxlen=CLIP_READINGS)
    out = []
    missed = 0
    heard = np.ones(len(bpm_q8), np.bool_) if valid is None else valid
    for value, step, says in zip(
        bpm_q8.tolist(), np.asarray(steps).tolist(), heard.tolist(), strict=True
    ):
        missed += step
        if step == 0 or missed > CLIP_GAP_STEPS:
            last.clear()
            missed = 0
        if len(last) == CLIP_READINGS:
            low = sum(last) * (100 - CLIP_PERCENT) // (100 * CLIP_READINGS)
            high = sum(last) * (100 + CLIP_PERCENT) // (100 * CLIP_READINGS)
            value = min(max(value, low), high)
        out.append(value)
        if says:
            last.append(value)
            missed = 0
    return np.array(out, np.int64)


@dataclass(frozen=True)
class Decoder:
    """How logits become readings.

    Attributes:
        scale: of the network's logits; their zero point does not matter.
        smoother: constants of `hmm`, else None.
        raw_calibration: of the spread of a window alone.
        calibration: of the spread of what the smoothing gives out.
    """

    scale: float
    smoothing: str = "none"
    smoother: Smoother | None = None
    raw_calibration: Calibration | None = None
    calibration: Calibration | None = None
    task: Task = TASK

    def __post_init__(self) -> None:
        if self.smoothing not in SMOOTHINGS:
            raise ExportError(f"smoothing is {self.smoothing!r}; allowed: {', '.join(SMOOTHINGS)}")
        if (self.smoothing == "hmm") != (self.smoother is not None):
            raise ExportError(
                f"smoothing {self.smoothing!r} {'needs' if self.smoother is None else 'has no'} "
                "smoother; give one with hmm and only then"
            )
        if self.smoother is not None and self.smoother.classes != self.task.classes:
            raise ExportError(
                f"the smoother has {self.smoother.classes} classes and the decoder "
                f"{self.task.classes}; give both the same"
            )
        exponent_of(self.scale)

    def read(
        self,
        logits: NDArray[np.int8],
        steps: NDArray[np.integer],
        valid: NDArray[np.bool_] | None = None,
    ) -> tuple[Reading, Reading]:
        """Raw and smoothed readings as the device gives them.

        Args:
            logits: `(windows, classes)`, windows in order of time.
            steps: `(windows,)` strides since the window before; 0 starts a new series.
            valid: `(windows,)` False where a window holds invalid samples; all True if None.
        """
        exponent = exponent_of(self.scale)
        raw = decoding.decode(logits, exponent, self.raw_calibration, task=self.task)
        if self.smoother is not None:
            smoothed = smoothing.smooth(
                logits, steps, exponent=exponent, by=self.smoother, task=self.task, valid=valid
            )
            apart = np.abs(smoothed.bpm_q8 - raw.bpm_q8)
            spread = smoothed.spread_q8 + smoothing.doubt(apart, steps, valid)
            error = expected_error(spread, self.calibration)
            smoothed = replace(smoothed, spread_q8=spread, error_q8=error)
            return raw, smoothed
        smoothed = replace(raw, error_q8=expected_error(raw.spread_q8, self.calibration))
        if self.smoothing == "clip":
            smoothed = replace(smoothed, bpm_q8=clip(raw.bpm_q8, steps, valid))
        return raw, smoothed
