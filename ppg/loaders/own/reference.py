"""The reference of a recording of one's own: windows with a heart rate, from whatever is there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.ecg import heart_rate, r_peaks
from ppg.loaders.layout import plausible, windows_of_signal
from ppg.loaders.own.clocks import HOUR_S, Clock, hours_apart, on_one_clock, read_clock
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.labels import (
    HR_GAP_S,
    SLOWEST_S,
    apart,
    beats_of_intervals,
    window_means,
)
from ppg.loaders.own.recipe import Recipe, Say
from ppg.loaders.own.signals import (
    SLOWEST_REFERENCE_HZ,
    SLOWEST_ROWS_HZ,
    Series,
    Timing,
    read_series,
    true_times,
)
from ppg.loaders.own.table import Base, Rows, Table
from ppg.plausible import heart_rate_guess
from ppg.row_times import UnclearTimesError, row_times
from ppgnas.errors import DataError
from ppgnas.task import WINDOW_S

RR_S = (0.25, 3.0)  # the median of intervals
LONGEST_RR_S, SHORTEST_RR_MS = 10.0, 100.0  # beyond them an interval is in the other unit
MIXED = 0.02  # of the intervals, at least, in each of two units
NO_INTERVAL = 65535.0  # as FIT and Bluetooth write it
NO_VALUE = (255.0, NO_INTERVAL)
LARGEST_ECG = 1e30
SLOWEST_ECG_HZ = 50.0
TOGETHER = 0.6  # of the rows have the time of the row before: more than rows written twice
ODD_SHARE = 0.1  # of the values
FEW_SHARE = 0.5  # of the windows with a heart rate, below which it is said
TICK = "1/1024 s"  # as Bluetooth hands intervals over,
RR_PER_S = {"s": 1.0, "ms": 1e-3, TICK: 1 / 1024}
TICK_LONG = (1.020, 1.028)  # times of the clock beside them, where they are taken for ms
HELD = 1.5  # times as long as their clock says, intervals are told again and again
EVEN, EVEN_SHARE = 0.05, 0.95
TICK_BEATS = 60  # at least, from which that is told


@dataclass(frozen=True)
class Labels:
    """Windows with a heart rate, on the clock of the signal.

    Attributes:
        start_s, hr_bpm, valid: `(windows,)`.
        lag_s: what was added to their published clock.
    """

    path: Path
    start_s: NDArray[np.float64]
    hr_bpm: NDArray[np.float64]
    valid: NDArray[np.bool_]
    lag_s: float


def labels_of(
    table: Table,
    columns: Columns,
    recipe: Recipe,
    *,
    signal: tuple[float, float, float, Base],
    rows_s: NDArray[np.float64],
    own_file: bool,
    say: Say,
) -> Labels | None:
    """Windows with the heart rate that a table has; None where a strap gave none.

    Args:
        columns: what they are; where none is named, those of the table are guessed.
        signal: begin of the PPG on its clock, how long it lasts, where rows of a rate alone
            begin, and the base of its clock.
        rows_s: times of its rows there, which beats may be numbers of.
        own_file: whether it is another file than that of the PPG.

    Raises:
        DataError: nothing there is a reference, or it does not lie in the signal.
    """
    origin_s, end_s, begin_s, base = signal
    columns = _with_reference(table, columns) if own_file else columns
    kind = next(k for k in ("rr", "ecg", "hr") if getattr(columns, k) is not None)
    name = columns.reference or ""
    if own_file:
        for note in table.notes:
            say(note)
        say(f"{table.path.name}: {name} is read as the reference, {_KINDS[kind]}.")
    if kind != "ecg" and _silent(table, name):
        say(f"{table.path.name}: {name} holds no heart rate in any row; read without a reference.")
        return None
    if kind == "rr" and (beats := _times_of_beats(table, name, end_s, (rows_s, base))) is not None:
        say(f"{table.path.name}: {beats.notes[-1]}.")
        table, columns = beats, replace(columns, time=None, hr_time=None)
    time = None if recipe.hr_rate_hz else (columns.hr_time or columns.time)
    given = recipe.hr_rate_hz if own_file else recipe.rate_hz
    own_rows = own_file or len(table.cells[name]) < len(table.line)
    slow = SLOWEST_REFERENCE_HZ if own_rows and kind != "ecg" else SLOWEST_ROWS_HZ
    alone = kind == "rr" and time is None and given is None and name not in table.rows
    rate = 1.0 if alone else given
    option = "`hr_rate_hz`" if own_file else "the file as `hr_file`, too, and `hr_rate_hz`"
    series = read_series(table, (name,), Timing(time, columns.time_unit, rate, slow, option), say)
    if kind == "hr" and series.stamped and np.mean(np.diff(series.time_s) == 0) > TOGETHER:
        with suppress(UnclearTimesError):  # many in a whole minute, or in a packet
            series = replace(series, time_s=row_times(series.time_s).time_s)
    clock, note = on_one_clock(Clock(series.time_s, series.base), base, origin_s, origin_s + end_s)
    if note:
        say(f"{table.path.name}: {note}.")
    moved_s = begin_s if own_file and time is None and name not in table.rows else 0.0
    series = replace(series, time_s=(clock.time_s + moved_s - origin_s) * _slope(recipe))
    if kind == "hr":
        if time and (long_s := _lasting_s(table, time, columns.time_unit)):
            window = abs(long_s / WINDOW_S - 1) < EVEN
            of = "begin there" if window else "are taken for its middle"
            say(f"{table.path.name}: values of {name} are means of {long_s:g} s, and {of}.")
            columns = replace(columns, hr_is="window" if window else columns.hr_is)
            moved_s = 0.0 if columns.hr_is == "window" else long_s / 2
            series = replace(series, time_s=series.time_s + moved_s)
        if (table.units.get(name) or name.split("_")[-1]).lower() == "hz":
            say(f"{table.path.name}: {name} is in Hz: taken 60 times.")
            series = replace(series, values=60 * series.values)
        labels = _of_rates(table.path, name, series, columns.hr_is, recipe.lag_s, end_s, say)
    elif kind == "rr":
        rr_s, stamp_s = _intervals(table, name, series, alone, say)
        if stamp_s is not None and _sampled(rr_s, stamp_s):
            say(f"{table.path.name}: {name} tells some interval at each time: read as its rate.")
            rates = replace(series, time_s=stamp_s - np.median(rr_s), values=60 / rr_s[:, None])
            labels = _of_rates(table.path, name, rates, "instant", recipe.lag_s, end_s, say)
        else:
            beats_s = beats_of_intervals(rr_s, stamp_s)
            labels = _of_beats(table.path, beats_s, recipe.lag_s, end_s)
    else:
        beats_s = _of_ecg(table.path, series, given, say)
        labels = _of_beats(table.path, beats_s, recipe.lag_s, end_s)
    if not np.isfinite(labels.hr_bpm).any():
        if "zero" in (clock.base, base) and clock.base != base and time is not None:
            dated, other = ("PPG", name) if clock.base == "zero" else (name, "PPG")
            raise DataError(
                f"{table.path}: the times of {dated} are dates, those of {other} count from a "
                "zero of their own; allowed: one clock. Where both begin together, give the "
                "reference by `hr_rate_hz`, or as intervals without times."
            )
        begin, last = float(series.time_s[0]), float(series.time_s[-1])
        zone = ""
        if clock.base == base == "utc":
            hours = hours_apart(series.time_s, 0.0, end_s)[0][0]
            if hours:
                zone = f" If its clock is of another zone, give `lag_s` {hours * HOUR_S:g}."
        raise DataError(
            f"{table.path}: no window has a heart rate: {name} runs from {begin:.1f} to "
            f"{last:.1f} s on the clock of the PPG, which lasts {end_s:.1f} s; allowed: "
            f"values at most {HR_GAP_S:g} s apart in the same time. Check `time_unit` and the "
            f"zero of the clocks.{zone}"
        )
    known = int(np.isfinite(labels.hr_bpm).sum())
    if known < FEW_SHARE * len(labels.hr_bpm):
        say(
            f"{table.path.name}: {known} of {len(labels.hr_bpm)} windows have a heart rate, as "
            f"values of {name} more than {HR_GAP_S:g} s apart, or none, leave the others without; "
            "if each is the mean of a window, give --hr-is window."
        )
    return labels


_KINDS = {"hr": "a heart rate", "rr": "intervals from beat to beat", "ecg": "an ECG"}


def _times_of_beats(
    table: Table,
    name: str,
    end_s: float,
    ppg: tuple[NDArray[np.float64], Base] = (np.empty(0), "zero"),
) -> Table | None:
    """The table with the intervals of a column that holds times of beats, in s or ms, throughout a
    signal of `end_s`, or their rows in it; None if it does not.

    Args:
        ppg: times of those rows, and from where they count.
    """
    cells = table.numbers((name,))[name]
    at = cells[np.isfinite(cells)]
    if len(at) < 3 or np.diff(at).min() <= 0:
        return None
    rows_s, base = ppg
    read = [(at * unit, 0.0, f"{name} holds the times of beats", table.base) for unit in (1, 1e-3)]
    if at[-1] <= len(rows_s) and (at % 1 == 0).all():
        at_s = np.interp(at, np.arange(len(rows_s)), rows_s)
        read.append((at_s, rows_s[0], f"{name} holds the rows of beats in the PPG", base))
    for at_s, zero_s, said, of in sorted(read, key=lambda r: abs(r[0][-1] - r[1] - end_s)):
        fits = FEW_SHARE * end_s < at_s[-1] - zero_s < 1.1 * end_s
        if fits and RR_S[0] <= float(np.median(np.diff(at_s))) <= RR_S[1]:
            rows = {**table.rows, name: Rows(at_s[1:])}
            cells_of = {**table.cells, name: np.diff(at_s)}
            return replace(table, cells=cells_of, rows=rows, base=of, notes=(said,))
    return None


def _lasting_s(table: Table, time: str, unit: str | None) -> float:
    """How long rows last that begin at `time`, by their ends beside it; 0 without ends."""
    for begin, end in (("start", "end"), ("start", "stop"), ("begin", "end"), ("from", "to")):
        other = time.lower().replace(begin, end)
        name = next((n for n in table.names if n.lower() == other != time.lower()), None)
        if name is not None:
            begins, ends = (
                read_clock(table, one, unit=unit, slowest_hz=SLOWEST_REFERENCE_HZ).time_s
                for one in (time, name)
            )
            return max(0.0, float(np.nanmedian(ends - begins)))
    return 0.0


def _silent(table: Table, name: str) -> bool:
    """Whether a column holds nothing but what devices write for no value."""
    values = table.numbers((name,))[name]
    return bool((~np.isfinite(values) | (values <= 0) | np.isin(values, NO_VALUE)).all())


def _slope(recipe: Recipe) -> float:
    return 1 + recipe.drift_ppm * 1e-6


def _with_reference(table: Table, columns: Columns) -> Columns:
    """The columns of a file that has the reference alone."""
    here = table.meant
    if columns.reference is not None and columns.reference in table.cells:
        own = here.hr_time or here.time
        time = columns.hr_time or (columns.time if columns.time in table.cells else own)
        return replace(columns, hr_time=time, time=time)
    if columns.reference is not None:
        table.check((columns.reference,))
    if here.reference is None:
        here = _by_size(table, here)
    time = columns.hr_time or here.hr_time
    return replace(here, time_unit=columns.time_unit, hr_is=columns.hr_is, hr_time=time)


def _by_size(table: Table, columns: Columns) -> Columns:
    """Which column is a reference by its numbers: a rate of 30 to 220, intervals of a beat."""
    beats: list[str] = []  # or the end of a row, beside a rate
    for name in sorted(table.names, key=table.constant):
        try:
            values = table.numbers((name,))[name]
        except DataError:
            continue
        values = values[np.isfinite(values)]
        if name == columns.time or not len(values):
            continue
        median = float(np.median(values)) if (np.diff(values) <= 0).any() else np.nan  # no clock
        if RR_S[0] <= median <= RR_S[1] or 1e3 * RR_S[0] <= median <= 1e3 * RR_S[1]:
            return replace(columns, rr=name)
        if 30 <= median <= 220:
            return replace(columns, hr=name)
        if any(_times_of_beats(table, name, values[-1] * unit) for unit in (1.0, 1e-3)):
            beats.append(name)
    if beats:
        return replace(columns, rr=beats[0])
    raise DataError(
        f"{table.path}: none of its columns ({', '.join(table.names)[:200]}) is called as a heart "
        "rate, intervals or an ECG is; name it with `hr`, `rr` or `ecg`."
    )


def _sampled(rr_s: NDArray[np.float64], stamp_s: NDArray[np.float64]) -> bool:
    """Whether intervals are not each told once: they last much longer than by the times beside
    them, or come at even times, which beats do not, and do not fill these."""
    steps_s, filled = np.diff(stamp_s), rr_s[1:].sum() / max(np.ptp(stamp_s), 1e-9)
    even = np.mean(np.abs(steps_s - np.median(steps_s)) < EVEN * np.median(steps_s)) > EVEN_SHARE
    return bool(filled > HELD or (even and abs(filled - 1) > EVEN))


def _of_beats(path: Path, beats_s: NDArray[np.float64], lag_s: float, end_s: float) -> Labels:
    start_s = windows_of_signal(end_s)
    hr_bpm, valid = heart_rate(beats_s + lag_s, start_s, of="intervals")
    return Labels(path, start_s, hr_bpm, valid, 0.0)


def _of_rates(
    path: Path, name: str, series: Series, hr_is: str, lag_s: float, end_s: float, say: Say
) -> Labels:
    hr_s, hr_bpm = series.time_s, series.values[:, 0]
    if hr_is == "window":
        kept = apart(hr_s)
        start_s, label, lag = hr_s[kept] + lag_s, hr_bpm[kept], lag_s
    else:  # windows lie on the clock of the PPG, whatever the lag of the instants
        start_s, lag = windows_of_signal(end_s), 0.0
        known = plausible(hr_bpm) if plausible(hr_bpm).any() else np.ones(len(hr_bpm), np.bool_)
        odd = np.isfinite(hr_bpm) & ~known & (hr_bpm > 0) & ~np.isin(hr_bpm, NO_VALUE)
        if odd.mean() > ODD_SHARE:
            median = float(np.median(hr_bpm[odd]))
            what = heart_rate_guess(median, "Give them in BPM, or leave them out.")
            say(
                f"{path.name}: {odd.sum()} of {len(odd)} values of {name} are no heart rate, as "
                f"{median:.4g}, and are left out. {what}"
            )
        every_s = float(np.median(np.diff(hr_s[known]))) if known.sum() > 1 else 0.0
        rare = HR_GAP_S < 1.5 * every_s and every_s <= SLOWEST_S
        if rare:
            say(
                f"{path.name}: a value of {name} every {every_s:.3g} s: between them the heart "
                "rate is taken to go straight on."
            )
        gap_s = 1.5 * every_s if rare else HR_GAP_S
        label = window_means(hr_s[known] + lag_s, hr_bpm[known], start_s, gap_s)
    return Labels(path, start_s, label, np.ones(len(label), np.bool_), lag)


def _intervals(
    table: Table, name: str, series: Series, alone: bool, say: Say
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """`(intervals,)` seconds, and when each was told, on the clock of the PPG; None if alone."""
    rr = series.values[:, 0]
    fitting = (rr > 0) & (rr != NO_INTERVAL)
    short, long = fitting & (rr < LONGEST_RR_S), fitting & (rr > SHORTEST_RR_MS)
    if min(short.sum(), long.sum()) > MIXED * fitting.sum():
        say(f"{table.path.name}: {name} is in s in {short.sum()} rows, in ms in {long.sum()}.")
        rr = np.where(short, 1e3 * rr, rr)
    lost = int((~fitting).sum())
    if lost:
        more = "; what follows them may come too early" if alone else ""
        say(f"{table.path.name}: {lost} of {len(rr)} values of {name} are no intervals{more}.")
    median = float(np.median(rr[fitting])) if fitting.any() else float("nan")
    unit = next((u for u, f in RR_PER_S.items() if RR_S[0] <= median * f <= RR_S[1]), None)
    if unit is None:
        raise DataError(
            f"{table.path}: the median of {name} is {median:.4g}; allowed: intervals from beat to "
            f"beat, {RR_S[0]:g} to {RR_S[1]:g} s or the same in ms. Is it the right column?"
        )
    said = table.units.get(name, "").lower()
    stamp_s = None if alone else series.time_s[fitting]
    why = f"their median is {median:.4g}"
    if said.replace(" ", "") == TICK.replace(" ", ""):
        said = unit = TICK
    elif unit == "ms" and stamp_s is not None and _in_ticks(rr[fitting], stamp_s):
        unit, why = TICK, "in ms they would last 2.4 % longer than by the times beside them"
    if said != unit:
        say(f"{table.path.name}: the intervals are in {unit}, as {why}.")
    return rr[fitting] * RR_PER_S[unit], stamp_s


def _in_ticks(rr_ms: NDArray[np.float64], stamp_s: NDArray[np.float64]) -> bool:
    """Whether intervals add up to more than their clock says, by as much as a tick is shorter."""
    beats = len(rr_ms) // 3
    if beats < TICK_BEATS:
        return False
    told_s = np.cumsum(rr_ms) * 1e-3
    spans_s, told_s = (at[beats:] - at[:-beats] for at in (stamp_s, told_s))
    low, high = TICK_LONG
    return bool(low < np.median(told_s / np.maximum(spans_s, 1e-9)) < high)


def _of_ecg(path: Path, series: Series, given: float | None, say: Say) -> NDArray[np.float64]:
    """Times of R peaks, on the clock of the PPG."""
    signal = true_times(path, "the ECG", series, given, say)
    largest = float(np.abs(signal.series.values).max())
    if not largest < LARGEST_ECG:
        raise DataError(f"{path}: the ECG reaches {largest:g}; allowed: up to {LARGEST_ECG:g}.")
    if signal.hz < SLOWEST_ECG_HZ:
        raise DataError(
            f"{path}: the ECG has {signal.hz:.4g} rows a second; allowed: {SLOWEST_ECG_HZ:g} or "
            "more, for its R peaks to be found."
        )
    begin_s = float(signal.series.time_s[0])
    last_s = float(signal.series.time_s[-1]) - begin_s
    at_s = begin_s + np.arange(int(last_s * signal.hz) + 1) / signal.hz
    ecg = np.interp(at_s, signal.series.time_s, signal.series.values[:, 0])
    return begin_s + r_peaks(ecg, signal.hz)
