"""The verb `calibrate`: an engine fitted to the user's own timings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.options import Text
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.tables import counted

if TYPE_CHECKING:
    from hwmodels.boards import Board
    from hwmodels.engines.engine import Engine
    from hwmodels.fit.calibrate import Calibration
    from hwmodels.fit.calibration_csv import Unit
    from ppgnas.task import Mode


@verb
def calibrate(
    measurements: Annotated[
        Text, typer.Argument(metavar="[CSV]", help="Timings of networks or of single layers.")
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=TIME", help="One measured network, such as m.tflite=12.3ms."),
    ] = None,
    out: Annotated[str, typer.Option(help="Engine file to write.")] = "my_engine.toml",
    board: options.BoardName = DEFAULT_BOARD,
    engine: options.EngineName = DEFAULT_ENGINE,
    plot: Annotated[
        Text, typer.Option(help="Parity plot to write; OUT with .html by default.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Fit an engine to timings of your board; its errors are of held-out points.

    \b
    ppgnas calibrate networks.csv --board stm32f767 --out my_engine.toml
    ppgnas calibrate layers.csv --board stm32f767 --engine tflm-cmsis-nn
    ppgnas calibrate --anchor model.tflite=12.3ms --board stm32f767
    ppgnas score model.tflite --board stm32f767 --engine my_engine.toml
    """
    from hwmodels.fit.calibrate import check_factor, render
    from nas.report.calibration import calibration_page
    from nas.run.target import load_target
    from ppgnas.errors import DataError
    from ppgnas.files import write_text_atomic

    if (measurements is None) == (not anchor):
        raise DataError(
            "calibrate needs either a CSV file of timings or --anchor MODEL=TIME, and not both; "
            "for example: ppgnas calibrate measurements.csv, or --anchor model.tflite=12.3ms"
        )
    path = Path(out)
    if path.suffix != ".toml":
        raise DataError(f"`out` is {out!r}; an engine file ends in .toml, such as my_engine.toml")
    target = load_target(board, engine)
    if measurements is not None:
        found, unit = _from_csv(Path(measurements), target.board, target.engine)
        source = f"{counted(len(found.names), 'timing')} of {Path(measurements).name}"
    else:
        found, unit = _from_anchors(anchor or [], target.board, target.engine), "ms"
        source = "anchored by " + ", ".join(anchor or [])
    caution = check_factor(found, target.board, target.engine, unit=unit)
    write_text_atomic(path, render(found, engine, name=path.stem, source=source))
    drawn = Path(plot) if plot is not None else path.with_suffix(".html")
    title = f"{path.stem}: {engine} on {target.board.name}"
    write_text_atomic(drawn, calibration_page(found, title))
    print_notes([caution] if caution else [])
    if as_json:
        emit(_document(found, target.board.name, engine, str(path), str(drawn), caution))
    else:
        print(f"{engine} on {target.board.name}: {counted(len(found.names), 'timing')}")
        print(_text(found))
        print(f"{path} written; parity plot: {drawn}")


def _from_csv(path: Path, board: Board, engine: Engine) -> tuple[Calibration, Unit]:
    from hwmodels.fit.calibrate import MIXED, from_layers, from_networks
    from hwmodels.fit.calibration_csv import LayerTiming, NetworkTiming, read_timings
    from nas.models.names import find_model
    from ppgnas.errors import DataError, PpgnasError

    timings = read_timings(path, clock_hz=board.clock_hz, part=board.part)
    unit: Unit = "cycles" if all(timing.unit == "cycles" for timing in timings) else "ms"
    layers = [timing for timing in timings if isinstance(timing, LayerTiming)]
    if layers:
        return from_layers(layers, board, engine), unit
    networks = [timing for timing in timings if isinstance(timing, NetworkTiming)]
    repeats: dict[tuple[str, Mode], list[NetworkTiming]] = {}
    for timing in networks:
        repeats.setdefault((timing.model, timing.mode), []).append(timing)
    graphs = []
    for (model, _), same in repeats.items():
        timing, *_ = same
        least, most = (end(same, key=lambda one: one.cycles) for end in (min, max))
        if most.cycles > MIXED * least.cycles:
            raise DataError(
                f"{path}: line {most.line} is {most.cycles / least.cycles:.3g} times line "
                f"{least.line}, and both are {model}; give all in one unit"
            )
        # What is named lies beside the CSV file, or is named as anywhere.
        run = model.rpartition(":")[0]
        beside = path.parent / model
        there = beside.exists() or (run and (path.parent / run).is_dir())
        try:
            graphs.append(find_model(str(beside) if there else model).graph)
        except PpgnasError as error:
            raise DataError(f"{path}: line {timing.line}, column model: {error}") from error
    found = from_networks(
        [model for model, _ in repeats],
        graphs,
        [median(timing.cycles for timing in same) for same in repeats.values()],
        board,
        engine,
        modes=[mode for _, mode in repeats],
    )
    return found, unit


def _from_anchors(anchors: list[str], board: Board, engine: Engine) -> Calibration:
    from hwmodels.fit.calibrate import from_networks
    from nas.models.names import find_model
    from nas.run.units import MILLISECONDS, parse
    from ppgnas.errors import DataError

    names, graphs, cycles = [], [], []
    for text in anchors:
        name, equals, time = text.rpartition("=")
        if not equals or not name:
            raise DataError(
                f"`anchor` is {text!r}; MODEL=TIME is expected, such as model.tflite=12.3ms"
            )
        latency_ms = parse(time, replace(MILLISECONDS, example=f"{name}=12.3ms"), name="anchor")
        names.append(name)
        graphs.append(find_model(name).graph)
        cycles.append(latency_ms * board.clock_hz / 1e3)
    return from_networks(names, graphs, cycles, board, engine)


def _document(
    found: Calibration, board: str, engine: str, out: str, plot: str, caution: str
) -> dict[str, object]:
    held_out = found.held_out
    return {
        "board": board,
        "engine": engine,
        "out": out,
        "plot": plot,
        "points": len(found.names),
        "scale": found.scale,
        "kernels": sorted(found.kernels),
        "interval": {"low": found.network.low, "high": found.network.high},
        "error_percent_before": 100 * found.before.mape,
        "held_out_error_percent": None if held_out is None else 100 * held_out.mape,
        "held_out_inside_90_percent": found.inside,
        "caution": caution or None,
    }


def _text(found: Calibration) -> str:
    held_out, inside = found.held_out, found.inside
    lines = [f"error before           {100 * found.before.mape:.2f} %"]
    if held_out is None or inside is None:
        lines.append(
            "error of held-out ones  not known from so few; the interval says what to expect"
        )
    else:
        lines += [
            f"error of held-out ones {100 * held_out.mape:.2f} %",
            f"  inside their 90 %    {100 * inside:.0f} %",
        ]
    lines += [
        f"factor                 {found.scale:.4g} on the engine's own cycles, "
        f"{median(found.before.measured / found.before.predicted):.4g} on its estimates here",
        f"interval of 90 %       {found.network.low:.3f} to {found.network.high:.3f} of the value",
    ]
    if found.kernels:
        lines.append(f"kernels of their own   {', '.join(sorted(found.kernels))}")
    return "\n".join(lines)
