"""The verb `boards check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson


@verb
def check_board(
    file: Annotated[str, typer.Argument(help="Path of a .toml file.")],
    as_json: AsJson = False,
) -> None:
    """Check a board file: every figure, its unit, its bounds and its source.

    \b
    ppgnas boards check my_board.toml
    """
    from hwmodels.boards import read_board

    board = read_board(Path(file))
    if as_json:
        emit({"ok": True, **board.to_json()})
        return
    print(f"{file}: {board.part} is complete, {len(board.sources)} figures")
    if board.assumptions:
        print(f"without a source, so with wide bounds: {', '.join(board.assumptions)}")
