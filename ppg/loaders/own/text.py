"""Text files with rows of cells: the forms in which loggers and spreadsheets write them.

Found and not asked for: UTF-8, UTF-16 with or without its mark, or Latin-1; commas, semicolons,
tabs, bars or spaces between cells (`sep=;` in a first line is obeyed); decimal commas where the
cells are not parted by them; lines of comment; a preamble above the names; a line of units below
them, or names over two lines, or names in a comment right above the rows; no names at all, whose
columns are then called 1, 2, 3.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppg.loaders.kinds import is_other, refusal
from ppg.loaders.own import serial
from ppg.loaders.own.columns import Columns, guess
from ppg.loaders.own.shapes import one_moment_a_row, with_rate_above
from ppg.loaders.own.table import Table
from ppgnas.errors import DataError
from ppgnas.tables import counted

LOOKED = 200  # lines that tell the form
MOST_HEADER = 4  # lines of names and units
LONGEST_NAME = 1000  # characters
_SPACES = " "
LARGEST_BYTES = 1 << 30  # unpacked
MOST_WORDS = 0.2  # of the lines are none of rows
_COMMENT = re.compile(r'^\s*"?(?:#|%|//)')
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|[Nn]a[Nn]|0x[0-9a-fA-F]+")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?|\d{1,3}:\d{2}(?:[:.,]\d{2}.*)?")
_BEGINS_WITH_A_DIGIT = re.compile(r"(?:^|[\t;|,])[ \"\[(]*[+-]?\d")  # a cell of a line
_UNIT = re.compile(
    r"[\[(].*[\])]|-|%|s|secs?|seconds|[mun]s|[mun]?secs?|min|g|mg|m/\(?s\^?2\)?|m/s.?|"
    r"[mu\u00b5]?v(?:olts?)?|bpm|hz|counts?|adc|lsb|a\.?u\.?|n\.?u\.?|no.units?|unix|unitless|"
    r"raw|cal|deg.*|[k\u03bc]?ohms?|.{0,2}c|yyyy.*|hh.*|beats/min",
    re.IGNORECASE,
)
_ENCLOSED = re.compile(r"^[\[(](.*)[\])]$")
_UNIT_IN_NAME = re.compile(r"[\[(]([^\[(\])]*)[\])]\s*$")


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Named columns of a text file as numbers, NaN where a cell is empty.

    Raises:
        DataError: as `read_text`, or a column is missing or a cell no number.
    """
    return read_text(path).numbers(names, words_are_empty=False)


@dataclass(frozen=True)
class _Form:
    """How a file is written: between cells, where rows begin, and what stands above them."""

    separator: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    first: int  # index of the first row
    decimal_comma: bool


def read_text(path: Path) -> Table:
    """Read a text file.

    Raises:
        DataError: no such file, no text, no rows, a name twice, or a row is short or long.
    """
    lines = _lines(path)
    numbered, clock = serial.without_clock(_kept(path, lines))
    table = _table(path, serial.without_names(numbered), clock)
    return with_rate_above(one_moment_a_row(table), lines)


def text_table(path: Path, lines: Iterable[str]) -> Table:
    """A table of lines that were in no text file.

    Raises:
        DataError: as `read_text`.
    """
    return one_moment_a_row(_table(path, list(enumerate(lines, start=1)), {}))


def _table(path: Path, numbered: serial.Lines, clock: Mapping[int, str]) -> Table:
    lines = [text for _, text in numbered]
    if len(lines) == 1 and len(alone := re.split(r"[\s,;]+", lines[0].strip())) > 3:
        if all(_NUMBER.fullmatch(cell) for cell in alone):  # intervals, one after the other
            return Table(path, {"1": alone}, np.ones(len(alone), np.int64))
    form = _form(lines)
    longest = max(map(len, form.names))
    if longest > LONGEST_NAME:  # no words, and what looks at names takes the square of the time
        raise DataError(
            f"{path}: a column name of {longest} characters; allowed: {LONGEST_NAME}. Is it a "
            "file of rows, and does it begin with a line of names?"
        )
    for name in form.names:
        if form.names.count(name) > 1 and name:
            raise DataError(
                f"{path}: the column {name!r} is twice in {', '.join(form.names)[:200]}; allowed: "
                "each name once. Name the columns apart."
            )
    columns: list[list[str]] = [[] for _ in form.names]
    at: list[int] = []
    width, shortest = len(form.names), len(lines)  # cells
    header = {text.strip() for text in lines[: form.first]}
    words: list[int] = []
    notes: list[str] = []
    for index, cells in _rows(path, lines, form):
        line = numbered[index][0]
        if _words(cells, width):
            words.append(line)
            continue
        if not any(cell.strip() for cell in cells) or lines[index].strip() in header:
            continue
        long = any(cell.strip() for cell in cells[width:])
        if at and not long and len(cells) < min(width, shortest) and index == len(lines) - 1:
            notes.append(f"{path.name}: line {line}, the last one, is cut off and left out.")
            break
        if long or len(cells) < width - 1:
            why = "Are the numbers written with decimal commas? Part cells by semicolons."
            raise DataError(
                f"{path}: line {line} has {len(cells)} cells; allowed: {width}, as the line of "
                f"names. {why if long else 'Is the file truncated?'}"
            )
        at.append(line)
        shortest = min(shortest, len(cells))
        for column, cell in zip(columns, (*cells, "")[:width], strict=True):
            column.append(cell)
    if len(words) > MOST_WORDS * (len(at) + len(words)):
        raise DataError(
            f"{path}: {len(words)} of {len(at) + len(words)} lines hold no number and are no rows "
            f"of {width} cells (the first is line {words[0]}); allowed: a fifth. Is it a table?"
        )
    if not at:
        raise DataError(f"{path}: no row below the column names. Is the file truncated?")
    cells_of = {n: c for n, c in zip(form.names, columns, strict=True) if n}
    units = {n: u for n, u in zip(form.names, form.units, strict=True) if n and u}
    if clock:
        cells_of["time" if "time" not in cells_of else "clock"] = [clock[line] for line in at]
    if words:
        shown = dict(numbered)[words[0]].strip()[:40]
        notes.append(
            f"{path.name}: {counted(len(words), 'line')} of words among the rows, left out "
            f"(line {words[0]}: {shown!r})."
        )
    comma, told = form.decimal_comma, tuple(notes)
    return Table(path, cells_of, np.array(at), units=units, decimal_comma=comma, notes=told)


def _words(cells: list[str], width: int) -> bool:
    """Whether a line is none of rows: of another width, and without a number that stands alone."""
    if len(cells) == width > 1 or (len(cells) == 1 == width and any(map(str.isdigit, cells[0]))):
        return False
    known = [cell.strip() for cell in cells if cell.strip()]
    return bool(known) and not any(map(_values, ([cell] for cell in known)))


def _rows(path: Path, lines: list[str], form: _Form) -> Iterator[tuple[int, list[str]]]:
    """Index of the line and cells of each row."""
    if form.separator == _SPACES:
        yield from ((i, lines[i].split()) for i in range(form.first, len(lines)))
        return
    reader = csv.reader(lines[form.first :], delimiter=form.separator)
    try:
        for cells in reader:
            yield form.first + reader.line_num - 1, cells
    except csv.Error as error:
        raise DataError(
            f"{path}: the rows cannot be told apart ({error}); allowed: cells between separators. "
            f"Is there a lone quotation mark?"
        ) from error


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of a .csv file.")
    # A recorder that lost its power leaves zero bytes: at the end of a file nothing is lost.
    text = _decoded(path, _content(path)).rstrip("\0").replace("\u2212", "-")
    if "\0" in text:
        line = len(text[: text.index("\0")].splitlines())
        raise DataError(
            f"{path}: holds {text.count(chr(0))} zero bytes, the first in line {line}; allowed: "
            "text. So a recorder leaves a file that lost its power: remove that line, or cut the "
            "file in two there."
        )
    return text.splitlines()


def _kept(path: Path, lines: list[str]) -> serial.Lines:
    """Number and text of each line that is neither empty nor a comment."""
    numbered = enumerate(lines, start=1)
    kept = [
        (number, text) for number, text in numbered if text.strip() and not _COMMENT.match(text)
    ]
    if not kept:
        raise DataError(
            f"{path}: the file is empty; allowed: a line of names and rows of numbers."
        )
    return [*_commented(lines[: kept[0][0] - 1], kept[0][1]), *kept]


def _commented(above: Sequence[str], row: str) -> serial.Lines:
    """Names, and units below them, in comments right above the first row, as numpy writes them."""
    for separator in ("\t", ";", "|", ",", _SPACES):
        cells = _split(row, separator)
        found: serial.Lines = []
        for number in range(len(above), max(len(above) - MOST_HEADER, 0), -1):
            if not (mark := _COMMENT.match(above[number - 1])):
                break
            text = above[number - 1][mark.end() :].strip()
            if len(names := _split(text, separator)) == len(cells) > 1:
                found.insert(0, (number, text))
                units = all(map(_UNIT.fullmatch, names))
                if _values(cells) and not units and guess(names) != Columns():
                    return found
    return []


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if not packed:
            return stream.read()
        try:
            with gzip.open(stream) as unpacked:
                content = unpacked.read(LARGEST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: unreadable as .gz ({error}); copy it again.") from error
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{path}: holds more than {LARGEST_BYTES} bytes; allowed: less.")
    return content


def _decoded(path: Path, content: bytes) -> str:
    start = content[:4096]
    encoding = "utf-8-sig"
    if is_other(start):
        raise DataError(refusal(path))
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        encoding = "utf-32"
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as spreadsheets save "Unicode text"
        encoding = "utf-16"
    elif b"\0" in start:
        zeros = [start[place::2].count(0) / max(len(start[place::2]), 1) for place in (0, 1)]
        if max(zeros) < 0.9 or min(zeros) > 0.1:
            raise DataError(refusal(path))
        encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8-sig":
            return content.decode("latin-1")
        raise DataError(
            f"{path}: begins as {encoding.upper()[:6]} text and is not ({error}); allowed: UTF-8 "
            "or whole UTF-16. Save it again as UTF-8."
        ) from error


def _form(lines: list[str]) -> _Form:
    said = re.fullmatch(r'"?sep=(.|\\t)"?\s*', lines[0], re.IGNORECASE)
    begin = 1 if said else 0
    looked = lines[begin : begin + LOOKED]
    separator = said[1].replace("\\t", "\t") if said else _separator(looked)
    split = [_split(line, separator) for line in looked]
    widths = Counter(len(cells) for cells in split)
    width = max(widths, key=lambda size: (widths[size], size)) if widths else 1
    named = [bool(cells[0]) and not _is_value(cells[0]) for cells in split]
    if sum(named) > MOST_WORDS * len(named):  # of the rows, too
        named = [False] * len(named)
    begins = (i for i, word in enumerate(named) if not word and _begins(split[i : i + 10], width))
    first = next(begins, 1)  # names alone, or cells that are no numbers: told where they are read
    while first > 1 and _values(split[first - 1]) and not named[first - 1]:
        first -= 1  # a row of another width: told as such
    names, units = _names(split[:first], width)
    rows = [cell for cells in split[first:] for cell in cells]
    commas = any(_COMMA.fullmatch(cell) for cell in rows)
    points = any(_POINT.fullmatch(cell) for cell in rows)
    comma = separator != "," and commas and not points
    return _Form(separator, names, units, begin + first, comma)


def _separator(lines: list[str]) -> str:
    """What parts the cells: the same number of times in nearly every line."""
    rows = [line for line in lines if re.search(r"\d", line)][-50:] or lines
    usual = {one: Counter(line.count(one) for line in rows).most_common(1)[0] for one in "\t;|,"}
    parting = [one for one, (most, of) in usual.items() if most and of >= 0.8 * len(rows)]
    if parting:  # of two, the one between the names; the other parts the samples in a cell
        names = [line for line in lines if not _BEGINS_WITH_A_DIGIT.search(line)]
        best = min(
            parting, key=lambda one: usual[one][0] not in [line.count(one) for line in names]
        )
        # One number with a decimal comma a line is no row of two cells, whose names would stand
        # right above.
        first = next((i for i, x in enumerate(lines) if _NUMBER.fullmatch(x.strip())), 0)
        alone = best == "," and usual[best][0] == 1 and "," not in lines[max(first - 1, 0)]
        return ";" if alone and all(_NUMBER.fullmatch(x.strip()) for x in rows[1:]) else best
    if any(lines[0].count(separator) for separator in ";\t,"):
        return max(",;\t", key=lines[0].count)
    spaced = Counter(len(line.split()) for line in rows).most_common(1)[0]
    numbers = all(_NUMBER.fullmatch(cell) for line in rows[1:] for cell in line.split())
    return _SPACES if spaced[0] > 1 and numbers else ","


def _split(line: str, separator: str) -> list[str]:
    if separator == _SPACES:
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    except (csv.Error, StopIteration):
        return [line]


def _begins(rows: list[list[str]], width: int) -> bool:
    """Whether the first is a row of values of the usual width, and so are most of the others."""
    fine = [abs(len(cells) - width) <= 1 and _values(cells) for cells in rows]
    return fine[0] and sum(fine) > 0.6 * len(fine)


def _values(cells: list[str]) -> bool:
    """Whether a third of the cells are numbers or times."""
    known = [cell for cell in cells if cell]
    return sum(map(_is_value, known)) >= max(1, len(known) / 3) and not known[0].endswith("=")


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _TIME.fullmatch(cell))


def _names(above: list[list[str]], width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of the columns, from the lines above the rows."""
    header: list[list[str]] = []
    units = [""] * width
    keyed = {cells[0]: cells[1:] for cells in above if cells and cells[0].endswith("=")}
    if channels := [name for name in keyed.get("ChannelTitle=", []) if name]:  # LabChart
        time = ["time"] * (width - len(channels))
        units = [""] * len(time) + keyed.get("UnitName=", [])
        return tuple(time[:1] + channels), tuple(_wide(units, 1 + len(channels)))
    for cells in reversed(above[-MOST_HEADER:]):
        if abs(len(cells) - width) > 1:
            break
        known = [cell for cell in cells if cell]
        if known and above[0] is not cells and all(_UNIT.fullmatch(cell) for cell in known):
            if not all(re.fullmatch("raw|cal", cell, re.IGNORECASE) for cell in known):
                units = [_ENCLOSED.sub(r"\1", cell) for cell in _wide(cells, width)]
            continue
        if header and width == 1:
            break
        header.insert(0, _wide(cells, width))
    if not header:
        return tuple(str(place + 1) for place in range(width)), tuple(units)
    lines = [*map(_carried, header[:-1]), header[-1]]  # a group goes on until the next one begins
    joined, names = [_joined(parts) for parts in zip(*lines, strict=False)], header[-1]
    last = [cell for cell in names if cell]
    apart = len(set(last)) == len(last) >= width - 1
    short = len(header) > 1 and max(map(len, joined)) <= LONGEST_NAME
    if not apart or (short and guess(joined).ppg and not guess(names).ppg):
        names = joined
    units += [""] * (len(names) - len(units))
    for place, name in enumerate(names):
        told = _UNIT_IN_NAME.search(name)
        units[place] = units[place] or (told[1].strip() if told else "")
    return tuple(names), tuple(units)


def _wide(cells: list[str], width: int) -> list[str]:
    return (cells + [""] * width)[: max(width, len(cells) if cells[-1:] != [""] else width)]


def _carried(cells: list[str]) -> list[str]:
    found: list[str] = []
    for cell in cells:
        found.append(cell or (found[-1] if found else ""))
    return found


def _joined(parts: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(part for part in parts if part))
