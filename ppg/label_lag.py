"""Whether labels are shifted against the signal, by how much, and how sure that is.

For each shift from -15 to 15 s: how much of the spectrum of the windows, shifted, lies within 4
BPM of the label (the fundamental, in logarithms, so that a window of motion counts little). The
best shift is where it is most. Heart rate must change for a shift to show: a resting recording
says nothing. How sure: windows are drawn anew in blocks of a minute (bootstrap) and the best shift
is found each time; 90 % of these lie in the interval.

A positive shift is what must be added to the labels' clock (`hr_lag_s`).

Two clocks never run alike. Where a shift that changes evenly fits surely better than any constant
one, the clock drifts; where one that changes at once, here and there, fits better still, it jumps;
where the beats come some percent faster than the labels say, a rate is wrong. A drift of 2 s shows
by the probability of each rate in a window of one sine and white noise (G. L. Bretthorst, Bayesian
Spectrum Analysis and Parameter Estimation, 1988).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.naive import RATES_BPM, STEP_S, Spectra, spectra
from ppg.recording import Recording
from ppgnas.task import WINDOW_S

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
NOTICED_DRIFT_S = 1.5, 2.5  # from begin to end: of what clocks never do, and of what some do
MOST_PPM = 2000.0  # of two clocks; those of cheap straps reach it
FEWEST_BLOCKS = 10
SHORTEST = 40  # windows between jumps
SHOWN = 0.15  # of the windows of each part show the pulse that a clock tells; of noise 0.05
MOST_WINDOWS = 1200  # for a drift to be looked for in,
FEW_WINDOWS = 300  # and for a rate
GAIN = 3.0  # in the sum of log shares, what a line must surely gain over a constant
COARSE_SHARE = 0.001
FINE_SHARE = 0.03  # up to it a peak is near the label, and likely rates tell more
FAR_SHARE = 0.12  # beyond it a peak is another thing than the label,
FARTHEST_SHARE = 0.3  # unless time is off by as much: 125 Hz taken for 100, 64 for 50
NOTICED_RATE = 0.012
_FLOOR = 0.02
_LOBE_BPM = 1.5 * 60 / WINDOW_S  # noise bandwidth of a Hann window
_FREEDOM = 16.0  # half the independent samples of a window in the band
_PULSE = 0.9  # of the windows show the pulse
_SPREAD_BPM = 0.8  # of labels about the rate of a window
_JUMP_COST = 2 * GAIN


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
        jumps: where on the labels' clock it changes at once, and what must be added from there on;
            empty where it changes evenly.
    """

    begin_s: float
    end_s: float
    offset_s: float
    slope: float
    jumps: tuple[tuple[float, float], ...] = ()

    def corrected(self, recording: Recording) -> Recording:
        """The recording with its labels on the clock of the signal."""
        start_s = recording.window_start_s
        moved_s = self.offset_s + (1 + self.slope) * start_s
        if self.jumps:
            at_s, shift_s = np.array(self.jumps).T
            steps_s = np.append(self.begin_s, shift_s)
            moved_s = start_s + steps_s[np.searchsorted(at_s, start_s, side="right")]
        return replace(recording, window_start_s=moved_s)


def agreement(recording: Recording, found: Spectra) -> NDArray[np.float64]:
    """`(windows, shifts)` log share of the spectrum near the label, for windows in all shifts."""
    chosen = comparable(recording)
    start = np.rint(recording.window_start_s / STEP_S).astype(np.int64)
    reach = int(FARTHEST_S / STEP_S)
    chosen &= (start >= reach) & (start + reach < len(found.start_s))
    if not chosen.any():
        return np.zeros((0, len(SHIFTS_S)))
    rate = np.rint(recording.hr_bpm[chosen] - RATES_BPM[0]).astype(np.int64)
    places = start[chosen][:, None] + np.arange(-reach, reach + 1)
    return np.asarray(_near(found)[places, rate[:, None]])


def comparable(recording: Recording) -> NDArray[np.bool_]:
    """`(windows,)` True where a label can be looked for in spectra."""
    bpm = recording.hr_bpm  # NaN is in no range
    return np.asarray(recording.valid & (bpm >= RATES_BPM[0]) & (bpm <= RATES_BPM[-1]))


def _near(found: Spectra) -> NDArray[np.float64]:
    """`(times, rates)` log share of the spectrum within `NEAR_BPM`."""
    near = scipy.ndimage.uniform_filter1d(found.power, 2 * NEAR_BPM + 1, axis=1, mode="constant")
    return np.asarray(np.log(_FLOOR + near * (2 * NEAR_BPM + 1)))


def _likely(found: Spectra) -> NDArray[np.float64]:
    """`(times, rates)` log of how probable each rate is."""
    explained = np.minimum(_LOBE_BPM * found.power, 0.98)  # of the window's power, by a sine
    likely = -_FREEDOM * np.log1p(-explained)
    share = np.exp(likely - likely.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    share = scipy.ndimage.gaussian_filter1d(share, _SPREAD_BPM, axis=1, mode="constant")
    return np.asarray(np.log(_PULSE * share + (1 - _PULSE) / len(RATES_BPM)))


@dataclass(frozen=True)
class _Windows:
    """Windows with a label, and spectra in which it is looked for.

    Attributes:
        start_s, bpm: `(windows,)` on the clock of the labels.
        near: `(times, rates)` of `_near` or `_likely`.
        outside: its mean, for windows that lie beyond it.
    """

    start_s: NDArray[np.float64]
    bpm: NDArray[np.float64]
    near: NDArray[np.float64]
    outside: float

    @property
    def lasts_s(self) -> float:
        return float(self.start_s[-1] - self.start_s[0])

    def among(self, near: NDArray[np.float64]) -> _Windows:
        """The same, looked for in other spectra."""
        return replace(self, near=near, outside=float(near.mean()))

    def scores(
        self, begin_s: float | NDArray[np.float64], slope: float, faster: float = 0.0
    ) -> NDArray[np.float64]:
        """`(begins, windows)` of labels where the clock is off so and beats are faster."""
        moved_s = self.start_s + np.asarray(begin_s)[..., None]
        at_s = moved_s + slope * (self.start_s - self.start_s[0])
        place = np.rint(at_s / STEP_S).astype(np.int64)
        rate = np.rint(self.bpm * (1 + faster) - RATES_BPM[0]).astype(np.int64)
        times, rates = self.near.shape
        inside = (place >= 0) & (place < times) & (rate < rates)
        there = self.near.take(place * rates + np.maximum(rate, 0), mode="clip")
        return np.where(inside, there, self.outside)


def _windows(recording: Recording, near: NDArray[np.float64]) -> _Windows | None:
    """At most `MOST_WINDOWS` of those that can be compared; None where they are few."""
    chosen = np.flatnonzero(comparable(recording))
    if len(chosen) < 3 * BLOCK:
        return None
    chosen = chosen[:: -(-len(chosen) // MOST_WINDOWS)]
    return _Windows(
        recording.window_start_s[chosen], recording.hr_bpm[chosen], near, float(near.mean())
    )


def _surely(gain: NDArray[np.float64]) -> bool:
    """Whether a gain `(windows,)` is one when windows are drawn anew in blocks."""
    size = min(BLOCK, max(BLOCK // 2, len(gain) // FEWEST_BLOCKS))
    blocks = np.add.reduceat(gain, np.arange(0, len(gain), size))
    draws = np.random.default_rng(0).integers(len(blocks), size=(DRAWS, len(blocks)))
    return bool(np.quantile(blocks[draws].sum(axis=1), 0.05) >= GAIN)


def scaled(
    recording: Recording, found: Spectra, drifts: Drift | None
) -> tuple[float, Drift] | None:
    """The share by which beats are faster, where the labels' clock runs behind by as much.

    So it is where a rate is wrong: time and beats scale together. Rows that are missing without a
    trace in the times do the same.

    Args:
        drifts: what `drift` says, which must explain less.

    Returns:
        The share, and what its clock takes; None where time alone explains it as well.
    """
    near = _near(found)
    windows = _windows(recording, near)
    if windows is None:
        return None
    every = -(-len(windows.bpm) // FEW_WINDOWS)
    some = replace(windows, start_s=windows.start_s[::every], bpm=windows.bpm[::every])

    def best(begins_s: NDArray[np.float64], faster: NDArray[np.float64]) -> tuple[float, float]:
        sums = [some.scores(begins_s, 1 / (1 + f) - 1, f).sum(axis=1) for f in faster.tolist()]
        begin, share = _highest(sums)
        return float(begins_s[begin]), float(faster[share])

    begins_s = np.arange(-FARTHEST_S, FARTHEST_S + 0.1, 3.0)
    step = min(FAR_SHARE / 12, 4.0 / windows.lasts_s)
    farthest = FARTHEST_SHARE + step / 2
    begin_s, faster = best(begins_s, np.arange(-FARTHEST_SHARE, farthest, step))
    if abs(faster) < FINE_SHARE:
        near = _likely(found)
        windows, some = windows.among(near), some.among(near)
    begin_s, faster = best(
        begin_s + np.arange(-3.0, 3.1), faster + step * np.arange(-1, 1.1, 0.25)
    )
    around = np.arange(-2, 2.1)
    begin_s, faster = best(begin_s + around * STEP_S, faster + around * COARSE_SHARE)
    if abs(faster) < NOTICED_RATE / 2:
        return None
    slope = 1 / (1 + faster) - 1
    better = windows.scores(begin_s, slope, faster)
    moved = _windows(drifts.corrected(recording), near) if drifts and not drifts.jumps else None
    others = [*windows.scores(begins_s, 0.0), *([moved.scores(0.0, 0.0)] if moved else [])]
    begins_s = np.append(begins_s, begin_s)  # neither clock nor beats alone explain as much
    alone = [windows.scores(begins_s, *one).sum(axis=1) for one in ((slope, 0.0), (0.0, faster))]
    if better.sum() < np.max(alone) + GAIN or not _surely(better - max(others, key=np.sum)):
        return None
    offset_s = begin_s - slope * float(windows.start_s[0])
    told = Drift(begin_s, begin_s + slope * windows.lasts_s, offset_s, slope)
    return (faster, told) if _shown(recording, found, told, faster) else None


def drift(recording: Recording, found: Spectra) -> Drift | None:
    """The drift of the clock of a recording's labels in its spectra, if there surely is one.

    Where there is no pulse, or at another rate, some clock fits best, too: each part must be read
    by what is said of its clock.
    """
    told = _drift(recording, found)
    return told if told and _shown(recording, found, told) else None


def _shown(recording: Recording, found: Spectra, told: Drift, faster: float = 0.0) -> bool:
    """Whether each part, between jumps or each half, shows beats that are faster by so much."""
    place = found.at(told.corrected(recording).window_start_s)
    known = comparable(recording) & (place >= 0)
    read = np.abs(found.peak_bpm[place] - recording.hr_bpm * (1 + faster)) <= NEAR_BPM
    start_s = recording.window_start_s
    cuts = [at_s for at_s, _ in told.jumps] or [float(np.median(start_s[known]))]
    parts = np.searchsorted(cuts, start_s[known], side="right")
    return bool(min(read[known][parts == part].mean() for part in range(len(cuts) + 1)) >= SHOWN)


def _drift(recording: Recording, found: Spectra) -> Drift | None:
    windows = _windows(recording, _near(found))
    if windows is None:
        return None
    start_s, lasts_s = windows.start_s, windows.lasts_s
    far_s = np.arange(-FAR_S, FAR_S + 0.1, STEP_S)
    away_s = float(far_s[windows.scores(far_s, 0.0).sum(axis=1).argmax()])
    # Beats that are faster besides are near their labels, but seldom at them.
    around_s = away_s if abs(away_s) > FARTHEST_S else 0.0
    most_s = LARGEST_DRIFT * lasts_s
    begin_s, more_s = _line(windows, around_s, most_s, 2 * STEP_S)
    if abs(more_s) < FARTHEST_S:
        windows = windows.among(_likely(found))
        begin_s, more_s = _line(windows, around_s, min(FARTHEST_S, most_s), STEP_S)
    line = windows.scores(begin_s, more_s / lasts_s)
    shifted = windows.scores(far_s, 0.0)  # (shifts, windows)
    far_best = int(shifted.sum(axis=1).argmax())
    near_s, inner = far_s[np.abs(far_s) < FARTHEST_S], shifted[np.abs(far_s) < FARTHEST_S]
    shift = _stepping(inner)
    stepped = inner[shift, np.arange(len(start_s))]
    places = np.flatnonzero(np.diff(shift)) + 1
    # The simplest that explains it: one shift, or beats that are faster; a line; jumps.
    shares = np.arange(-FAR_SHARE, FAR_SHARE, 4 * COARSE_SHARE).tolist()
    one = max(*inner, *(windows.scores(0.0, 0.0, share) for share in shares), key=np.sum)
    jumps = stepped.sum() - _JUMP_COST * len(places)
    if shifted[far_best].sum() > max(line.sum(), jumps) - GAIN:
        away_s = float(far_s[far_best])
        if FARTHEST_S < abs(away_s) < FAR_S and _surely(shifted[far_best] - one):
            return Drift(away_s, away_s, away_s, 0.0)
        return None
    noticed = np.abs(np.diff(near_s[shift])[places - 1]) >= NOTICED_DRIFT_S[0]
    sure = jumps > line.sum() and _surely(stepped - max(one, line, key=np.sum))
    if len(places) and noticed.all() and sure:
        at_s, shifts_s = start_s[places].tolist(), near_s[shift[places]].tolist()
        before_s = float(near_s[shift[0]])
        return Drift(before_s, shifts_s[-1], 0.0, 0.0, tuple(zip(at_s, shifts_s, strict=True)))
    slope = float(more_s / lasts_s)
    if abs(more_s) < NOTICED_DRIFT_S[abs(slope) < 1e-6 * MOST_PPM] or not _surely(line - one):
        return None
    return Drift(begin_s, begin_s + more_s, float(begin_s - slope * start_s[0]), slope)


def _line(windows: _Windows, around_s: float, most_s: float, step_s: float) -> tuple[float, float]:
    """Shift at the begin, and how much more at the end, that fit best; about what, and how far."""

    def best(begins_s: NDArray[np.float64], ends_s: NDArray[np.float64]) -> tuple[float, float]:
        sums = [windows.scores(begins_s, e / windows.lasts_s).sum(axis=1) for e in ends_s.tolist()]
        begin, end = _highest(sums)
        return float(begins_s[begin]), float(ends_s[end])

    far_s, ends_s = (np.arange(-far, far + 0.1, 2 * step_s) for far in (FARTHEST_S, most_s))
    begin_s, more_s = best(around_s + far_s, ends_s)
    near_s = np.arange(-2 * step_s, 2 * step_s + 0.01, STEP_S / 2)
    return best(begin_s + near_s, more_s + near_s)


def _highest(sums: list[NDArray[np.float64]]) -> tuple[int, int]:
    """Which begin, and which of what else was tried: one array `(begins,)` each."""
    return divmod(int(np.stack(sums, axis=1).argmax()), len(sums))


def _stepping(shifted: NDArray[np.float64]) -> NDArray[np.int64]:
    """`(windows,)` which of the shifts of scores `(shifts, windows)`: cut in two, and each part
    again, where that surely fits better; parts are of `SHORTEST`."""
    windows = shifted.shape[1]
    before = shifted.cumsum(axis=1)
    one = np.full(windows, int(before[:, -1].argmax()))
    if windows < 2 * SHORTEST:
        return one
    both = before.max(axis=0) + (before[:, -1:] - before).max(axis=0)
    place = SHORTEST + int(both[SHORTEST - 1 : windows - SHORTEST].argmax())
    cut = np.concatenate([_stepping(shifted[:, :place]), _stepping(shifted[:, place:])])
    gain = shifted[cut, np.arange(windows)] - shifted[one[0]]
    jumps = np.count_nonzero(np.diff(cut))
    return cut if gain.sum() >= 2 * _JUMP_COST * jumps and _surely(gain) else one


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
