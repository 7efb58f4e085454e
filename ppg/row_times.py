"""When the rows of a file were measured, told from the times that were written beside them.

A time is rarely that of the sample. It is rounded (to ms, to whole seconds), or it is when a
packet arrived: a radio sends 8 rows at once, their times are equal or 1 ms apart, and 300 ms pass
to the next. Packets are late, and some are lost.

Rows with nearly one time are a packet. Row number and time then follow a line whose slope is the
true period; a late packet lies above it, a lost one moves all that follow up. So the line is the
lower envelope, as nothing arrives before it is measured, and its steps are what was lost. Where
the times step evenly they are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

GAP_S = 0.5  # a hole: what is longer is not interpolated
EVEN = (0.4, 1.6)  # of the usual step; rounding to ms stays inside of it
EVEN_SHARE = 0.9  # of the steps, for times to be taken as they are
TOGETHER = 0.5  # of the mean step; rows with less between them are one packet
WHOLE_SHARE = 0.8  # of the packets have one size, where a radio fills them
LATE = 4.0  # of the mean delay; a longer step of the line is a loss
LATE_S = 3.0  # a packet that is later than this counts as lost
FEWEST_PACKETS = 8
ROUNDS = 3
APART = 0.02  # of the rate, between the halves of a file
LOST_SHARE = 0.3  # beyond it nobody knows what one packet holds

Times = NDArray[np.float64]


class UnclearTimesError(ValueError):
    """The times do not tell the rate; the text says what was seen."""


@dataclass(frozen=True)
class RowTimes:
    """Times of rows.

    Attributes:
        time_s: `(rows,)` when each row was measured, on the clock of its times.
        rate_hz: rows a second while the sensor ran.
        gaps: begin and end of holes longer than `GAP_S`.
        packets: what the packets are like, in words; empty where the times step evenly.
    """

    time_s: Times
    rate_hz: float
    gaps: tuple[tuple[float, float], ...]
    packets: str = ""


def row_times(stamp_s: Times) -> RowTimes:
    """Rate, true times and holes.

    Args:
        stamp_s: `(rows,)` times as written, two at least; none goes back.

    Raises:
        UnclearTimesError: no one rate explains the times.
    """
    steps = np.diff(stamp_s)
    usual = float(np.median(steps))
    even = (steps > EVEN[0] * usual) & (steps < EVEN[1] * usual)
    if usual > 0 and even.mean() >= EVEN_SHARE:
        return RowTimes(stamp_s, _whole(1 / float(steps[even].mean())), _gaps(stamp_s))
    mean = float(steps[steps <= max(GAP_S, 20 * float(steps.mean()))].mean())
    first = np.concatenate([[0], np.flatnonzero(steps > TOGETHER * mean) + 1])
    rows = np.diff(np.append(first, len(stamp_s)))  # (packets,)
    usual_rows = int(np.median(rows))
    seen = f"packets of {usual_rows} rows"
    if np.ptp(rows):
        seen = f"packets of {rows.min()} to {rows.max()} rows, mostly {usual_rows}"
    if len(first) < FEWEST_PACKETS:
        raise UnclearTimesError(f"{len(stamp_s)} rows come in {len(first)} {seen}")
    arrived = stamp_s[first]
    # A packet bears the time of its first row (a rounded clock) or of its last (an arrival).
    line = min(
        (_line(arrived, place, usual_rows) for place in (first, first + rows - 1)),
        key=lambda line: line.spread_s,
    )
    half = len(first) // 2
    row = line.place + line.lost
    periods = [_slope(arrived[part], row[part]) for part in (slice(half), slice(half, None))]
    begin_s = line.measured_s - (line.place - first) * line.period_s
    within = np.arange(len(stamp_s)) - np.repeat(first, rows)
    time_s = np.maximum.accumulate(np.repeat(begin_s, rows) + within * line.period_s)
    gaps = _gaps(time_s)
    lost = int(line.lost[-1]) - round(sum(end - begin for begin, end in gaps) / line.period_s)
    if abs(periods[0] / periods[1] - 1) > APART or lost > LOST_SHARE * len(stamp_s):
        halves = " and ".join(f"{1 / period:.4g}" for period in periods)
        raise UnclearTimesError(f"{seen}, {halves} rows a second in its halves, {lost} rows lost")
    seen += f", {lost} rows lost" if lost > 0 else ""
    return RowTimes(time_s, _whole(1 / line.period_s), gaps, seen)


@dataclass(frozen=True)
class _Line:
    """Packets on a line: number of a row against time.

    Attributes:
        place: `(packets,)` number of the row whose time is a packet's.
        period_s: from row to row.
        lost: `(packets,)` rows lost until each.
        measured_s: `(packets,)` when that row was measured.
        spread_s: how far the times lie off the line.
    """

    place: NDArray[np.int64]
    period_s: float
    lost: NDArray[np.float64]
    measured_s: Times
    spread_s: float


def _line(arrived: Times, place: NDArray[np.int64], usual: int) -> _Line:
    period = _period(arrived, place)
    whole = usual if np.mean(np.diff(place) == usual) > WHOLE_SHARE else 1
    for _ in range(ROUNDS):
        base = _envelope(arrived, place, period)
        late_s = float(np.mean(arrived - place * period - base))
        steps = np.diff(base, prepend=base[0])
        unit = np.where(steps < LATE_S, whole, 1)  # a radio loses packets, a pause ends anywhere
        lost = np.where(
            steps > max(TOGETHER * usual * period, LATE * late_s),
            unit * np.rint(steps / (unit * period)),
            0,
        ).cumsum()
        period = _slope(arrived, place + lost)
    measured_s = _envelope(arrived, place, period) + place * period
    spread_s = float(np.abs(np.diff(arrived - place * period)).mean())
    return _Line(place, period, lost, measured_s, spread_s)


def _period(arrived: Times, place: NDArray[np.int64]) -> float:
    """Of a row: time by rows over all steps from packet to packet that are of the usual size."""
    time_s, rows = np.diff(arrived), np.diff(place)
    usual = float(np.median(time_s / rows))
    whole = (time_s > EVEN[0] * usual * rows) & (time_s < EVEN[1] * usual * rows)
    if not whole.any():
        return float(time_s.sum() / rows.sum())
    return float(time_s[whole].sum() / rows[whole].sum())


def _slope(arrived: Times, row: NDArray[np.float64]) -> float:
    return float(np.polyfit(row - row[0], arrived - arrived[0], 1)[0])


def _envelope(arrived: Times, place: NDArray[np.int64], period: float) -> Times:
    """`(packets,)` the least distance from the line among a packet and those up to `LATE_S` on."""
    late = arrived - place * period
    half = max(1, int(LATE_S / float(np.median(np.diff(arrived))) / 2))
    ahead = np.concatenate([late, np.full(2 * half, np.inf)])
    return np.asarray(ndimage.minimum_filter1d(ahead, 2 * half + 1, origin=-half)[: len(late)])


def _gaps(time_s: Times) -> tuple[tuple[float, float], ...]:
    places = np.flatnonzero(np.diff(time_s) > GAP_S)
    return tuple((float(time_s[i]), float(time_s[i + 1])) for i in places)


def _whole(hz: float) -> float:
    """The rate, rounded where it is nearly a whole number."""
    return float(round(hz)) if round(hz) and abs(hz / round(hz) - 1) < 0.002 else hz
