"""Tables of plain text: columns for a terminal, Markdown for a page.

The first column is left-aligned, the others right-aligned.
"""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; cells pass `markdown_cell`."""
    lines = [" | ".join(map(markdown_cell, row)) for row in (header, *rows)]
    lines = [f"| {line} |" for line in lines]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(header) - 1), *lines[1:]])


def markdown_cell(value: object) -> str:
    """A text as it can stand in a table and everywhere else in Markdown: one line, no markup."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
