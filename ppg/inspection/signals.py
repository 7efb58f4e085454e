"""What one recording shows: rails, dead channels, units, durations, labels, noise, repeats.

A sensor's noise never repeats to the last bit, so equal stretches are copies. A signal without
noise may: stretches that go on longer than twice their distance are its period, not copies.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ppg.label_lag import BLOCK, DRAWS, FAR_SHARE, FEWEST, NOTICED_RATE, comparable
from ppg.naive import Spectra, rate_by_labels, spectra
from ppg.plausible import (
    GRAVITY_G,
    apart_s,
    frozen,
    median_acc_g,
    no_value,
    no_value_words,
    odd_axis,
    odd_minutes,
    one_sided,
    unit_guess,
)
from ppg.recording import Recording
from ppgnas.tables import counted
from ppgnas.task import STRIDE_S, WINDOW_S

RAILED_SHARE = 0.01
RUN = 3  # equal samples in a row at the end of the range; a peak has one or two
CROWDED_SHARE = 0.05  # of single samples there: noise about a rail
INVALID_SHARE = 0.1
COVERED_SHARE = 0.7
STUCK_S = 60.0  # nobody's heart keeps one rate so long,
STUCK_BPM = 3.0  # but that of a simulator does, and the PPG with it
READ_SHARE = 0.5  # of the windows, for peaks to be the heart's,
ALIKE = 0.08  # of a rate
LEAP = 0.3  # octaves, about one, by which labels change from minute to minute; no heart does
FARTHEST_TIMES = 1.7  # 50 Hz taken for 30 or 85; a harmonic is at twice the beats
VARIED = 1.15  # times the lowest of the labels the highest
CLOSE, CLOSE_SHARE = 0.02, 0.45  # and so many of them as near to the usual ratio
AXES = "xyz"
ADVICE = "; mark such windows invalid"
FEWEST_TRIPLES = 20


def signal_warnings(recording: Recording) -> Iterator[tuple[str, str]]:
    """Kind and sentence of everything that looks wrong."""
    for index, channel in enumerate(recording.ppg.T):
        yield from _channel(f"PPG channel {index + 1}", channel)
    if recording.acc is not None:
        missing = [no_value_words(channel) for channel in recording.acc.T]
        for name, channel, said in zip(AXES, recording.acc.T, missing, strict=True):
            yield from _channel(f"acceleration {name}", channel)
            if said:
                yield "no value", f"acceleration {name} {said}"
        if np.ptp(recording.acc, axis=0).any():
            yield from _frozen(recording)
        if not any(missing):  # which an axis in another unit would be thought to be
            yield from _gravity(recording)
        yield from _durations(recording)
    if recording.gaps:
        lengths_s = [end - begin for begin, end in recording.gaps]
        beyond = sum(begin > recording.duration_s for begin, _ in recording.gaps)
        yield (
            "gaps",
            f"{counted(len(lengths_s), 'gap')} of {sum(lengths_s):.1f} s in all, the longest of "
            f"{max(lengths_s):.1f} s: windows that touch one are left out, predict flags them"
            + (f"; {beyond} of them after the end: are they in s?" if beyond else ""),
        )
    yield from _labels(recording)


def railed_share(channel: NDArray[np.float32]) -> float:
    """Share of samples that stay at the lowest or highest value of the channel.

    Runs count; single samples do where they are many, for a coarse signal has some.
    """
    if len(channel) < RUN:
        return 0.0
    share = 0.0
    for extreme in {float(channel.min()), float(channel.max())}:
        at = np.concatenate([[0], (channel == extreme).astype(np.int8), [0]])
        begins, ends = np.flatnonzero(np.diff(at) == 1), np.flatnonzero(np.diff(at) == -1)
        lengths = ends - begins
        whole = float(lengths.sum()) / len(channel)
        runs = float(lengths[lengths >= RUN].sum()) / len(channel)
        share += whole if whole > CROWDED_SHARE else runs
    return share


def stuck(recording: Recording) -> str:
    """A sentence on the longest time in which the labels are one number and the beats of the PPG
    are not, as of a display that froze, another column, or a value that stands for none; else
    empty."""
    used = recording.usable
    start_s, bpm = recording.window_start_s[used], recording.hr_bpm[used]
    runs = np.split(np.arange(len(bpm)), np.flatnonzero(np.diff(bpm)) + 1)
    longest = max(runs, key=lambda run: float(np.ptp(start_s[run])) if len(run) else 0.0)
    if not len(longest) or np.ptp(start_s[longest]) + WINDOW_S < STUCK_S:
        return ""
    read = spectra(recording, mixed=True)
    peaks = read.peak_bpm[read.at(start_s[longest])]
    if float(np.median(np.abs(peaks - bpm[longest]))) < STUCK_BPM:
        return ""
    begin_s, end_s = start_s[longest[0]], start_s[longest[-1]] + WINDOW_S
    return (
        f"the heart rate is {bpm[longest[0]]:g} BPM in each window from {begin_s:.0f} to "
        f"{end_s:.0f} s, and the beats of the PPG are not: a device that froze, a value that "
        "stands for none, or another column"
    )


def halved(recording: Recording, found: Spectra) -> str:
    """A sentence on minutes in which labels are half or twice the beats, and were not before or
    are not after, though the beats went on; else empty."""
    place = found.at(recording.window_start_s)
    chosen = np.flatnonzero(comparable(recording) & (place >= 0))
    if len(chosen) < 2 * BLOCK:
        return ""
    blocks = np.array_split(chosen, len(chosen) // BLOCK)
    bpm = np.array([np.median(recording.hr_bpm[block]) for block in blocks])
    ratio = [found.peak_bpm[place[block]] / recording.hr_bpm[block] for block in blocks]

    def near(times: float) -> NDArray[np.bool_]:
        shares = [np.mean(np.abs(one / times - 1) < ALIKE) for one in ratio]
        return np.array([share >= READ_SHARE for share in shares])

    right = near(1.0)
    for times, what in ((2.0, "half"), (0.5, "twice")):
        wrong = near(times)
        known = np.flatnonzero(right | wrong)  # where labels leap, a minute may be neither
        turns = (np.diff(known) <= 2) & (np.diff(right[known].astype(np.int8)) != 0)
        leaps = np.abs(np.abs(np.diff(np.log2(bpm[known]))) - 1) < LEAP
        if wrong.sum() < 2 or not (turns & leaps).any():
            continue
        start_s = recording.window_start_s[np.concatenate([blocks[i] for i in wrong.nonzero()[0]])]
        return (
            f"the heart rate is {what} the beats of the PPG in {wrong.sum()} of {len(blocks)} "
            f"minutes, from {start_s.min():.0f} to {start_s.max() + WINDOW_S:.0f} s, and agrees "
            f"with them in others: the reference misses beats or counts some twice there{ADVICE}"
        )
    return ""


def reference_fault(recording: Recording, found: Spectra | None = None) -> str:
    """What is wrong with the labels: stuck, halved or doubled, or of another rate; else empty.

    Args:
        found: spectra of the channels' mean; made unless given.
    """
    found = found or spectra(recording, mixed=True)
    if wrong := stuck(recording) or halved(recording, found):
        return wrong
    if not (hz := rate_by_labels(recording, found)):
        return ""
    times = recording.ppg_hz / hz
    return (
        f"the beats of the PPG are {max(times, 1 / times):.3g} times as "
        f"{'fast' if times > 1 else 'slow'} as the heart rate throughout: its rate is about "
        f"{hz:.3g} Hz rather than {recording.ppg_hz:g}, or the times beside its rows have another "
        "unit"
    )


def rate_error(recording: Recording, found: Spectra) -> float | None:
    """By what share the beats of the PPG are faster than the labels, if they surely are.

    A rate of samples that is some percent too high makes every beat as much faster. Where it is
    far off, beats must follow labels that change: the steps of somebody who walks do not.
    """
    place = found.at(recording.window_start_s)
    chosen = comparable(recording) & (place >= 0)
    bpm, whole = recording.hr_bpm[chosen], int(chosen.sum())
    shares = found.peak_bpm[place[chosen]] / bpm - 1
    near = np.abs(shares) < FAR_SHARE
    if near.sum() < READ_SHARE * whole:
        near = np.abs(np.log1p(shares)) < np.log(FARTHEST_TIMES)
        if not near.any():
            return None
        close = near & (np.abs(shares - np.median(shares[near])) < CLOSE)
        if not close.any() or np.divide(*np.quantile(bpm[close], (0.9, 0.1))) < VARIED:
            return None
    ratio = shares[near]
    if len(ratio) < FEWEST or len(ratio) < READ_SHARE * whole:
        return None
    if (np.abs(ratio - np.median(ratio)) < CLOSE).sum() < CLOSE_SHARE * whole:
        return None
    blocks = np.array_split(ratio, max(len(ratio) // BLOCK, 1))
    draws = np.random.default_rng(0).integers(len(blocks), size=(DRAWS, len(blocks)))
    medians = [float(np.median(np.concatenate([blocks[i] for i in draw]))) for draw in draws]
    low, high = np.quantile(medians, (0.05, 0.95))
    if low > NOTICED_RATE or high < -NOTICED_RATE:
        return float(np.median(ratio))
    return None


def reference_noise_bpm(recording: Recording) -> float | None:
    """Mean absolute error that even an exact reading would have against this reference.

    Heart rates averaged over 8 s and taken every 2 s lie nearly on a line three at a time; what
    is left of it is noise of the reference: few beats, a coarse clock, rounding. With independent
    Gaussian errors of three neighbours the second difference is sqrt(6) times as large as one of
    them. Neighbours share beats, so their errors are not quite independent, and a turn of the rate
    counts as noise: an estimate, not a bound.

    Returns:
        BPM; None where fewer than 20 triples of windows follow each other.
    """
    usable, at = recording.usable, recording.window_start_s
    follows = (np.abs(np.diff(at) - STRIDE_S) < 0.1) & usable[1:] & usable[:-1]
    middle = np.flatnonzero(follows[1:] & follows[:-1]) + 1
    if len(middle) < FEWEST_TRIPLES:
        return None
    bpm = recording.hr_bpm
    second = bpm[middle - 1] - 2 * bpm[middle] + bpm[middle + 1]
    return float(np.abs(second).mean() / np.sqrt(6))


def _channel(name: str, channel: NDArray[np.float32]) -> Iterator[tuple[str, str]]:
    if not np.isfinite(channel).all():
        yield (
            "not finite",
            f"{name}: {counted(int((~np.isfinite(channel)).sum()), 'sample is', 'samples are')} "
            "no numbers",
        )
        return
    if np.ptp(channel) == 0:
        yield "constant", f"{name} is constant ({channel[0]:g}): a dead or missing channel"
        return
    share = railed_share(channel[~no_value(channel)])
    if share > RAILED_SHARE:
        yield "railed", f"{name} stays at an end of its range in {share:.0%} of the samples"


def _gravity(recording: Recording) -> Iterator[tuple[str, str]]:
    median = median_acc_g(recording)
    low, high = GRAVITY_G
    if odd := odd_axis(recording) or odd_minutes(recording):
        yield "acceleration unit", odd
        return
    if median is None or low <= median <= high:
        return
    if median < low:
        guess = "Gravity was taken out, or it is not in g."
    else:
        guess = unit_guess(median) + one_sided(recording)
    yield "acceleration unit", f"the median size of the acceleration is {median:.3g} g. {guess}"


def _frozen(recording: Recording) -> Iterator[tuple[str, str]]:
    found = frozen(recording)
    if found:
        lasts_s, begin_s = max((end - begin, begin) for begin, end in found)
        yield (
            "acceleration still",
            f"the acceleration stays at one value for {lasts_s:.0f} s from {begin_s:.0f} s on: "
            "the last sample is repeated, or nobody wears the sensor",
        )


def _durations(recording: Recording) -> Iterator[tuple[str, str]]:
    apart = apart_s(recording)
    if apart is not None:
        ppg_s, acc_s, _ = apart
        yield (
            "durations",
            f"the PPG lasts {ppg_s:.1f} s, the acceleration {acc_s:.1f} s: one of them ends "
            f"early, or a rate ({recording.ppg_hz:g} and {recording.acc_hz:g} Hz) is wrong",
        )


def _labels(recording: Recording) -> Iterator[tuple[str, str]]:
    count = len(recording.valid)
    invalid = int((~recording.valid & recording.measured(recording.window_start_s)).sum())
    if invalid > INVALID_SHARE * count:
        yield "reference", f"{invalid} of {count} reference values are marked invalid"
    known = recording.valid & np.isfinite(recording.hr_bpm)
    missing = int((recording.valid & ~known).sum())
    if missing > INVALID_SHARE * count:
        yield "reference", f"{missing} of {count} reference values are no numbers"
    outside = int((known & ~recording.usable).sum())
    if outside > max(INVALID_SHARE * count, 5):
        yield "reference", f"{outside} of {count} labelled windows lie outside of the signal"
    covered_s = float(np.ptp(recording.window_start_s)) + WINDOW_S if count else 0.0
    if count and covered_s < COVERED_SHARE * recording.duration_s:
        yield (
            "reference",
            f"labels cover {covered_s:.0f} of {recording.duration_s:.0f} s: the reference ends "
            f"early, or the rate of {recording.ppg_hz:g} Hz is wrong",
        )


LEAST_S = 1.0  # of a block that is written again at once,
APART_S = 3.0  # and of one that comes again later
CHANGING = 0.25  # of the samples of a block
_BASE = 0x9E3779B97F4A7C15  # odd: it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)


def repeats(recording: Recording) -> str:
    """A sentence on blocks of PPG that are there twice; empty if none is."""
    hz = recording.ppg_hz
    found = _blocks(recording.ppg, hz)
    if not found:
        return ""
    begin, apart, rows = found[0]
    return (
        f"{counted(len(found), 'block')} of rows, {sum(one[2] for one in found) / hz:.1f} s in "
        f"all, are there twice (the first, of {rows / hz:.1f} s, at {begin / hz:.1f} s and again "
        f"at {(begin + apart) / hz:.1f} s), as where a logger writes one again: leave the second "
        "of each out, all that follows it stands too late"
    )


def _blocks(ppg: NDArray[np.float32], hz: float) -> list[tuple[int, int, int]]:
    """Row, distance to the copy, and rows of each block."""
    size = round(LEAST_S * hz)
    if len(ppg) <= 2 * size:
        return []
    bits = np.ascontiguousarray(ppg).view(np.uint32).astype(np.uint64)
    rows = np.zeros(len(ppg), np.uint64)
    for channel in bits.T:
        rows = rows * np.uint64(_INVERSE) + channel
    changes = np.append(0, np.cumsum((np.diff(bits, axis=0) != 0).any(axis=1)))
    sums = np.append(np.uint64(0), np.cumsum(rows * _powers(_BASE, len(rows))))
    at = np.flatnonzero(changes[size - 1 :] - changes[: len(rows) - size + 1] >= CHANGING * size)
    same = ((sums[size:] - sums[:-size]) * _powers(_INVERSE, len(rows) - size + 1))[at]
    order = np.argsort(same, kind="stable")
    twice = same[order][1:] == same[order][:-1]
    begin, again = at[order[:-1][twice]], at[order[1:][twice]]
    by_row = np.argsort(begin)
    begin, apart = begin[by_row], (again - begin)[by_row]
    cuts = np.flatnonzero((np.diff(begin) != 1) | (np.diff(apart) != 0)) + 1
    found = []
    for run in np.split(np.arange(len(begin)), cuts):
        if len(run):
            first, distance, length = int(begin[run[0]]), int(apart[run[0]]), len(run) + size - 1
            if min(distance, APART_S * hz) <= length < 2 * distance:
                found.append((first, distance, length))
    return found


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """`(count,)` base to the power of 0, 1, 2, modulo 2^64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)
