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
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.ticks import rate_by_ticks, rounded_s
from ppgnas.tables import counted

GAP_S = 0.5  # a hole: what is longer is not interpolated
EVEN = (0.4, 1.6)  # of the usual step; rounding to ms stays inside of it
FEWEST_OF_A_PART = 200  # steps, of a file whose rate was changed,
MOST_CUTS = 2  # in the whole, and in what is left of it
EVEN_SHARE = 0.9  # of the steps, for times to be taken as they are
BURST_STEPS = 5.0  # of the usual step; what is lost row by row is shorter
UNEVEN = 0.1  # of the usual step; rounding makes less
ALIKE = 0.3  # of steps and those some rows on: packets of one size, stamped by a nominal rate
MOST_ROWS = 512  # of such a packet
BURST_S = 1.0  # a run of rows that is longer is no packet
TOGETHER = 0.5  # of the mean step; rows with less between them are one packet
WHOLE_SHARE = 0.8  # of the packets have one size, where a radio fills them
NOISE = 1.5  # times what the line falls; a higher rise is a loss
KEPT = 0.7  # of a rise from packet to packet
LONG_S = 0.5  # between packets, within which losses do not show
WANDERING = (16, 64)  # packets
LONG_WALK = 256
ROWS_LOST = (
    3.5  # usual steps: a shorter one that is whole lacks rows, even after as many each time
)
FULL = 0.05  # of packets, at least, lack nothing,
MERGED = 0.02  # and so few at most come with the next
FEWEST_FULL = 4  # rows
LATE_S = 3.0  # a packet that is later than this counts as lost
FEWEST_PACKETS = 8
ROUNDS = 5
SAME_SHARE = 0.6  # of the steps are the nominal one, where packets are stamped by it
UNLIKELY = 10.0  # is a loss; what can be without is believed
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


def row_times(stamp_s: Times, *, rate_hz: float | None = None) -> RowTimes:
    """Rate, true times and holes.

    Args:
        stamp_s: `(rows,)` times as written, two at least; none goes back.
        rate_hz: of packets whose times alone do not tell it.

    Raises:
        UnclearTimesError: no one rate explains the times.
    """
    steps = np.diff(stamp_s)
    usual = float(np.median(steps))
    mean = float(steps[steps <= max(GAP_S, 20 * float(steps.mean()))].mean())
    if rate_hz is None and len(parts := _parts(steps)) > 1:
        return _of_parts(stamp_s, parts)
    if rate_hz is None:
        rate_hz = rate_by_ticks(stamp_s, mean)
    nominal = None
    if rate_hz is None and usual > TOGETHER * mean:
        nominal = _nominal(steps, usual)
    begins = steps > TOGETHER * mean if nominal is None else nominal
    if rate_hz is None and nominal is None and (even := _even(steps)) is not None:
        row = _rows(stamp_s, steps, (float(steps[even].mean()), mean))
        return RowTimes(stamp_s, _whole(1 / _slope(stamp_s, row)), holes(stamp_s))
    first = np.concatenate([[0], np.flatnonzero(begins) + 1])
    rows = np.diff(np.append(first, len(stamp_s)))  # (packets,)
    usual_rows = int(np.median(rows))
    seen = f"packets of {usual_rows} rows" if usual_rows > 1 else "uneven steps"
    if np.ptp(rows) and usual_rows > 1:
        seen = f"packets of {rows.min()} to {rows.max()} rows, mostly {usual_rows}"
    if len(first) < FEWEST_PACKETS:
        raise UnclearTimesError(f"{len(stamp_s)} rows come in {len(first)} {seen}")
    arrived = stamp_s[first]
    rounded = bool((arrived % 1 == 0).all())
    if rounded and rows[0] < usual_rows:  # of the minute in which a file begins, the last rows
        arrived[0] = arrived[1] - rows[0] * np.median(np.diff(arrived) / rows[:-1])
    # Of packets that lack rows inside, each is as long as a whole one.
    whole = _whole_packet(arrived, rows) if rate_hz is None and nominal is None else 0
    packets = -(-rows // whole) if whole else rows  # two that come at once are one here
    begin = (packets.cumsum() - packets) * whole if whole else first
    # A packet bears the time of its first row (a rounded clock) or of its last (an arrival); where
    # all have one size both fit alike, and whole seconds are a rounded clock.
    held = packets * (whole or 1)
    places = [begin, begin + held - 1]
    line = min(
        (
            _line(arrived, place, whole or usual_rows, period, fixed=rate_hz is not None)
            for place in (places if rounded else places[::-1])
            for period in ((1 / rate_hz,) if rate_hz else _periods(arrived, place))
        ),
        key=lambda line: round(line.spread_s, 6),
    )
    halves = (slice(len(first) // 2), slice(len(first) // 2, None))
    row = line.place + line.lost
    periods = [_slope(arrived[part], row[part]) for part in halves]
    begin_s = line.measured_s - (line.place - begin) * line.period_s
    within = np.arange(len(stamp_s)) - np.repeat(first, rows)
    step_s = np.repeat(held / rows * line.period_s, rows)
    time_s = np.maximum.accumulate(np.repeat(begin_s, rows) + within * step_s)
    gaps = holes(time_s)
    lost = int(line.lost[-1]) + int((held - rows).sum())
    if rate_hz:
        lost = round(float(np.ptp(line.measured_s)) * rate_hz) - int(np.ptp(line.place))
    lost -= round(sum(end - begin for begin, end in gaps) / line.period_s)
    if rate_hz is None and _thinned(arrived, row):
        raise UnclearTimesError(
            f"{seen}, and rows are missing here and there: {1 / line.period_s:.4g} rows a second "
            "came, the sensor measured more"
        )
    apart = abs(periods[0] / periods[1] - 1) > APART
    if rate_hz is None and (apart or lost > LOST_SHARE * len(stamp_s)):
        came = [_slope(arrived[part], line.place[part]) for part in halves]
        both = " and ".join(f"{1 / period:.4g}" for period in came)
        raise UnclearTimesError(
            f"{seen}, {both} rows a second came in its halves, {lost} fewer than the "
            f"{1 / line.period_s:.4g} a second between losses"
        )
    seen += f", {counted(lost, 'row')} lost" if lost > 0 else ""
    return RowTimes(time_s, _whole(1 / line.period_s), gaps, seen)


def _even(steps: Times) -> NDArray[np.bool_] | None:
    """`(steps,)` which are about the usual one, where nearly all are and no packets show."""
    usual = float(np.median(steps))
    even = (steps > EVEN[0] * usual) & (steps < EVEN[1] * usual)
    known = usual > 0 and even.mean() >= EVEN_SHARE and not _in_packets(steps, usual)
    return even if known else None


def _parts(steps: Times, *, cuts: int = MOST_CUTS) -> list[slice]:
    """Parts of steps that are even by themselves, where a sensor was set to another rate; one
    where the rate is one, none where that explains nothing."""
    if _even(steps) is not None:
        return [slice(0, len(steps))]
    if cuts == 0 or len(steps) < 2 * FEWEST_OF_A_PART:
        return []
    size = np.log(np.maximum(steps, 1e-9))
    at = int(np.abs(np.cumsum(size - size.mean())).argmax()) + 1
    if not FEWEST_OF_A_PART <= at <= len(steps) - FEWEST_OF_A_PART:
        return []
    left, right = _parts(steps[:at], cuts=cuts - 1), _parts(steps[at:], cuts=cuts - 1)
    right = [slice(at + part.start, at + part.stop) for part in right]
    if not left or not right:
        return []
    before, after = (float(np.median(steps[part])) for part in (left[-1], right[0]))
    return left + right if max(before / after, after / before) > EVEN[1] else []


def _of_parts(stamp_s: Times, parts: list[slice]) -> RowTimes:
    """Rows whose rate changed, at their times and the highest of the rates."""
    slopes = [_slope(at := stamp_s[part], np.arange(len(at))) for part in parts]
    rates = [_whole(1 / slope) for slope in slopes]
    told = ", then ".join(
        f"{hz:.4g} from {stamp_s[part.start] - stamp_s[0]:.0f} s on"
        for hz, part in zip(rates, parts, strict=True)
    )
    return RowTimes(stamp_s, max(rates), holes(stamp_s), f"parts of different rates: {told}")


def _rows(stamp_s: Times, steps: Times, periods: tuple[float, ...]) -> NDArray[np.float64]:
    """`(rows,)` numbers of rows, those that are missing counted; by the period that fits best, or
    none is missing."""
    found = []
    for lost_rows in (*(_rows_lost(steps, period) for period in periods), 0 * steps):
        row = np.append(0.0, (1 + lost_rows).cumsum())
        off_s = stamp_s - stamp_s[0] - np.polyval(np.polyfit(row, stamp_s - stamp_s[0], 1), row)
        lost = row[-1] / (len(stamp_s) - 1) - 1
        found.append((float(off_s.std()) * (1 + UNLIKELY * abs(lost)), row))
    return min(found, key=lambda one: one[0])[1]


def _nominal(steps: Times, usual: float) -> NDArray[np.bool_] | None:
    """`(steps,)` where packets begin whose rows are apart by a nominal period; None if none do."""
    other = np.abs(steps - usual) > rounded_s(steps)
    at = np.flatnonzero(other)
    if len(at) < FEWEST_PACKETS or other.mean() > 1 - SAME_SHARE:
        return None
    times = steps[at] / usual
    missing = np.abs(times - np.rint(times)) < UNEVEN
    sizes = np.diff(at)
    alike = np.mean(sizes == np.median(sizes)) > WHOLE_SHARE and np.median(sizes) > 1
    alike &= ROWS_LOST < np.median(times) < GAP_S / usual  # holes, however regular, are none
    return None if missing.mean() > EVEN_SHARE and not alike else other


def _whole_packet(arrived: Times, rows: NDArray[np.int64]) -> int:
    """Rows of a whole packet, where many lack some that never come; else 0.

    Rows that are read as they come are as many as the time between two reads, and sum up to its
    line; those of packets whose rows are lost wander off from it, and from one of packets.
    """
    sizes = np.bincount(rows) / len(rows)
    whole = int(np.flatnonzero(sizes >= FULL).max(initial=0))
    lacking = whole >= FEWEST_FULL and (1 - LOST_SHARE / 2) * whole <= rows.mean() < whole
    if not lacking or sizes[whole + 1 :].sum() > MERGED or np.median(np.diff(arrived)) > LONG_S:
        return 0
    row, packet = rows.cumsum().astype(np.float64), (-(-rows // whole)).cumsum()
    return whole if _wanders(packet, row) and _wanders(arrived, row) else 0


def _wanders(at: NDArray[Any], row: NDArray[np.float64]) -> bool:
    """Whether the number of rows wanders off from its line, the farther the longer."""
    off = row - np.polyval(np.polyfit(at - at[0], row, 1), at - at[0])
    apart = [n for n in (*WANDERING, LONG_WALK) if 4 * n <= len(off)]
    near, *far = (np.median(np.abs(off[n:] - off[:-n])) for n in (1, *apart))
    return bool(max(far, default=0.0) > 1.5 * near + 1)


def _thinned(arrived: Times, row: NDArray[np.float64]) -> bool:
    """Whether packets of long steps, such as whole seconds, lack rows here and there.

    Rows that are late are in the next packet; those that are lost never come, so that the number
    of rows so far wanders off from its line, the farther the longer.
    """
    if np.median(np.diff(arrived)) < LONG_S or len(row) < 4 * WANDERING[0]:
        return False
    off = row - np.polyval(np.polyfit(arrived - arrived[0], row, 1), arrived - arrived[0])
    near, *far = (
        np.median(np.abs(off[n:] - off[:-n])) for n in (1, *WANDERING) if 4 * n <= len(off)
    )
    return bool(max(far) > 2 * near + 1)


def _rows_lost(steps: Times, usual: float) -> NDArray[np.float64]:
    """`(steps,)` rows missing in each; a late row makes the step after it as much shorter.

    Jitter alone makes three steps too long as often as too short, which cancels out.
    """
    left, right = np.append(usual, steps[:-1]), np.append(steps[1:], usual)
    longest = (steps > EVEN[1] * usual) & (steps >= left) & (steps > right)
    shortest = (steps < EVEN[0] * usual) & (steps <= left) & (steps < right)
    missing = np.rint((left + steps + right) / usual) - 3
    return np.where(longest & (missing > 0) | shortest & (missing < 0), missing, 0.0)


def _in_packets(steps: Times, usual: float) -> bool:
    """Whether steps repeat after some rows, or most of the time lies between short runs of even
    ones."""
    rows = np.maximum(np.rint(steps / usual), 1)
    whole = (rows < ROWS_LOST) & (np.abs(steps - rows * usual) <= rounded_s(steps))
    same = np.where(whole, steps / rows, np.clip(steps, 0, 3 * usual))
    same -= same.mean()
    if same.std() > UNEVEN * usual:
        power = np.abs(np.fft.rfft(same, 2 * len(same))) ** 2
        alike = np.fft.irfft(power)[2 : min(MOST_ROWS, len(same) // 4)] / (same**2).sum()
        if alike.max(initial=0.0) > ALIKE:
            return True
    apart = np.flatnonzero(steps > BURST_STEPS * usual)
    if len(apart) < FEWEST_PACKETS or steps[apart].sum() < TOGETHER * steps.sum():
        return False
    return float(np.median(np.diff(apart))) * usual < BURST_S


@dataclass(frozen=True)
class _Line:
    """Packets on a line: number of a row against time.

    Attributes:
        place: `(packets,)` number of the row whose time is a packet's.
        period_s: from row to row.
        lost: `(packets,)` rows lost until each.
        measured_s: `(packets,)` when that row was measured.
        spread_s: how far the times lie off the line, and how far it wanders; more where it takes
            more losses to say so.
    """

    place: NDArray[np.int64]
    period_s: float
    lost: NDArray[np.float64]
    measured_s: Times
    spread_s: float


def _line(
    arrived: Times, place: NDArray[np.int64], usual: int, period: float, *, fixed: bool
) -> _Line:
    whole = usual if np.mean(np.diff(place) == usual) > WHOLE_SHARE else 1
    for _ in range(ROUNDS):
        base = _envelope(arrived, place, period)
        steps = np.diff(base, prepend=base[0])
        # What is not lost but late comes down again: falls tell how far it rises by itself.
        falls = scipy.signal.lfilter([1.0], [1.0, -KEPT], -steps[::-1])
        least_s = max(TOGETHER * usual * period, NOISE * float(falls.max()))
        lost = _lost(steps, period, least_s, whole).cumsum()
        before, period = period, period if fixed else _slope(arrived, place + lost)
        if period == before:
            break
    measured_s = _envelope(arrived, place, period) + place * period
    wander_s = float((measured_s - (place + lost) * period).std())
    spread_s = wander_s + float(np.abs(np.diff(arrived - place * period)).mean())
    spread_s *= 1 + UNLIKELY * lost[-1] / (place[-1] + 1)
    return _Line(place, period, lost, measured_s, spread_s)


def _lost(steps: Times, period: float, least_s: float, whole: int) -> NDArray[np.float64]:
    """`(packets,)` rows lost before each.

    The envelope rises to a loss over the few packets before it, each as late as it happens to be;
    so its steps add up, and what does not come to `least_s` soon is forgotten.
    """
    lost = np.zeros(len(steps))
    if scipy.signal.lfilter([1.0], [1.0, -KEPT], steps).max() <= least_s:
        return lost
    risen = 0.0
    for index, step in enumerate(steps.tolist()):
        risen = risen * KEPT + step
        if risen > least_s:
            unit = whole if risen < LATE_S else 1  # a radio loses packets, a pause ends anywhere
            lost[index] = unit * round(risen / (unit * period))
            risen -= lost[index] * period
    return lost


def _periods(arrived: Times, place: NDArray[np.int64]) -> tuple[float, float]:
    """Of a row, to begin with: by steps of the usual size alone, which are few where packets come
    as they like, and by all steps, some of which hold lost rows."""
    time_s, rows = np.diff(arrived), np.diff(place)
    usual = float(np.median(time_s / rows))
    known = time_s < max(LATE_S, 2 * float(np.median(time_s)))  # of whole minutes, all
    whole = (time_s > EVEN[0] * usual * rows) & (time_s < EVEN[1] * usual * rows)
    whole = whole if whole.any() else known
    return (
        float(time_s[whole].sum() / rows[whole].sum()),
        float(time_s[known].sum() / rows[known].sum()),
    )


def _slope(arrived: Times, row: NDArray[np.floating] | NDArray[np.integer]) -> float:
    return float(np.polyfit(row - row[0], arrived - arrived[0], 1)[0])


def _envelope(arrived: Times, place: NDArray[np.int64], period: float) -> Times:
    """`(packets,)` the least distance from the line among a packet and those up to `LATE_S` on."""
    late = arrived - place * period
    half = max(1, int(LATE_S / float(np.median(np.diff(arrived))) / 2))  # packets
    ahead = np.concatenate([late, np.full(2 * half, np.inf)])
    return np.asarray(
        scipy.ndimage.minimum_filter1d(ahead, 2 * half + 1, origin=-half)[: len(late)]
    )


def holes(time_s: Times) -> tuple[tuple[float, float], ...]:
    """Begin and end of steps longer than `GAP_S`."""
    places = np.flatnonzero(np.diff(time_s) > GAP_S)
    return tuple((float(time_s[i]), float(time_s[i + 1])) for i in places)


def _whole(hz: float) -> float:
    """The rate, rounded where it is nearly a whole number."""
    return float(round(hz)) if round(hz) and abs(hz / round(hz) - 1) < 0.002 else hz
