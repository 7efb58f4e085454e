"""JSON: an object a line, or one list of them, or one object with a list for each column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppg.loaders.own.columns import Columns, guess, is_rate
from ppg.loaders.own.shapes import one_moment_a_row
from ppg.loaders.own.table import Table, table_of
from ppgnas.errors import DataError

DEEPEST = 8
LOOKED = 100  # rows of a list


def is_json(path: Path, start: bytes) -> bool:
    """Whether a file is such text."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"{") or (path.suffix == ".json" and text.startswith(b"["))


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is no JSON, or holds no rows.
    """
    try:
        parts = {
            name: [dict(_flat("", row, 0)) for row in rows]
            for name, rows in _lists(path.read_text(encoding="utf-8-sig")).items()
        }
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: unreadable as JSON ({str(error)[:200]}); allowed: an object a line, a list "
            "of objects, or an object of lists. Is the file truncated?"
        ) from error
    tables = {name: _table(path, rows) for name, rows in parts.items()}
    if not any(table.cells for table in tables.values()):
        raise DataError(f"{path}: holds no rows; allowed: objects with numbers in them.")
    return _together(path, tables) if len(tables) > 1 else tables[""]


def _table(path: Path, rows: Sequence[Mapping[str, str]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [row.get(name, "") for row in rows] for name in names}
    return one_moment_a_row(table_of(path, cells))


def _together(path: Path, tables: Mapping[str, Table]) -> Table:
    """Lists that each have a clock: their columns are called by their names, too."""
    cells: dict[str, Any] = {}
    found = Columns()
    notes = [note for table in tables.values() for note in table.notes]
    for part, table in tables.items():
        cells |= {f"{part} {name}": column for name, column in table.cells.items()}
        alone, here = guess(table.names), guess([f"{part} {name}" for name in table.names])
        references: dict[str, Any]
        time = f"{part} {alone.time}"
        if here.ppg and not found.ppg:
            found = replace(found, ppg=here.ppg, time=time, subject=here.subject)
        if here.acc and not found.acc:
            found = replace(found, acc=here.acc, acc_time=time)
        for kind in ("rr", "ecg", "hr"):
            name = getattr(here, kind) or f"{part} {getattr(alone, kind)}"
            if name in cells and name not in found.ppg and found.reference is None:
                references = {kind: name, "hr_time": time}
                found = replace(found, **references)
    if found.ppg:
        notes.append(f"{path.name}: read as {found.in_words()}, by their names.")
    return table_of(path, cells, columns=found if found.ppg else None, notes=tuple(notes))


def _lists(text: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Objects, one a row; of several lists in one object those of each, by its name."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        longest = max(lists, key=len, default=[])
        data = whole.get("data")
        if isinstance(data, list) and len(data) == len(longest) > 0 and isinstance(data[0], list):
            # as pandas splits a table
            names = [str(name) for name in whole.get("columns", ())]
            if odd := {len(row) for row in data} - {len(names)}:
                raise ValueError(f"{len(names)} `columns` and rows of {min(odd)} in `data`")
            return {"": [dict(zip(names, row, strict=True)) for row in data]}
        of_objects = {n: each for n, each in whole.items() if _of_objects(each)}
        if len(of_objects) > 1 and all(guess([*each[0]]).time for each in of_objects.values()):
            return of_objects
        beside = [each for each in lists if len(each) == len(longest)]  # values for each object
        if longest and all(isinstance(each[0], dict) for each in beside):
            return {"": _with_rates(whole, longest)}
        whole = [whole]
    return {"": [row for row in whole if isinstance(row, dict)] if isinstance(whole, list) else []}


def _of_objects(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(o, dict) for o in value)


def _with_rates(
    whole: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """A list of objects in an object: a rate and a time beside rows without a time are theirs."""
    beside = {n: v for n, v in whole.items() if not isinstance(v, list)}
    flat = [cell for name, value in beside.items() for cell in _flat(name, value, 1)]
    timed = guess([*rows[0]]).time
    known = {n: v for n, v in flat if not timed and (is_rate(n) or guess([n]).time)}
    return [known | {**rows[0]}, *rows[1:]]


def _flat(name: str, value: object, deep: int) -> list[tuple[str, str]]:
    """Names and texts of the cells of a row: `acc.x` is `acc x`, and so are three in a list, and a
    list of such lists or objects."""
    if deep > DEEPEST:
        raise ValueError(f"more than {DEEPEST} objects within each other")
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        value = {key: [one.get(key) for one in value] for key in value[0]}
    if isinstance(value, list) and "acc" in name.lower():
        if value and all(isinstance(one, list) and len(one) == 3 for one in value[:LOOKED]):
            value = [list(axis) for axis in zip(*value, strict=True)]
        if len(value) == 3:
            value = dict(zip("xyz", value, strict=True))
    if isinstance(value, dict):
        named = ((f"{name} {key}".strip(), inner) for key, inner in value.items())
        return [cell for key, inner in named for cell in _flat(key, inner, deep + 1)]
    if isinstance(value, list):
        cells = " ".join("nan" if one is None else str(one) for one in value)
        return [(name, f"[{cells}]" if value else "")]
    return [(name, "" if value is None else str(value))]
