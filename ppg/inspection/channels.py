"""Each PPG channel judged alone: networks read the mean of all, and one that is noise spoils it.

Without a pulse: the strongest peak of its spectrum is seldom the reference's where another
channel's often is; without a reference, it jumps from window to window, lies at the lower end or
never moves. Against the others: inverted, or late by part of a beat. In its samples: steps (of
the LED's current), spikes, zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.frontend import BAND_HZ, band_pass
from ppg.naive import RATES_BPM, Spectra, spectra
from ppg.plausible import copies, no_value, no_value_words, unwrapped
from ppg.recording import Recording
from ppgnas.tables import counted
from ppgnas.task import STRIDE_S, WINDOW_S

NEAR_BPM = 6.0  # a peak that is the reference's, or the one before's
FEWEST = 30  # windows
BEHIND = 0.3  # of the windows that the best channel reads and this one does not
SELDOM = 0.15  # of the windows; noise reads 0.07
FLAT = 0.31  # of the power lies about the peak, usually; of noise 0.25 to 0.3, of pulses 0.35 to 1
ABOUT_BPM = 8
JUMPING = 0.12  # of the peaks stay from window to window; of noise 0.06, of pulses 0.3 to 1
DRIFT_BPM = 33.0  # the usual peak of drift, or of light from outside;
WANDER_BPM, WANDERING = 48.0, 0.5  # or below this where no more peaks stay: a heart at rest stays
HUM_S, HUM_HZ, HUM_SHARE = 60.0, 0.02, 0.6  # of a line; of one heart at rest 0.76,
OVERTONE = 10.0  # which has an overtone, here 100 times what is around it
INVERTED = -0.3  # median correlation within windows
LATE_S, LATE_STEP_S = 1.0, 0.05  # tried, for a channel
APART, ALIKE = 0.3, 0.6  # whose correlation with another is below, but would be above
JUMP = 8.0  # pulses; from sample to sample
ALONE = 10.0  # times as large as the steps around it
FEWEST_JUMPS = 3
FEWEST_MARKED = 10  # samples
STILL_S = 2.0  # of equal samples
RESOLVED = 10.0  # times rounding, the least pulse beside which a line is none of it
IN_TURNS = 0.95  # of the steps go back; of noise 0.67
HALF_S = 120.0  # of a recording, for its halves to be judged
AWAY = 10.0  # pulses; a channel so far from 0 never is 0

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Pulse:
    """What a channel's spectrum shows.

    Attributes:
        read: share of usable windows whose peak is the reference's; None where they are few.
        steady: share of windows whose peak is that of the window before (8 s apart).
        usual_bpm: median of the peaks.
        share: median of the part of a window's power that lies about its peak.
        hum: whether all of it is one line that never moves and has no overtone.
    """

    read: float | None
    steady: float
    usual_bpm: float
    share: float = 1.0
    hum: bool = False


def pulse(recording: Recording, found: Spectra) -> Pulse:
    """Of one trace."""
    place = found.at(recording.window_start_s)
    used = recording.usable & (place >= 0)
    peak, apart = found.peak_bpm, round(WINDOW_S / found.step_s)
    error = np.abs(peak[place[used]] - recording.hr_bpm[used])
    read = float((error <= NEAR_BPM).mean()) if used.sum() >= FEWEST else None
    kept = np.abs(peak[apart:] - peak[:-apart]) <= NEAR_BPM
    usual = float(np.median(peak)) if len(peak) else float(RATES_BPM[-1])
    if len(kept) < FEWEST:
        return Pulse(read, 1.0, usual)
    size = 2 * ABOUT_BPM + 1
    about = size * scipy.ndimage.uniform_filter1d(found.power, size, axis=1, mode="constant")
    share = np.take_along_axis(about, found.power.argmax(axis=1)[:, None], axis=1)
    return Pulse(read, float(kept.mean()), usual, float(np.median(share)))


def channel_warnings(recording: Recording) -> Iterator[tuple[str, str]]:
    """Kind and sentence of each channel that spoils the mean, for half the time at least."""
    found = list(_spoilt(recording))
    yield from found
    half_s = float(recording.window_start_s.max(initial=0.0) or recording.duration_s) / 2
    if not found and recording.ppg.shape[1] > 1 and half_s >= HALF_S:
        for words, begin_s, end_s in (("until", 0.0, half_s), ("from", half_s, 2 * half_s)):
            for kind, message in _spoilt(_part(recording, begin_s, end_s), whole=False):
                yield kind, f"{words} {half_s:.0f} s {message}"
    for index, channel in enumerate(recording.ppg.T):
        if np.ptp(channel) > 0:
            for kind, text in sample_faults(channel, recording.ppg_hz, recording.gaps):
                yield kind, f"PPG channel {index + 1} {text}"


def _part(recording: Recording, begin_s: float, end_s: float) -> Recording:
    """Its PPG and labels between two times."""
    start_s = recording.window_start_s
    inside = (start_s >= begin_s) & (start_s < end_s)
    first, last = (round(at_s * recording.ppg_hz) for at_s in (begin_s, end_s))
    return replace(
        recording,
        ppg=recording.ppg[first:last],
        acc=None,
        acc_hz=None,
        window_start_s=start_s[inside] - begin_s,
        hr_bpm=recording.hr_bpm[inside],
        valid=recording.valid[inside],
        activity=recording.activity[inside],
        gaps=tuple((begin - begin_s, end - begin_s) for begin, end in recording.gaps),
    )


def _spoilt(recording: Recording, *, whole: bool = True) -> Iterator[tuple[str, str]]:
    """What is dead or inverted; what is so for a part of the time can only be left out."""
    count = recording.ppg.shape[1]
    again = copies(recording.ppg) if whole else {}
    alive = [i for i in range(count) if i not in again and np.ptp(recording.ppg[:, i]) > 0]
    pulses = {index: _alone(recording, index, whole=whole) for index in alive}
    dead = dict(_without_pulse(pulses))
    good = [index for index in alive if index not in dead]
    late_s = _against(recording, good, whole=whole)
    turned = [index for index, lag_s in late_s.items() if not lag_s]
    # One choice mends all of it: what is dead left out, what is inverted turned over.
    kept = [index for index in good if (whole and index in turned) or index not in late_s]
    chosen = ",".join(str(-index - 1 if index in turned else index + 1) for index in kept)
    for index, (other, factor) in again.items():
        yield (
            "copy",
            f"PPG channel {index + 1} is channel {other + 1} again, {factor:.4g} times it: "
            "networks read the mean of the channels, in which it counts twice"
            + (f"; leave it out with --channels {chosen}" if kept else ""),
        )
    for index, why in dead.items():
        advice = (
            ""
            if count == 1 or not good
            else (
                "; networks read the mean of the channels: leave it out with --channels " + chosen
            )
        )
        yield "no pulse", f"PPG channel {index + 1} shows no pulse: {why}{advice}"
    for index, lag_s in late_s.items():
        if lag_s:
            where = "after" if lag_s > 0 else "before"
            yield (
                "late",
                f"PPG channel {index + 1} comes {abs(lag_s):.2g} s {where} the others, and their "
                f"mean loses the pulse: leave it out with --channels {chosen}",
            )
            continue
        yield (
            "inverted",
            f"PPG channel {index + 1} is inverted against the others, and their mean loses the "
            f"pulse: {'turn it over' if whole else 'leave it out'} with --channels {chosen}",
        )


def _alone(recording: Recording, index: int, *, whole: bool) -> Pulse:
    one = replace(recording, ppg=recording.ppg[:, [index]])
    found = pulse(one, spectra(one, step_s=STRIDE_S))
    return replace(found, hum=whole and _hums(recording.ppg[:, index], recording.ppg_hz))


def _hums(channel: NDArray[np.float32], hz: float) -> bool:
    """Whether a channel is mains hum, or its alias, in each minute of it: a heart, even at rest,
    wanders by more, and nobody moves his arm at one pace all the time."""
    parts = int(len(channel) / hz // HUM_S)
    if parts < 2:
        return False
    trace = band_pass(channel[:, None], hz)[:, 0]
    lines_hz = [_line(part, hz) for part in np.array_split(trace, parts)]
    told_hz = [line_hz for line_hz in lines_hz if line_hz is not None]
    return len(told_hz) == parts and max(told_hz) - min(told_hz) <= 2 * HUM_HZ


def _line(trace: Samples, hz: float) -> float | None:
    """The frequency that holds nearly all of a trace and has no overtone, if there is one."""
    power = np.abs(np.fft.rfft(trace * np.hanning(len(trace)))) ** 2
    at_hz = np.fft.rfftfreq(len(trace), 1 / hz)
    power[(at_hz < BAND_HZ[0]) | (at_hz > BAND_HZ[1])] = 0.0
    line_hz, near_hz = float(at_hz[power.argmax()]), max(HUM_HZ, 2 * hz / len(trace))
    share = power[np.abs(at_hz - line_hz) <= near_hz].sum() / max(float(power.sum()), 1e-30)
    away_hz = np.abs(at_hz - 2 * line_hz)
    over, around = away_hz <= 2 * near_hz, (away_hz > 2 * near_hz) & (away_hz < BAND_HZ[0])
    overtone = power[over].sum() / max(over.sum(), 1)
    plain = overtone <= OVERTONE * power[around].sum() / max(around.sum(), 1)
    return line_hz if share > HUM_SHARE and plain else None


def _without_pulse(pulses: dict[int, Pulse]) -> Iterator[tuple[int, str]]:
    best = max((found.read or 0.0 for found in pulses.values()), default=0.0)
    for index, found in pulses.items():
        unread = found.read is None or found.read < SELDOM
        if found.read is not None and found.read < min(SELDOM, best - BEHIND):
            yield (
                index,
                f"its strongest peak is the reference's in {found.read:.0%} of the windows, the "
                f"best channel's in {best:.0%}",
            )
        elif found.steady < JUMPING:
            yield index, f"its strongest peak stays in {found.steady:.0%} of the windows, as noise"
        elif unread and 0 < found.share < FLAT:
            yield (
                index,
                f"{found.share:.0%} of its power lies about its strongest peak, as in noise",
            )
        elif unread and found.hum:
            yield (
                index,
                f"nearly all of it is one line at {found.usual_bpm:.0f} BPM that never moves and "
                "has no overtone, as of mains hum",
            )
        elif unread and (
            found.usual_bpm < DRIFT_BPM
            or (found.usual_bpm < WANDER_BPM and found.steady < WANDERING)
        ):
            yield (
                index,
                f"its strongest peak lies at {found.usual_bpm:.0f} BPM and stays in "
                f"{found.steady:.0%} of the windows, as of light from outside",
            )


def _against(recording: Recording, chosen: list[int], *, whole: bool) -> dict[int, float]:
    """Channels whose traces go against those of most (of two, the second), and how late they are,
    where the pulse is theirs so, rather than turned over: 0."""
    samples = int(WINDOW_S * recording.ppg_hz)
    count = len(recording.ppg) // samples
    if len(chosen) < 2 or count == 0:
        return {}
    trace = band_pass(recording.ppg[:, chosen], recording.ppg_hz)

    def like(lag: int) -> Samples:
        """`(channels, channels)` median correlation in windows, where the second is so late."""
        late = np.roll(trace, -lag, axis=0)
        parts = [one[: count * samples].reshape(count, samples, -1) for one in (trace, late)]
        parts = [part - part.mean(axis=1, keepdims=True) for part in parts]
        parts = [part / np.maximum(part.std(axis=1, keepdims=True), 1e-30) for part in parts]
        return np.asarray(np.median(np.einsum("wtc,wtd->wcd", *parts) / samples, axis=0))

    now = like(0)
    most = int((now < INVERTED).sum(axis=1).argmin())  # of those that most go with; the first
    found = {place: 0.0 for place in np.flatnonzero(now[most] < INVERTED).tolist()}
    apart = now[most] < (APART if whole else INVERTED)  # movement differs for minutes
    if apart.any():
        steps = np.arange(-LATE_S, LATE_S, LATE_STEP_S)
        lags = np.rint(steps * recording.ppg_hz).astype(np.int64)
        tried = np.stack([like(lag)[most] for lag in lags.tolist()])  # (lags, channels)
        best, worst = tried.max(axis=0), tried.min(axis=0)
        late = np.flatnonzero(apart & (best > np.maximum(ALIKE, -worst)))
        found |= {i: float(lags[tried[:, i].argmax()] / recording.ppg_hz) for i in late.tolist()}
    return {chosen[place]: lag_s for place, lag_s in found.items()}


def sample_faults(
    channel: NDArray[np.float32], hz: float, gaps: Sequence[tuple[float, float]] = ()
) -> Iterator[tuple[str, str]]:
    """Zeros, steps and spikes of one channel, in sizes of its pulse; a line fills known `gaps`."""
    values = channel.astype(np.float64)
    if said := no_value_words(channel):
        yield "no value", said
        values = _filled(values, no_value(channel))
    values, range_of, times = unwrapped(values)
    if times:
        yield (
            "runs over",
            f"runs over at {range_of} {times} times, which networks read as jumps: count it on "
            f"(numpy.unwrap(ppg, axis=0, period={range_of}); data convert of tables does)",
        )
    jump = np.diff(values)
    if np.mean(jump[1:] * jump[:-1] < 0) > IN_TURNS:
        one, other = (np.median(values[start::2]) for start in (0, 1))
        yield (
            "in turns",
            f"is at {one:.6g} and {other:.6g} in turns, as where two lights, or light and none, "
            "share a column: give each a column of its own, at half the rate",
        )
        return
    trace = band_pass(values[:, None], hz)[:, 0]
    size = 3 * float(np.median(np.abs(trace - np.median(trace))))  # about from top to bottom
    if size == 0:
        return
    zero = values == 0
    if not (zero.any() and abs(float(np.median(values))) > AWAY * size):
        zero = _marked(values, AWAY * size)
    if zero.any():
        yield (
            "zeros",
            f"holds {counted(int(zero.sum()), 'sample')} of {values[zero][0]:g} among values of "
            f"{np.median(values):.6g}: where they mean that nothing was measured, leave their "
            "cells empty, and they are gaps",
        )
        values = _filled(values, zero)
    known = channel.astype(np.float64)
    for from_s, to_s in gaps:
        known[round(from_s * hz) : round(to_s * hz) + 1] = np.nan
    least = round(STILL_S * hz)
    for what, how, (begin, rows) in (
        ("stays at", "the last sample is repeated", _longest_still(values)),
        ("goes straight on from", "a hole was filled", _longest_line(known, least, size)),
    ):
        if rows > least and not zero[begin]:
            yield (
                "still",
                f"{what} {values[begin]:.6g} for {rows / hz:.1f} s from {begin / hz:.0f} s on, as "
                f"where {how}: leave the cells empty, and they are a gap",
            )
    steps, spikes = _jumps(values, hz, size)
    if steps >= FEWEST_JUMPS:
        yield (
            "stepping",
            f"jumps to another level {steps} times, as when the current of an LED is set: "
            "windows over a jump say little",
        )
    if spikes >= FEWEST_JUMPS:
        yield "spikes", f"holds {spikes} spikes of a sample or two, above {JUMP:g} times its pulse"


def _filled(values: Samples, missing: NDArray[np.bool_]) -> Samples:
    known = np.flatnonzero(~missing)
    return np.interp(np.arange(len(values)), known, values[known])


def _marked(values: Samples, away: float) -> NDArray[np.bool_]:
    """Samples of one number at an end of the range, so far from all others that they are none:
    -1, or all bits set."""
    for extreme, nearest in ((values.min(), np.min), (values.max(), np.max)):
        marked = values == extreme
        usual = marked.mean() >= 0.5 or marked.sum() < FEWEST_MARKED
        if not usual and abs(nearest(values[~marked]) - extreme) > away:
            return np.asarray(marked)
    return np.zeros(len(values), np.bool_)


def _longest_still(values: Samples) -> tuple[int, int]:
    """Where the longest run of equal samples between the ends of the range begins, and its length.

    At the ends it is railed (`ppg.inspection.signals`).
    """
    same = np.diff(values) == 0
    same &= (values[1:] > values.min()) & (values[1:] < values.max())
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    runs = edges.reshape(-1, 2)
    longest = int(np.argmax(runs[:, 1] - runs[:, 0]))
    return int(runs[longest, 0]), int(runs[longest, 1] - runs[longest, 0]) + 1


def _longest_line(values: Samples, least: int, size: float) -> tuple[int, int]:
    """Where the longest straight line that is not level begins, and its length; 0 if that is below
    `least` or the pulse, of `size`, is near to rounding."""
    sizes = np.abs(np.diff(values))
    coarse = float(np.spacing(np.float32(np.nanmax(np.abs(values)))))
    rounding = max(float(sizes[sizes > 0].min(initial=np.inf)), coarse)
    bent = ~(np.abs(np.diff(values, 2)) <= 2 * rounding)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], bent.astype(np.int8), [1]])))
    first = length = 0
    for begin, end in edges.reshape(-1, 2).tolist() if size > RESOLVED * rounding else ():
        if end - begin < max(least, length):
            continue
        at, quarter = np.arange(begin, end + 2), (end - begin) // 4
        middle = at[quarter:-quarter]
        line = np.polyval(np.polyfit(middle, values[middle], 1), at)
        off = np.flatnonzero(np.abs(values[at] - line) > 1.5 * rounding)
        cuts = np.concatenate([[-1], off, [len(at)]])
        place = int(np.diff(cuts).argmax())
        inside = at[cuts[place] + 1 : cuts[place + 1]]
        if len(inside) > max(least, length) and np.ptp(values[inside]) > 0:
            first, length = int(inside[0]), len(inside)
    return first, length


def _jumps(values: Samples, hz: float, size: float) -> tuple[int, int]:
    """How many jumps stay, and how many come back at once."""
    jump = np.diff(values)
    around = scipy.ndimage.median_filter(np.abs(jump), max(3, round(0.5 * hz) | 1))
    places = np.flatnonzero((np.abs(jump) > JUMP * size) & (np.abs(jump) > ALONE * around))
    reach = max(2, round(0.3 * hz))
    steps = spikes = 0
    last = -reach
    for place in places.tolist():
        if place - last < reach:
            continue  # the way back of a spike
        last = place
        before = np.median(values[max(place - reach, 0) : place + 1])
        after = np.median(values[place + 1 : place + 1 + reach])
        stays = (after - before) / jump[place] > 0.5
        steps, spikes = steps + stays, spikes + (not stays)
    return steps, spikes
