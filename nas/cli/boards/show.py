"""The verb `boards show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson

if TYPE_CHECKING:
    from hwmodels.boards import Board
    from hwmodels.estimate import Estimate


@verb
def show_board(
    board: Annotated[str, typer.Argument(help="Name, or path of a .toml file.")],
    as_json: AsJson = False,
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
