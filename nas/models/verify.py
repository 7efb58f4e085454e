"""Does the C of a model compute what was evaluated, and what does it cost on the chip?

The C is built for this machine and for a Cortex-M7, which is emulated: instructions, stack, sizes
and outputs are exact for the image, cycles are those of a pipeline model (docs/emulation.md).
Nothing here was measured on a chip.

C of a streaming network is pushed one recording block by block. Each reading must be that of one
long pass of the integer reference, the first also that of the window; the TFLite and ONNX files
hold the window's form and are compared on the windows of that recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.models.by_layer import LayerCount, by_layer
from nas.models.names import Model
from nas.models.windows import Int8, Windows
from ppgnas.errors import DependencyError, ExportError, RunError
from ppgnas.files import temporary_folder
from ppgnas.notebook import Shown
from ppgnas.task import Mode

if TYPE_CHECKING:
    from deploy.c.build import ModelFiles
    from deploy.integers.quantized import QuantizedNet
    from hwmodels.boards import Board
    from hwmodels.graph import Graph

ENGINE = "ppgnas-c"


@dataclass(frozen=True)
class Parity:
    """Outputs that differ between the files, the C and the integer reference.

    Attributes:
        c_host_differences, c_emulated_differences: outputs of the C on this machine and in
            emulation that are not those of the reference's rule `c`; streaming, of its long pass.
        first_window_differences: outputs of the first streamed reading that are not those of the
            window; None where nothing streams.
        tflite_rule_differences: of the TFLite file in the interpreter, against LiteRT's rule;
            None, as `tflite_max_lsb`, where its kernels have not all operators.
        tflm_differences: of TFLite Micro; None where it is not installed, has not all operators,
            or takes other sizes than tensors have (`TfliteModel.open_sizes`).
        tflite_max_lsb, onnx_max_lsb: largest differences to TFLM's rule.
        c_max_lsb: of the C to its own rule; `rules_max_lsb` of that rule to TFLM's.
        stored_c: whether the C is that of the run, or was generated now.
    """

    windows: int
    tflite_max_lsb: int | None
    tflite_rule_differences: int | None
    onnx_max_lsb: int
    c_max_lsb: int
    c_host_differences: int
    c_emulated_differences: int
    tflm_differences: int | None
    rules_max_lsb: int
    outputs: int
    source: str
    stored_c: bool
    first_window_differences: int | None = None


@dataclass(frozen=True)
class Emulated:
    """One reading in emulation, and what it comes to on the board's clock and power.

    `sram_bytes` are what is linked, the scratch buffer, and what a stream keeps (`state_bytes`).
    """

    instructions: int
    cycles: int
    board_cycles: int
    latency_ms: float
    energy_mj: float
    stack_bytes: int
    flash_bytes: int
    sram_bytes: int
    scratch_bytes: int
    state_bytes: int
    core: str
    compiler: str
    by_class: Mapping[str, int]
    layers: tuple[LayerCount, ...]


@dataclass(frozen=True)
class Predicted:
    """What the engine says of the same network."""

    engine: str
    cycles: int
    latency_ms: float
    energy_mj: float
    flash_bytes: int
    sram_bytes: int
    in_calibrated_range: bool


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """Whether the files of a model compute what was evaluated, and what the C costs.

    Attributes:
        mode: whether windows were read, or a stream.
        error_percent: of the prediction, by figure.
    """

    model: str
    board: str
    mode: Mode
    parity: Parity
    emulated: Emulated
    predicted: Predicted
    error_percent: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas verify --json`."""
        return asdict(self)

    @property
    def caption(self) -> str:
        """What was compared and counted; all of it emulated."""
        parity, emulated = self.parity, self.emulated
        return (
            f"{self.model} on {self.board}, emulated: {parity.c_emulated_differences} of "
            f"{parity.outputs} outputs differ; {emulated.instructions} instructions, "
            f"{emulated.latency_ms:.3f} ms"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a call of the generated C."""
        return [
            {**asdict(row), "layers": ", ".join(row.layers) or row.function}
            for row in self.emulated.layers
        ]

    def check(self) -> None:
        """Refuse a model whose files do not compute what was evaluated.

        Raises:
            ExportError: says which file differs, and in how many outputs.
        """
        parity = self.parity
        found = [
            f"{what} differs from the integer reference in {differences} of "
            f"{parity.outputs} outputs"
            for what, differences in (
                ("the C on this machine", parity.c_host_differences),
                ("the C in emulation", parity.c_emulated_differences),
                ("the long pass of the first window", parity.first_window_differences),
                ("TFLite Micro", parity.tflm_differences),
                ("the TFLite file in the interpreter", parity.tflite_rule_differences),
            )
            if differences
        ]
        if found:
            raise ExportError(
                f"{self.model}: {'; '.join(found)} ({parity.windows} windows). Do not ship these "
                "files: write them again with this version, and report it if they still differ"
            )


def verify(
    model: Model,
    windows: Windows,
    *,
    board: Board,
    compiler: str | None = None,
    emulate: int | None = None,
) -> Verification:
    """Build, run and compare.

    Args:
        model: a finalist, or a TFLite file that the C can compute.
        windows: at least one. Where they come with a signal (`nas.models.windows.stream_for`), the
            C streams.
        board: which figures in time and energy are told for.
        compiler: `zig` or `gcc`; what is there unless given.
        emulate: how many of the windows run in emulation; all unless given.

    Raises:
        ExportError: a layer that the C cannot compute, by name.
        GraphError: a network that cannot stream.
        DependencyError, ToolError: no compiler or emulator, or it fails.
    """
    from deploy.c.build import emulator_of, model_files
    from deploy.c.host import host_program
    from deploy.emulation.host import find_host_compiler
    from deploy.emulation.toolchain import find_compiler

    net = model.net()
    mode: Mode = "window" if windows.signal is None else "streaming"
    # Before anything is built: these say what is missing.
    cross, host = find_compiler(compiler), find_host_compiler()
    with temporary_folder() as folder:
        own = model_files(net, folder, mode=mode)
        # Only what was written here runs on this machine; a stored file runs in emulation.
        program = host_program([own], folder, host, optimise="-O2", sanitize=False)
        if windows.signal is None:
            on_host = program.run(0, net, windows.x)
            parts = windows.x[:emulate]
        else:
            on_host = program.stream(0, net, windows.signal)
            before = net.graph.task.blocks - 1
            parts = windows.signal.reshape(len(windows.x) + before, -1)
            parts = parts if emulate is None else parts[: emulate + before]
        files, calls, stored = _files(model, net, own, mode)
        emulator = emulator_of(net, files, cross)
        if mode == "streaming":
            emulator.call("ppg_start")
        results = [
            emulator.call(
                "ppg_run", {"ppg_input": part.tobytes()}, outputs={"ppg_logits": on_host[0].size}
            )
            for part in parts
        ]
        results = results[net.graph.task.blocks - 1 :] if mode == "streaming" else results
        linked = emulator.image.sizes_of("model")
    logits = b"".join(result.outputs["ppg_logits"] for result in results)
    in_emulation = np.frombuffer(logits, np.int8).reshape(len(results), *on_host.shape[1:])
    parity = _compare(model, net, windows, on_host, in_emulation, stored=stored)
    result = results[0]
    board_cycles = result.cycles * board.core_ratio.value
    latency_ms = board_cycles * 1e3 / board.clock_hz
    emulated = Emulated(
        instructions=result.instructions,
        cycles=round(result.cycles),
        board_cycles=round(board_cycles),
        latency_ms=latency_ms,
        energy_mj=latency_ms * board.active_mw.value * 1e-3,
        stack_bytes=max(result.stack_bytes for result in results),
        flash_bytes=linked.flash_bytes,
        sram_bytes=linked.sram_bytes + files.scratch_bytes + files.state_bytes,
        scratch_bytes=files.scratch_bytes,
        state_bytes=files.state_bytes,
        core="Cortex-M7 (emulated, not measured)",
        compiler=f"{cross.name} {cross.version} -O2",
        by_class=dict(result.by_class),
        layers=by_layer(calls, result.by_function, result.cycles_by_function),
    )
    predicted = _predicted(net.graph, board, mode)
    return Verification(
        model.name, board.name, mode, parity, emulated, predicted, _errors(predicted, emulated)
    )


def _files(
    model: Model, net: QuantizedNet, made: ModelFiles, mode: Mode
) -> tuple[ModelFiles, Sequence[tuple[str, tuple[str, ...]]], bool]:
    """The finalist's own C where it has one, else new C; the calls; whether it is the own one."""
    from deploy.c.host import defined
    from deploy.c.source import generate

    calls = generate(net, mode=mode).calls
    own = None if model.folder is None or mode != model.mode else model.folder / "model.c"
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
    return replace(made, scratch_bytes=scratch), calls, True


def _compare(
    model: Model, net: QuantizedNet, windows: Windows, host: Int8, emulated: Int8, *, stored: bool
) -> Parity:
    """Files and C against the reference; `emulated` are the outputs of the first windows."""
    from deploy import onnx_export
    from deploy.apart import apart
    from deploy.integers import reference, streaming
    from deploy.parity import max_lsb
    from deploy.tflite import micro as tflm_runtime
    from deploy.tflite import runtime as tflite_runtime
    from deploy.tflite import writer as tflite

    x = windows.x
    truth, by_c = reference.run(net, x), reference.run(net, x, rule="c")
    first, rules_max_lsb = None, max_lsb(by_c, truth)
    if windows.signal is not None:
        window, by_c = by_c[0].ravel(), streaming.long_pass(net, windows.signal)
        first = int((by_c[0] != window).sum())
    few_by_c = by_c[: len(emulated)]
    tflite_file = _content(model, net, "model.tflite", tflite.write)
    onnx_file = _content(model, net, "model.onnx", onnx_export.write)
    tflite_max_lsb = rule_differences = tflm_differences = None
    with apart() as there:
        if tflite_runtime.NOT_COMPUTED.isdisjoint(layer.op for layer in net.graph.layers):
            with suppress(tflite_runtime.MissingOperatorError):
                by_tflite = there(tflite_runtime.run, tflite_file, x).reshape(truth.shape)
                tflite_max_lsb = max_lsb(by_tflite, truth)
                rule_differences = int((by_tflite != reference.run(net, x, rule="litert")).sum())
        by_onnx = there(onnx_export.run, onnx_file, x).reshape(truth.shape)
        if model.file is None or not model.file.open_sizes:
            with suppress(DependencyError, ExportError):  # not installed, or lacks an operator
                by_tflm = there(tflm_runtime.run, tflite_file, x).reshape(truth.shape)
                tflm_differences = int((by_tflm != truth).sum())
    return Parity(
        windows=len(x),
        tflite_max_lsb=tflite_max_lsb,
        tflite_rule_differences=rule_differences,
        onnx_max_lsb=max_lsb(by_onnx, truth),
        c_max_lsb=max(max_lsb(host, by_c), max_lsb(emulated, few_by_c)),
        c_host_differences=int((host != by_c).sum()),
        c_emulated_differences=int((emulated != few_by_c).sum()),
        tflm_differences=tflm_differences,
        rules_max_lsb=rules_max_lsb,
        outputs=int(by_c.size),
        source=windows.source,
        stored_c=stored,
        first_window_differences=first,
    )


def _content(
    model: Model, net: QuantizedNet, name: str, write: Callable[[QuantizedNet], bytes]
) -> bytes:
    """A stored file of the model, else a new one; for a TFLite file, that file."""
    if model.file is not None and name == "model.tflite":
        from deploy.tflite.reader import without_ends

        return without_ends(Path(model.name).read_bytes())
    path = None if model.folder is None else model.folder / name
    return path.read_bytes() if path is not None and path.is_file() else write(net)


def _predicted(graph: Graph, board: Board, mode: Mode) -> Predicted:
    from hwmodels.engines.load import load_engine
    from hwmodels.scorecard import score

    card = score(graph, board, load_engine(ENGINE), mode=mode)
    return Predicted(
        engine=ENGINE,
        cycles=round(card.cycles.value),
        latency_ms=card.latency_ms.value,
        energy_mj=card.energy_mj.value,
        flash_bytes=round(card.flash_bytes.value),
        sram_bytes=round(card.sram_bytes.value),
        in_calibrated_range=card.in_calibrated_range,
    )


def _errors(predicted: Predicted, emulated: Emulated) -> dict[str, float]:
    """Relative errors of the prediction in percent."""
    pairs = {"cycles": (predicted.cycles, emulated.board_cycles)}
    pairs |= {
        key: (getattr(predicted, key), getattr(emulated, key))
        for key in ("latency_ms", "energy_mj", "flash_bytes", "sram_bytes")
    }
    return {key: 100.0 * (said / seen - 1.0) for key, (said, seen) in pairs.items()}
