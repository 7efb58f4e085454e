"""The verb `boards show`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, verb
from ppgnas.tables import text_table

if TYPE_CHECKING:
    from hwmodels.boards import Board
    from hwmodels.estimate import Estimate


@verb
def show_board(
    board: Annotated[str, typer.Argument(metavar="BOARD", help="Name, or a .toml file.")],
    as_json: options.AsJson = False,
) -> None:
    """Figures of a board and where each comes from.

    \b
    ppgnas boards show stm32h743
    ppgnas boards show my_board.toml --json
    """
    from hwmodels.boards import load_board

    found = load_board(board)
    if as_json:
        emit(found.to_json())
        return
    print(board_text(found))


def board_text(board: Board) -> str:
    """Figures and sources of a board as lines of text."""
    from nas.run.units import format_bytes

    def spread(figure: Estimate) -> str:
        return f"{figure.value:g} ({figure.low:g} to {figure.high:g})"

    lines = [
        f"{board.name}: {board.part}, {board.core} at {board.clock_hz / 1e6:g} MHz",
        f"flash        {format_bytes(board.flash_bytes)}",
        f"SRAM         {format_bytes(board.sram_bytes)}",
    ]
    lines += [f"  {name:<10} {format_bytes(n)}" for name, n in board.memories.items()]
    sizes = board.instruction_cache_bytes, board.data_cache_bytes
    caches = [format_bytes(size) for size in sizes if size is not None]
    if len(caches) == 2:
        lines.append(f"caches       {' + '.join(caches)}")
    if board.flash_wait_states is not None:
        lines.append(f"wait states  {board.flash_wait_states}")
    lines += [
        f"core ratio   {spread(board.core_ratio)} x Cortex-M7",
        f"active       {spread(board.active_mw)} mW",
    ]
    lines += [
        f"  {setting.clock_hz / 1e6:g} MHz".ljust(13) + f"{spread(setting.active_mw)} mW"
        for setting in board.clocks
    ]
    lines.append(f"sleep        {spread(board.sleep_mw)} mW")
    lines += [f"  {name}: {spread(mw)} mW" for name, mw in board.sleep_states.items()]
    lines += ["", "Sources"]
    lines += [f"{key:<24} {value}" for key, value in board.sources.items()]
    return "\n".join(lines)


@verb
def check_board(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Path of a .toml file.")],
    as_json: options.AsJson = False,
) -> None:
    """Check a board file: every figure, its unit, its bounds and its source.

    \b
    ppgnas boards check my_board.toml
    """
    from hwmodels.boards import board_names, load_board, read_board, unfilled
    from hwmodels.engines.engine import NEAREST_CORE
    from hwmodels.engines.load import engines_for, known_cores

    board = read_board(Path(file))
    engines, left = engines_for(board), unfilled(Path(file))
    if as_json:
        emit({"ok": True, "engines": engines, "unfilled": left, **board.to_json()})
        return
    print(
        f"{file}: {board.part} can be read, but {', '.join(left)} {'are' if left[1:] else 'is'} "
        "still the template's: fill in the part's, with their sources"
        if left
        else f"{file}: {board.part} is complete, {len(board.sources)} figures"
    )
    if board.assumptions:
        print(f"without a source, so with wide bounds: {', '.join(board.assumptions)}")
    known = map(load_board, board_names())
    like = [one.core_ratio for one in known if one.core == board.core]
    low, high = min((x.low for x in like), default=0), max((x.high for x in like), default=0)
    if like and not low <= board.core_ratio.value <= high:
        print(
            f"core_ratio is {board.core_ratio.value:g}; the boards with a {board.core} that come "
            f"with ppgnas have {low:g} to {high:g}: is it the cycles over those of a Cortex-M7?"
        )
    print(
        f"engines that know it: {', '.join(engines)}"
        if engines
        else f"no engine knows the core {board.core!r}, so nothing can be costed on it; known "
        f"cores: {', '.join(known_cores())}. {NEAREST_CORE}"
    )


@verb
def list_boards(as_json: options.AsJson = False) -> None:
    """Names of the boards that come with ppgnas.

    \b
    ppgnas boards list
    """
    from hwmodels.boards import board_names, load_board
    from nas.run.units import format_bytes

    found = [load_board(name) for name in board_names()]
    if as_json:
        emit({"boards": [board.to_json() for board in found]})
        return
    rows = [
        (
            board.name,
            board.core,
            f"{board.clock_hz / 1e6:.0f} MHz",
            format_bytes(board.flash_bytes),
            format_bytes(board.sram_bytes),
        )
        for board in found
    ]
    print(text_table(("board", "core", "clock", "flash", "SRAM"), rows))


@verb
def new_board(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the part; NAME.toml is written.")
    ],
    as_json: options.AsJson = False,
) -> None:
    """Write a commented board file to fill in.

    \b
    ppgnas boards new stm32g474
    """
    from hwmodels.boards import board_names, template
    from ppgnas.errors import BoardError
    from ppgnas.files import write_text_atomic

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name.removesuffix(".toml")):
        raise BoardError(
            f"{name!r} is no name of a part; use up to 64 of a-z, 0-9, - and _, for example "
            "stm32g474. The file is written to the working folder"
        )
    path = Path(name if name.endswith(".toml") else f"{name.lower()}.toml")
    if path.exists():
        raise BoardError(f"{path} exists; choose another name, or remove the file")
    write_text_atomic(path, template(path.stem))
    if as_json:
        emit({"path": str(path)})
        return
    if path.stem.lower() in board_names():
        print(
            f"{path} written, a copy of the board that comes with ppgnas: --board {path} is this "
            f"file, --board {path.stem} stays that one"
        )
    else:
        print(f"{path} written; fill it in, then: ppgnas boards check {path}")
