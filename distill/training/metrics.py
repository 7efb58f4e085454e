"""The course of a training as a CSV file, written while it trains.

A training that goes on from its checkpoint drops the rows after it, and writes them again: every
column but `seconds` is then what one without a break would have. Where the loss is
a sum of terms by name, each has a column. What search people read where a training pauses, and at
its end, stands in a file beside it: that is known anyway, and chooses elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, SupportsFloat

from ppgnas.files import write_text_atomic
from ppgnas.tables import csv_table

COLUMNS = ("step", "seconds", "loss", "learning_rate")
SEARCH_COLUMNS = ("step", "arithmetic", "mae_bpm")
SEARCH = "-search.csv"
EVERY = 10  # steps from one row to the next


class Write(Protocol):
    """Adds a row."""

    def __call__(
        self, step: int, *, loss: float, rate: float, terms: Mapping[str, SupportsFloat]
    ) -> None:
        """Of a step that is done; most steps have no row. Names of terms are always the same."""


@contextmanager
def metrics(path: Path | None, *, done: int, steps: int) -> Iterator[Write]:
    """What writes the rows of one training.

    Args:
        path: of the file, whose folder is made; None writes nothing.
        done: steps of the checkpoint that the training goes on from.
        steps: of the whole training; the last one has a row.
    """
    if path is None:
        yield lambda step, *, loss, rate, terms: None
        return
    kept = [row for row in rows_of(path) if int(row["step"]) <= done] if done else []
    before_s = float(kept[-1]["seconds"]) if kept else 0.0
    names = [*kept[0]][len(COLUMNS) :] if kept else None
    write_text_atomic(path, csv_table([*COLUMNS, *(names or ())], kept))
    began_s = time.monotonic() - before_s
    with path.open("a", encoding="utf-8") as file:

        def write(
            step: int, *, loss: float, rate: float, terms: Mapping[str, SupportsFloat]
        ) -> None:
            nonlocal names
            if step % EVERY != 0 and step != steps:
                return
            if names is None:  # the first row knows them
                names = [*terms]
                file.truncate(0)
                file.write(csv_table([*COLUMNS, *names], []))
            figures = (loss, rate, *(float(terms[name]) for name in names))
            seconds = time.monotonic() - began_s
            cells = [f"{step}", f"{seconds:.2f}", *(f"{each:.6g}" for each in figures)]
            file.write(",".join(cells) + "\n")
            file.flush()

        yield write


def note_search(
    log: Path | None, step: int, *, arithmetic: Literal["float", "int8"], mae_bpm: float
) -> None:
    """Keep the error on search people after a step; what a kill left of later steps goes.

    Args:
        log: how the files of the training begin, or None for none.
        mae_bpm: raw, the mean over people.
    """
    if log is not None:
        path = log.with_name(f"{log.name}{SEARCH}")
        before = [row for row in search_rows(path) if int(row["step"]) < step]
        row = {"step": step, "arithmetic": arithmetic, "mae_bpm": f"{mae_bpm:.4f}"}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(path, csv_table(SEARCH_COLUMNS, [*before, row]))


def search_rows(path: Path) -> list[dict[str, str]]:
    """What `note_search` kept, without what is no row; nothing where there is no such file."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [dict(zip(SEARCH_COLUMNS, line.split(","), strict=False)) for line in lines[1:]]
    return [row for row in rows if _is_row([row["step"], row.get("mae_bpm", "")], 2)]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Whole rows of a file: of a kill the last one may be half, and what is no row is left out."""
    if not path.exists():
        return []
    content = path.read_text(encoding="utf-8", errors="replace")
    lines = content[: content.rfind("\n") + 1].splitlines()
    header, *cells = [line.split(",") for line in lines] or [[]]
    columns = header if tuple(header[: len(COLUMNS)]) == COLUMNS else COLUMNS
    return [dict(zip(columns, row, strict=True)) for row in cells if _is_row(row, len(columns))]


def _is_row(cells: Sequence[str], columns: int) -> bool:
    try:
        numbers = [int(cells[0]), *map(float, cells[1:])]
    except ValueError:
        return False
    return len(numbers) == columns and 0 <= numbers[0] < 1 << 63
