"""A file as named columns: what every reader of a form of one's own makes.

A column of text keeps its cells until somebody asks for numbers, so that a column of notes harms
nobody. Columns of one file may be of different length and rate, where their form says how each was
sampled; then each brings its own times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.own.columns import Columns, guess
from ppg.plausible import filled_with, no_value, no_value_words
from ppgnas.errors import DataError
from ppgnas.tables import counted

Base = Literal["zero", "utc", "local", "day"]
# Of a number from 1 on: 0,125 and 71,5 may be decimal commas.
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([, '\u2019\u00a0\u202f])\d{3}(?:\1\d{3})*(?:\.\d*)?")
SOURCES = {"device", "mac", "address", "serial", "node", "led", "color", "colour", "wavelength",
           "site", "side", "wrist", "hand", "sensor", "source", "channel",
           "ch", "slot"}  # fmt: skip
MOST_SOURCES, OFTEN = 20, 0.02  # and of the rows, at least, come from another one
WORDS = 0.2  # of the cells: fewer words among numbers stand for none
_EMPTY = re.compile(  # Excel's #N/A, Windows' 1.#QNAN
    r"(?:-?nan|na|n/a|#.*|-?\d\.#.*|null|none|nil|missing|--?|\?|)", re.IGNORECASE
)
_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+\.\d+")
_HEX = re.compile(r"(0[xX])?([0-9a-fA-F]{1,16})")
_HEX_DIGITS = 4  # at least, of a number without 0x
_WITH_UNIT = re.compile(r"([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*((?:1?/)?[a-zA-Z\u00b5%]+(?:/\w+)?)")


@dataclass(frozen=True)
class Rows:
    """When the rows of a column were measured.

    Attributes:
        time_s: `(rows,)` on the clock of the table.
        hz: rows a second where the form says it; None: the times tell it.
    """

    time_s: NDArray[np.float64]
    hz: float | None = None


@dataclass(frozen=True)
class Table:
    """Columns of a file, or of a folder whose files belong together.

    Attributes:
        cells: name -> `(rows,)` numbers or texts.
        line: `(rows,)` line of each row, for messages.
        units: name -> what the file says of its unit.
        rows: name -> when it was measured, where the form says so without a column of times.
        base: what the zero of those times is: the recording's begin, 1970 in UTC, 1970 by a local
            clock, or midnight.
        decimal_comma: whether numbers are written so.
        columns: what each column is, where the form leaves no choice.
        subject, dataset: who, and of which data set, where the form says so.
        notes: what a user should know, in sentences.
    """

    path: Path
    cells: Mapping[str, NDArray[Any] | list[str]]
    line: NDArray[np.int64]
    units: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
    base: Base = "zero"
    decimal_comma: bool = False
    columns: Columns | None = None
    subject: str = ""
    dataset: str = ""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns."""
        return tuple(self.cells)

    def check(self, names: Sequence[str]) -> None:
        """Refuse a name that is no column.

        Raises:
            DataError: with the names that are.
        """
        for name in names:
            if name not in self.cells:
                raise DataError(
                    f"{self.path}: the column {name!r} is missing; allowed: one of "
                    f"{', '.join(self.names)[:400]}. Name the columns as the file does."
                )

    @property
    def meant(self) -> Columns:
        """What its columns are: as the form says, or by name; of two, one that is not constant."""
        if self.columns is not None:
            return self.columns
        names, found = list(self.names), guess(self.names, self.units)
        while off := next(
            (n for n in (*found.ppg, found.reference) if n and self.constant(n)), ""
        ):
            names.remove(off)
            other = guess(names, self.units)
            if (found.ppg and not other.ppg) or (found.reference and not other.reference):
                break
            found = other
        return found

    def constant(self, name: str) -> bool:
        """Whether a column holds one value throughout, as that of a sensor that was off."""
        cells = self.cells[name]
        if isinstance(cells, list):
            return len({*cells} - {""}) < 2
        return not len(cells) or bool((cells == cells[0]).all())

    def numbers(
        self, names: Sequence[str], *, words_are_empty: bool = True
    ) -> dict[str, NDArray[np.float64]]:
        """Name -> `(rows,)` float64, NaN where a cell is empty.

        Args:
            words_are_empty: few words among numbers, see `words`, are cells without one.

        Raises:
            DataError: a column is missing, or a cell is no number.
        """
        self.check(names)
        found = {name: self._numbers(name, words_are_empty) for name in names}
        if len({len(column) for column in found.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in found.items())
            raise DataError(
                f"{self.path}: the columns differ in length ({lengths}); allowed: one length for "
                "columns that are read together. Name columns of one signal."
            )
        return found

    def samples(self, names: Sequence[str], say: Callable[[str], None]) -> NDArray[np.float64]:
        """`(rows, columns)` of `numbers`, NaN also where a number stands for none, which is said.

        Raises:
            DataError: as `numbers`.
        """
        found = self.numbers(names)
        if (filled := filled_with(np.stack([*found.values()], axis=1))) is not None:
            number, filler = filled
            of = counted(int(filler.sum()), "row")
            say(f"{self.path.name}: {', '.join(names)}: {number:g} in {of} among others is empty.")
            found = {name: np.where(filler, np.nan, column) for name, column in found.items()}
        for name, column in found.items():
            empty = list(self.cells[name]).count("")
            if np.isnan(column).sum() > empty and (words := self.words(name)):
                rows = counted(sum(words.values()), "row")
                say(f"{self.path.name}: {name} is {min(words)[:40]!r} in {rows}: read as empty.")
            if said := no_value_words(column):
                say(f"{self.path.name}: {name} {said.partition(':')[0]}: read as empty.")
                found[name] = np.where(no_value(column), np.nan, column)
        return np.stack([found[name] for name in names], axis=1)

    def words(self, name: str) -> Counter[str]:
        """Cells without a digit among numbers, and how often they come; empty where they are not
        few."""
        cells = self.cells[name]
        if not isinstance(cells, list):
            return Counter()
        known = [text for cell in cells if not _EMPTY.fullmatch(text := cell.strip())]
        found = Counter(text for text in known if not any(map(str.isdigit, text)))
        return found if sum(found.values()) < WORDS * len(known) else Counter()

    def renamed(self, names: Sequence[str]) -> Table:
        """The table with other names for its columns, in their order.

        Raises:
            DataError: they are not as many as the columns, or one is there twice.
        """
        if len(names) != len(self.names) or len({*names}) < len(names):
            raise DataError(
                f"{self.path}: `names` has {len(names)} names ({', '.join(names)[:200]}), the "
                f"file {len(self.names)} columns ({', '.join(self.names)[:200]}); allowed: one "
                "for each column, each once."
            )
        new = dict(zip(self.names, names, strict=True))
        return replace(
            self,
            cells={new[name]: cells for name, cells in self.cells.items()},
            units={new[name]: unit for name, unit in self.units.items()},
            rows={new[name]: rows for name, rows in self.rows.items()},
            columns=None,
        )

    def texts(self, name: str) -> list[str]:
        """`(rows,)` cells as text.

        Raises:
            DataError: no such column.
        """
        self.check((name,))
        cells = self.cells[name]
        if isinstance(cells, list):
            return [cell.strip() for cell in cells]
        return [f"{cell:.15g}" if cells.dtype.kind == "f" else str(cell) for cell in cells]

    def where(self, chosen: NDArray[np.bool_]) -> Table:
        """The table with some of its rows; columns of another length stay as they are."""
        kept: dict[str, NDArray[Any] | list[str]] = {}
        for name, cells in self.cells.items():
            if len(cells) != len(chosen):
                kept[name] = cells
            elif isinstance(cells, list):
                kept[name] = [cell for cell, keep in zip(cells, chosen, strict=True) if keep]
            else:
                kept[name] = cells[chosen]
        rows = {
            name: replace(one, time_s=one.time_s[chosen], hz=None)
            if len(one.time_s) == len(chosen)
            else one
            for name, one in self.rows.items()
        }
        line = self.line[chosen] if len(self.line) == len(chosen) else self.line
        return replace(self, cells=kept, rows=rows, line=line)

    def what_ends(self, time: str, lines: NDArray[np.int64]) -> str:
        """What to do where times go back between two lines, by a column that changes there."""
        before, after = np.searchsorted(self.line, lines).tolist()
        for name, cells in self.cells.items():
            if name == time or not isinstance(cells, list) or len(cells) != len(self.line):
                continue
            cells = self.texts(name)
            runs = 1 + sum(a != b for a, b in pairwise(cells))
            if cells[before] != cells[after] and runs == len({*cells}):
                return (
                    f"{name} is {cells[before][:40]!r} before and {cells[after][:40]!r} after: if "
                    "it says who, name it with `subject_column`. Else"
                )
        return "If the clock was set or another recording follows"

    def in_turns(self) -> str:
        """Which column says whose row it is and changes all along, and two of its values."""
        for name, cells in self.cells.items():
            words = {*re.findall(r"[a-z]+", name.lower())} - {"id", "no", "name", "number"}
            if (
                not words
                or words - SOURCES
                or not isinstance(cells, list)
                or len({*cells} - {""}) > MOST_SOURCES
            ):
                continue
            known = [cell for cell in cells if cell]
            if sum(a != b for a, b in pairwise(known)) > OFTEN * len(cells):
                one, other = [*dict.fromkeys(known)][:2]
                return f"{name} is {one[:40]!r} and {other[:40]!r}"
        return ""

    def _numbers(self, name: str, words_are_empty: bool) -> NDArray[np.float64]:
        cells = self.cells[name]
        if not isinstance(cells, list):
            return np.asarray(cells, np.float64)
        point = (lambda cell: cell.replace(",", ".")) if self.decimal_comma else str
        try:
            return np.array([float(point(cell)) if cell else np.nan for cell in cells])
        except ValueError:
            cells = ["" if _EMPTY.fullmatch(t := cell.strip(" '=\"")) else t for cell in cells]
            if words_are_empty and (words := self.words(name)):
                cells = ["" if cell in words else cell for cell in cells]
            if (numbers := _of_hex(cells)) is not None:
                return numbers
            parts = [_WITH_UNIT.fullmatch(cell) for cell in cells]
            known = [one for one, cell in zip(parts, cells, strict=True) if cell]
            if len({one and one[2].lower() for one in known}) == 1 and known[0]:
                cells = [one[1] if one else "" for one in parts]
            return np.array([self._number(i, name, point(c)) for i, c in enumerate(cells)])

    def _number(self, row: int, name: str, cell: str) -> float:
        if not cell:
            return float("nan")
        text = cell
        if found := THOUSANDS.fullmatch(text):
            text = text.replace(found[1], "")
        elif self.decimal_comma and _POINTS.fullmatch(text):  # 51.234,5, its comma a point by now
            text = text.replace(".", "", text.count(".") - 1)
        try:
            return float(text)
        except ValueError:
            raise DataError(
                f"{self.path}: {name} is {text[:40]!r} in line {self.line[row]}; allowed: a "
                "number, with a decimal point or with decimal commas throughout, or an empty cell."
            ) from None


def _of_hex(cells: list[str]) -> NDArray[np.float64] | None:
    """`(rows,)` numbers in hexadecimal, with 0x, or all of one length and not all decimal; None if
    they are others."""
    found = [_HEX.fullmatch(cell) for cell in cells if cell]
    digits = {len(one[2]) for one in found if one}
    marked = all(one and one[1] for one in found)
    plain = len(digits) == 1 and min(digits) >= _HEX_DIGITS and not "".join(cells).isdigit()
    if None in found or not (marked or plain):
        return None
    return np.array([float(int(cell, 16)) if cell else np.nan for cell in cells])


def table_of(path: Path, cells: Mapping[str, NDArray[Any] | list[str]], **rest: Any) -> Table:
    """A table of a form without lines: rows are counted from 1."""
    longest = max((len(column) for column in cells.values()), default=0)
    return Table(path, cells, np.arange(1, longest + 1), **rest)
