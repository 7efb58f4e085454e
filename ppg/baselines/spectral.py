"""The strongest frequency of the PPG, as it is or without those of the acceleration.

As it is: right at rest, wrong as soon as the arm swings. Without: bins around each strong peak of
the acceleration's spectrum are damped in the PPG's, by as much as the acceleration is strong
there; a peak that both share is kept only where nothing else is left. The idea of spectral
subtraction as in SpaMa (Salehizadeh et al., Sensors 16, 2016), without its tracking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.baselines.spectrum import motion_spectrum, spectra, to_unit_peak
from ppg.readout.classes import bin_centres_bpm
from ppg.windows import WindowSet

STRENGTH = 0.9


def spectral_peak(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone."""
    ppg = spectra(windows.x[:, :1], rate_hz, windows.task)[:, 0]
    return np.asarray(bin_centres_bpm(windows.task)[ppg.argmax(axis=1)])


def spectral_motion(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM of each window alone; without acceleration the plain peak."""
    amplitude = spectra(windows.x, rate_hz, windows.task)
    ppg = to_unit_peak(amplitude[:, 0])
    clean = ppg * (1 - STRENGTH * motion_spectrum(windows.x, amplitude))
    return np.asarray(bin_centres_bpm(windows.task)[clean.argmax(axis=1)])
