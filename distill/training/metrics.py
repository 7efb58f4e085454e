"""The course of a training as a CSV file, written while it trains.

A training that goes on from its checkpoint drops the rows after it, and writes them again: every
column but `seconds` is then what one without a break would have. Where the loss is
a sum of terms by name, each has a column.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, SupportsFloat

from ppgnas.files import write_text_atomic
from ppgnas.tables import csv_table

COLUMNS = ("step", "seconds", "loss", "learning_rate")
EVERY = 10
"""Steps from one row to the next."""


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
