"""The verb `boards list`."""

from __future__ import annotations

from nas.cli.common import emit, verb
from nas.cli.options import AsJson
from ppgnas.tables import text_table


@verb
def list_boards(as_json: AsJson = False) -> None:
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
