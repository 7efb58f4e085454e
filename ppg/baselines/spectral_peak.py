"""The strongest frequency of the PPG: right at rest, wrong as soon as the arm swings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.baselines.spectrum import spectra
from ppg.readout.classes import bin_centres_bpm
from ppg.windows import WindowSet


def spectral_peak(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone."""
    ppg = spectra(windows.x[:, :1], rate_hz)[:, 0]
    return np.asarray(bin_centres_bpm()[ppg.argmax(axis=1)])
