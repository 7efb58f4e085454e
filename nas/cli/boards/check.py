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
    from hwmodels.engines.load import engines_for, known_cores

    board = read_board(Path(file))
    engines = engines_for(board)
    if as_json:
        emit({"ok": True, "engines": engines, **board.to_json()})
        return
    print(f"{file}: {board.part} is complete, {len(board.sources)} figures")
    if board.assumptions:
        print(f"without a source, so with wide bounds: {', '.join(board.assumptions)}")
    print(
        f"engines that know it: {', '.join(engines)}"
        if engines
        else f"no engine knows the core {board.core!r}, so nothing can be costed on it; known "
        f"cores: {', '.join(known_cores())}"
    )
