"""Rows that are not one moment each: made so.

A cell with a list of samples, or a column for each of them (`ppg_0` to `ppg_24`), is a packet: its
samples become rows, of which the first has the time; one that is missing keeps its row. Rows that
each have one value of one sensor, whose name stands beside it, become a row a time. Few long lines
are columns. Numbers that are the same throughout may say how many rows a second there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.clocks import FASTEST_HZ, one_moment
from ppg.loaders.own.columns import guess, sampled_at
from ppg.loaders.own.table import THOUSANDS, Rows, Table
from ppg.packets import follow
from ppg.plausible import SLOWEST_HZ
from ppgnas.errors import DataError

FEWEST_OF_A_PACKET = 16  # numbered columns; fewer may be channels,
FEWEST, FEWEST_ROWS = 4, 100  # unless these show that they are not
MOST_KINDS = 40
MORE = 1.1  # times as many rows are told apart by a column of axes
MOST_LINES = 8  # without names, of a file that has a signal in each
LOOKED = 200  # cells that tell a list
SLOWEST_RATE_HZ = 0.01
VAGUE = {"rate", "frequency", "freq"}  # of breaths, of a display ... where it stands in every row
SHARED = 0.8  # of the windows, the others end where another recording begins
FEWEST_SHARED = 8  # samples of two windows that overlap,
FEWEST_SCALED, LONGEST_SCALED = 32, 4096  # or where each has a scale of its own; of a window
FEWEST_WINDOWS = 3
RESOLVED = 50.0  # times its rounding a window changes
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RATE_ABOVE = re.compile(
    r"\b(?:fs|(?:sampling|sample)[ _-]?(?:rate|frequency|freq))(?:\W{1,2}(?:hz|sps)\b)?\W{1,4}"
    r"(\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_RATE = re.compile(rf"({_NUMBER})\s*(k?hz)?", re.IGNORECASE)
_SAMPLE = rf"(?:0[xX][0-9a-fA-F]+|{_NUMBER}|[Nn]a[Nn]|None|null)"
_IS_SAMPLE = re.compile(_SAMPLE).fullmatch
_ALONE = re.compile(rf"{_NUMBER}|\d.*[-:/.]\d.*|")
_NUMBERED = re.compile(r"(.+?)[ _.\-\[(]*(\d+)[\])]?(?:\s*[\[(].*[\])])?")
Cells = Mapping[str, list[str]]
Lists = list[list[str]]


def one_moment_a_row(table: Table) -> Table:
    """The table, its packets and its sensors laid out."""
    cells = {n: c for n, c in table.cells.items() if isinstance(c, list)}
    if len(cells) < len(table.cells):
        return table
    if len(table.line) <= MOST_LINES < len(cells) / FEWEST_OF_A_PACKET and "1" in cells:
        turned = {
            str(at + 1): list(row) for at, row in enumerate(zip(*cells.values(), strict=True))
        }
        note = f"{table.path.name}: its {len(table.line)} lines are columns."
        line = np.ones(len(cells), np.int64)
        return replace(table, cells=turned, line=line, units={}, notes=(*table.notes, note))
    return _by_time(_laid_out(table, cells))


def with_rates(table: Table) -> Table:
    """With the rates that columns of one number say (`fs`, `acc_fs`), where none has times; a time
    that is one throughout is that of the first row."""
    cells = {n: c for n, c in table.cells.items() if isinstance(c, list) or len(c)}
    time = guess(table.names).time
    began = None if time is None or time not in cells else _alone(cells[time])
    if table.columns is not None or (time is not None and (began is None or table.rows)):
        return table
    begin_s, base = (0.0, table.base) if began is None else one_moment(began)
    alone = {name: one for name in cells if (one := _alone(cells[name])) is not None}
    single = {
        name: float(found[1]) * (1000 if (found[2] or "").lower() == "khz" else 1)
        for name, one in alone.items()
        if (found := _RATE.fullmatch(one))
        and not (name.lower() in VAGUE and sum(map(bool, table.texts(name))) > 1)
    }
    filled = {name: _rows(table.texts(name)) for name in cells if name not in alone}
    said = sampled_at(filled, single)
    rows = {}
    for name, by in said.items():
        if SLOWEST_RATE_HZ <= single[by] <= FASTEST_HZ:
            rows[name] = Rows(begin_s + np.arange(len(cells[name])) / single[by], single[by])
    if not rows:
        return table
    told = ", ".join(
        f"{single[by]:g} rows a second by {by}" for by in dict.fromkeys(said.values())
    )
    return replace(
        table,
        cells={n: c for n, c in table.cells.items() if n != time and n not in said.values()},
        rows={**table.rows, **rows},
        base=base,
        notes=(*table.notes, f"{table.path.name}: {told}."),
    )


def with_rate_above(table: Table, lines: Sequence[str]) -> Table:
    """With the rate that the lines above the rows say, where no column is a time."""
    above = lines[: int(table.line[0]) - 1]
    said = {float(found[1]) for line in above for found in _RATE_ABOVE.finditer(line)}
    time = guess(table.names).time
    if len(said) != 1 or not (time is None or (time in table.cells and table.constant(time))):
        return table
    (hz,) = said
    if not SLOWEST_HZ <= hz <= FASTEST_HZ:
        return table
    times = Rows(np.arange(len(table.line)) / hz, hz)
    note = f"{table.path.name}: {hz:g} rows a second, as its first lines say."
    cells = {name: column for name, column in table.cells.items() if name != time}  # a day
    rows = dict.fromkeys(cells, times)
    return replace(table, cells=cells, rows=rows, notes=(*table.notes, note))


def _rows(cells: list[str]) -> int:
    """Of a column; of a list that is shorter than others, whose end alone is empty, its own."""
    known = sum(map(bool, cells))
    return known if all(cells[:known]) else len(cells)


def _alone(column: NDArray[Any] | list[str]) -> str | None:
    """The one value of a column."""
    if not isinstance(column, list):
        return f"{column[0]:.15g}" if column.dtype.kind in "iuf" and not np.ptp(column) else None
    known = {*map(str.strip, column)} - {""}
    return known.pop() if len(known) == 1 else None


def _numbered(table: Table, cells: dict[str, list[str]]) -> dict[str, Lists]:
    """Numbered columns of one name that are the samples of packets, taken out of the cells, as
    lists in the order of their numbers, which that of a header sorted as text is not."""
    groups: dict[str, dict[int, str]] = {}
    for name in cells:
        if match := _NUMBERED.fullmatch(name):
            groups.setdefault(match[1], {})[int(match[2])] = name
    members = {name: [of[at] for at in sorted(of)] for name, of in groups.items()}
    of_ppg = [names for name, names in members.items() if guess([name]).ppg]
    sizes = {len(names) for names in of_ppg if len(names) >= FEWEST and _follow(table, names)}
    found = {}
    for name, names in members.items():
        if (len(names) >= FEWEST_OF_A_PACKET or len(names) in sizes) and name not in cells:
            columns = [cells.pop(one) for one in names]
            columns = columns[: max((i for i, c in enumerate(columns, 1) if any(c)), default=0)]
            if table.decimal_comma:
                columns = [[cell.replace(",", ".") for cell in column] for column in columns]
            found[name] = [
                [cell.strip() or "nan" for cell in row] for row in zip(*columns, strict=True)
            ]
    return found


def _follow(table: Table, names: Sequence[str]) -> bool:
    """Whether columns are moments of one sensor."""
    with suppress(DataError):
        values = np.stack([*table.numbers(names).values()], axis=1)
        whole = values[np.isfinite(values).all(axis=1)]
        return len(whole) >= FEWEST_ROWS and follow(whole)
    return False


def _listed(cell: str) -> list[str]:
    """Samples of a list, `nan` for the words among them; none where most are words."""
    text = cell.strip(" \t[()]").replace(";", ",").replace("|", ",").rstrip(", ")
    row = [part.strip() for part in text.split(",")] if "," in text else text.split()
    words = [part for part in row if not _IS_SAMPLE(part)]
    return (
        [part if _IS_SAMPLE(part) else "nan" for part in row] if 2 * len(words) <= len(row) else []
    )


def _laid_out(table: Table, given: Cells) -> Table:
    cells = {**given}
    parts = _numbered(table, cells)
    texts = {} if table.decimal_comma else cells
    lists = [n for n, c in texts.items() if _are_lists(c) or (guess([n]).rr and _of_beats(c))]
    parts |= {name: [*map(_listed, cells[name])] for name in lists}
    if not parts:
        return table
    shared = {name: _shared(rows) for name, rows in parts.items()}
    scaled = ""
    for name, both in shared.items():
        if both:
            parts[name] = [
                row if row[-both:] != after[:both] else row[:-both]
                for row, after in zip(parts[name], [*parts[name][1:], []], strict=True)
            ]
        elif (one := _of_one_scale(parts[name])) is not None:
            parts[name], shared[name] = one
            scaled = ", each of a scale of its own, which is taken off"
    sizes = [max(1, *map(len, row)) for row in zip(*parts.values(), strict=True)]
    found: dict[str, list[str]] = {name: [] for name in (*cells, *parts)}
    for name, out in found.items():
        for index, size in enumerate(sizes):
            if name in parts:
                row = parts[name][index]
            else:  # who and what hold for the packet; a time or a rate is that of one moment
                cell = cells[name][index]
                row = [cell] + ["" if _ALONE.fullmatch(cell.strip()) else cell] * (size - 1)
            out += row + [""] * (size - len(row))
    notes = [f"{', '.join(parts)} hold packets of up to {max(sizes)} samples."]
    if any(shared.values()):
        told = ", ".join(f"{n} samples of {name}" for name, n in shared.items() if n)
        notes = [
            f"its rows are windows that share {told} with the next{scaled}: each is read once, "
            "where a window begins. If a heart rate is a window's mean, give --hr-is window."
        ]
    line = np.repeat(table.line, sizes)
    told_of = [f"{table.path.name}: {note}" for note in notes]
    return replace(table, cells=found, line=line, notes=(*table.notes, *told_of))


def _shared(rows: list[list[str]]) -> int:
    """Samples at the end of each list with which the next one begins, 0 if there are none."""
    if len(rows) < FEWEST_WINDOWS:
        return 0
    first, second = rows[:2]
    for count in range(min(len(first), len(second)) - 1, FEWEST_SHARED - 1, -1):
        both = second[:count]
        if first[-count] == both[0] and first[-count:] == both and len({*both}) > 1:
            alike = [a[-count:] == b[:count] for a, b in pairwise(rows)]
            return count if sum(alike) > SHARED * len(alike) else 0
    return 0


def _of_one_scale(rows: list[list[str]]) -> tuple[list[list[str]], int] | None:
    """Windows that overlap once the scale and the level of each, as where each was normalised, are
    those of the one before, without what the next one has; and how many samples that is."""
    size = len(rows[0])
    if len(rows) < FEWEST_WINDOWS or size > LONGEST_SCALED or {*map(len, rows)} != {size}:
        return None
    try:
        windows = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError:  # of a unit, or in hexadecimal
        return None
    digits = max((len(cell.partition(".")[2]) for cell in rows[0] if "e" not in cell), default=0)
    rounding = max(0.1**digits, 1e-6 * float(np.ptp(windows[0])))

    def fit(at: int, both: int) -> tuple[float, float] | None:
        """Factor and level that make the next window's begin of this one's end."""
        here, after = windows[at, -both:], windows[at + 1, :both]
        off, off_after = here - here.mean(), after - after.mean()
        factor = float(off @ off_after) / max(float(off @ off), 1e-30)
        near = np.abs(off_after - factor * off).max() <= rounding * (1 + abs(factor))
        told = np.ptp(after) > RESOLVED * rounding
        return (factor, float(after.mean() - factor * here.mean())) if near and told else None

    both = next((n for n in range(size - 1, FEWEST_SCALED - 1, -1) if fit(0, n)), 0)
    fits = [fit(at, both) for at in range(len(rows) - 1)] if both else []
    if not both or sum(map(bool, fits)) <= SHARED * len(fits):
        return None
    factor, level, found = 1.0, 0.0, []
    for window, after in zip(windows, [*fits, None], strict=True):
        whole = (window - level) / factor
        found.append([f"{sample:.7g}" for sample in (whole[:-both] if after else whole)])
        if after:
            factor, level = after[0] * factor, after[0] * level + after[1]
    return found, both


def _are_lists(column: list[str]) -> bool:
    known = [*islice((cell.strip() for cell in column if cell.strip()), LOOKED)]
    fewest = [1 if cell[0] == "[" and cell[-1] == "]" else 3 for cell in known]
    lists = [len(_listed(cell)) >= few for cell, few in zip(known, fewest, strict=True)]
    return sum(lists) - sum(map(bool, map(THOUSANDS.fullmatch, known))) > 0.5 * len(known)


def _of_beats(column: list[str]) -> bool:
    """Whether a cell holds the intervals that ended since the one before, as a strap tells them:
    two at times, and rarely more."""
    several = [row for cell in column if len(row := _listed(cell)) > 1]
    return bool(several) and all("." in part or len(part) > 2 for row in several for part in row)


def _by_time(table: Table) -> Table:
    """Rows of `time, sensor, value` (or x, y, z) as a column a sensor."""
    found = guess(table.names)
    cells = {n: c for n, c in table.cells.items() if isinstance(c, list)}
    if found.ppg or found.time not in cells:
        return table
    kind = next((n for n, c in cells.items() if n != found.time and _are_sensors(c)), None)
    if kind is None:
        return table
    values = [n for n in cells if n not in (kind, found.time, found.subject, found.activity)]
    words = [n for n in values if not any(map(str.isdigit, "".join(cells[n])))]
    values = [n for n in values if n not in words]
    parts = [kind, *(n for n in words if _axes(cells, found.time, kind, n))]
    sensors = [" ".join(filter(None, row)) for row in zip(*map(cells.get, parts), strict=True)]
    held: dict[str, list[str]] = {}  # sensor -> columns that it has values in
    for row, sensor in enumerate(sensors):
        mine = held.setdefault(sensor, [])
        mine += [n for n in values if n not in mine and cells[n][row].strip()]
    rest = [n for n in cells if n not in (kind, *words, *values)]
    called: dict[tuple[str, str], str] = {}
    for sensor, mine in held.items():
        axes = len(mine) == 3 and "acc" in sensor.lower() and not guess(mine).acc
        for name, axis in zip(mine, "xyz" if axes else mine, strict=True):
            called[sensor, name] = sensor if len(mine) == 1 else f"{sensor} {axis}"
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    line: list[int] = []
    for row, sensor in enumerate(sensors):
        mine_here = {called[sensor, n]: cells[n][row] for n in held[sensor]}
        key = tuple(cells[n][row] for n in rest)
        while key in rows and mine_here.keys() & rows[key].keys():
            key = (*key, "")  # another row of this time
        if key not in rows:
            line.append(int(table.line[row]))
        rows.setdefault(key, dict(zip(rest, key, strict=False))).update(mine_here)
    names = [*rest, *dict.fromkeys(called.values())]
    order = _in_time([row[found.time] for row in rows.values()])
    laid = [list(rows.values())[index] for index in order]
    return replace(
        table,
        cells={name: [row.get(name, "") for row in laid] for name in names},
        line=np.array(line, np.int64)[order],
        units={name: unit for name, unit in table.units.items() if name in rest},
        notes=(*table.notes, f"{table.path.name}: {kind} names the sensor of each row."),
    )


def _axes(cells: Cells, *names: str) -> bool:
    """Whether the words of the last column part rows that the others have in common."""
    apart, together = (
        len({*zip(*(cells[n] for n in some), strict=True)}) for some in (names, names[:-1])
    )
    return apart > MORE * together


def _in_time(times: list[str]) -> list[int]:
    """Order of rows: sensors take turns in a file, each with a second of its own."""
    try:
        return [int(at) for at in np.argsort(np.array(times, np.float64), kind="stable")]
    except ValueError:
        dated = all(re.match(r"\d{4}-", time) for time in times)
        return sorted(range(len(times)), key=times.__getitem__) if dated else [*range(len(times))]


def _are_sensors(column: list[str]) -> bool:
    kinds = list(dict.fromkeys(column[:5000]))
    return len(kinds) <= MOST_KINDS and bool(guess(kinds).ppg)
