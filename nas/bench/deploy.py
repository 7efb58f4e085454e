"""`ppgnas bench deploy`: do the files compute what was evaluated, and what do they cost?

Random networks of a space and, if a run is given, its finalists are written as TFLite and as C.
The C runs on the host and on an emulated Cortex-M7. Every comparison is over all outputs of all
windows. Emulated, not measured.
"""

from __future__ import annotations

import ctypes
import platform
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.boards import load_board
from hwmodels.engines.load import load_engine
from hwmodels.graph import Graph
from hwmodels.scorecard import score
from ppgnas.errors import DependencyError
from ppgnas.tables import markdown_table

if TYPE_CHECKING:
    from deploy.c.build import ModelFiles
    from deploy.emulation.emulate import Emulator
    from deploy.integers.quantized import QuantizedNet
    from nas.run.folder import RunDir

COMMAND = "ppgnas bench deploy"
HOST_WINDOWS, EMULATED_WINDOWS, FINALIST_WINDOWS = 200, 3, 1000
Int8 = NDArray[np.int8]


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: of a random network or `RUN:ID`.
        macs, weight_bytes: of the graph.
        host_differences, emulated_differences, tflm_differences: outputs that are not equal to the
            reference under the file's own rule; None where the runtime is not installed.
        xnnpack_max_lsb: LiteRT with XNNPACK against the reference.
        xnnpack_bpm_share: windows whose heart rate agrees within 0.1 BPM; random weights read no
            heart rate, so only finalists have it.
        rules_max_lsb: single rounding of the C against TFLite's.
        instructions, cycles: emulated.
        cmsis_ratio: instructions of CMSIS-NN by its counted law over ours.
        cycles_error, flash_error: predicted over emulated, less 1.
        sram_error_bytes: predicted less linked.
        stack_bytes: emulated.
    """

    name: str
    macs: int
    weight_bytes: int
    host_differences: int
    emulated_differences: int
    tflm_differences: int | None
    xnnpack_max_lsb: int
    xnnpack_bpm_share: float | None
    rules_max_lsb: int
    instructions: int
    cycles: float
    flash_bytes: int
    scratch_bytes: int
    stack_bytes: int
    cmsis_ratio: float
    cycles_error: float
    flash_error: float
    sram_error_bytes: int

    @property
    def per_mac(self) -> float:
        """Instructions for one multiply-accumulate."""
        return self.instructions / self.macs


def host_runner(files: ModelFiles, classes: int) -> Callable[[Int8], Int8]:
    """`ppg_infer` of a model compiled for this machine."""
    from deploy.emulation.host import find_host_compiler

    folder = files.source.parent
    library = find_host_compiler().build_shared(
        [files.source], folder / "model.so", include=[folder]
    )
    infer = ctypes.CDLL(str(library)).ppg_infer
    memory = (ctypes.c_uint64 * (files.scratch_bytes // 8 + 1))()

    def run(x: Int8) -> Int8:
        x = np.ascontiguousarray(x)
        out = np.empty((len(x), classes), np.int8)
        for window, logits in zip(x, out, strict=True):
            status = infer(
                window.ctypes.data_as(ctypes.c_void_p),
                logits.ctypes.data_as(ctypes.c_void_p),
                memory,
            )
            assert status == 0, status
        return out

    return run


def emulated_runner(emulator: Emulator, classes: int) -> Callable[[Int8], Int8]:
    """`ppg_infer` of a model on the emulated chip."""

    def run(x: Int8) -> Int8:
        out = np.empty((len(x), classes), np.int8)
        for index, window in enumerate(x):
            result = emulator.call(
                "ppg_run", {"ppg_input": window.tobytes()}, outputs={"ppg_logits": classes}
            )
            out[index] = np.frombuffer(result.outputs["ppg_logits"], np.int8)
        return out

    return run


def measure(name: str, net: QuantizedNet, x: Int8, *, trained: bool) -> Row:
    """One network on int8 windows `(windows, 1, time, channels)`.

    Raises:
        DependencyError, ToolError: no compiler or emulator, or it fails.
        ExportError: a layer that a file cannot hold.
    """
    from deploy.c.build import emulator_of, model_files
    from deploy.emulation.toolchain import find_compiler
    from deploy.integers import reference
    from deploy.parity import max_lsb
    from deploy.tflite import runtime as tflite_runtime
    from deploy.tflite import writer as tflite
    from hwmodels.fit.cmsis_counts import cmsis_nn_instructions

    graph = net.graph
    classes = graph.shape(graph.output)[-1]
    truth, by_c = reference.run(net, x), reference.run(net, x, rule="c")
    file = tflite.write(net)
    xnnpack = tflite_runtime.run(file, x, delegate=True)
    card = score(graph, load_board("stm32h743"), load_engine("ppgnas-c"))
    with tempfile.TemporaryDirectory() as folder:
        files = model_files(net, Path(folder))
        host = host_runner(files, classes)(x)
        emulator = emulator_of(net, files, find_compiler())
        few = x[:EMULATED_WINDOWS]
        emulated = emulated_runner(emulator, classes)(few)
        result = emulator.call("ppg_run", {"ppg_input": few[0].tobytes()})
        linked = emulator.image.sizes_of("model")
    flash = linked.flash_bytes
    return Row(
        name=name,
        macs=graph.total_macs,
        weight_bytes=graph.total_weight_bytes,
        host_differences=int((host != by_c).sum()),
        emulated_differences=int((emulated != by_c[: len(few)]).sum()),
        tflm_differences=_tflm_differences(file, x, truth),
        xnnpack_max_lsb=max_lsb(xnnpack, truth),
        xnnpack_bpm_share=_bpm_share(net, xnnpack, truth) if trained else None,
        rules_max_lsb=max_lsb(by_c, truth),
        instructions=result.instructions,
        cycles=result.cycles,
        flash_bytes=flash,
        scratch_bytes=files.scratch_bytes,
        stack_bytes=result.stack_bytes,
        cmsis_ratio=cmsis_nn_instructions(graph) / result.instructions,
        cycles_error=card.cycles.value / result.cycles - 1,
        flash_error=card.flash_bytes.value / flash - 1,
        sram_error_bytes=round(card.sram_bytes.value) - files.scratch_bytes - linked.sram_bytes,
    )


def _tflm_differences(file: bytes, x: Int8, truth: Int8) -> int | None:
    from deploy.tflite import micro as tflm_runtime

    try:
        return int((tflm_runtime.run(file, x) != truth).sum())
    except DependencyError:
        return None


def _bpm_share(net: QuantizedNet, seen: Int8, truth: Int8) -> float:
    from ppg.readout.decode import decode

    bpm = [decode(net.dequantize_output(logits)).bpm for logits in (seen, truth)]
    return float(np.mean(np.abs(bpm[0] - bpm[1]) <= 0.1))


def _random_networks(count: int, space: str, seed: int) -> Iterator[tuple[str, Graph]]:
    from search_spaces.lower import lower
    from search_spaces.space import load_space

    networks, rng = load_space(space), random.Random(seed)
    for number in range(count):
        yield f"{space} {number}", lower(networks.sample(rng))


def random_rows(count: int, *, space: str = "default", seed: int = 77) -> list[Row]:
    """Networks with made-up weights on made-up windows; the laws were fitted on other seeds."""
    from deploy.fuzz.random_net import random_net

    rows = []
    for number, (name, graph) in enumerate(_random_networks(count, space, seed)):
        rng = np.random.default_rng(number)
        shape = (HOST_WINDOWS, *graph.shape(graph.input)[1:])
        x = rng.integers(-128, 128, shape).astype(np.int8)
        rows.append(measure(name, random_net(graph, seed + number), x, trained=False))
    return rows


def finalist_rows(run: RunDir, windows: WindowsOf) -> list[Row]:
    """The finalists of a run on windows of recordings."""
    from nas.models.names import find_model

    rows = []
    for number in run.finalists():
        found = find_model(f"{run.path}:{number}")
        assert found.arch is not None
        net = found.net()
        x = net.quantize_input(windows(found.arch))
        rows.append(measure(f"finalist {number}", net, x, trained=True))
    return rows


WindowsOf = Callable[[Any], NDArray[np.float32]]


def windows_of_recordings(data: str) -> WindowsOf:
    """Input windows of a folder of recordings, for any architecture."""
    from nas.run.people import read_source
    from ppg.windows import windows_of

    recordings = read_source(data, seed=1)
    return lambda arch: windows_of(recordings, arch).spread(FINALIST_WINDOWS)


def summary(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """`(what, goal, measured)` over all rows."""
    windows = f"{HOST_WINDOWS} windows and more a network on the host, {EMULATED_WINDOWS} emulated"
    cycles = np.abs([row.cycles_error for row in rows])
    flash = np.abs([row.flash_error for row in rows])
    tflm = [row.tflm_differences for row in rows]
    shares = [row.xnnpack_bpm_share for row in rows if row.xnnpack_bpm_share is not None]
    small, large = at_size(rows, 35e3), at_size(rows, 500e3)
    table = [
        (
            "C on the host against its reference",
            "0",
            f"{_sum(rows, 'host_differences')} ({windows})",
        ),
        ("C emulated against its reference", "0", str(_sum(rows, "emulated_differences"))),
        (
            "TFLite Micro against the reference",
            "0",
            "not installed" if None in tflm else str(sum(n or 0 for n in tflm)),
        ),
        (
            "LiteRT with XNNPACK, largest difference",
            "2 LSB",
            f"{max(row.xnnpack_max_lsb for row in rows)} LSB",
        ),
        (
            "the same in heart rate: windows within 0.1 BPM",
            "99.9 %",
            f"{min(shares):.2%} (worst finalist)" if shares else "no run given",
        ),
        ("single against double rounding", "-", f"{max(r.rules_max_lsb for r in rows)} LSB"),
        ("instructions per MAC at 500 k MAC", "1.7", f"{large:.2f}"),
        ("instructions per MAC at 35 k MAC", "2.0", f"{small:.2f}"),
        (
            "CMSIS-NN instructions over ours, smallest",
            "4.5",
            f"{min(row.cmsis_ratio for row in rows):.2f} (median "
            f"{np.median([row.cmsis_ratio for row in rows]):.2f})",
        ),
        ("predicted cycles, mean error", "2 %", f"{cycles.mean():.2%}"),
        ("predicted cycles, worst error", "5 %", f"{cycles.max():.2%}"),
        ("flash of the linked model, mean error", "1 %", f"{flash.mean():.2%}"),
        ("flash of the linked model, worst error", "-", f"{flash.max():.2%}"),
        (
            "SRAM of the linked model",
            "exact",
            f"{max(abs(row.sram_error_bytes) for row in rows)} B",
        ),
    ]
    return table


def _sum(rows: Sequence[Row], field: str) -> int:
    return sum(getattr(row, field) for row in rows)


def at_size(rows: Sequence[Row], macs: float) -> float:
    """Instructions per MAC of a network of a size, read off a line through all networks.

    Instructions are `a + b * MAC`, fitted by least relative squares.
    """
    sizes = np.array([row.macs for row in rows], float)
    counts = np.array([row.instructions for row in rows], float)
    design = np.stack([np.ones_like(sizes), sizes], axis=1) / counts[:, None]
    (a, b), *_ = np.linalg.lstsq(design, np.ones(len(rows)), rcond=None)
    return float((a + b * macs) / macs)


_COLUMNS = (
    ("network", "{0.name}"),
    ("MAC", "{0.macs}"),
    ("weights B", "{0.weight_bytes}"),
    ("instructions", "{0.instructions}"),
    ("per MAC", "{0.per_mac:.2f}"),
    ("cycles", "{0.cycles:.0f}"),
    ("predicted", "{0.cycles_error:+.1%}"),
    ("flash B", "{0.flash_bytes}"),
    ("predicted", "{0.flash_error:+.1%}"),
    ("scratch B", "{0.scratch_bytes}"),
    ("stack B", "{0.stack_bytes}"),
    ("CMSIS-NN / ours", "{0.cmsis_ratio:.2f}"),
)


def markdown(rows: Sequence[Row], command: str) -> str:
    """The page of `results/reference/deploy.md`."""
    from deploy.emulation.toolchain import find_compiler

    compiler = find_compiler()
    networks = [[form.format(row) for _, form in _COLUMNS] for row in rows]
    lines = [
        "# Files for the device",
        "",
        f"`{command}`, on Python {platform.python_version()}; C built by {compiler.name} "
        f"{compiler.version} at -O2 for a Cortex-M7. Emulated, not measured: instructions, stack "
        "and outputs are exact for the image, cycles are those of the pipeline model of "
        "docs/emulation.md.",
        "",
        markdown_table(("what", "goal", "here"), summary(rows)),
        "",
        markdown_table([title for title, _ in _COLUMNS], networks),
    ]
    return "\n".join(lines) + "\n"
