"""A recording of one's own from .csv files with named columns.

One file with everything on one clock, or one each for PPG, acceleration and heart rate whose time
columns share a zero. Cells may be empty where a signal has no value in a row. The rate of a signal
is found in its times (`ppg.row_times`) or given; samples are interpolated to that even
rate, and holes longer than half a second are gaps of the recording.

Heart rate is either a value at a time (`instant`, as a chest strap shows it: the label of a window
is the mean of the values in its 8 s, which must cover them; a value that no person can have, such
as the 0 of a strap without contact, counts as none) or already the mean of the 8 s that begin at a
time (`window`; where these are less than 2 s apart, some are left out). Without it the recording
has no reference: it can be predicted, not trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.csv_numbers import read_table
from ppg.loaders.layout import checked, plausible, samples, windows_of_signal
from ppg.plausible import SLOWEST_HZ
from ppg.recording import Recording
from ppg.row_times import UnclearTimesError, row_times
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

LONGEST_GAP_S = 3600.0  # beyond it these are two recordings, or the clock was set
HR_GAP_S = 4.0  # the longest step between instants of one window
HR_STEP_S = 0.5  # of the mean between instants
TIME_UNITS = {"s": 1.0, "ms": 1e-3}
HR_KINDS = ("instant", "window")


@dataclass(frozen=True)
class Columns:
    """Names of columns, and what they mean.

    Attributes:
        ppg: one or more.
        acc: three, or none.
        hr: the reference heart rate in BPM, or None.
        time: of PPG and acceleration, or None where their rates are given.
        hr_time: of the heart rate; `time` if None.
        time_unit: "s" or "ms".
        hr_is: "instant" or "window".
    """

    ppg: tuple[str, ...]
    acc: tuple[str, ...]
    hr: str | None
    time: str | None = None
    hr_time: str | None = None
    time_unit: str = "s"
    hr_is: str = "instant"

    def __post_init__(self) -> None:
        for name, allowed in (("time_unit", tuple(TIME_UNITS)), ("hr_is", HR_KINDS)):
            if getattr(self, name) not in allowed:
                seen = repr(getattr(self, name))
                raise DataError(f"`{name}` is {seen}; allowed: {', '.join(allowed)}.")
        if len(self.acc) not in (0, 3):
            raise DataError(
                f"`acc` names {len(self.acc)} columns ({', '.join(self.acc)}); allowed: 3 "
                f"with commas, or leave the option out."
            )


@dataclass(frozen=True)
class _Series:
    """Rows of one signal: `(rows,)` times in s, `(rows, columns)` values, lines of the file."""

    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    line: NDArray[np.int64]


@dataclass(frozen=True)
class _Signal:
    """Rows at their true times, their rate, and holes (begin and end) on that clock."""

    series: _Series
    hz: float
    gaps: tuple[tuple[float, float], ...]


def read_csv(
    path: Path,
    columns: Columns,
    *,
    subject: str,
    dataset: str,
    rate_hz: float | None = None,
    acc_file: Path | None = None,
    acc_rate_hz: float | None = None,
    acc_per_g: float = 1.0,
    hr_file: Path | None = None,
    hr_rate_hz: float | None = None,
    lag_s: float = 0.0,
    drift_ppm: float = 0.0,
    say: Callable[[str], None] = lambda _: None,
) -> Recording:
    """Read one recording.

    Args:
        path: of the PPG, and of everything that has no file of its own.
        columns: their names.
        subject, dataset: whose recording, of which data set.
        rate_hz: rows a second of `path`, where there is no time column.
        acc_file, acc_rate_hz: of the acceleration, if it has its own file.
        acc_per_g: values per g.
        hr_file, hr_rate_hz: of the heart rate, if it has its own file.
        lag_s, drift_ppm: to add to the clock of the heart rate, see `Recording.with_lag`.
        say: is told which rates were found and how.

    Returns:
        The recording; its clock begins with the first PPG sample.

    Raises:
        DataError: a file, a column, a rate or a unit is wrong; says which and what to do.
    """
    for option, value, least in (
        ("`rate_hz`", rate_hz, SLOWEST_HZ),
        ("`acc_rate_hz`", acc_rate_hz, SLOWEST_HZ),
        ("`hr_rate_hz`", hr_rate_hz, 0.0),
        ("`acc_per_g`", acc_per_g, 0.0),
    ):
        if value is not None and not (np.isfinite(value) and value > 0 and value >= least):
            allowed = f"{least:g} or more" if least else "a number above 0"
            raise DataError(f"{option} is {value:g}; allowed: {allowed}.")
    if not np.isfinite(lag_s):
        raise DataError(f"`lag_s` is {lag_s:g}; allowed: a number of seconds.")
    for option, given, needs, there in (
        ("`acc_file`", acc_file, "`acc`", bool(columns.acc)),
        ("`acc_rate_hz`", acc_rate_hz, "`acc_file`, whose rows it counts", acc_file),
        ("`hr_file`", hr_file, "`hr`", columns.hr),
        ("`hr_rate_hz`", hr_rate_hz, "`hr_file`, whose rows it counts", hr_file),
    ):
        if given is not None and not there:
            raise DataError(f"{option} is given without {needs}; give both, or leave it out.")
    if hr_rate_hz is not None and columns.hr_time is not None:
        raise DataError(
            "`hr_rate_hz` and `hr_time` are both given; allowed: one of them. Leave one out."
        )
    for option, name in (("`subject`", subject), ("`dataset`", dataset)):
        if not name.strip() or not name.isprintable() or "/" in name:
            raise DataError(f"{option} is {name!r}; allowed: one printable name without /.")
    scale = TIME_UNITS[columns.time_unit]
    rows = _series(path, columns.ppg, columns.time, rate_hz, scale, "`rate_hz`")
    ppg = _signal(path, "the PPG", rows, rate_hz, columns, say)
    origin_s = ppg.series.time_s[0]
    end_s = ppg.series.time_s[-1] - origin_s + 1 / ppg.hz
    gaps = list(ppg.gaps)
    # Rows of a file of their own that have a rate alone begin with the PPG, whatever its zero.
    begin_s = 0.0 if columns.time is None else origin_s
    acc, acc_hz = None, None
    if columns.acc:
        source = acc_file or path
        given = acc_rate_hz if acc_file else rate_hz
        time = None if acc_rate_hz else columns.time
        rows = _series(source, columns.acc, time, given, scale, "`acc_rate_hz`")
        if acc_rate_hz:
            moved = _Signal(replace(rows, time_s=rows.time_s + begin_s), acc_rate_hz, ())
        else:
            moved = _signal(source, "the acceleration", rows, given, columns, say)
        acc_hz = moved.hz
        gaps += moved.gaps
        even = _even(moved, origin_s, end_s, source, "acceleration")
        acc = samples(source, "acceleration", even / acc_per_g)
    recording = Recording(
        subject=subject,
        dataset=dataset,
        name=path.stem,
        ppg=samples(path, "PPG", _even(ppg, origin_s, end_s, path, "PPG")),
        ppg_hz=ppg.hz,
        acc=acc,
        acc_hz=acc_hz,
        gaps=tuple(sorted({(begin - origin_s, end - origin_s) for begin, end in gaps})),
    )
    if columns.hr is None:
        return checked(path, recording, labelled=False)
    source = hr_file or path
    given = hr_rate_hz if hr_file else rate_hz
    hr_time = None if hr_rate_hz else (columns.hr_time or columns.time)
    found = _series(source, (columns.hr,), hr_time, given, scale, "`hr_rate_hz`")
    hr_s = found.time_s + (begin_s if hr_rate_hz else 0.0) - origin_s
    hr_s *= 1 + drift_ppm * 1e-6
    hr_bpm = found.values[:, 0]
    if columns.hr_is == "window":
        kept = _apart(hr_s)
        start_s, label = hr_s[kept] + lag_s, hr_bpm[kept]
    else:  # windows lie on the clock of the PPG, whatever the lag of the instants
        start_s = windows_of_signal(end_s)
        known = plausible(hr_bpm) if plausible(hr_bpm).any() else np.ones(len(hr_bpm), np.bool_)
        label = _window_means(hr_s[known] + lag_s, hr_bpm[known], start_s)
    if not np.isfinite(label).any():
        raise DataError(
            f"{source}: no window has a heart rate: {columns.hr} runs from {hr_s[0]:.1f} to "
            f"{hr_s[-1]:.1f} s on the clock of the PPG, which lasts {end_s:.1f} s; allowed: "
            f"values at most {HR_GAP_S:g} s apart in the same time. Check `time_unit` and the "
            f"zero of the clocks."
        )
    recording = replace(
        recording,
        window_start_s=start_s,
        hr_bpm=label,
        valid=recording.measured(start_s),
        activity=np.full(len(label), -1),
        label_lag_s=lag_s if columns.hr_is == "window" else 0.0,
    )
    known = np.isfinite(label)
    if not recording.valid[known].any():
        raise DataError(
            f"{path}: each of the {int(known.sum())} windows with a heart rate touches a gap: "
            f"{len(recording.gaps)} holes in the signals; allowed: {WINDOW_S:g} s without one. "
            f"Do the files have every row?"
        )
    recording = checked(path, recording)
    if not recording.usable.any():
        raise DataError(
            f"{source}: no window lies in the signal: they begin from {start_s[0]:.1f} to "
            f"{start_s[-1]:.1f} s, the PPG lasts {end_s:.1f} s; allowed: whole windows without a "
            f"gap. Check `lag_s`, `time_unit` and the zero of the clocks."
        )
    return recording


def _apart(start_s: NDArray[np.float64]) -> list[int]:
    """Windows that begin at least a stride after the one before."""
    kept: list[int] = []
    for index, start in enumerate(start_s):
        if not kept or start - start_s[kept[-1]] >= 0.95 * STRIDE_S:
            kept.append(index)
    return kept


def _series(
    path: Path,
    names: tuple[str, ...],
    time: str | None,
    rate_hz: float | None,
    scale: float,
    option: str,
) -> _Series:
    """The rows in which all columns have a value."""
    if time is None and rate_hz is None:
        raise DataError(
            f"{path}: neither a time column nor a rate of {', '.join(names)} is given; name one "
            f"with `time`, or give {option}."
        )
    asked = names if time is None else (time, *names)
    table, line = read_table(path, tuple(dict.fromkeys(asked)))
    values = np.stack([table[name] for name in names], axis=1)
    whole = np.asarray(np.isfinite(values).all(axis=1))
    if time is None:
        time_s = np.arange(len(values)) / (rate_hz or 1)
    else:
        time_s = _filled(table[time], whole) * scale
    whole &= np.isfinite(time_s)
    if whole.sum() < 2:
        raise DataError(
            f"{path}: {', '.join(names)} have {int(whole.sum())} whole rows; allowed: at least 2. "
            f"Are they the right columns?"
        )
    time_s, values, line = time_s[whole], values[whole], line[whole]
    steps_s = np.diff(time_s)
    if steps_s.min() < 0:
        at = int(np.argmax(steps_s < 0))
        raise DataError(
            f"{path}: the time column {time} goes back from {time_s[at]:.15g} s in line "
            f"{line[at]} to {time_s[at + 1]:.15g} s in line {line[at + 1]} "
            f"({int((steps_s < 0).sum())} such steps); allowed: times that increase from row to "
            f"row, or stay within a packet. Sort the rows, or cut the file there."
        )
    if steps_s.max() > LONGEST_GAP_S:
        at = int(np.argmax(steps_s))
        raise DataError(
            f"{path}: the time column {time} jumps by {steps_s[at]:.4g} s, from "
            f"{time_s[at]:.15g} s in line {line[at]} to {time_s[at + 1]:.15g} s in line "
            f"{line[at + 1]}; allowed: up to {LONGEST_GAP_S:g} s. Cut the file in two there, or "
            f"check `time_unit`."
        )
    return _Series(time_s, values, line)


def _filled(time: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows of values without a time have that of the row before: a packet is stamped once."""
    known = np.isfinite(time)
    before = np.maximum.accumulate(np.where(known, np.arange(len(time)), -1))
    return np.where(known | ~whole | (before < 0), time, time[before])


def _signal(
    path: Path,
    what: str,
    series: _Series,
    given_hz: float | None,
    columns: Columns,
    say: Callable[[str], None],
) -> _Signal:
    """Rows at the times at which they were measured; says what was found."""
    if columns.time is None and given_hz is not None:
        return _Signal(series, given_hz, ())
    try:
        found = row_times(series.time_s)
    except UnclearTimesError as error:
        if given_hz is None:
            raise DataError(
                f"{path}: the times of {what} do not tell its rate: {error}; allowed: times of "
                f"rows or of packets of one rate. Give `rate_hz`, the rows a second of the sensor."
            ) from error
        say(
            f"{path.name}: {what} has {given_hz:g} rows a second as given; its times are not used."
        )
        time_s = series.time_s[0] + np.arange(len(series.time_s)) / given_hz
        return _Signal(replace(series, time_s=time_s), given_hz, ())
    if not SLOWEST_HZ <= found.rate_hz <= 10_000:
        raise DataError(
            f"{path}: {what} has {found.rate_hz:.4g} rows a second by its times; allowed: "
            f"{SLOWEST_HZ:g} to 10000. Are the times in {columns.time_unit}? See `time_unit`."
        )
    if given_hz is not None and abs(found.rate_hz / given_hz - 1) > 0.02:
        raise DataError(
            f"{path}: {what} has {found.rate_hz:.4g} rows a second by its times"
            f"{f' ({found.packets})' if found.packets else ''} and {given_hz:g} by the option; "
            f"allowed: the same. Leave one of the two out."
        )
    doubled = np.flatnonzero(np.diff(series.time_s) == 0)
    if len(doubled) and not found.packets:
        first, second = series.line[doubled[0]], series.line[doubled[0] + 1]
        raise DataError(
            f"{path}: lines {first} and {second} have one time, "
            f"{series.time_s[doubled[0]]:.15g} s ({len(doubled)} such pairs); allowed: times that "
            f"increase from row to row, or whole packets with one time. Take doubled rows out."
        )
    lost_s = sum(end - begin for begin, end in found.gaps)
    say(
        f"{path.name}: {what} has {found.rate_hz:.6g} rows a second by its times"
        + (f", in {found.packets}" if found.packets else "")
        + (f"; {len(found.gaps)} holes of {lost_s:.1f} s in all" if found.gaps else "")
        + "."
    )
    return _Signal(replace(series, time_s=found.time_s), found.rate_hz, found.gaps)


def _even(
    signal: _Signal, origin_s: float, end_s: float, path: Path, what: str
) -> NDArray[np.float64]:
    """`(samples, columns)` at an even rate from the origin to the end of both."""
    series, hz = signal.series, signal.hz
    first, last = series.time_s[0] - origin_s, series.time_s[-1] - origin_s + 1 / hz
    if last - first < WINDOW_S:
        raise DataError(
            f"{path}: the {what} lasts {last - first:.1f} s; allowed: {WINDOW_S:g} s or more."
        )
    if first > 2.0 or last < WINDOW_S:
        raise DataError(
            f"{path}: the {what} runs from {first:.1f} to {last:.1f} s on the clock of the PPG; "
            f"allowed: from its begin, for at least {WINDOW_S:g} s. Do the clocks have one zero?"
        )
    at_s = origin_s + np.arange(int(np.floor(min(end_s, last) * hz + 1e-6))) / hz
    return np.stack([np.interp(at_s, series.time_s, column) for column in series.values.T], axis=1)


def _window_means(
    time_s: NDArray[np.float64], hr_bpm: NDArray[np.float64], start_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the time of each window; NaN where instants leave a hole of `HR_GAP_S`."""
    middles_s = np.arange(HR_STEP_S / 2, WINDOW_S, HR_STEP_S)
    means = np.full(len(start_s), np.nan)
    for index, start in enumerate(start_s):
        inside = (time_s >= start) & (time_s < start + WINDOW_S)
        if not inside.any():
            continue
        edges = np.concatenate([[start], time_s[inside], [start + WINDOW_S]])
        if np.diff(edges).max() <= HR_GAP_S:
            means[index] = np.interp(start + middles_s, time_s, hr_bpm).mean()
    return means
