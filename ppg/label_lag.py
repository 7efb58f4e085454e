"""Whether labels are shifted against the signal, by how much, and how sure that is.

For each shift from -15 to 15 s: how much of the spectrum of the windows, shifted, lies within 4
BPM of the label (the fundamental, in logarithms, so that a window of motion counts little). The
best shift is where it is most. Heart rate must change for a shift to show: a resting recording
says nothing. How sure: windows are drawn anew in blocks of a minute (bootstrap) and the best shift
is found each time; 90 % of these lie in the interval.

A positive shift is what must be added to the labels' clock (`hr_lag_s`).

Two clocks never run alike. Where a shift that changes evenly from begin to end fits surely better
than any constant one, the clock drifts; where one that changes at once fits better still, it
jumped, as when a clock is set; where the beats themselves come some percent faster than the labels
say, a rate is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ppg.naive import RATES_BPM, STEP_S, Spectra, spectra
from ppg.recording import Recording

FARTHEST_S = 15.0
FAR_S = 60.0  # of a shift that is a mistake rather than a delay
SHIFTS_S = np.arange(-FARTHEST_S, FARTHEST_S + STEP_S / 2, STEP_S)
NEAR_BPM = 4
BLOCK = 30  # windows: a minute
DRAWS = 200
FEWEST = 60  # windows
NOTICED_S = 2.0  # a shift that is reported as wrong; smaller ones come with the reference
APART_S = 1.0  # and its interval stays away from no shift by this much
WIDEST_S = 4.0  # half of the interval, for a shift to be called known
SURE_S = 0.65  # and for labels to be moved before a network is trained on them
LARGEST_DRIFT = 0.06
END_STEP_S = 1.0  # of the shift at the end, from one drift that is tried to the next
NOTICED_DRIFT_S = 2.0  # from begin to end
MOST_WINDOWS = 1200  # for a drift to be looked for in,
FEW_WINDOWS = 300  # and for a rate
GAIN = 3.0  # in the sum of log shares, what a line must surely gain over a constant
COARSE_SHARE = 0.001
FAR_SHARE = 0.12  # beyond it a peak is another thing than the label
NOTICED_RATE = 0.012
READ_SHARE = 0.5  # of the windows, for peaks to be the heart's,
CLOSE, CLOSE_SHARE = 0.02, 0.45  # and so many of them as near to the usual ratio
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


@dataclass(frozen=True)
class Drift:
    """A shift that changes along the recording, as that of two clocks does, or is a large one.

    Attributes:
        begin_s, end_s: to add to the clock of the labels at the first and the last of them.
        offset_s, slope: the same as a line: `offset_s + slope * start_s`.
        jump_s: where on the labels' clock it changes at once; None where it changes evenly.
    """

    begin_s: float
    end_s: float
    offset_s: float
    slope: float
    jump_s: float | None = None

    def corrected(self, recording: Recording) -> Recording:
        """The recording with its labels on the clock of the signal."""
        start_s = recording.window_start_s
        moved_s = self.offset_s + (1 + self.slope) * start_s
        if self.jump_s is not None:
            moved_s = start_s + np.where(start_s < self.jump_s, self.begin_s, self.end_s)
        return replace(recording, window_start_s=moved_s)


def agreement(recording: Recording, found: Spectra) -> NDArray[np.float64]:
    """`(windows, shifts)` log share of the spectrum near the label, for windows in all shifts."""
    chosen = _comparable(recording)
    start = np.rint(recording.window_start_s / STEP_S).astype(np.int64)
    reach = int(FARTHEST_S / STEP_S)
    chosen &= (start >= reach) & (start + reach < len(found.start_s))
    if not chosen.any():
        return np.zeros((0, len(SHIFTS_S)))
    rate = np.rint(recording.hr_bpm[chosen] - RATES_BPM[0]).astype(np.int64)
    places = start[chosen][:, None] + np.arange(-reach, reach + 1)
    return np.asarray(_near(found)[places, rate[:, None]])


def _comparable(recording: Recording) -> NDArray[np.bool_]:
    """`(windows,)` True where a label can be looked for in spectra."""
    known = recording.valid & np.isfinite(recording.hr_bpm)
    known &= (recording.hr_bpm >= RATES_BPM[0]) & (recording.hr_bpm <= RATES_BPM[-1])
    return np.asarray(known)


def _near(found: Spectra) -> NDArray[np.float64]:
    """`(times, rates)` log share of the spectrum within `NEAR_BPM`."""
    near = ndimage.uniform_filter1d(found.power, 2 * NEAR_BPM + 1, axis=1, mode="constant")
    return np.asarray(np.log(_FLOOR + near * (2 * NEAR_BPM + 1)))


@dataclass(frozen=True)
class _Windows:
    """Windows with a label, and spectra in which it is looked for.

    Attributes:
        start_s, bpm: `(windows,)` on the clock of the labels.
        near: `(times, rates)` of `_near`.
        outside: its mean, for windows that lie beyond it.
    """

    start_s: NDArray[np.float64]
    bpm: NDArray[np.float64]
    near: NDArray[np.float64]
    outside: float

    @property
    def lasts_s(self) -> float:
        return float(self.start_s[-1] - self.start_s[0])

    def scores(self, begin_s: float, slope: float, faster: float = 0.0) -> NDArray[np.float64]:
        """`(windows,)` log share near the label where the clock is off so and beats are faster."""
        at_s = self.start_s + begin_s + slope * (self.start_s - self.start_s[0])
        place = np.rint(at_s / STEP_S).astype(np.int64)
        rate = np.rint(self.bpm * (1 + faster) - RATES_BPM[0]).astype(np.int64)
        times, rates = self.near.shape
        inside = (place >= 0) & (place < times) & (rate < rates)
        there = self.near[np.clip(place, 0, times - 1), np.clip(rate, 0, rates - 1)]
        return np.asarray(np.where(inside, there, self.outside))


def _windows(recording: Recording, found: Spectra) -> _Windows | None:
    """At most `MOST_WINDOWS` of those that can be compared; None where they are few."""
    chosen = np.flatnonzero(_comparable(recording))
    if len(chosen) < 2 * FEWEST:
        return None
    chosen = chosen[:: -(-len(chosen) // MOST_WINDOWS)]
    near = _near(found)
    return _Windows(
        recording.window_start_s[chosen], recording.hr_bpm[chosen], near, float(near.mean())
    )


def _surely(gain: NDArray[np.float64]) -> bool:
    """Whether a gain `(windows,)` is one when windows are drawn anew in blocks of a minute."""
    blocks = np.add.reduceat(gain, np.arange(0, len(gain), BLOCK))
    draws = np.random.default_rng(0).integers(len(blocks), size=(DRAWS, len(blocks)))
    return bool(np.quantile(blocks[draws].sum(axis=1), 0.05) >= GAIN)


def scaled(
    recording: Recording, found: Spectra, drifts: Drift | None
) -> tuple[float, Drift] | None:
    """The share by which beats are faster, where the labels' clock runs behind by as much.

    So it is where a rate is wrong: time and beats scale together. Rows that are missing without a
    trace in the times do the same.

    Args:
        recording: with labels.
        found: its spectra.
        drifts: what `drift` says, which must explain less.

    Returns:
        The share, and what its clock takes; None where time alone explains it as well.
    """
    windows = _windows(recording, found)
    if windows is None:
        return None

    every = -(-len(windows.bpm) // FEW_WINDOWS)
    some = replace(windows, start_s=windows.start_s[::every], bpm=windows.bpm[::every])

    def best(begins_s: NDArray[np.float64], faster: NDArray[np.float64]) -> tuple[float, float]:
        tried = [(b, f) for b in begins_s.tolist() for f in faster.tolist()]
        sums = [some.scores(b, 1 / (1 + f) - 1, f).sum() for b, f in tried]
        return tried[int(np.argmax(sums))]

    begins_s = np.arange(-FARTHEST_S, FARTHEST_S + 0.1, 3.0)
    step = min(FAR_SHARE / 12, 4.0 / windows.lasts_s)
    begin_s, faster = best(begins_s, np.arange(-FAR_SHARE, FAR_SHARE + step / 2, step))
    begin_s, faster = best(
        begin_s + np.arange(-3.0, 3.1), faster + step * np.arange(-1, 1.1, 0.25)
    )
    around = np.arange(-2, 2.1)
    begin_s, faster = best(begin_s + around * STEP_S, faster + around * COARSE_SHARE)
    if abs(faster) < NOTICED_RATE:
        return None
    slope = 1 / (1 + faster) - 1
    better = windows.scores(begin_s, slope, faster)
    others = [windows.scores(b, 0.0) for b in begins_s.tolist()]
    moved = _windows(drifts.corrected(recording), found) if drifts else None
    if moved:
        others.append(moved.scores(0.0, 0.0))
    # Neither the clock nor the beats alone explain as much.
    alone = [
        windows.scores(b, *one).sum()
        for b in (*begins_s.tolist(), begin_s)
        for one in ((slope, 0.0), (0.0, faster))
    ]
    if better.sum() < max(alone) + GAIN or not _surely(better - max(others, key=np.sum)):
        return None
    offset_s = begin_s - slope * float(windows.start_s[0])
    return faster, Drift(begin_s, begin_s + slope * windows.lasts_s, offset_s, slope)


def drift(recording: Recording, found: Spectra) -> Drift | None:
    """The drift of the labels' clock, if there surely is one.

    Args:
        recording: with labels.
        found: its spectra.
    """
    windows = _windows(recording, found)
    if windows is None:
        return None
    start_s, lasts_s, scores = windows.start_s, windows.lasts_s, windows.scores

    def best(begins_s: Iterable[float], ends_s: Iterable[float]) -> tuple[float, float]:
        """Shifts at begin and end; the second ones are added to the first."""
        tried = [(b, e) for b in begins_s for e in ends_s]
        sums = [scores(b, e / lasts_s).sum() for b, e in tried]
        return tried[int(np.argmax(sums))]

    far_s = np.arange(-FAR_S, FAR_S + 0.1, STEP_S)
    shifted = np.stack([scores(shift_s, 0.0) for shift_s in far_s])  # (shifts, windows)
    near_best = np.where(np.abs(far_s) <= FARTHEST_S, shifted.sum(axis=1), -np.inf).argmax()
    far_best = int(shifted.sum(axis=1).argmax())
    most_s = LARGEST_DRIFT * lasts_s
    begins_s = np.arange(-FARTHEST_S, FARTHEST_S + 0.1, 1.0)
    if abs(far_s[far_best]) > FARTHEST_S:
        begins_s = begins_s + far_s[far_best]
    begin_s, more_s = best(begins_s, np.arange(-most_s, most_s + 0.1, END_STEP_S))
    around = np.arange(-1.0, 1.01, STEP_S / 2)
    begin_s, more_s = best(begin_s + around, more_s + around)
    line = scores(begin_s, more_s / lasts_s)
    near_s, inner = far_s[np.abs(far_s) < FARTHEST_S], shifted[np.abs(far_s) < FARTHEST_S]
    place, left, right = _jump(inner)
    jumped = np.where(np.arange(len(start_s)) < place, inner[left], inner[right])

    def surely(better: NDArray[np.float64]) -> bool:
        return _surely(better - shifted[near_best])

    # The simplest that explains it: one shift, a line, a jump.
    before_s, after_s = float(near_s[left]), float(near_s[right])
    if shifted[far_best].sum() > max(line.sum(), jumped.sum()) - GAIN:
        away_s = float(far_s[far_best])
        if FARTHEST_S < abs(away_s) < FAR_S and surely(shifted[far_best]):
            return Drift(away_s, away_s, away_s, 0.0)
        return None
    noticed = abs(after_s - before_s) >= NOTICED_DRIFT_S
    if noticed and jumped.sum() > line.sum() + 2 * GAIN and surely(jumped):
        return Drift(before_s, after_s, 0.0, 0.0, float(start_s[place]))
    if abs(more_s) < NOTICED_DRIFT_S or not surely(line):
        return None
    slope = float(more_s / lasts_s)
    offset_s = float(begin_s - slope * start_s[0])
    return Drift(float(begin_s), float(begin_s + more_s), offset_s, slope)


def _jump(shifted: NDArray[np.float64]) -> tuple[int, int, int]:
    """Where scores `(shifts, windows)` are best with a shift before and another after; which."""
    before = shifted.cumsum(axis=1)
    after = before[:, -1:] - before
    both = before.max(axis=0) + after.max(axis=0)
    place = BLOCK + int(both[BLOCK:-BLOCK].argmax())
    return place + 1, int(before[:, place].argmax()), int(after[:, place].argmax())


def rate_error(recording: Recording, found: Spectra) -> float | None:
    """By what share the beats of the PPG are faster than the labels, if they surely are.

    A rate of samples that is some percent too high makes every beat as much faster.
    """
    place = found.at(recording.window_start_s)
    chosen = _comparable(recording) & (place >= 0)
    ratio = found.peak_bpm[place[chosen]] / recording.hr_bpm[chosen] - 1
    ratio = ratio[np.abs(ratio) < FAR_SHARE]
    if len(ratio) < FEWEST or len(ratio) < READ_SHARE * chosen.sum():
        return None
    if (np.abs(ratio - np.median(ratio)) < CLOSE).sum() < CLOSE_SHARE * chosen.sum():
        return None
    blocks = np.array_split(ratio, max(len(ratio) // BLOCK, 1))
    draws = np.random.default_rng(0).integers(len(blocks), size=(DRAWS, len(blocks)))
    medians = [float(np.median(np.concatenate([blocks[i] for i in draw]))) for draw in draws]
    low, high = np.quantile(medians, (0.05, 0.95))
    if low > NOTICED_RATE or high < -NOTICED_RATE:
        return float(np.median(ratio))
    return None


def best_shift(scores: NDArray[np.float64]) -> Lag | None:
    """The best of `SHIFTS_S` and its interval; None where there are too few windows.

    Args:
        scores: `(windows, shifts)` of one recording, or of several one after another.
    """
    if len(scores) < FEWEST:
        return None
    mean = scores.mean(axis=0)
    blocks = np.add.reduceat(scores, np.arange(0, len(scores), BLOCK), axis=0)
    draws = np.random.default_rng(0).integers(len(blocks), size=(DRAWS, len(blocks)))
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
