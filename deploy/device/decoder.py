"""Everything after the network: one value that runs in numpy and is emitted as C."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.device import decoding, smoothing
from deploy.device.clipping import clip
from deploy.device.decoding import Calibration, Reading, expected_error
from deploy.device.smoothing import Smoother
from deploy.device.weights import exponent_of
from ppg.readout.smoothing import SMOOTHINGS
from ppgnas.errors import ExportError


@dataclass(frozen=True)
class Decoder:
    """How logits become readings.

    Attributes:
        scale: of the network's logits; their zero point does not matter.
        smoothing: one of `SMOOTHINGS`.
        smoother: constants of `hmm`, else None.
        raw_calibration: of the spread of a window alone.
        calibration: of the spread of what the smoothing gives out.
    """

    scale: float
    smoothing: str = "none"
    smoother: Smoother | None = None
    raw_calibration: Calibration | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.smoothing not in SMOOTHINGS:
            raise ExportError(f"smoothing is {self.smoothing!r}; allowed: {', '.join(SMOOTHINGS)}")
        if (self.smoothing == "hmm") != (self.smoother is not None):
            raise ExportError(
                f"smoothing {self.smoothing!r} {'needs' if self.smoother is None else 'has no'} "
                "smoother; give one with hmm and only then"
            )
        exponent_of(self.scale)

    def read(
        self, logits: NDArray[np.int8], steps: NDArray[np.integer]
    ) -> tuple[Reading, Reading]:
        """Raw and smoothed readings as the device gives them.

        Args:
            logits: `(windows, classes)`, windows in order of time.
            steps: `(windows,)` strides since the window before; 0 starts a new series.
        """
        exponent = exponent_of(self.scale)
        raw = decoding.decode(logits, exponent, self.raw_calibration)
        if self.smoother is not None:
            by = self.smoother
            smoothed = smoothing.smooth(
                logits, steps, exponent=exponent, by=by, calibration=self.calibration
            )
            return raw, smoothed
        smoothed = replace(raw, error_q8=expected_error(raw.spread_q8, self.calibration))
        if self.smoothing == "clip":
            smoothed = replace(smoothed, bpm_q8=clip(raw.bpm_q8, steps))
        return raw, smoothed


def strides(
    recording: NDArray[np.integer], start_s: NDArray[np.floating], *, stride_s: float
) -> NDArray[np.int64]:
    """Strides since the window before, 0 at the start of each recording; `(windows,)`."""
    steps = np.maximum(np.rint(np.diff(start_s, prepend=0.0) / stride_s), 1).astype(np.int64)
    return np.where(np.diff(recording, prepend=-1) != 0, 0, steps)
