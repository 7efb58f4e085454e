"""Tables: columns for a terminal, CSV, Markdown for a page, HTML for a notebook.

The first column is left-aligned, the others right-aligned. Sentences have counts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ppgnas.parsing import printable

LONGEST_NAME = 48


def name_end(name: str) -> str:
    """A layer's name, of a long one its end: converters put the path of its module in front."""
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell."""
    cells = [[printable(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def csv_table(
    header: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, object]]
) -> str:
    """Comma-separated values; of a mapping the values of the header's keys, empty where None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([row.get(key) for key in header] if isinstance(row, Mapping) else row)
    return text.getvalue()


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; cells pass `markdown_cell`."""
    lines = [" | ".join(map(markdown_cell, row)) for row in (header, *rows)]
    lines = [f"| {line} |" for line in lines]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(header) - 1), *lines[1:]])


def markdown_cell(value: object) -> str:
    """A text as it can stand in a table and everywhere else in Markdown: one line, no markup."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def html_table(header: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str) -> str:
    """A bare table of HTML; every text is escaped.

    >>> html_table(["a"], [["<b>"]], caption="of one")
    '<table><caption>of one</caption><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """

    def line(tag: str, cells: Sequence[object]) -> str:
        inside = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inside}</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><caption>{escape(caption)}</caption>{line('th', header)}{body}</table>"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with what is counted; `many` adds an s unless given, and may hold the verb.

    >>> counted(1, "person", "people"), counted(1200, "window")
    ('1 person', '1,200 windows')
    >>> counted(1, "recording has", "recordings have")
    '1 recording has'
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
