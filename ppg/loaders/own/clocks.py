"""Times of rows: numbers of any unit, dates and times of day."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.table import Base, Table
from ppg.loaders.own.units import (
    CRYSTALS,
    LOCAL,
    TIME_UNITS,
    WHOLE,
    crystal_hz,
    time_unit,
    time_unit_of_name,
    unit_by_rate,
)
from ppgnas.errors import DataError

UNIX_S = (8e8, 4.2e9)  # 1995 to 2103: what else begins so late counts from another zero
DAY_S = 86400.0
SHORT_YEARS = 15  # 2015: of two digits an earlier year is none, and none still to come
HOUR_S = 3600.0
SERIAL = {25569.0: "Excel", 719529.0: "MATLAB"}  # days from their zero to 1970
TICKS = {62_135_596_800.0: ".NET", 11_644_473_600.0: "Windows"}  # seconds from their zero to 1970
LEAP_S = 18.0  # that GPS counts more than UTC, since 2017
EPOCHS_S = {  # seconds from 1970 to their zero
    "GPS": 315_964_800.0, "Garmin": 631_065_600.0, "Polar": 946_684_800.0, "Apple": 978_307_200.0,
}  # fmt: skip
LONG_AGO_S = (1e9, 1.26e9)  # 2001 to 2009, or from 2021 on by Garmin
SINCE_2000_S = (5.5e8, UNIX_S[0])  # 2017 to 2026, by clocks that begin in 2000 or 2001
FASTEST_HZ = 10_000.0
SUMMER_S = 60.0  # of an hour, by which a clock is set
LEAST_QUARTERS_H = 3.0  # from a clock such as Nepal's, 5:45 h from UTC, to its neighbours'
RUNS_OVER_S = (1.0, 60.0, 3600.0, DAY_S)
NIGHT_S = 4 * HOUR_S  # of a day, in which clocks are set forward; later an hour is a pause
_SHORT = re.compile(r"(\d{1,3}):(\d{2}[.,]\d{1,9})")
_DATE = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[T ]+|$)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPELT = re.compile(
    rf"(?:(\d{{1,2}})[- .]+)?({'|'.join(_MONTHS)})[a-z]*(?: (\d{{1,2}}),?)?[- .,]+(\d{{4}})",
    re.IGNORECASE,
)
_TOGETHER = re.compile(r"(\d{4})(\d{2})(\d{2})[T _](\d{2})(\d{2})(\d{2})")
_DIGITS = re.compile(
    r"((?:19|20)\d\d)(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])([0-5]\d)([0-5]\d)\.?(\d*)"
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,:](\d{1,9}))?)?\s*([AaPp]\.?[Mm]\.?)?")
_ZONE = re.compile(
    r"\s*(?:(Z|UTC|GMT)|[A-Z]{3,4})?(?:([+-])(\d{1,2}):?(\d{2})?)?(?:\[[\w/+-]+\])?\s*"
)


@dataclass(frozen=True)
class Clock:
    """Times of rows on one clock.

    Attributes:
        time_s: `(rows,)` NaN where a cell is empty.
        base: see `ppg.loaders.own.table.Table.base`.
        said: what was found and not stated, in words; empty if nothing.
        unit_s: of the numbers; of dates and times of day a second.
    """

    time_s: NDArray[np.float64]
    base: Base
    said: str = ""
    unit_s: float = 1.0


def read_clock(table: Table, name: str, *, unit: str | None, slowest_hz: float) -> Clock:
    """Times of a column, or of a column of dates and one of times of day (`date,time`).

    Args:
        unit: one of `TIME_UNITS`, or None: the header or the numbers tell it.
        slowest_hz: rows a second that there are at least.

    Raises:
        DataError: a cell is no time, or the unit cannot be told.
    """
    if name not in table.cells and "," in name:
        date, clock = (table.texts(part.strip()) for part in name.split(",", 1))
        joined = [f"{a} {b}".strip() for a, b in zip(date, clock, strict=True)]
        return _of_texts(table, name, [*map(in_digits, joined)])
    cells = table.texts(name) if isinstance(table.cells.get(name), list) else []
    cells = [cell if any(map(str.isdigit, cell)) else "" for cell in cells]
    first = next((cell for cell in cells if cell), "")
    if in_digits(first) != first:
        cells, first = [in_digits(cell) for cell in cells], in_digits(first)
    if ":" in first or _DATE.match(first):
        return _of_texts(table, name, cells)
    values = table.numbers((name,))[name]
    known = values[np.isfinite(values)]
    if not len(known):
        return Clock(values, "zero")
    usual = float(np.ptp(known)) / max(len(known) - 1, 1)
    for zero, program in SERIAL.items():
        begin_s = (known[0] - zero) * DAY_S
        fits = 0 < usual < min(1 / FASTEST_HZ, 1 / slowest_hz / DAY_S)
        if unit is None and fits and UNIX_S[0] <= begin_s <= UNIX_S[1]:
            said = f"{name} holds days as {program} counts them"
            return Clock((values - zero) * DAY_S, "local", said)
    for zero, program in TICKS.items():
        if unit is None and UNIX_S[0] <= known[0] / 1e7 - zero <= UNIX_S[1]:
            base: Base = "local" if program == ".NET" else "utc"
            return Clock(values / 1e7 - zero, base, f"{name} holds ticks of {program}")
    named = time_unit(table.units.get(name, "")) or time_unit_of_name(name)
    every = np.interp(np.arange(len(values)), np.flatnonzero(np.isfinite(values)), known)
    dated = UNIX_S[0] <= known[0] <= UNIX_S[1]  # seconds since 1970 may come by the minute
    found = unit or named or unit_by_rate(every, slowest_hz / 4 if dated else slowest_hz)
    if found is None and np.ptp(known) == 0:
        raise DataError(
            f"{table.path}: the time column {name} is {known[0]:g} in all of its {len(known)} "
            "rows; allowed: a clock that goes on. Name another column, or give `rate_hz` instead."
        )
    if found is None:
        raise DataError(
            f"{table.path}: the unit of the time column {name} cannot be told: {len(known)} "
            f"times; allowed: {', '.join(TIME_UNITS)}. Give `time_unit`."
        )
    if found in CRYSTALS and not unit and (hz := crystal_hz(known, found, named=bool(named))):
        if abs(hz / round(hz) - 1) > WHOLE:
            raise DataError(
                f"{table.path}: the unit of the time column {name} cannot be told: {hz:.4g} rows "
                f"a second where it counts {CRYSTALS[found]} s, "
                f"{hz * TIME_UNITS[CRYSTALS[found]] / TIME_UNITS[found]:.5g} where it counts "
                f"{found}. Give `time_unit`."
            )
        found = CRYSTALS[found]
    begin_s = known[0] * TIME_UNITS[found]
    epoch_s, since = _epoch(f"{name} {table.units.get(name, '')}", begin_s, found)
    absolute = UNIX_S[0] <= begin_s + epoch_s <= UNIX_S[1]
    counts = f"counts {found} s" if "/" in found else f"is in {found}"
    if named not in (found, None):
        counts += f", by its rate; `time_unit` {named} says otherwise"
    told = " and ".join(filter(None, ("" if found in ("s", unit) else counts, since)))
    zone: Base = "local" if table.units.get(name) == LOCAL else "utc"
    said, unit_s = f"{name} {told}" if told else "", TIME_UNITS[found]
    return Clock(values * unit_s + epoch_s, zone if absolute else "zero", said, unit_s)


def _epoch(name: str, begin_s: float, unit: str) -> tuple[float, str]:
    """Seconds to add for a zero other than 1970, and in words which one it is, or may be.

    Args:
        name: of the column, with its unit.
        begin_s: of the first row, from that zero.
    """
    whose = next((of for of in ("GPS", "Garmin") if of.lower() in name.lower()), "")
    if not whose and SINCE_2000_S[0] <= begin_s < SINCE_2000_S[1]:
        whose = {"ns": "Polar", "s": "Apple"}.get(unit, "")
    maybe = not whose and LONG_AGO_S[0] <= begin_s < LONG_AGO_S[1]
    epoch_s = EPOCHS_S["Garmin" if maybe else whose] if maybe or whose else 0.0
    if not UNIX_S[0] <= begin_s + epoch_s <= time.time() or not epoch_s:  # nothing is of tomorrow
        return 0.0, ""
    zero, then, now = (started(at_s, "utc")[:10] for at_s in (epoch_s, begin_s, begin_s + epoch_s))
    if maybe:
        return 0.0, f"begins on {then}, or on {now} if it counts from {zero}, as Garmin does"
    epoch_s -= LEAP_S if whose == "GPS" else 0.0
    return epoch_s, f"counts from {zero}, as {whose} does: it begins on {now}"


def _of_texts(table: Table, name: str, cells: list[str]) -> Clock:
    order = _order(cells)
    time_s = np.full(len(cells), np.nan)
    bases: set[Base] = set()
    for index, cell in enumerate(cells):
        if not cell:
            continue
        found = moment(cell, order)
        if found is None:
            raise DataError(
                f"{table.path}: {name} is {cell[:40]!r} in line {table.line[index]}; allowed: "
                "times such as 2024-05-31T14:05:09.250, 31.05.2024 14:05:09 or 14:05:09.250, or "
                "numbers."
            )
        time_s[index], base = found
        bases.add(base)
    if len(bases) > 1:
        raise DataError(
            f"{table.path}: {name} holds times with a date and times without, or with a zone and "
            "without; allowed: one form throughout."
        )
    (base,) = bases or {"zero"}
    if base == "day":  # past midnight it begins anew, or at one o'clock
        known = np.flatnonzero(np.isfinite(time_s))
        back = -np.diff(time_s[known], prepend=time_s[known[0]]) / (DAY_S / 2)
        time_s[known] += np.cumsum(np.rint(back) * (back > 1 - SUMMER_S / DAY_S)) * DAY_S / 2
    said = [f"{name} has dates read as {order}"] if order in ("day/month", "month/day") else []
    if base in ("local", "day") and (at := _set_by_an_hour(time_s)):
        row, hour_s = at
        time_s[row:] += hour_s
        said.append(
            f"{name} is set {'forward' if hour_s < 0 else 'back'} by an hour in line "
            f"{table.line[row]}, as for summer time, and is counted on"
        )
    return Clock(time_s, base, ", and ".join(said))


def counted_on(time_s: NDArray[np.float64], *, unit_s: float) -> tuple[NDArray[np.float64], float]:
    """Times of a counter that runs over (of 16, 24 or 32 bits, of a second, a minute, an hour).

    Args:
        time_s: `(rows,)` as written, NaN where none is known.
        unit_s: of the counter.

    Returns:
        Times that go on, and after how long it begins anew; 0, and the times as they are, where
        they never go back or not by one such length.
    """
    known = np.flatnonzero(np.isfinite(time_s))
    steps_s = np.diff(time_s[known])
    back, on = steps_s < 0, steps_s > 0
    if not (back.any() and on.any()):
        return time_s, 0.0
    span_s = float(np.ptp(time_s[known]))
    # From the last row before to the first one after; of whole seconds most rows take no step.
    most_s = 5 * float(steps_s[on].mean())
    units_s = dict.fromkeys((unit_s, 1e-3, 1e-6))  # of a counter whose file is in seconds, too
    for every_s in (
        *RUNS_OVER_S,
        *(unit * 2.0**bits for unit in units_s for bits in (16, 24, 32)),
    ):
        if span_s > every_s:
            continue
        apart_s = steps_s[back] + every_s
        near = -1e-9 * every_s <= apart_s.min() <= most_s  # rows may be lost over others
        if near and apart_s.max() <= every_s / 4:
            turns = np.zeros(len(time_s))
            turns[known[1:][back]] = every_s
            return time_s + turns.cumsum(), every_s
    return time_s, 0.0


def _set_by_an_hour(time_s: NDArray[np.float64]) -> tuple[int, float] | None:
    """Row at which a local clock was set, once, and seconds to add from there.

    An hour that is missing by day is a pause, and stays one.
    """
    known = np.flatnonzero(np.isfinite(time_s))
    steps = np.diff(time_s[known])
    (set_at,) = np.nonzero((steps < 0) | (steps > HOUR_S - SUMMER_S))
    if len(set_at) != 1 or abs(abs(steps[set_at[0]]) - HOUR_S) > SUMMER_S:
        return None
    forward = bool(steps[set_at[0]] > 0)
    if forward and time_s[known[set_at[0]]] % DAY_S > NIGHT_S:
        return None
    return int(known[set_at[0] + 1]), -HOUR_S if forward else HOUR_S


def in_digits(cell: str) -> str:
    """`31-May-2024`, `May 31, 2024`, `20240531T140509` and `20240531140509250` as other dates are
    written."""
    if (found := _SPELT.match(cell)) and (found[1] is None) != (found[3] is None):
        month = _MONTHS.index(found[2].lower()) + 1
        return f"{found[4]}-{month}-{found[1] or found[3]}{cell[found.end() :]}"
    if (found := _DIGITS.fullmatch(cell)) and (len(cell) in (14, 17) or "." in cell):
        return "{}-{}-{}T{}:{}:{}.{}".format(*found.groups("0")).rstrip(".")
    return _TOGETHER.sub(r"\1-\2-\3T\4:\5:\6", cell, count=1)


def _order(cells: list[str]) -> str:
    """Which of day, month and year comes first; "unknown" where a year of two digits may be a day.

    Between slashes and with AM or PM it is the month, unless it cannot be.
    """
    looked = (_DATE.match(cell) for cell in cells[:: max(len(cells) // 500, 1)] if cell)
    dates = [date for date in looked if date and len(date[1]) < 3]
    if not dates:
        return "year first"
    numbers = np.array([[int(part) for part in date.groups()] for date in dates])
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    months, years = high <= 12, (low >= SHORT_YEARS) & (high <= datetime.now().year % 100)
    slash, short = "/" in dates[0][0], len(dates[0][3]) < 3
    if slash and months[0] and (not months[1] or dates[0].string[-1] in "mM"[short * 2 :]):
        return "month/day"
    if not short:
        return "day/month" if slash else "day first"
    if years[2] and months[1] and ("." in dates[0][0] or not (years[0] or months[0])):
        return "day first"
    return "year first" if years[0] and not years[2] else "unknown"


def moment(cell: str, order: str) -> tuple[float, Base] | None:
    """Seconds of a date, a time of day or both, and from where they count; None if it is none.

    Args:
        order: see `_order`.
    """
    if short := _SHORT.fullmatch(cell):  # minutes and seconds, from any zero
        return int(short[1]) * 60 + float(short[2].replace(",", ".")), "zero"
    date = _DATE.match(cell)
    rest = cell[date.end() :] if date else cell
    clock = _CLOCK.match(rest)
    if clock is None and not (date and not rest):
        return None
    seconds = 0.0
    if clock is not None:
        hour = int(clock[1])
        if clock[5]:
            hour = hour % 12 + (12 if clock[5][0] in "pP" else 0)
        fraction = float(f"0.{clock[4]}") if clock[4] else 0.0
        seconds = hour * HOUR_S + int(clock[2]) * 60 + int(clock[3] or 0) + fraction
    zone = _ZONE.fullmatch(rest[clock.end() :] if clock else "")
    if zone is None:
        return None
    if date is None:
        return seconds, "day"
    parts = [int(part) for part in date.groups()]
    if len(date[1]) < 3 and order != "year first":
        parts = [parts[2], parts[0], parts[1]] if order == "month/day" else parts[::-1]
    if parts[0] < 100 and order == "unknown":
        return None
    try:
        day = datetime(parts[0] + 2000 * (parts[0] < 100), parts[1], parts[2], tzinfo=timezone.utc)
    except ValueError:
        return None
    if zone[2]:
        east = (int(zone[3]) * 60 + int(zone[4] or 0)) * 60 * (1 if zone[2] == "+" else -1)
        return day.timestamp() + seconds - east, "utc"
    return day.timestamp() + seconds, "utc" if zone[1] else "local"


def one_moment(cell: str) -> tuple[float, Base]:
    """Seconds of a date or of a number since 1970 that stands alone, and from where they count; 0
    where it is neither."""
    if found := moment(in_digits(cell), _order([cell])):
        return found
    with suppress(ValueError):
        for unit in TIME_UNITS.values():
            if UNIX_S[0] <= float(cell) * unit <= UNIX_S[1]:
                return float(cell) * unit, "utc"
    return 0.0, "zero"


def started(time_s: float, base: Base) -> str:
    """A moment as a recording keeps it: ISO 8601, without a zone where none is known."""
    if base == "zero" or not np.isfinite(time_s):
        return ""
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time_s)
    at = at if base == "utc" else at.replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds")[11 if base == "day" else 0 :]


def on_one_clock(clock: Clock, base: Base, begin_s: float, end_s: float) -> tuple[Clock, str]:
    """Times on the clock of a recording, and a sentence where hours had to be added.

    Clocks of two time zones differ by whole hours (some by half ones): those are added that make
    most of the times fall into the recording, as few as will do. Two in UTC do not differ.

    Args:
        base, begin_s, end_s: of the recording.
    """
    if "zero" in (clock.base, base) or clock.base == base == "utc":
        return clock, ""
    time_s = clock.time_s
    if "day" in (clock.base, base) and clock.base != base:
        nearest = np.round((begin_s - time_s[0]) / DAY_S) * DAY_S
        time_s = time_s + nearest
    fitting, here = hours_apart(time_s, begin_s, end_s)
    hours = fitting[0]
    others = [h for h in fitting[1:] if clock.base != base and (hours or h % 1 == 0)]
    more = (
        f"; {', '.join(f'{-h:+g}' for h in others[:4])} h would fit as well: `lag_s` moves it by "
        "what is missing, 3600 s an hour"
        if others
        else ""
    )
    if (clock.base == base and here) or hours == 0:
        said = f"its clock is taken as that of the PPG{more}" if more else ""
        return replace(clock, time_s=time_s, base=base), said
    return replace(clock, time_s=time_s + hours * HOUR_S, base=base), (
        f"its clock is taken as {-hours:+g} h from that of the PPG, another time zone{more}"
    )


def hours_apart(
    time_s: NDArray[np.float64], begin_s: float, end_s: float
) -> tuple[list[float], int]:
    """Hours to add so that most times fall into a recording, the likeliest first (none, then
    whole ones, as few as will do), and how many do without; 0 hours where none helps.
    """
    inside = [
        (int(((time_s + h * HOUR_S >= begin_s) & (time_s + h * HOUR_S <= end_s)).sum()), h)
        for h in np.arange(-26, 26.25, 0.25).tolist()
        if h % 0.5 == 0 or abs(h) > LEAST_QUARTERS_H
    ]
    most = max(count for count, _ in inside)
    here = next(count for count, h in inside if h == 0)
    if most == 0:
        return [0.0], here
    fitting = [h for count, h in inside if count >= 0.98 * most]
    return sorted(fitting, key=lambda h: (h != 0, h % 1 != 0, h % 0.5 != 0, abs(h))), here
