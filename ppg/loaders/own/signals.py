"""Rows of a signal: which of them are whole, when each was measured, and at which even rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.clocks import FASTEST_HZ, counted_on, read_clock
from ppg.loaders.own.columns import guess
from ppg.loaders.own.table import Base, Table
from ppg.loaders.own.units import time_unit, time_unit_of_name
from ppg.packets import HASHED, held, in_packets, places, row_times_among, rows_counted, sent_again
from ppg.plausible import SLOWEST_HZ
from ppg.row_times import GAP_S, UnclearTimesError, holes
from ppgnas.errors import DataError
from ppgnas.tables import counted
from ppgnas.task import WINDOW_S

LONGEST_GAP_S = 3600.0  # beyond it these are two recordings, or the clock was set
SLOWEST_ROWS_HZ = 4.0  # of signals, for their unit of time to be told
SLOWEST_REFERENCE_HZ = 0.03
WRITTEN_TWICE = 0.95  # of the rows with the time of the row before have its values, too
LATEST_S = 10.0  # a row that comes later, and not twice, is of another recording;
LATE = 0.2  # of the rows at most
APART = 0.6  # of the usual step at least, between rows that were put in order
DOUBLED = 0.1  # of the rows at most, for a time that comes twice to be a row that came twice
COUNTERS = {"sample", "samples", "index", "idx", "seq", "sequence", "counter", "row", "frame"}


@dataclass(frozen=True)
class Series:
    """Rows in which all columns have a value.

    Attributes:
        time_s: `(rows,)` on the clock of `base`.
        values: `(rows, columns)`.
        line: `(rows,)` lines of the file.
        base: see `ppg.loaders.own.table.Table.base`.
        stamped: whether the times were written beside the rows, and not made of a rate.
        hz: the rate that the form says.
        among: `(rows of the file,)` times of these rows and of those without a value, and which
            these are; None once rows were moved or left out.
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    line: NDArray[np.int64]
    base: Base
    stamped: bool
    hz: float | None = None
    among: tuple[NDArray[np.float64], NDArray[np.bool_]] | None = None

    def of(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Series:
        """Some of the rows, in that order."""
        time_s, values, line = self.time_s[rows], self.values[rows], self.line[rows]
        return replace(self, time_s=time_s, values=values, line=line, among=None)


@dataclass(frozen=True)
class Signal:
    """Rows at their true times, their rate, and holes (begin and end) on that clock."""

    series: Series
    hz: float
    gaps: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Timing:
    """How the times of a signal are told: a column and its unit, or a rate.

    Attributes:
        column: of times, or None.
        unit: of it, or None: told from the numbers.
        rate_hz: rows a second, or None.
        slowest_hz: rows a second that there are at least.
        option: the name of the rate's option, for messages.
    """

    column: str | None
    unit: str | None
    rate_hz: float | None
    slowest_hz: float
    option: str


def read_series(
    table: Table, names: tuple[str, ...], timing: Timing, say: Callable[[str], None]
) -> Series:
    """The rows in which all columns have a value.

    Raises:
        DataError: a column or its times are missing or wrong.
    """
    values = table.samples(names, say)
    whole = np.asarray(np.isfinite(values).all(axis=1))
    known = table.rows.get(names[0])
    base: Base = "zero"
    line = table.line[: len(values)]
    hz = None
    column = timing.column
    if column and column in table.cells and len(table.cells[column]) != len(values):
        # Times of another signal of the file are not this one's.
        alike = guess([name for name, cells in table.cells.items() if len(cells) == len(values)])
        own = alike.time or alike.hr_time or alike.acc_time
        column = own or (None if known is not None else column)
        if own:
            say(f"{table.path.name}: the times of {names[0]} are {own}.")
    if column and column in table.cells and timing.rate_hz and table.constant(column):
        say(f"{table.path.name}: {column} is one time throughout, and not used.")
        column = None
    if column is not None:
        clock = read_clock(table, column, unit=timing.unit, slowest_hz=timing.slowest_hz)
        if len(clock.time_s) != len(values):
            raise DataError(
                f"{table.path}: {column} has {len(clock.time_s)} times, {names[0]} "
                f"{len(values)} rows; allowed: one time a row. Give {timing.option} instead."
            )
        if clock.said:
            say(f"{table.path.name}: {clock.said}.")
        time_s, every_s = counted_on(clock.time_s, unit_s=clock.unit_s)
        if every_s:
            say(f"{table.path.name}: {column} begins anew every {every_s:g} s and is counted on.")
        written = np.array([cell != "" for cell in table.cells[names[0]]])
        time_s, base = _filled(time_s, written), clock.base
        named = timing.unit or time_unit(table.units.get(column, "")) or time_unit_of_name(column)
        counter = None if named else rows_counted(clock.time_s / clock.unit_s)
        if counter is not None and timing.rate_hz is not None:
            say(f"{table.path.name}: {column} counts rows.")
            time_s, base, column = counter / timing.rate_hz, "zero", None
        elif counter is not None and _counts(column) and timing.slowest_hz >= SLOWEST_ROWS_HZ:
            raise DataError(
                f"{table.path}: the time column {column} counts rows, one by one; allowed: times. "
                f"Give {timing.option}, the rows a second, beside it."
            )
    elif timing.rate_hz is not None:
        time_s = _by_counter(table, len(values), timing.rate_hz, say) / timing.rate_hz
        if known is not None:
            time_s, base = time_s + known.time_s[0], table.base
    elif known is not None:
        time_s, base, hz = known.time_s, table.base, known.hz
        if hz is not None:
            place = _by_counter(table, len(values), hz, say)
            time_s = time_s + (place - np.arange(len(values))) / hz
    else:
        raise DataError(
            f"{table.path}: neither a time column nor a rate of {', '.join(names)} is given; name "
            f"one with `time`, or give {timing.option}."
        )
    stamped = column is not None or (known is not None and hz is None)
    time_s = _sent_once(table, names, time_s, stamped, say)
    timed = np.isfinite(time_s)
    whole &= timed
    if whole.sum() < 2:
        raise DataError(
            f"{table.path}: {', '.join(names)} have {int(whole.sum())} whole rows; allowed: at "
            f"least 2. Are they the right columns?"
        )
    kept = np.flatnonzero(whole)
    if np.diff(time_s[kept]).max() <= 0 > np.diff(time_s[kept]).min():
        say(f"{table.path.name}: the newest row comes first; rows are read from the last one up.")
        kept = kept[::-1]
    series = Series(time_s, values, line, base, stamped, hz).of(kept)
    series = _in_order(table.path, replace(series, among=(time_s[timed], whole[timed])), say)
    _check_order(table, timing.column or "", series)
    return series


def _sent_once(
    table: Table,
    names: tuple[str, ...],
    time_s: NDArray[np.float64],
    stamped: bool,
    say: Callable[[str], None],
) -> NDArray[np.float64]:
    """Times, NaN in packets that were sent again: by all signals, as each is read alone."""
    rows = np.flatnonzero(np.isfinite(time_s))
    if stamped and not in_packets(np.diff(time_s[rows])):
        return time_s
    number = np.zeros(len(time_s), np.uint64)
    for cells in (table.cells[name] for name in {*names, *table.meant.ppg, *table.meant.acc}):
        if len(cells) == len(time_s):
            number = number * HASHED + np.unique(cells, return_inverse=True)[1].astype(np.uint64)
    again = sent_again(number[rows])
    if again.any():
        say(f"{table.path.name}: {again.sum()} rows of packets sent again are left out.")
        kept_s = time_s[rows[~again]] if stamped else time_s[rows[: (~again).sum()]]
        time_s = np.full(len(time_s), np.nan)
        time_s[rows[~again]] = kept_s
    return time_s


def _by_counter(
    table: Table, rows: int, hz: float, say: Callable[[str], None]
) -> NDArray[np.float64]:
    """`(rows,)` places of rows that have a rate and no times: a counter tells which are lost."""
    for name in filter(_counts, table.names):
        values = table.numbers((name,))[name]
        place = places(values) if len(values) == rows else None
        if place is not None and place[-1] >= rows and np.diff(place).max() <= LONGEST_GAP_S * hz:
            lost = int(place[-1]) + 1 - rows
            say(f"{table.path.name}: {counted(lost, 'row is', 'rows are')} lost by {name}.")
            return place
    return np.arange(rows, dtype=np.float64)


def _counts(name: str) -> bool:
    """Whether a column is called as a counter of rows is."""
    return bool(COUNTERS & set(re.findall(r"[a-z]+", name.lower())))


def _in_order(path: Path, series: Series, say: Callable[[str], None]) -> Series:
    """Rows that came late or again, as a radio repeats a packet, where they belong.

    As they are where their times are then not even: of a clock that was set back, or two files.
    Times that jitter by less than from row to row are sorted, and rows stay.
    """
    if np.diff(series.time_s).min() >= 0:
        return series
    rows = np.column_stack([series.time_s, series.values])
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    time_s = series.time_s[first]
    late_s = np.maximum.accumulate(time_s) - time_s
    order = first[np.argsort(time_s, kind="stable")]
    steps_s = np.diff(series.time_s[order])
    few = late_s.max() <= LATEST_S and (late_s > 0).mean() <= LATE
    if not few or steps_s.min() <= APART * np.median(steps_s):
        steps_s = np.diff(series.time_s)
        if late_s.max() >= steps_s[np.abs(steps_s) < GAP_S].mean():
            return series
        back = f"go back by up to {1e3 * late_s.max():.3g} ms, less than from row to row"
        say(f"{path.name}: its times {back}; rows stay in their order.")
        return replace(series, time_s=np.sort(series.time_s), among=None)
    again, late = len(rows) - len(first), int((late_s > 0).sum())
    said = [f"{again} came twice and are left out"] * (again > 0)
    said += [f"{late} came late and are put in order"] * (late > 0)
    say(f"{path.name}: of {len(rows)} rows {', '.join(said)}.")
    return series.of(order)


def _filled(time_s: NDArray[np.float64], written: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows of values, or of words for none, without a time have that of the row before: a packet
    is stamped once."""
    known = np.isfinite(time_s)
    before = np.maximum.accumulate(np.where(known, np.arange(len(time_s)), -1))
    return np.where(known | ~written | (before < 0), time_s, time_s[before])


def _check_order(table: Table, time: str, series: Series) -> None:
    path, time_s, line = table.path, series.time_s, series.line
    steps_s = np.diff(time_s)
    if steps_s.min() < 0:
        at = int(np.argmax(steps_s < 0))
        back = counted(int((steps_s < 0).sum()), "such step")
        raise DataError(
            f"{path}: the time column {time} goes back from {time_s[at]:.15g} s in line "
            f"{line[at]} to {time_s[at + 1]:.15g} s in line {line[at + 1]} "
            f"({back}); allowed: times that increase from row to row, or stay within a packet. "
            f"{table.what_ends(time, line[at : at + 2])}, cut the file there; if rows are out "
            "of order, sort them."
        )
    if steps_s.max() > LONGEST_GAP_S:
        at = int(np.argmax(steps_s))
        raise DataError(
            f"{path}: the time column {time} jumps by {steps_s[at]:.4g} s, from "
            f"{time_s[at]:.15g} s in line {line[at]} to {time_s[at + 1]:.15g} s in line "
            f"{line[at + 1]}; allowed: up to {LONGEST_GAP_S:g} s. Cut the file in two there, or "
            f"check `time_unit`."
        )


def true_times(
    path: Path,
    what: str,
    series: Series,
    given_hz: float | None,
    say: Callable[[str], None],
) -> Signal:
    """Rows at the times at which they were measured; says what was found.

    Args:
        given_hz: rows a second as the user says, or None.
        say: is told the rate and how it was found.

    Raises:
        DataError: the times tell no rate, or another one than is given.
    """
    if not series.stamped:
        hz = series.hz or given_hz
        assert hz is not None
        if not SLOWEST_HZ <= hz <= FASTEST_HZ:
            raise DataError(
                f"{path}: {what} has {hz:.4g} rows a second as the file says; allowed: "
                f"{SLOWEST_HZ:g} to {FASTEST_HZ:g}. Give `rate_hz`, or copy the file again."
            )
        return Signal(series, hz, holes(series.time_s))
    if given_hz is None and (again := held(series.time_s, series.values)) is not None:
        say(f"{path.name}: {what} is held in {again.sum()} of {len(again)} rows: left out.")
        series = series.of(~again)
    series = _without_doubled(path, what, series, say)
    try:
        found = row_times_among(series.time_s, series.among)
    except UnclearTimesError as error:
        if given_hz is None:
            raise DataError(
                f"{path}: the times of {what} do not tell its rate: {error}; allowed: times of "
                f"rows or of packets of one rate. Give `rate_hz`, the rows a second of the sensor."
            ) from error
        return _as_given(path, what, series, given_hz, say)
    if not SLOWEST_HZ <= found.rate_hz <= FASTEST_HZ:
        raise DataError(
            f"{path}: {what} has {found.rate_hz:.4g} rows a second by its times; allowed: "
            f"{SLOWEST_HZ:g} to {FASTEST_HZ:g}. Are the times in the unit that was taken? See "
            "`time_unit`."
        )
    if given_hz is not None and abs(found.rate_hz / given_hz - 1) > 0.02:
        raise DataError(
            f"{path}: {what} has {found.rate_hz:.4g} rows a second by its times"
            f"{f' ({found.packets})' if found.packets else ''} and {given_hz:g} by the option; "
            f"allowed: the same. Leave one of the two out."
        )
    lost_s = sum(end - begin for begin, end in found.gaps)
    say(
        f"{path.name}: {what} has {found.rate_hz:.6g} rows a second by its times"
        + (f", in {found.packets}" if found.packets else "")
        + (f"; {counted(len(found.gaps), 'hole')} of {lost_s:.1f} s in all" if found.gaps else "")
        + "."
    )
    return Signal(replace(series, time_s=found.time_s), found.rate_hz, found.gaps)


def _as_given(
    path: Path, what: str, series: Series, hz: float, say: Callable[[str], None]
) -> Signal:
    """Rows of a rate that their times do not tell; packets still tell what was lost."""
    try:
        found = row_times_among(series.time_s, series.among, rate_hz=hz)
    except UnclearTimesError:
        say(f"{path.name}: {what} has {hz:g} rows a second as given; its times are not used.")
        time_s = series.time_s[0] + np.arange(len(series.time_s)) / hz
        return Signal(replace(series, time_s=time_s), hz, ())
    say(f"{path.name}: {what} has {hz:g} rows a second as given, in {found.packets}.")
    return Signal(replace(series, time_s=found.time_s), hz, found.gaps)


def _without_doubled(path: Path, what: str, series: Series, say: Callable[[str], None]) -> Series:
    """Without rows that were written twice; packets, whose rows share a time, stay whole."""
    again = np.flatnonzero(np.diff(series.time_s) == 0) + 1
    same = (series.values[again] == series.values[again - 1]).all(axis=1)
    written_twice = len(again) > 0 and same.mean() > WRITTEN_TWICE
    if not len(again) or not (written_twice or len(again) <= DOUBLED * len(series.time_s)):
        return series
    keep = np.ones(len(series.time_s), np.bool_)
    keep[again] = False
    steps = np.diff(series.time_s[keep])
    usual = float(np.median(steps))
    if np.mean((steps > 0.4 * usual) & (steps < 1.6 * usual)) < 0.8:
        return series  # packets
    one = int(again[0])
    say(
        f"{path.name}: {counted(len(again), f'row of {what} has', f'rows of {what} have')} the "
        f"time of the row before (the first in line {series.line[one]}, {series.time_s[one]:.15g} "
        "s); left out."
    )
    return series.of(keep)


def even(
    signal: Signal, origin_s: float, end_s: float, path: Path, what: str
) -> NDArray[np.float64]:
    """`(samples, columns)` at an even rate from the origin to the end of both.

    Raises:
        DataError: the signal is too short, or does not lie there.
    """
    series, hz = signal.series, signal.hz
    first, last = series.time_s[0] - origin_s, series.time_s[-1] - origin_s + 1 / hz
    if last - first < WINDOW_S:
        guessed = series.stamped and last - first < 1
        raise DataError(
            f"{path}: the {what} lasts {last - first:.1f} s; allowed: {WINDOW_S:g} s or more."
            + (" Are its times in the unit that was taken? See `time_unit`." if guessed else "")
        )
    if first > 2.0 or last < WINDOW_S:
        raise DataError(
            f"{path}: the {what} runs from {first:.1f} to {last:.1f} s on the clock of the PPG; "
            f"allowed: from its begin, for at least {WINDOW_S:g} s. Do the clocks have one zero?"
        )
    at_s = origin_s + np.arange(int(np.floor(min(end_s, last) * hz + 1e-6))) / hz
    return np.stack([np.interp(at_s, series.time_s, column) for column in series.values.T], axis=1)
