"""Which files of a folder belong to one recording, guessed for a hand to check.

A file with a PPG begins a recording. Acceleration and reference in files of their own go with the
PPG whose name is the same apart from words such as `ppg`, `acc` and `polar`, or that is alone in
the folder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.read import Opener
from ppgnas.errors import DataError, DependencyError

MOST_FILES = 2000
_ROLE = {
    "ppg", "bvp", "pleth", "acc", "accel", "acceleration", "accelerometer", "imu", "hr", "rr",
    "ibi", "ecg", "ref", "reference", "polar", "h10", "strap", "watch", "wrist", "chest",
    "heartrate", "heart", "rate", "garmin", "label", "labels", "data", "raw", "signals", "green",
    "sensor", "ble", "band", "numerics",
}  # fmt: skip
_DATE = re.compile(
    r"(?:(?<=/)|^)(?:19|20)\d\d([-._/]?)\d\d\1\d\d(?:[-._/T]{0,2}\d\d[-._/]?\d\d(?:[-._/]?\d\d)?)?(?=/|$)"
)
_PERSON = re.compile(r"^(s|p)(?:ubj(?:ect)?|ub|articipant)(?=\d)")
_SKIPPED = {"readme", "license", "subjects", "participants", "demographics", "meta", "info"}


@dataclass(frozen=True)
class _Seen:
    """A file and what its columns are."""

    path: Path
    key: tuple[str, ...]
    columns: Columns
    form: bool


def group(
    root: Path, paths: Sequence[Path], open_table: Opener, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Keys and values of `recordings.toml` for each recording.

    Raises:
        DataError: no file has a PPG.
    """
    seen: list[_Seen] = []
    for path in paths[:MOST_FILES]:
        if path.stem.lower() in _SKIPPED:
            continue
        name = path.relative_to(root).as_posix()
        if not name.isprintable():  # no name that a mapping file can hold
            say(f"{name!r} is left out: its name is no plain text; rename it.")
            continue
        try:
            table = open_table(path)
        except (DataError, DependencyError) as error:
            say(f"{path.relative_to(root)} is left out: {error}")
            continue
        columns = table.meant
        seen.append(_Seen(path, _key(root, path), columns, table.columns is not None))
    if len(paths) > MOST_FILES:
        left = len(paths) - MOST_FILES
        say(f"{left} of {len(paths)} files are left out, from {paths[MOST_FILES]} on.")
    if not seen:
        raise DataError(
            f"{root}: no file in it can be read (ppgnas data list shows the forms); name the "
            "folder that holds the recordings."
        )
    signals = [one for one in seen if one.columns.ppg]
    if not signals:
        raise DataError(
            f"{root}: none of its {len(seen)} files has a column that is called as a PPG is; "
            "allowed: names such as ppg, bvp, green. Convert one file with --ppg-column, or write "
            "recordings.toml by hand."
        )
    people = _people([one.key for one in signals], say)
    found = []
    used: set[Path] = set()
    names = _names([one.path.relative_to(root) for one in signals])
    for one, person, name in zip(signals, people, names, strict=True):
        near = [other for other in seen if other.key == one.key and not other.columns.ppg]
        if not near and (other := _only_other(one, seen)) is not None:
            near = [other]
            here = f"{other.path.relative_to(root)} goes with {one.path.name}"
            say(f"{here}: the folder has no other signal, though its name does not say so.")
        found.append(_table(root, one, person, near))
        if name != one.path.stem:
            found[-1]["name"] = name
        used |= {one.path, *(other.path for other in near)}
    for other in seen:
        if other.path not in used:
            why = "it goes with no file of a PPG"
            if other.columns.reference is None and not other.columns.acc:
                why = f"no column is called as a signal is ({other.columns.in_words() or 'none'})"
            say(f"{other.path.relative_to(root)} is left out: {why}.")
    return found


def _only_other(one: _Seen, seen: Sequence[_Seen]) -> _Seen | None:
    """The file beside a PPG in a folder of these two."""
    beside = [o for o in seen if o.path.parent == one.path.parent and o is not one]
    signals = [o for o in beside if o.columns.ppg or o.columns.acc or o.columns.reference]
    return signals[0] if len(signals) == 1 and not signals[0].columns.ppg else None


def _table(root: Path, one: _Seen, person: str, near: Sequence[_Seen]) -> dict[str, object]:
    columns = one.columns
    table: dict[str, object] = {"file": one.path.relative_to(root).as_posix()}
    if columns.subject is None:
        table["subject"] = person
    if not one.form:
        names = {"ppg": list(columns.ppg), "acc": list(columns.acc)}
        texts = {
            "hr": columns.hr, "rr": columns.rr, "ecg": columns.ecg, "time": columns.time,
            "acc_time": columns.acc_time, "hr_time": columns.hr_time,
            "activity": columns.activity, "subject_column": columns.subject,
        }  # fmt: skip
        table |= {key: value for key, value in {**names, **texts}.items() if value}
    for other in near:
        file = other.path.relative_to(root).as_posix()
        if other.columns.acc and not columns.acc and "acc_file" not in table:
            table |= {"acc_file": file}
            if not one.form:
                table["acc"] = list(other.columns.acc)
        elif "hr_file" not in table and columns.reference is None:
            table["hr_file"] = file
            kind = next((k for k in ("rr", "ecg", "hr") if getattr(other.columns, k)), None)
            if kind is not None and not one.form:
                table[kind] = getattr(other.columns, kind)
    return table


def _names(paths: Sequence[Path]) -> list[str]:
    """What each recording is called: as its file, with folders where two would be called alike."""
    words = [(p.stem, "_".join(p.with_suffix("").parts), "_".join(p.parts)) for p in paths]
    counts = [Counter(column) for column in zip(*words, strict=True)]
    return [
        next(
            (word for word, count in zip(each, counts, strict=True) if count[word] == 1), each[-1]
        )
        for each in words
    ]


def _key(root: Path, path: Path) -> tuple[str, ...]:
    """Folder and words of a name, without those that say what is in the file."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.stem if path.is_file() else path.name)
    words = re.findall(r"[^\W_]+", name)
    kept = [word for word in words if word.lower() not in _ROLE]
    return (*path.parent.relative_to(root).parts, *(kept or ()))


def _people(keys: Sequence[tuple[str, ...]], say: Callable[[str], None]) -> list[str]:
    """Who: the first words that differ, dates apart; S1, s01 and Subject_1 are one."""
    words = [_DATE.sub("", "/".join(key)).strip("/").split("/") for key in keys]
    words = [word if any(word) else [*key] for word, key in zip(words, keys, strict=True)]
    columns = enumerate(zip(*words, strict=False))
    place = next((i for i, column in columns if len({*column}) > 1), 0)
    firsts = [word[place] if word else "someone" for word in words]
    alike: dict[str, list[str]] = {}
    for first in firsts:
        plain = re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]", "", first.lower()))
        alike.setdefault(_PERSON.sub(r"\1", plain), []).append(first)
    named: dict[str, str] = {}
    for names in alike.values():
        several = [*dict.fromkeys(names)]
        named |= dict.fromkeys(several, several[0])
        if len(several) > 1:
            say(f"{', '.join(several)} are taken for one person: {several[0]}.")
    return [named[first] for first in firsts]
