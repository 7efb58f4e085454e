"""`recordings.toml`: how the files of a folder are read, one table a recording.

    dataset = "mine"            # keys up here hold for every recording
    ppg = ["green"]
    time = "t"

    [[recording]]
    file = "anna_walk.csv"
    subject = "anna"
    hr_file = "anna_polar.txt"
    rr = "RR-interval [ms]"

Keys are those of `Columns` and `Recipe`; paths are relative to the mapping file. Without `ppg` the
columns of a recording are guessed from their names.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.recipe import Recipe
from ppgnas.errors import DataError
from ppgnas.files import reason, text_of
from ppgnas.parsing import finite, parse_toml

MAPPING = "recordings.toml"
_RENAMED = {"subject_column": "subject"}  # of Columns; `subject` is the person's name
_LISTS = ("ppg", "acc", "names")
_NUMBERS = ("rate_hz", "acc_rate_hz", "acc_per_g", "hr_rate_hz", "lag_s", "drift_ppm")
_FILES = ("acc_file", "hr_file")
_COLUMNS = ("subject_column", *(f.name for f in fields(Columns) if f.name != "subject"))
_RECIPE = tuple(f.name for f in fields(Recipe) if f.name != "columns")
KEYS = ("file", *_COLUMNS, *_RECIPE)


def read_mapping(path: Path) -> list[tuple[Path, Recipe]]:
    """Files and how each is read.

    Raises:
        DataError: the file is no TOML, a key is unknown or of the wrong type, or a file is not
            there; the message names the recording.
    """
    try:
        document = parse_toml(text_of(path), parse_float=finite)
    except (ValueError, OSError) as error:
        raise DataError(
            f"{path}: no mapping file ({reason(error)}); allowed: TOML with [[recording]] tables. "
            f"Write one with: ppgnas data convert {shlex.quote(str(path.parent))} --guess"
        ) from error
    common = {key: value for key, value in document.items() if key != "recording"}
    tables = document.get("recording")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DataError(
            f"{path}: 'recording' is {type(tables).__name__}; allowed: a [[recording]] table for "
            "each recording. Write one with: ppgnas data convert FOLDER --guess"
        )
    _check(path, "above the recordings", common)
    found = []
    for number, table in enumerate(tables, start=1):
        where = f"recording {number} ({table.get('file', 'no file')})"
        _check(path, where, table)
        merged = {**common, **table}
        if "file" not in merged:
            raise DataError(f"{path}: {where} has no `file`; name the file with its PPG.")
        try:
            file = partial(_file, path)
            found.append((file(merged["file"]), recipe_of(merged, file)))
        except DataError as error:
            raise DataError(f"{path}: {where}: {error}") from error
    if not found:
        raise DataError(f"{path}: names no recording; allowed: one [[recording]] at least.")
    return found


def _check(path: Path, where: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            raise DataError(
                f"{path}: {where} has the key {key!r}; allowed: {', '.join(KEYS)}."
                + (f" Is {near[0]!r} meant?" if near else "")
            )
        wanted: tuple[type, ...] = (int, float) if key in _NUMBERS else (str,)
        if key in _LISTS:
            fine = isinstance(value, list) and all(isinstance(name, str) for name in value)
        else:
            fine = isinstance(value, wanted) and not isinstance(value, bool)
        if not fine:
            kind = "a list of names" if key in _LISTS else "a number"
            kind = kind if key in (*_LISTS, *_NUMBERS) else "a text"
            raise DataError(f"{path}: {where} has {key} = {repr(value)[:80]}; allowed: {kind}.")


def _file(path: Path, name: str) -> Path:
    file = path.parent / name
    if not file.exists():
        raise DataError(f"no such file: {name}; paths are relative to {path.parent}")
    return file


def recipe_of(table: Mapping[str, Any], file: Callable[[str], Path] = Path) -> Recipe:
    """How a file is read, from keys of a mapping file with values of the right types.

    Raises:
        DataError: a value that is not allowed.
    """
    named = {_RENAMED.get(key, key): table[key] for key in _COLUMNS if key in table}
    rest = {key: table[key] for key in _RECIPE if key in table}
    for held, key in ((named, "ppg"), (named, "acc"), (rest, "names")):
        if key in held:
            held[key] = tuple(held[key])
    for key in _FILES:
        if key in rest:
            rest[key] = file(rest[key])
    for key in _NUMBERS:
        if key in rest:
            rest[key] = float(rest[key])
    return Recipe(Columns(**named) if named else None, **rest)


def mapping_text(recordings: Sequence[Mapping[str, Any]], dataset: str) -> str:
    """A mapping file; what all recordings have in common stands above them.

    Args:
        recordings: keys and values of each, `file` among them.
        dataset: of all.
    """
    first = recordings[0]
    common = {
        key: value
        for key, value in first.items()
        if key != "file" and len(recordings) > 1 and all(r.get(key) == value for r in recordings)
    }
    lines = [
        "# How the files of this folder are read; written by: ppgnas data convert --guess",
        "# Correct what is wrong (who is who above all), then: ppgnas data convert FOLDER OUT",
        f"# Keys: {', '.join(KEYS[:14])},",
        f"#   {', '.join(KEYS[14:])}",
        *_lines({"dataset": dataset, **common}),
    ]
    for recording in recordings:
        own = {key: value for key, value in recording.items() if key not in common}
        lines += ["", "[[recording]]", *_lines(own)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    # JSON strings and lists of them are TOML, too.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
