"""Whether a recording can be what it says: a heart rate, rates that fit, acceleration in g.

A converter or counter that runs over (after 65535 comes 3) is counted on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.readout.classes import FIRST_BPM, LAST_BPM
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.tables import counted

HR_RANGE_BPM = (FIRST_BPM, LAST_BPM)  # what a network can say
NOISE = 1e-13  # of a level: rounding of float64, and no change
RESOLVED = 1000.0  # changes of fewer steps of float32 at a level: the level is not stored
COPIED = 20.0  # steps of rounding, at least, that a channel changes by to be told a copy
DURATION_SLACK = 0.02  # PPG and acceleration of one recording end together, to this share
SLACK_S = 2.0
SLOWEST_HZ = 10.5  # what the front end's band needs
FROZEN_S = 60.0  # of one acceleration; a coarse sensor at rest has up to 26
M_S2_PER_G = 9.80665
ANOTHER_UNIT = 100.0  # times as much as both others an axis changes, or as little
LARGEST_ACC_G = 4.0  # nobody's median acceleration is above it: then the unit is another one

NO_VALUES = (-99.0, -999.0, -9999.0, -99999.0, -999999.0)

FILLED, FILLED_RUN = 0.05, 8  # of the rows, at least, and rows after each other, at most
FILLED_AWAY, FILLED_STEPS = 0.3, 5  # of the usual distance, the least, and of their steps
_NOT_BPM = (
    ("Hz (take 60 times it)", 60.0, 1),
    ("intervals in s (take 60 / it)", 60.0, -1),
    ("intervals between beats in ms (take 60000 / it)", 60e3, -1),
    ("tenths of a BPM (take a tenth of it)", 0.1, 1),
)
"""What a reference may hold instead; BPM are the factor times the value to the power."""


def not_finite(values: NDArray[np.float64]) -> str:
    """Where samples `(samples, channels)` do not fit float32, in words; empty if all do."""
    wrong = np.argwhere(~(np.abs(values) <= np.finfo(np.float32).max))
    if not len(wrong):
        return ""
    sample, channel = wrong[0].tolist()
    return (
        f"is {values[sample, channel]:g} at sample {sample}, channel {channel} ({len(wrong)} such "
        "values)"
    )


def no_value(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Samples `(samples,)` of a number that stands for none, such as -999: it is farther from all
    others than these are from each other."""
    for number in NO_VALUES:
        marked = values == number
        others = values[~marked & np.isfinite(values)]
        if marked.any() and len(others) > 1 and np.abs(others - number).min() > np.ptp(others):
            return np.asarray(marked)
    return np.zeros(len(values), np.bool_)


def filled_with(values: NDArray[np.float64]) -> tuple[float, NDArray[np.bool_]] | None:
    """The number that stands in the rows `(rows, columns)` that have no value, 0 or -1, and which
    these are: as where signals of two rates share a table, here and there, and far from others."""
    for number in (0.0, -1.0):
        rows = (values == number).all(axis=1)
        away = np.abs(values[~rows & np.isfinite(values).all(axis=1)] - number).max(axis=1)
        runs = np.count_nonzero(np.diff(rows)) / 2
        if not (rows.mean() > FILLED and rows.sum() < FILLED_RUN * runs and len(away)):
            continue
        step = np.diff(np.unique(away)).min(initial=np.inf)  # coarse values are 0 by themselves
        if np.quantile(away, 0.01) > max(FILLED_AWAY * np.median(away), FILLED_STEPS * step):
            return number, np.asarray(rows)
    return None


def no_value_words(values: NDArray[np.floating[Any]]) -> str:
    """What of a channel is such a number; empty if nothing is."""
    marked = no_value(values)
    if not marked.any():
        return ""
    return (
        f"is {values[marked][0]:g} in {counted(int(marked.sum()), 'sample')}, probably no "
        "measurement: leave their cells empty, and they are gaps"
    )


def copies(values: NDArray[np.floating[Any]]) -> dict[int, tuple[int, float]]:
    """Places of channels of `(samples, channels)` that are one before them but for a factor, a
    level, rounding and a sample of delay, which no two sensors are -> its place and the factor."""
    columns = values.T.astype(np.float64)
    columns[~(np.abs(columns).max(axis=1) <= np.finfo(np.float32).max)] = 0.0  # no copy
    found: dict[int, tuple[int, float]] = {}
    for place in range(1, len(columns)):
        for other in (one for one in range(place) if one not in found):
            here, there = columns[place], columns[other]
            tried = (here, there), (here[1:], there[:-1]), (here[:-1], there[1:])
            if factor := next(filter(None, (_times(*pair) for pair in tried)), 0.0):
                found[place] = other, factor
                break
    return found


def _times(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    """By which factor one channel is another, but for its level and rounding; 0 if it is not."""
    span, off_here, off_there = np.ptp(here), here - here.mean(), there - there.mean()
    factor = float(off_here @ off_there) / max(float(off_there @ off_there), 1e-300)
    off = np.abs(off_here - factor * off_there).max()
    if span == 0 or off > span / COPIED:
        return 0.0
    steps = [np.diff(np.unique(one)).min() for one in (here, there)]
    # Numbers in float32 are rounded by half a step, and by that of the level.
    coarse = [np.spacing(np.abs(one).max().astype(np.float32)) for one in (here, there)]
    rounding = np.maximum(steps, coarse) @ np.array([1.0, abs(factor)])
    return factor if off <= rounding else 0.0


def as_stored(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Samples `(samples, channels)` of PPG as a recording holds them.

    A channel whose level is so far from 0 that float32 would round its changes away (a pulse of 20
    counts on 1.9e9, or of 20 nA on 1.9 A) loses its level; the front end takes it off in any case.
    """
    largest = np.abs(values).max(axis=0)
    span = np.ptp(values, axis=0)
    coarse = (span > NOISE * largest) & (span < RESOLVED * np.spacing(largest.astype(np.float32)))
    level = np.where(coarse, np.median(values, axis=0), 0.0)
    return np.asarray(values - level, dtype=np.float32)


def apart_s(recording: Recording) -> tuple[float, float, float] | None:
    """How long PPG and acceleration last and how far apart that may be; None where it is near."""
    if recording.acc is None or recording.acc_hz is None:
        return None
    ppg_s = len(recording.ppg) / recording.ppg_hz
    acc_s = len(recording.acc) / recording.acc_hz
    slack_s = max(DURATION_SLACK * max(ppg_s, acc_s), SLACK_S)
    return (ppg_s, acc_s, slack_s) if abs(ppg_s - acc_s) > slack_s else None


GRAVITY_G = (0.7, 2.0)
"""Sizes of an acceleration that gravity is in; without it nothing says that a wrist rests."""


def median_acc_g(recording: Recording) -> float | None:
    """Median size of the acceleration; about 1 where it is in g with gravity."""
    if recording.acc is None:
        return None
    return float(np.median(np.linalg.norm(recording.acc, axis=1)))


def odd_axis(recording: Recording) -> str:
    """A sentence on an axis whose unit is not that of the other two; empty if none is."""
    if recording.acc is None:
        return ""
    changes = np.abs(np.diff(recording.acc, axis=0)).mean(axis=0, dtype=np.float64)
    others_of = [np.delete(changes, axis) for axis in range(3)]
    for name, one, others in zip("xyz", changes, others_of, strict=True):
        more, less = one > ANOTHER_UNIT * others.max(), 0 < ANOTHER_UNIT * one < others.min()
        if others.min() > 0 and (more or less):
            ratio = one / others.mean() if more else others.mean() / one
            return (
                f"Its axis {name} changes {ratio:.0f} times as {'much' if more else 'little'} as "
                "the others: it is in another unit, such as mg beside g."
            )
    return ""


def odd_minutes(recording: Recording) -> str:
    """A sentence on minutes in m/s2 beside others in g; empty if there are none."""
    if recording.acc is None or recording.acc_hz is None:
        return ""
    size = np.linalg.norm(recording.acc, axis=1)
    count = int(len(size) / (60 * recording.acc_hz))
    medians = np.array([np.median(one) for one in np.array_split(size, count)] if count else ())
    other = np.abs(medians / M_S2_PER_G - 1) < 0.15
    in_g = (medians >= GRAVITY_G[0]) & (medians <= GRAVITY_G[1])
    if not other.any() or not in_g.any():
        return ""
    first_s = float(other.argmax()) * len(size) / recording.acc_hz / count
    return (
        f"The acceleration is {np.median(medians[other]):.3g} in {other.sum()} of {count} minutes "
        f"(the first from {first_s:.0f} s on) and {np.median(medians[in_g]):.3g} in others: m/s2 "
        "beside g. Bring all of it to g."
    )


def frozen(recording: Recording) -> list[tuple[float, float]]:
    """Begin and end in s of times in which the acceleration stays at one value."""
    if recording.acc is None or recording.acc_hz is None:
        return []
    same = (np.diff(recording.acc, axis=0) == 0).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    runs_s = edges.reshape(-1, 2) / recording.acc_hz
    return [(begin, end) for begin, end in runs_s.tolist() if end - begin >= FROZEN_S]


def check_signals(where: str, recording: Recording, *, truncated: bool = False) -> None:
    """Refuse an acceleration that is not in g, and rates that cannot both be what they are said.

    Args:
        truncated: allow that one signal ends early, but not that their rates are swapped.

    Raises:
        DataError: they last differently long, and whether their rates look swapped; or the median
            size of the acceleration is above 4, and which unit it may be.
    """
    _check_durations(where, recording, truncated=truncated)
    median = median_acc_g(recording)
    if median is not None and median > LARGEST_ACC_G:
        raise DataError(
            f"{where}: the median size of the acceleration is {median:.4g}; allowed: g, so about "
            f"1 and at most {LARGEST_ACC_G:g}. "
            f"{odd_axis(recording) or odd_minutes(recording) or unit_guess(median)}"
            f"{one_sided(recording)}"
        )


def _check_durations(where: str, recording: Recording, *, truncated: bool) -> None:
    apart = apart_s(recording)
    if apart is None or recording.acc is None or recording.acc_hz is None:
        return
    ppg_s, acc_s, slack_s = apart
    swapped_s = len(recording.ppg) / recording.acc_hz, len(recording.acc) / recording.ppg_hz
    # Nearly equal rates fit nearly as well either way: a swap must explain most of it.
    swapped = abs(swapped_s[0] - swapped_s[1]) <= min(slack_s, abs(ppg_s - acc_s) / 4)
    if truncated and not swapped:
        return
    raise DataError(
        f"{where}: the PPG lasts {ppg_s:.1f} s at {recording.ppg_hz:g} Hz and the acceleration "
        f"{acc_s:.1f} s at {recording.acc_hz:g} Hz; allowed: at most {slack_s:.1f} s apart. "
        + (
            "The two rates look swapped: exchange them."
            if swapped
            else "Check both rates, and that the file is whole."
        )
    )


def heart_rate_guess(median: float, unknown: str = "Leave the recording out.") -> str:
    """What a reference may be whose median is no heart rate in BPM, and what to do."""
    low, high = HR_RANGE_BPM
    fitting = [
        text
        for text, factor, power in _NOT_BPM
        if median > 0 and low <= factor * median**power <= high
    ]
    return f"It looks like {' or like '.join(fitting)}." if fitting else unknown


def unit_guess(median: float) -> str:
    """What unit an acceleration has whose median size is not 1 g, and what to do."""
    if 9 <= median <= 11:
        return (
            "It looks like m/s2: divide by 9.80665 (`data convert --acc-per-g 9.80665` of a .csv)."
        )
    if 900 <= median <= 1100:
        return "It looks like mg: divide by 1000 (`data convert --acc-per-g 1000` of a .csv)."
    power = 2.0 ** np.round(np.log2(median)) if median > 0 else 1.0
    if 0.85 <= median / power <= 1.18 and power >= 16:
        return f"It looks like counts of 1/{power:.0f} g: divide by {power:.0f}."
    return (
        "It looks like sensor counts: divide by the counts per g of the sensor (`data convert "
        "--acc-per-g` of a .csv)."
    )


def one_sided(recording: Recording) -> str:
    """A sentence, after others, on an acceleration whose axes are never below 0; else empty."""
    if recording.acc is None or (least := recording.acc.min(axis=0)).min() <= 0:
        return ""
    return (
        f" But its axes never fall below {', '.join(f'{one:.3g}' for one in least)}: where that "
        "is an offset, as of counts without a sign or of volts, take it off first."
    )


def without_zero(counts: NDArray[np.float64]) -> int:
    """The middle of the range of a converter, such as 2048, where all axes `(rows, axes)` lie
    about it rather than about 0; else 0."""
    bits = next((bits for bits in WORDS if counts.max(initial=0.0) < 2.0**bits), 0)
    whole = bits and counts.min() >= 0 and bool((counts == np.rint(counts)).all())
    zero = 2 ** (bits - 1) if whole else 0
    sizes = [float(np.median(np.linalg.norm(counts - at, axis=1))) for at in (zero, 0)]
    return zero if sizes[0] < ABOUT_ZERO * sizes[1] else 0


ABOUT_ZERO = 0.4  # of its distance from 0, that of an acceleration from the middle of its range
WORDS = (8, 10, 12, 14, 16, 24, 32)  # bits of numbers that have a sign
ENDS, BETWEEN = (
    0.005,
    0.01,
)  # of the samples of an axis at each end, at least, and between, at most


def signed(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Counts `(rows, axes)` of numbers with a sign that were read as if they had none: 65535 is
    -1; and how many such numbers there are, 0 where no axis lies at both ends of a range."""
    for axis in counts.T:
        bits = int(np.ceil(np.log2(max(float(axis.max(initial=0.0)), 1.0) + 1)))
        part = axis / 2.0**bits
        low, high = np.mean(part < 0.25), np.mean(part > 0.75)
        whole = bits in WORDS and counts.min() >= 0 and bool((counts == np.rint(counts)).all())
        if whole and min(low, high) > ENDS and low + high > 1 - BETWEEN and part.max() > 0.9:
            return np.where(counts >= 2.0 ** (bits - 1), counts - 2.0**bits, counts), 2**bits
    return counts, 0


BITS = (8, 32)  # of converters, the least and the most
ACROSS = 0.75  # of the range: the least jump from one end to the other
USUAL = 0.995, 3.0  # quantile of the steps, and how many of it a step may have that runs over
EXPLAINED = 0.8  # of such jumps
LARGEST = 0.25  # of the range; a signal whose steps are larger is noise
STUCK = 3  # equal samples beside most jumps: an end of the range that it stays at

Samples = NDArray[np.float64]


def unwrapped(values: Samples) -> tuple[Samples, int, int]:
    """A signal without its jumps from one end of a binary range to the other.

    Args:
        values: `(rows,)`; those that are no whole numbers are no counts and stay as they are.

    Returns:
        The signal, the range, and how often it ran over; the signal as it is, 0 and 0 where that
        does not explain its jumps.
    """
    steps = np.diff(values)
    sizes = np.abs(steps)
    span = float(np.ptp(values)) if len(values) else 0.0
    at = np.flatnonzero(sizes > ACROSS * span)
    if not 0 < len(at) < ACROSS * len(steps):  # what jumps at each step is light of two kinds
        return values, 0, 0
    bits = int(np.ceil(np.log2(span + 1)))
    if not (BITS[0] <= bits <= BITS[1] and (values == np.rint(values)).all()):
        return values, 0, 0
    size = 2**bits
    going_on = np.unwrap(values, period=size)
    left = np.abs(np.diff(going_on))
    usual = USUAL[1] * float(np.quantile(np.delete(left, at), USUAL[0])) + 1
    stuck = [np.ptp(values[max(i + 1 - STUCK, 0) : i + 1]) == 0 for i in at.tolist()]
    stuck += [np.ptp(values[i + 1 : i + 1 + STUCK]) == 0 for i in at.tolist()]
    explained = float(np.mean(left[at] <= usual))
    if explained < EXPLAINED or left.max() > LARGEST * size or np.mean(stuck) > 1 / 4:
        return values, 0, 0
    return going_on, size, len(at)
