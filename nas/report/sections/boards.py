"""The finalists on every board that a search was for."""

from __future__ import annotations

from nas.report.boards import boards_of, sentences_of, table_of
from nas.report.loading import RunData
from nas.report.page import Section, section
from nas.run.folder import RunDir


def boards_section(run: RunData) -> Section | None:
    """A table of all boards; left out of a search for one."""
    if not (run.document.config.also and run.finalists):
        return None
    found = boards_of(RunDir(run.path))
    heads, rows = table_of(found)
    return section(
        "report/boards.html",
        "All boards",
        heads=heads,
        rows=rows,
        sentences=sentences_of(found),
        first=run.board,
    )
