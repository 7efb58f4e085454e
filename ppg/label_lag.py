"""Whether labels are shifted against the signal, by how much, and how sure that is.

For each shift from -15 to 15 s: how much of the spectrum of the windows, shifted, lies within 4
BPM of the label (the fundamental, in logarithms, so that a window of motion counts little). The
best shift is where it is most. Heart rate must change for a shift to show: a resting recording
says nothing. How sure: windows are drawn anew in blocks of a minute (bootstrap) and the best shift
is found each time; 90 % of these lie in the interval.

A positive shift is what must be added to the labels' clock (`hr_lag_s`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ppg.naive import RATES_BPM, STEP_S, Spectra, spectra
from ppg.recording import Recording

FARTHEST_S = 15.0
SHIFTS_S = np.arange(-FARTHEST_S, FARTHEST_S + STEP_S / 2, STEP_S)
NEAR_BPM = 4
BLOCK = 30  # windows: a minute
DRAWS = 200
FEWEST = 60  # windows
NOTICED_S = 2.0  # a shift that is reported as wrong; smaller ones come with the reference
APART_S = 1.0  # and its interval stays away from no shift by this much
WIDEST_S = 4.0  # half of the interval, for a shift to be called known
SURE_S = 0.65  # and for labels to be moved before a network is trained on them
_FLOOR = 0.02


@dataclass(frozen=True)
class Lag:
    """The shift that fits best.

    Attributes:
        shift_s: to add to the clock of the labels.
        low_s, high_s: 90 % interval.
    """

    shift_s: float
    low_s: float
    high_s: float

    @property
    def known(self) -> bool:
        """Whether the interval is narrow and inside of what was tried."""
        inside = -FARTHEST_S < self.low_s and self.high_s < FARTHEST_S
        return inside and self.high_s - self.low_s <= 2 * WIDEST_S

    @property
    def wrong(self) -> bool:
        """Whether the labels are surely shifted, by more than a reference usually is."""
        apart = self.low_s > APART_S or self.high_s < -APART_S
        return self.known and apart and abs(self.shift_s) >= NOTICED_S


def agreement(recording: Recording, found: Spectra) -> NDArray[np.float64]:
    """`(windows, shifts)` log share of the spectrum near the label, for windows in all shifts."""
    chosen = recording.valid & np.isfinite(recording.hr_bpm)
    chosen &= (recording.hr_bpm >= RATES_BPM[0]) & (recording.hr_bpm <= RATES_BPM[-1])
    start = np.rint(recording.window_start_s / STEP_S).astype(np.int64)
    reach = int(FARTHEST_S / STEP_S)
    chosen &= (start >= reach) & (start + reach < len(found.start_s))
    if not chosen.any():
        return np.zeros((0, len(SHIFTS_S)))
    near = ndimage.uniform_filter1d(found.power, 2 * NEAR_BPM + 1, axis=1, mode="constant")
    score = np.log(_FLOOR + near * (2 * NEAR_BPM + 1))
    rate = np.rint(recording.hr_bpm[chosen] - RATES_BPM[0]).astype(np.int64)
    places = start[chosen][:, None] + np.arange(-reach, reach + 1)
    return np.asarray(score[places, rate[:, None]])


def best_shift(scores: NDArray[np.float64], *, seed: int = 0) -> Lag | None:
    """The best of `SHIFTS_S` and its interval; None where there are too few windows.

    Args:
        scores: `(windows, shifts)` of one recording, or of several one after another.
        seed: of the bootstrap.
    """
    if len(scores) < FEWEST:
        return None
    mean = scores.mean(axis=0)
    blocks = np.add.reduceat(scores, np.arange(0, len(scores), BLOCK), axis=0)
    draws = np.random.default_rng(seed).integers(len(blocks), size=(DRAWS, len(blocks)))
    sums = blocks[draws].sum(axis=1)  # (draws, shifts)
    drawn = np.array([_peak(row) for row in sums])
    low_s, high_s = np.quantile(drawn, (0.05, 0.95))
    return Lag(_peak(mean), float(low_s), float(high_s))


def aligned(recording: Recording) -> Recording:
    """The recording with its labels where they fit its signal best, if that is sure.

    For training: recordings of one data set differ by seconds (BAMI-1 by -0.6 to 2.6), and a
    label that is late is noise. Whom a network is tested on keeps the clock that came with him.
    """
    lag = best_shift(agreement(recording, spectra(recording)))
    if lag is None or not lag.known or lag.high_s - lag.low_s > 2 * SURE_S:
        return recording
    return replace(
        recording,
        window_start_s=recording.window_start_s + lag.shift_s,
        label_lag_s=recording.label_lag_s + lag.shift_s,
    )


def _peak(score: NDArray[np.float64]) -> float:
    """The place of the maximum, between the shifts by a parabola."""
    best = int(score.argmax())
    if not 0 < best < len(score) - 1:
        return float(SHIFTS_S[best])
    left, middle, right = score[best - 1 : best + 2]
    bend = left - 2 * middle + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(SHIFTS_S[best] + STEP_S * np.clip(offset, -0.5, 0.5))
