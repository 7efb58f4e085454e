"""Units of times and accelerations, from what a file says or from the numbers themselves."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ppg.plausible import SLOWEST_HZ

CRYSTALS = {
    "us": "1/32768",
    "ms": "1/1024",
}  # s, ticks of a watch's crystal, by what they resemble
_TICKS = (32768, 1024, 100, 128, 256, 512, 2048, 16384)  # a second
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0,
              **{f"1/{ticks}": 1 / ticks for ticks in _TICKS}}  # fmt: skip
FASTEST_PPG_HZ = 600.0
STANDARD_GRAVITY = 9.80665
WHOLE = 0.002
USUAL_HZ = 5.0  # and its multiples
SET = 2e-4  # of a rate, around which it is the one that was set
LONGEST_PACKET = 1000.0  # of the mean step
LOCAL = "s of a local clock"
_SPELT = {
    LOCAL: "s",
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "msecs": "ms",
    "millisec": "ms", "milliseconds": "ms", "millisecond": "ms", "\u00b5s": "us", "usec": "us",
    "microseconds": "us", "nsec": "ns", "nanoseconds": "ns", "millis": "ms", "micros": "us",
    "nanos": "ns", "minutes": "min", "minute": "min",
}  # fmt: skip
_PER_G = {
    "g": 1.0, "mg": 1000.0, "milli g": 1000.0, "m/s2": STANDARD_GRAVITY, "ms-2": STANDARD_GRAVITY,
    "cm/s2": 100 * STANDARD_GRAVITY, "mm/s2": 1000 * STANDARD_GRAVITY,
}  # fmt: skip
_OF_A_G = re.compile(r"1/(\d+) ?g")


def time_unit(named: str) -> str | None:
    """A unit of time as a header spells it; None where it is none."""
    word = named.strip().lower()
    word = _SPELT.get(word, word.removesuffix(" s"))
    return word if word in TIME_UNITS else None


def time_unit_of_name(name: str) -> str | None:
    """The unit that the end of a column's name says, as in `time_ms`."""
    word = name.replace("-", "_").replace(" ", "_").rpartition("_")[2]
    return time_unit(word) if word != name or word.lower() in ("ms", "us", "ns") else None


def unit_by_rate(time: NDArray[np.float64], slowest_hz: float) -> str | None:
    """The one unit in which rows come between a rate and a thousand times that rate.

    Args:
        time: `(rows,)` finite.
        slowest_hz: rows a second at least.
    """
    usual = _step(time)
    fitting = (u for u in ("s", "ms", "us", "ns") if usual * TIME_UNITS[u] <= 1 / slowest_hz)
    return next(fitting, None) if usual > 0 else None


def _step(time: NDArray[np.float64]) -> float:
    """From row to row, on average, without holes and turns of a counter; 0 if none goes on."""
    steps = np.diff(time)
    steps = steps[steps >= 0] if steps.max(initial=0.0) > 0 else -steps  # the newest comes first
    for _ in range(2):  # without the holes, which are few and longer than any packet
        whole = steps[steps <= LONGEST_PACKET * steps.mean()] if len(steps) else steps
        steps = whole if whole.any() else steps  # whole minutes hold more rows than a packet
    return float(steps.mean()) if len(steps) else 0.0


def crystal_hz(time: NDArray[np.float64], unit: str, *, named: bool) -> float | None:
    """Rows a second by the ticks of a crystal, where times of no unit would be microseconds or
    milliseconds of a rate that nobody sets: 50 Hz would be 1525.88 or 48.83 Hz.

    Args:
        time: `(rows,)` finite.
        unit: of `CRYSTALS`.
        named: whether the file says so, as `time_ms` of ticks does; then only a usual rate counts.
    """
    every = _step(time)
    hz, by_unit = (1 / (every * TIME_UNITS[one]) for one in (CRYSTALS[unit], unit))
    likely = by_unit > FASTEST_PPG_HZ > hz
    if unit == "ms":  # as of many a sensor: its crystal is told by a rate that is whole
        off, off_by_unit = (abs(one - round(one)) / one for one in (hz, by_unit))
        whole_hz = hz > SLOWEST_HZ and off < SET < 10 * SET < off_by_unit
        likely = whole_hz and bool(np.ptp(np.diff(time)) > 0)
    whole = bool((time % 1 == 0).all())
    set_hz = any(
        abs(by_unit / step - round(by_unit / step)) < SET * by_unit / step for step in (50, 64)
    )
    step = USUAL_HZ if unit == "ms" else 1.0
    usual = abs(hz / step - round(hz / step)) < WHOLE * hz / step
    return hz if likely and whole and not set_hz and (usual or not named) else None


def per_g(named: str) -> float | None:
    """Values per g of a unit as a header spells it; None where it is none."""
    word = re.sub(r"[()^]", "", named.strip().lower().replace("\u00b2", "2")).replace("sec", "s")
    counts = _OF_A_G.fullmatch(word)
    return float(counts[1]) if counts and int(counts[1]) else _PER_G.get(word)


def per_g_of(acc: NDArray[np.float64]) -> tuple[float, str]:
    """Values per g told from `(rows, 3)`, as gravity is in them; and the unit in words.

    Only where no other unit is near: 1 and "" where it is g or nobody can tell.
    """
    with np.errstate(over="ignore"):
        median = float(np.median(np.linalg.norm(acc, axis=1)))
    if not np.isfinite(median):
        return 1.0, ""
    for size, unit in ((STANDARD_GRAVITY, "m/s2"), (1000.0, "mg")):
        if abs(median / size - 1) < 0.1:
            return size, unit
    power = 2.0 ** float(np.round(np.log2(max(median, 1e-9))))
    if power >= 16 and abs(median / power - 1) < 0.06:
        return power, f"counts of 1/{power:.0f} g"
    return 1.0, ""
