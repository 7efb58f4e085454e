"""The verb `score`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, note_idle, print_notes, verb
from nas.cli.options import Text
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.tables import name_end, text_table

if TYPE_CHECKING:
    from hwmodels.boards import Board
    from hwmodels.estimate import Estimate
    from hwmodels.power import ClockChoice
    from hwmodels.scorecard import Scorecard


@verb
def score(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="RUN:ID (a finalist), a .tflite, an arch.json, a graph.json or published:NAME.",
        ),
    ],
    board: options.BoardName = DEFAULT_BOARD,
    engine: options.EngineName = DEFAULT_ENGINE,
    rate: options.Rate = None,
    latency: Annotated[
        Text, typer.Option(help="Longest latency, for the suggested clock; or the period.")
    ] = None,
    mode: options.ModelMode = None,
    window: options.Window = None,
    stride: options.Stride = None,
    bpm: options.Bpm = None,
    budget_scope: options.BudgetScope = None,
    ppg_hz: options.PpgHz = None,
    acc_hz: options.AccHz = None,
    ppg_channels: options.PpgChannels = None,
    smoothing: options.PathSmoothing = None,
    ppg_sensor: options.PpgSensor = None,
    accelerometer: options.Accelerometer = None,
    as_json: options.AsJson = False,
) -> None:
    """Latency, flash, SRAM and power of a model, layer by layer; no weights needed.

    One line, path, is what stands around it on the device: front end, decoder and smoother. It
    counts in the sums unless --budget-scope says otherwise.

    \b
    ppgnas score results/run:1 --board nrf5340
    ppgnas score results/run:1 --ppg-hz 64 --acc-hz 32 --accelerometer 12uW
    ppgnas score somebody.tflite --board stm32u575 --json
    ppgnas score published:tiny --mode streaming
    ppgnas score published:tiny --window 4s --stride 1s
    """
    given = {name: value for name, value in locals().items() if value is not None}
    from hwmodels.path import USUAL, shape_of
    from hwmodels.power import best_clock
    from nas.models.names import find_model
    from nas.run.config import SCOPES, check_choice
    from nas.run.target import AROUND, load_target, take_surroundings
    from nas.run.units import parse_ms
    from nas.run.windows import mode_of, take_windows

    budget_ms = None if latency is None else parse_ms(latency, name="latency")
    stored = find_model(model)
    found = stored.reading(take_windows(given))
    task = found.graph.task
    print_notes(() if found.file is None else found.file.notes)
    how = stored.mode if mode is None else mode_of(mode)
    if stored.folder is not None and (found.folder is None or how != stored.mode):
        own, now = f"{stored.graph.task}, mode {stored.mode}", f"{task}, mode {how}"
        print_notes([f"{model} was trained with {own}; these are costs with {now}"])
    period_s = float(task.stride_s) if rate is None else parse_ms(rate, name="rate") / 1000
    path = shape_of(found.graph, USUAL)
    around = {name: given[name] for name in AROUND if name in given}
    if path is None:
        note_idle(f"{model} does not read whole windows of PPG for heart rates", **around)
    elif not path.acc_hz:
        note_idle(f"{model} reads PPG alone", acc_hz=acc_hz, accelerometer=accelerometer)
    target = load_target(
        board,
        engine,
        period_s=period_s,
        mode=how,
        around=take_surroundings(around),
        path_counts=check_choice("budget_scope", budget_scope or "total", SCOPES) == "total",
        task=task,
    )
    card = target.score(found.graph, file_bytes=found.file_bytes, held=found.held)
    print_notes(target.engine.caution(target.board))
    allowed_ms = 1e3 * period_s if budget_ms is None else budget_ms
    clock = best_clock(target.board, card.all_cycles, period_s=period_s, budget_ms=allowed_ms)
    if as_json:
        room = {name.lower(): row for name, row in card.room.items()}
        emit({**card.to_json(), "room": room, "clock": clock and asdict(clock)})
        return
    print(scorecard_text(card))
    print(f"\n{_placement_text(target.board, round(card.sram_bytes.high))}")
    print(_clock_text(target.board, clock, allowed_ms))


def _placement_text(board: Board, sram_bytes: int) -> str:
    """The first region of memory, in the order of the board's file, that holds it all."""
    from nas.run.units import format_bytes

    need = f"{format_bytes(sram_bytes)} (high end)"
    if not board.memories:
        return f"SRAM placement: {board.name} has no regions on file; {need} of " + format_bytes(
            board.sram_bytes
        )
    for region, size in board.memories.items():
        if region != "itcm" and sram_bytes <= size:  # instructions only
            return f"SRAM placement: {need} lie in {region} ({format_bytes(size)})"
    return f"SRAM placement: no single region of {board.name} holds {need}"


def _clock_text(board: Board, clock: ClockChoice | None, allowed_ms: float) -> str:
    """The clock of least average power that meets the latency."""
    if clock is None:
        return f"no clock of {board.name} meets {allowed_ms:g} ms"
    return (
        f"clock of least power within {allowed_ms:g} ms: {clock.clock_hz / 1e6:g} MHz, "
        f"{clock.latency_ms.value:.3g} ms, {clock.power_mw.value:.3g} mW without sensors"
    )


def _path_text(card: Scorecard) -> str:
    """The line of what stands around the network, and of the sensors."""
    from nas.run.units import format_bytes

    path = card.path
    if path is None:
        return "path     none: the model does not read whole windows of PPG for heart rates\n"
    shape, whole = path.shape, sum(path.parts.values())
    parts = ", ".join(f"{name} {cycles / whole:.0%}" for name, cycles in path.parts.items())
    acc = f", acceleration at {shape.acc_hz:g} Hz" if shape.acc_hz else ""
    acc_mw = f", accelerometer {path.accelerometer_mw.value:.3g}" if shape.acc_hz else ""
    sensors = path.sensors_mw
    return (
        f"path     {path.latency_ms.value:.3g} ms ({path.latency_ms.low:.3g} to "
        f"{path.latency_ms.high:.3g}), {path.energy_mj.value:.3g} mJ "
        f"({path.energy_mj.low:.3g} to {path.energy_mj.high:.3g}), flash "
        f"{format_bytes(round(path.flash_bytes.value))}, SRAM "
        f"{format_bytes(round(card.path_sram_bytes))}"
        f"{' of these' if card.path_counts else ', not counted in these'}: {parts}; "
        f"{shape.ppg_channels} PPG at {shape.ppg_hz:g} Hz{acc}, smoothing {shape.smoothing}\n"
        f"sensors  {sensors.value:.3g} mW ({sensors.low:.3g} to {sensors.high:.3g}): PPG "
        f"{path.ppg_mw.value:.3g}{acc_mw}{'' if card.path_counts else ', not counted'}\n"
    )


def scorecard_text(card: Scorecard) -> str:
    """A scorecard as a table."""
    from nas.run.units import format_bytes

    def spread(estimate: Estimate, unit: str) -> str:
        return f"{estimate.value:.3g} {unit} ({estimate.low:.3g} to {estimate.high:.3g})"

    def size(estimate: Estimate, **parts: float) -> str:
        value, low, high = (
            format_bytes(round(one)) for one in (estimate.value, estimate.low, estimate.high)
        )
        split = ", ".join(f"{name} {format_bytes(round(part))}" for name, part in parts.items())
        return f"{value} ({low} to {high}): {split}"

    counted = card.path if card.path_counts else None
    flash = size(
        card.flash_bytes,
        weights=card.flash_weights_bytes,
        code=card.flash_code_bytes,
        runtime=card.flash_runtime_bytes,
        **({"path": counted.flash_bytes.value} if counted else {}),
    )
    sram = size(
        card.sram_bytes,
        arena=card.arena_bytes,
        runtime=card.sram_runtime_bytes,
        **({"path": card.path_sram_bytes} if counted else {}),
    )
    sums = "network and sleep" if counted is None else "network, path, sleep and sensors"
    outside = "\nOutside of what the cost model was fitted on: expect a larger error."
    rows = [
        (
            name_end(row.name),
            row.op,
            row.macs,
            round(row.cycles.value),
            row.weight_bytes,
            row.live_bytes,
        )
        for row in card.layers
    ]
    return (
        f"{card.board} with {card.engine}; value (low to high)\n"
        f"latency  {spread(card.latency_ms, 'ms')}\n"
        f"flash    {flash}\n"
        f"SRAM     {sram}, fullest in {name_end(card.peak_layer)}\n"
        f"energy   {spread(card.energy_mj, 'mJ')} a reading, sleep and sensors not counted\n"
        f"{_path_text(card)}"
        f"sleep    {spread(card.sleep_mw, 'mW')} between readings, whatever the network\n"
        f"power    {spread(card.power_mw, 'mW')} on average of {sums}: what budgets count\n"
        f"fit      {card.fit}"
        f"{'' if card.in_calibrated_range else outside}\n\n"
        + text_table(("layer", "op", "MACs", "cycles", "weight B", "live B"), rows)
    )
