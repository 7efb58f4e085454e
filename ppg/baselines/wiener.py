"""A Wiener filter in the spectrum, followed by a tracker that moves by a few BPM a window.

The PPG's spectrum P is multiplied by `1 - A / P~`, A the acceleration's spectrum and P~ the mean
of the PPG's over the last windows, all with a largest value of 1; then the strongest frequency
near the last reading is taken. A reading that another frequency outshines in several windows in a
row is given up for it.

After the idea of Temko (IEEE TBME 64(9), 2017), who refines it further (phase vocoder, several
filters, offline smoothing): a plain causal version that knows no start heart rate. Its constants
were set by hand while looking at BAMI and SPC, which flatters it there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.baselines.spectrum import motion_spectrum, spectra, to_unit_peak
from ppg.readout.classes import bin_centres_bpm
from ppg.windows import WindowSet

MEMORY = 15  # windows, so 30 s and their overlap
REACH_BPM = 25.0  # around the last reading, and as much again for each window missed
LOST_AFTER_S = 30.0
OUTSHONE = 0.6  # below this share of the strongest frequency a reading is doubted ...
DOUBTS = 6  # ... and given up after so many windows
LOWEST_START_BPM = 45.0  # slow drifts of the sensor are no heart rate to start from
INERTIA = 0.3  # share of the last reading in the next one
CENTRE_PULL = 0.3  # how much less the edge of the reach counts than its centre


def wiener(windows: WindowSet, rate_hz: int) -> NDArray[np.float64]:
    """Heart rate `(windows,)` in BPM, from each window and those before it in its recording."""
    amplitude = spectra(windows.x, rate_hz, windows.task)
    ppg = to_unit_peak(amplitude[:, 0])
    motion = motion_spectrum(windows.x, amplitude)
    centres = bin_centres_bpm(windows.task)
    out = np.empty(len(ppg))
    for number in np.unique(windows.recording):
        rows = np.flatnonzero(windows.recording == number)
        memory: list[NDArray[np.float64]] = []
        last_bpm, last_s, doubts = np.nan, -np.inf, 0
        for row in rows:
            memory = [*memory[-(MEMORY - 1) :], ppg[row]]
            level = np.mean(memory, axis=0)
            gain = np.clip(1 - motion[row] / np.maximum(level / level.max(), 1e-3), 0.0, 1.0)
            clean = ppg[row] * gain
            if clean.max() <= 0:
                clean = ppg[row]
            anywhere = np.where(centres >= LOWEST_START_BPM, clean, 0.0)
            strongest = int(anywhere.argmax())
            missed_s = windows.start_s[row] - last_s
            if missed_s > LOST_AFTER_S or doubts >= DOUBTS:
                bpm, doubts = float(centres[strongest]), 0
            else:
                reach = REACH_BPM * max(1.0, missed_s / windows.task.stride_s)
                distance = np.abs(centres - last_bpm) / reach
                near = np.where(distance <= 1, clean * (1 - CENTRE_PULL * distance), 0.0)
                found = int(near.argmax()) if near.max() > 0 else None
                seen_bpm = last_bpm if found is None else float(centres[found])
                bpm = INERTIA * last_bpm + (1 - INERTIA) * seen_bpm
                seen = 0.0 if found is None else clean[found]
                doubts = doubts + 1 if seen < OUTSHONE * anywhere[strongest] else 0
            out[row], last_bpm, last_s = bpm, bpm, windows.start_s[row]
    return out
