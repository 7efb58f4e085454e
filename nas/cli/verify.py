"""The verb `verify`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.options import Text
from ppgnas.defaults import DEFAULT_BOARD
from ppgnas.tables import name_end, text_table

if TYPE_CHECKING:
    from nas.models.verify import Verification


@verb
def verify(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="RUN:ID (a finalist), or an int8 .tflite.")
    ],
    data: Annotated[
        Text, typer.Option(help="Folder of recordings, or synthetic; the run's own unless given.")
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="How many windows to compare.")] = 20,
    board: options.BoardName = DEFAULT_BOARD,
    compiler: Annotated[
        Text, typer.Option(help="zig or gcc; what is installed unless given.")
    ] = None,
    mode: options.ModelMode = None,
    as_json: options.AsJson = False,
) -> None:
    """Compile a model's C for a Cortex-M7, emulate it, compare bit for bit, count.

    \b
    ppgnas verify results/run:3
    ppgnas verify results/run:3 --data recordings/ --windows 100 --json
    ppgnas verify somebody.tflite --board stm32f746 --compiler zig
    ppgnas verify results/run:3 --mode streaming --data recordings/
    """
    from hwmodels.boards import load_board
    from nas.models.names import find_model
    from nas.models.verify import verify as run
    from nas.models.windows import compared_on
    from nas.run.windows import mode_of

    target = load_board(board)
    found = find_model(model)
    print_notes(() if found.file is None else found.file.notes)
    how = None if mode is None else mode_of(mode)
    chosen = compared_on(found, found.net(), data=data, limit=windows, mode=how)
    verified = run(found, chosen, board=target, compiler=compiler)
    if as_json:
        emit(verified.to_json())
    else:
        print(verify_text(verified))
    verified.check()


def verify_text(verified: Verification) -> str:
    """The figures for people."""
    from nas.run.units import format_bytes

    parity, emulated, predicted = verified.parity, verified.emulated, verified.predicted
    micro, litert = parity.tflm_differences, parity.tflite_rule_differences
    lsb = parity.tflite_max_lsb
    lacking = "not compared" if find_spec("tflite_micro") else "not installed"
    rows = [
        ("C on this machine, reference rule c", parity.c_host_differences, ""),
        ("C emulated, reference rule c", parity.c_emulated_differences, ""),
        *(
            [("its first reading, the window's", parity.first_window_differences, "")]
            if verified.mode == "streaming"
            else []
        ),
        ("TFLite file, LiteRT's rule", "not compared" if litert is None else litert, ""),
        ("TFLite Micro", lacking if micro is None else micro, ""),
        *([] if lsb is None else [("TFLite file, TFLM's rule", "", f"{lsb} LSB")]),
        ("ONNX file, TFLM's rule", "", f"{parity.onnx_max_lsb} LSB"),
        ("rule c, TFLM's rule", "", f"{parity.rules_max_lsb} LSB"),
    ]
    costs = [
        (label, f"{seen:{form}}", f"{said:{form}}", f"{verified.error_percent[key]:+.2f} %")
        for label, key, form, seen, said in (
            ("cycles", "cycles", "d", emulated.board_cycles, predicted.cycles),
            ("latency ms", "latency_ms", ".3f", emulated.latency_ms, predicted.latency_ms),
            ("energy mJ", "energy_mj", ".4f", emulated.energy_mj, predicted.energy_mj),
            ("flash B", "flash_bytes", "d", emulated.flash_bytes, predicted.flash_bytes),
            ("SRAM B", "sram_bytes", "d", emulated.sram_bytes, predicted.sram_bytes),
        )
    ]
    kept = f", kept between blocks {emulated.state_bytes} B" if emulated.state_bytes else ""
    classes = ", ".join(f"{name} {count}" for name, count in emulated.by_class.items() if count)
    layers = [
        (
            ", ".join(map(name_end, row.layers)) or row.function,
            row.instructions,
            row.cycles,
            row.shared_by,
        )
        for row in emulated.layers
    ]
    return (
        f"{verified.model} on {verified.board}; everything here is emulated, not measured\n"
        f"{parity.windows} {'windows' if verified.mode == 'window' else 'readings of one stream'} "
        f"({parity.source}), {parity.outputs} outputs; "
        f"C {'of the run' if parity.stored_c else 'generated now'}, "
        f"{emulated.compiler}\n\n"
        + text_table(("compared", "differences", "largest"), rows)
        + f"\n\n{emulated.instructions} instructions ({classes})\n"
        f"stack {emulated.stack_bytes} B at most, "
        f"scratch {format_bytes(emulated.scratch_bytes)}{kept}\n\n"
        + text_table((predicted.engine, "emulated", "predicted", "error"), costs)
        + "\n\n"
        + text_table(("layers", "instructions", "cycles", "calls share"), layers)
    )
