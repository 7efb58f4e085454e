"""Recordings of one's own from files with named columns.

One file with everything on one clock, or one each for PPG, acceleration and reference, whose time
columns share a zero or are dates. Cells may be empty where a signal has no value in a row. The
rate of a signal is found in its times (`ppg.row_times`) or given; samples are interpolated to that
even rate, and holes longer than half a second are gaps of the recording.

The reference is a heart rate at a time (`instant`, as a chest strap shows it: the label of a
window is the mean of the values in its 8 s, which must cover them; a value that no person can
have, such as the 0 of a strap without contact, counts as none), or already the mean of the 8 s
that begin at a time (`window`; where these are less than 2 s apart, some are left out), or the
intervals from beat to beat, or an electrocardiogram. Without it the recording can be predicted,
not trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.layout import checked, samples
from ppg.loaders.own.clocks import started
from ppg.loaders.own.columns import Columns, guess, overridden, with_own_reference
from ppg.loaders.own.labels import activity_of_windows
from ppg.loaders.own.recipe import Recipe, Say
from ppg.loaders.own.reference import Labels, labels_of
from ppg.loaders.own.signals import (
    SLOWEST_ROWS_HZ,
    Series,
    Signal,
    Timing,
    even,
    read_series,
    true_times,
)
from ppg.loaders.own.table import Table
from ppg.loaders.own.units import TIME_UNITS, per_g, per_g_of, time_unit, time_unit_of_name
from ppg.naive import rate_by_labels, spectra
from ppg.plausible import GRAVITY_G, SLACK_S, copies, signed, unwrapped, without_zero
from ppg.recording import Recording
from ppgnas.errors import DataError
from ppgnas.tables import counted
from ppgnas.task import WINDOW_S

NEAR_TICKS = 0.06  # of a rate that labels tell
EVENTS = 0.1  # of the rows have an activity: then it goes on until the next one
Opener = Callable[[Path], Table]


def read_recordings(
    path: Path,
    recipe: Recipe,
    *,
    open_table: Opener,
    say: Say = lambda _: None,
) -> list[Recording]:
    """The recordings of a file: one, or one a person where a column says who.

    Args:
        path: of the PPG, and of everything that has no file of its own.

    Raises:
        DataError: a file, a column, a rate or a unit is wrong; says which and what to do.
    """
    table = open_table(path)
    table = table.renamed(recipe.names) if recipe.names else table
    columns = _columns(table, recipe, say)
    for note in table.notes:
        say(note)
    if columns.subject is None or recipe.subject is not None:
        return [_recording(table, columns, recipe, open_table, say)]
    people = table.texts(columns.subject)
    found = []
    for person in dict.fromkeys(name for name in people if name):
        rows = table.where(np.array([name == person for name in people]))
        plain = person.replace("/", "_")
        his = replace(recipe, subject=plain, name=f"{recipe.name or path.stem}_{plain}")
        found.append(_recording(rows, columns, his, open_table, say))
    return found


def _columns(table: Table, recipe: Recipe, say: Say) -> Columns:
    """What each column is: as named, as the form says, or guessed."""
    path, named = table.path, recipe.columns or Columns()
    if named.ppg:
        timed = named.time or recipe.rate_hz or named.ppg[0] in table.rows
        time = None if timed else guess(table.names).time
        if time is not None:
            say(f"{path.name}: the time is read from {time}, by its name.")
            return replace(named, time=time)
        return named
    columns = table.meant
    if recipe.hr_file is not None:  # of the two references that was asked for
        columns = replace(columns, hr=None, rr=None, ecg=None, hr_time=None)
    columns = overridden(columns, named)
    _one_person(table, columns)
    if columns.ppg:
        if table.columns is None:
            say(f"{path.name}: read as {columns.in_words()}, by their names.")
        return columns
    if columns.reference is not None:
        raise DataError(
            f"{path}: a reference ({columns.reference}) and no PPG; its columns: "
            f"{', '.join(table.names)[:300]}. Name its column with --ppg-column, or the file of "
            "the PPG, and this one with `hr_file`."
        )
    raise DataError(
        f"{path}: no column is called as a PPG is; its columns: {', '.join(table.names)[:300]}. "
        "Name it with --ppg-column, for example --ppg-column green --hr-column hr --time-column "
        "t, or all in their order with --columns t,green,ax,ay,az,hr."
    )


def _one_person(table: Table, columns: Columns) -> None:
    """Refuse channels that each have a reference of their own: those are several people.

    Raises:
        DataError: says which.
    """
    own = with_own_reference(columns.ppg, table.names)
    if len({*own.values()}) > 1:
        said = ", ".join(f"{ppg} with {name}" for ppg, name in own.items())
        raise DataError(
            f"{table.path}: each PPG has a reference of its own ({said[:300]}): several people or "
            "recordings; allowed: one. Name the columns of one with --ppg-column, "
            "--hr-column and --subject."
        )


def _recording(
    table: Table, columns: Columns, recipe: Recipe, open_table: Opener, say: Say
) -> Recording:
    path = table.path
    if mixed := table.in_turns():
        raise DataError(
            f"{path}: {mixed} in turns: rows of several sensors or people; allowed: those of one. "
            "If it says who, name it with `subject_column`; else keep the rows of one."
        )
    slow = SLOWEST_ROWS_HZ
    timing = Timing(columns.time, columns.time_unit, recipe.rate_hz, slow, "`rate_hz`")
    series = _counted_on(table, columns.ppg, read_series(table, columns.ppg, timing, say), say)
    ppg = true_times(path, "the PPG", series, recipe.rate_hz, say)
    origin_s, base = float(ppg.series.time_s[0]), ppg.series.base
    last_s = float(ppg.series.time_s[-1]) + 1 / ppg.hz
    # Rows of a file of their own that have a rate alone begin with the PPG, whatever its zero.
    begin_s = 0.0 if columns.time is None and not table.rows else origin_s
    acc_signal = None
    if columns.acc or recipe.acc_file is not None:
        acc_signal, per = _acceleration(table, columns, recipe, begin_s, open_table, say)
        dated = base != "zero" and acc_signal.series.base == base
        one_clock = ppg.series.stamped and acc_signal.series.stamped
        one_clock &= recipe.acc_file is None or dated
        if table.rows or one_clock:  # a device starts its sensors one after the other
            origin_s = max(origin_s, float(acc_signal.series.time_s[0]))
        if one_clock:
            whole_s = last_s - float(ppg.series.time_s[0])
            last_s = min(last_s, float(acc_signal.series.time_s[-1]) + 1 / acc_signal.hz)
            left_out_s = whole_s - (last_s - origin_s)
            if left_out_s > SLACK_S:
                say(
                    f"{path.name}: {left_out_s:.1f} s of PPG without acceleration, before it "
                    "begins or after it ends, are left out."
                )
    end_s = last_s - origin_s
    gaps = [*ppg.gaps, *(acc_signal.gaps if acc_signal else ())]
    recording = Recording(
        subject=recipe.subject or table.subject or path.stem,
        dataset=recipe.dataset or table.dataset or "own",
        name=recipe.name or path.stem,
        ppg=samples(path, "PPG", even(ppg, origin_s, end_s, path, "PPG")),
        ppg_hz=ppg.hz,
        gaps=tuple(sorted({(begin - origin_s, end - origin_s) for begin, end in gaps})),
        started=started(origin_s, base),
    )
    if acc_signal is not None:
        source = recipe.acc_file or path
        values = even(acc_signal, origin_s, end_s, source, "acceleration") / per
        acc = samples(source, "acceleration", values)
        recording = replace(recording, acc=acc, acc_hz=acc_signal.hz)
    elif recipe.acc_per_g is not None:
        say(f"{path.name}: --acc-per-g cannot act: there is no acceleration.")
    if columns.reference is None and recipe.hr_file is None:
        clock = {"--lag": recipe.lag_s, "--drift": recipe.drift_ppm}
        if moved := ", ".join(option for option, value in clock.items() if value):
            say(f"{path.name}: {moved} cannot act: there is no reference.")
        return checked(path, recording, labelled=False)
    labels = labels_of(
        table if recipe.hr_file is None else open_table(recipe.hr_file),
        columns,
        recipe,
        signal=(origin_s, end_s, begin_s, base),
        rows_s=ppg.series.time_s,
        own_file=recipe.hr_file is not None,
        say=say,
    )
    if labels is None:
        return checked(path, recording, labelled=False)
    activity, names = _activity(table, columns, series, origin_s, labels)
    found = _labelled(path, recording, labels, activity, names)
    _check_ticks(table, columns, found)
    return found


def _check_ticks(table: Table, columns: Columns, recording: Recording) -> None:
    """Refuse a unit of whole numbers that nobody named, where labels tell another one."""
    name = columns.time or ""
    named = columns.time_unit or time_unit(table.units.get(name, "")) or time_unit_of_name(name)
    if named or recording.started or name not in table.cells:
        return
    if any(":" in cell for cell in table.texts(name)):  # minutes and seconds
        return
    ticks = table.numbers((name,))[name]
    if (ticks % 1 != 0).any():
        return
    hz = rate_by_labels(recording, spectra(recording, mixed=True))
    if hz is not None:
        every = hz * float(np.diff(ticks).mean())
        near = [unit for unit, s in TIME_UNITS.items() if abs(every * s - 1) < NEAR_TICKS]
        raise DataError(
            f"{table.path}: the unit of the time column {name} cannot be told: it was taken for "
            f"one of {recording.ppg_hz:.4g} rows a second, and by the heart rate there are about "
            f"{hz:.3g}; allowed: {', '.join(TIME_UNITS)}. Give `time_unit`"
            f"{', ' + ' or '.join(near) + ' fits' if near else ''}."
        )


def _counted_on(table: Table, names: tuple[str, ...], series: Series, say: Say) -> Series:
    """The samples without the jumps of counters that run over, and without copies of channels."""
    columns = []
    for name, column in zip(names, series.values.T, strict=True):
        counted, range_of, times = unwrapped(column)
        columns.append(counted)
        if times:
            say(
                f"{table.path.name}: {name} runs over at {range_of} {times} times and is counted "
                "on; firmware has to push it so, too."
            )
    values = np.stack(columns, axis=1)
    again = copies(values)
    for place, (other, factor) in again.items():
        copied = f"{names[place]} is {names[other]} again, {factor:.4g} times it"
        say(f"{table.path.name}: {copied}: left out.")
    return replace(series, values=np.delete(values, [*again], axis=1))


def _acceleration(
    table: Table,
    columns: Columns,
    recipe: Recipe,
    begin_s: float,
    open_table: Opener,
    say: Say,
) -> tuple[Signal, float]:
    """The acceleration in its own unit, and values per g."""
    own = open_table(recipe.acc_file) if recipe.acc_file else table
    names, time = columns.acc, columns.acc_time or columns.time
    if recipe.acc_file and (not names or names[0] not in own.cells or time not in own.cells):
        here = own.meant
        names = names if recipe.columns is not None and recipe.columns.acc else here.acc
        time = time if time in own.cells else here.acc_time or here.time
    if not names:
        raise DataError(
            f"{own.path}: no three columns are called as an acceleration is; its columns: "
            f"{', '.join(own.names)[:300]}. Name them with `acc`."
        )
    given = recipe.acc_rate_hz if recipe.acc_file else recipe.rate_hz
    time = None if recipe.acc_rate_hz else time
    option = (
        "`acc_rate_hz`" if recipe.acc_file else "the file as `acc_file`, too, and `acc_rate_hz`"
    )
    timing = Timing(time, columns.time_unit, given, SLOWEST_ROWS_HZ, option)
    series = read_series(own, names, timing, say)
    counts, numbers = signed(series.values)
    if numbers:
        series = replace(series, values=counts)
        last, half = numbers - 1, numbers // 2
        say(f"{own.path.name}: the acceleration has no signs: {last} is -1, {half} is {-half}.")
    zero = without_zero(series.values)
    if zero:
        series = replace(series, values=series.values - zero)
        say(f"{own.path.name}: the acceleration lies about {zero}, which is taken for its zero.")
    if recipe.acc_rate_hz:
        moved = replace(series, time_s=series.time_s + begin_s)
        signal = Signal(moved, recipe.acc_rate_hz, ())
    else:
        signal = true_times(own.path, "the acceleration", series, given, say)
    if recipe.acc_per_g is not None:
        return signal, recipe.acc_per_g
    written = own.units.get(names[0], "")
    each = [per_g(own.units.get(name, "")) or np.nan for name in names]
    if np.ptp(each) > 0:  # one axis in mg beside two in g
        series = replace(signal.series, values=signal.series.values * (each[0] / np.array(each)))
        signal = replace(signal, series=series)
        units = ", ".join(own.units[name] for name in names)
        say(f"{own.path.name}: the axes of the acceleration are in {units}, as its names say.")
    said, (per, unit) = per_g(written), per_g_of(series.values)
    if said is not None:
        size = float(np.median(np.linalg.norm(series.values, axis=1)))
        if GRAVITY_G[0] <= size / said <= GRAVITY_G[1] or not (unit or 0.9 < size < 1.1):
            return signal, said
        say(
            f"{own.path.name}: the acceleration is said to be in {written}, but gravity is "
            f"{size:.4g} in it: read as {unit or 'g'}; `acc_per_g` says it otherwise."
        )
    elif unit:
        say(f"{own.path.name}: the acceleration is in {unit}, as gravity is {per:g} in it.")
    return signal, per


def _activity(
    table: Table,
    columns: Columns,
    series: Series,
    origin_s: float,
    labels: Labels,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Activity of each window and the names."""
    if columns.activity is None:
        return np.full(len(labels.hr_bpm), -1), ()
    told = dict(zip(table.line.tolist(), table.texts(columns.activity), strict=False))
    names = [told.get(number, "") for number in series.line.tolist()]
    if 0 < sum(map(bool, names)) < EVENTS * len(names):
        for index in range(1, len(names)):
            names[index] = names[index] or names[index - 1]
    return activity_of_windows(names, series.time_s - origin_s, labels.start_s)


def _labelled(
    path: Path,
    recording: Recording,
    labels: Labels,
    activity: NDArray[np.int64],
    names: tuple[str, ...],
) -> Recording:
    start_s = labels.start_s
    recording = replace(
        recording,
        window_start_s=start_s,
        hr_bpm=labels.hr_bpm,
        valid=recording.measured(start_s) & labels.valid,
        activity=activity,
        activity_names=names,
        label_lag_s=labels.lag_s,
    )
    known = np.isfinite(labels.hr_bpm)
    if not recording.measured(start_s)[known].any():
        raise DataError(
            f"{path}: every window with a heart rate touches a gap: "
            f"{counted(len(recording.gaps), 'hole')} in the signals; allowed: {WINDOW_S:g} s "
            "without one. Do the files have every row?"
        )
    recording = checked(path, recording)
    if not recording.usable.any():
        raise DataError(
            f"{labels.path}: no window lies in the signal: they begin from {start_s[0]:.1f} to "
            f"{start_s[-1]:.1f} s, the PPG lasts {recording.duration_s:.1f} s; allowed: whole "
            "windows without a gap. Check `lag_s`, `time_unit` and the zero of the clocks."
        )
    return recording
