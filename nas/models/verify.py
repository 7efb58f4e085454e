"""Does the C of a model compute what was evaluated, and what does it cost on the chip?

The C is built for this machine and for a Cortex-M7, which is emulated: instructions, stack, sizes
and outputs are exact for the image, cycles are those of a pipeline model (docs/emulation.md).
Nothing here was measured on a chip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.models.names import Model, ModelError
from ppgnas.errors import DataError, DependencyError, ExportError, RunError

if TYPE_CHECKING:
    from deploy.c.build import ModelFiles
    from deploy.emulation.emulate import EmulationResult, Emulator
    from deploy.integers.quantized import QuantizedNet
    from hwmodels.boards import Board
    from hwmodels.graph import Graph

Int8 = NDArray[np.int8]
ENGINE = "ppgnas-c"
_SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Windows:
    """What the files are compared on.

    Attributes:
        x: int8 `(windows, 1, time, channels)`.
        source: where it comes from, in words.
    """

    x: Int8
    source: str


@dataclass(frozen=True)
class Front:
    """The front end of a network: what `input_windows` wants to know."""

    rate_hz: int
    acceleration: bool


def windows_for(model: Model, net: QuantizedNet, *, data: str | None, limit: int) -> Windows:
    """Real windows where there are any: of `data`, else of the run's own recordings.

    Args:
        model, net: what will read them.
        data: a folder of recordings or `synthetic`; None for the run's own.
        limit: how many, spread over the recordings.

    Raises:
        DataError: the folder cannot be used.
        ModelError: `data` is given and the network does not read heart-rate windows.
    """
    try:
        front = Front(*model.front_end)
    except ModelError:
        if data is not None:
            raise
        shape = net.graph.shape(net.graph.input)
        rng = np.random.default_rng(0)
        noise = rng.integers(-128, 128, (limit, *shape[1:])).astype(np.int8)
        return Windows(noise, "noise (the input is no PPG window)")
    wanted = [data] if data is not None else _own_source(model)
    for source in wanted:
        try:
            return Windows(_cut(net, front, source, limit), source)
        except DataError:
            if data is not None:
                raise
    return Windows(_cut(net, front, _SYNTHETIC, limit), _SYNTHETIC)


def _own_source(model: Model) -> list[str]:
    if model.run is None:
        return []
    return [str(model.run.document()["data"]["source"])]


def _cut(net: QuantizedNet, front: Front, source: str, limit: int) -> Int8:
    from nas.run.people import read_source
    from ppg.synthetic.recordings import synthesize
    from ppg.windows import windows_of

    if source == _SYNTHETIC:
        recordings = synthesize(people=3, minutes=2.0, seed=1)
    else:
        recordings = read_source(source, seed=1)
    if front.acceleration:
        recordings = [r for r in recordings if r.acc is not None]
    if not recordings:
        raise DataError(f"{source}: no recording has acceleration, and this network reads it")
    # Enough recordings for the windows asked for, spread over all of them.
    few = max(1, min(len(recordings), limit))
    chosen = [recordings[i] for i in np.linspace(0, len(recordings) - 1, few).astype(int)]
    x = windows_of(chosen, rate_hz=front.rate_hz, acceleration=front.acceleration).x
    picked = x[np.linspace(0, len(x) - 1, min(limit, len(x))).astype(np.int64)]
    return net.quantize_input(picked)


def verify(
    model: Model, windows: Windows, *, board: Board, compiler: str | None = None
) -> dict[str, Any]:
    """Build, run and compare; the document of `ppgnas verify --json`.

    Args:
        model: a finalist, or a TFLite file that the C can compute.
        windows: at least one.
        board: which figures in time and energy are told for.
        compiler: `zig` or `gcc`; what is there unless given.

    Raises:
        ExportError: a layer that the C cannot compute, by name.
        DependencyError, ToolError: no compiler or emulator, or it fails.
    """
    from deploy.c.build import emulator_of, model_files
    from deploy.c.host import host_program
    from deploy.emulation.host import find_host_compiler
    from deploy.emulation.toolchain import find_compiler

    net = model.net()
    # Before anything is built: these say what is missing.
    cross, host = find_compiler(compiler), find_host_compiler()
    with tempfile.TemporaryDirectory(prefix="ppgnas-verify-") as name:
        own = model_files(net, Path(name))
        # Only what was written here runs on this machine; a stored file runs in emulation.
        program = host_program([own], Path(name), host, optimise="-O2", sanitize=False)
        on_host = program.run(0, net, windows.x)
        files, calls, stored = _files(model, net, own)
        emulator = emulator_of(net, files, cross)
        compared = _compare(model, net, windows.x, on_host, emulator)
        result, stack_bytes = compared.result, compared.stack_bytes
        linked = emulator.image.sizes_of("model")
    sram_bytes = linked.sram_bytes + files.scratch_bytes
    emulated = _emulated(result, board) | {
        "stack_bytes": stack_bytes,
        "flash_bytes": linked.flash_bytes,
        "sram_bytes": sram_bytes,
        "scratch_bytes": files.scratch_bytes,
        "core": "Cortex-M7 (emulated, not measured)",
        "compiler": f"{cross.name} {cross.version} -O2",
        "by_class": dict(result.by_class),
        "layers": by_layer(calls, result.by_function, result.cycles_by_function),
    }
    predicted, errors = _predicted(net.graph, board, emulated)
    return {
        "model": model.name,
        "board": board.name,
        "parity": {**compared.parity, "source": windows.source, "stored_c": stored},
        "emulated": emulated,
        "predicted": predicted,
        "error_percent": errors,
    }


def _files(
    model: Model, net: QuantizedNet, made: ModelFiles
) -> tuple[ModelFiles, Sequence[tuple[str, tuple[str, ...]]], bool]:
    """The finalist's own C where it has one, else new C; the calls; whether it is the own one."""
    from deploy.c.build import ModelFiles
    from deploy.c.host import defined
    from deploy.c.source import generate

    calls = generate(net).calls
    own = None if model.folder is None else model.folder / "model.c"
    if own is None or not own.is_file():
        return made, calls, False
    header = own.with_name("model.h")
    if not header.is_file():
        raise RunError(f"{header} is missing; run `ppgnas search` again")
    if own.read_bytes() != made.source.read_bytes():
        calls = ()  # made by another version: its functions have other names
    made.source.write_bytes(own.read_bytes())
    made.header.write_bytes(header.read_bytes())
    scratch = defined(header.read_text(encoding="utf-8"), "PPG_SCRATCH_BYTES")
    return ModelFiles(made.source, made.header, scratch), calls, True


@dataclass(frozen=True)
class _Compared:
    parity: dict[str, Any]
    result: EmulationResult
    stack_bytes: int


def _compare(
    model: Model, net: QuantizedNet, x: Int8, host: Int8, emulator: Emulator
) -> _Compared:
    from deploy import onnx_export
    from deploy.integers import reference
    from deploy.parity import max_lsb
    from deploy.tflite import micro as tflm_runtime
    from deploy.tflite import runtime as tflite_runtime
    from deploy.tflite import writer as tflite

    truth, by_c = reference.run(net, x), reference.run(net, x, rule="c")
    emulated = np.empty_like(by_c)
    results = []
    for index, window in enumerate(x):
        result = emulator.call(
            "ppg_run", {"ppg_input": window.tobytes()}, outputs={"ppg_logits": by_c[0].size}
        )
        emulated[index] = np.frombuffer(result.outputs["ppg_logits"], np.int8).reshape(
            by_c.shape[1:]
        )
        results.append(result)
    tflite_file = _content(model, "model.tflite")
    if tflite_file is None:
        tflite_file = tflite.write(net)
    onnx_file = _content(model, "model.onnx")
    if onnx_file is None:
        onnx_file = onnx_export.write(net)
    by_tflite = tflite_runtime.run(tflite_file, x).reshape(truth.shape)
    litert = reference.run(net, x, rule="litert")
    try:
        tflm: Int8 | None = tflm_runtime.run(tflite_file, x).reshape(truth.shape)
    except DependencyError:
        tflm = None
    parity = {
        "windows": len(x),
        "tflite_max_lsb": max_lsb(by_tflite, truth),
        "tflite_rule_differences": int((by_tflite != litert).sum()),
        "onnx_max_lsb": max_lsb(onnx_export.run(onnx_file, x).reshape(truth.shape), truth),
        "c_max_lsb": max(max_lsb(host, by_c), max_lsb(emulated, by_c)),
        "c_host_differences": int((host != by_c).sum()),
        "c_emulated_differences": int((emulated != by_c).sum()),
        "tflm_differences": None if tflm is None else int((tflm != truth).sum()),
        "rules_max_lsb": max_lsb(by_c, truth),
        "outputs": int(by_c.size),
    }
    return _Compared(parity, results[0], max(result.stack_bytes for result in results))


def _content(model: Model, name: str) -> bytes | None:
    """A stored file of the model; for a TFLite file, that file."""
    if model.file is not None:
        return Path(model.name).read_bytes() if name == "model.tflite" else None
    path = None if model.folder is None else model.folder / name
    return path.read_bytes() if path is not None and path.is_file() else None


def _emulated(result: EmulationResult, board: Board) -> dict[str, Any]:
    """Counts of one window, and what they come to on the board's clock and power."""
    board_cycles = result.cycles * board.core_ratio.value
    latency_ms = board_cycles * 1e3 / board.clock_hz
    return {
        "instructions": result.instructions,
        "cycles": round(result.cycles),
        "board_cycles": round(board_cycles),
        "latency_ms": latency_ms,
        "energy_mj": latency_ms * board.active_mw.value * 1e-3,
    }


def by_layer(
    calls: Sequence[tuple[str, tuple[str, ...]]],
    instructions: Mapping[str, int],
    cycles: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Counts of functions, told by the layers that they compute.

    Layers of one shape share a function, whose counts are split evenly between its calls. What is
    left (copying the input, the calls themselves) is the last row.

    Args:
        calls: `(function, layers)` in order, of `deploy.c.source.Source`.
        instructions, cycles: by function; `name.constprop.0` is gcc's copy of `name`.
    """
    counted, clocked = _whole(instructions), _whole(cycles)
    times = {name: sum(other == name for other, _ in calls) for name, _ in calls}
    rows = [
        {
            "layers": list(layers),
            "function": name,
            "shared_by": times[name],
            "instructions": round(counted.get(name, 0) / times[name]),
            "cycles": round(clocked.get(name, 0.0) / times[name]),
        }
        for name, layers in calls
    ]
    rows.append(
        {
            "layers": [],
            "function": "rest",
            "shared_by": 1,
            "instructions": round(sum(n for name, n in counted.items() if name not in times)),
            "cycles": round(sum(n for name, n in clocked.items() if name not in times)),
        }
    )
    return rows


def _whole(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts with the copies that a compiler makes of a function added to it."""
    found: dict[str, float] = {}
    for name, count in counts.items():
        base = name.split(".")[0]
        found[base] = found.get(base, 0) + count
    return found


def _predicted(
    graph: Graph, board: Board, emulated: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """What the engine says, and its relative errors in percent."""
    from hwmodels.engines.load import load_engine
    from hwmodels.scorecard import score

    card = score(graph, board, load_engine(ENGINE))
    predicted: dict[str, Any] = {
        "engine": ENGINE,
        "cycles": round(card.cycles.value),
        "latency_ms": card.latency_ms.value,
        "energy_mj": card.energy_mj.value,
        "flash_bytes": round(card.flash_bytes.value),
        "sram_bytes": round(card.sram_bytes.value),
        "in_calibrated_range": card.in_calibrated_range,
    }
    seen = {**emulated, "cycles": emulated["board_cycles"]}
    errors = {
        key: 100.0 * (predicted[key] / seen[key] - 1.0)
        for key in ("cycles", "latency_ms", "energy_mj", "flash_bytes", "sram_bytes")
    }
    return predicted, errors


def check(document: Mapping[str, Any]) -> None:
    """Refuse a model whose files do not compute what was evaluated.

    Raises:
        ExportError: says which file differs, and in how many outputs.
    """
    parity = document["parity"]
    found = [
        f"{what} differs from the integer reference in {parity[key]} of "
        f"{parity['outputs']} outputs"
        for what, key in (
            ("the C on this machine", "c_host_differences"),
            ("the C in emulation", "c_emulated_differences"),
            ("TFLite Micro", "tflm_differences"),
            ("the TFLite file in the interpreter", "tflite_rule_differences"),
        )
        if parity[key]
    ]
    if found:
        raise ExportError(
            f"{document['model']}: {'; '.join(found)} ({parity['windows']} windows). Do not ship "
            "these files: write them again with this version, and report it if they still differ"
        )
