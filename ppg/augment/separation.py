"""A recording's PPG cut in two with the help of its labels: the pulse, and the rest.

The labels give the heart's phase. The PPG is turned back by k times that phase, low-passed and
turned forward again, for the first harmonics k: what survives moves with the heart. The rest is
artefact, respiration and noise, with the acceleration that belongs to it. Training recombines
pulses and rests of different windows (`ppg.augment.bank`), so that movement stops telling the
rate.

The filters look both ways: this is for training recordings, which have labels, never for a device.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ppg.recording import Recording

HARMONICS = 3
HALF_WIDTH_HZ = 0.15  # 9 BPM to both sides of the label


def pulse_part(
    recording: Recording, ppg: NDArray[np.float32], *, hz: float
) -> NDArray[np.float32]:
    """What follows the labelled heart rate in `ppg`.

    Args:
        recording: has the labels; at least one window must be usable. Between the centres of
            usable windows the rate is interpolated, so the result holds in those windows alone.
        ppg: `(samples, channels)` filtered PPG of the whole recording.

    Returns:
        `(samples, channels)`; `ppg` minus this is the rest.
    """
    keep = np.flatnonzero(recording.usable)
    centre_s = recording.window_start_s[keep] + recording.task.window_s / 2
    rate_hz = np.interp(np.arange(len(ppg)) / hz, centre_s, recording.hr_bpm[keep]) / 60
    phase = 2 * np.pi * np.cumsum(rate_hz) / hz
    sections = signal.butter(2, HALF_WIDTH_HZ, fs=hz, output="sos")
    pulse = np.zeros(ppg.shape)
    for harmonic in range(1, HARMONICS + 1):
        for turn in (np.cos(harmonic * phase)[:, None], np.sin(harmonic * phase)[:, None]):
            pulse += 2 * turn * signal.sosfiltfilt(sections, ppg * turn, axis=0)
    return pulse.astype(np.float32)
