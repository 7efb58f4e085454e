"""`ppgnas bench deploy`: do the files compute what was evaluated, and what do they cost?

Hand-made networks, random ones of a space and, if a run is given, its finalists are written as
TFLite and as C.
The C runs on the host and on an emulated Cortex-M7. Every comparison is over all outputs of all
windows. Emulated, not measured.
"""

from __future__ import annotations

import platform
import random
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwmodels.boards import load_board
from hwmodels.path import Surroundings, shape_of
from nas.models.names import Model, find_model
from nas.models.verify import verify
from nas.models.windows import Int8, Windows, windows_for
from ppgnas.errors import GraphError
from ppgnas.tables import markdown_table
from ppgnas.task import BLOCKS

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from nas.run.folder import RunDir
    from search_spaces.arch import Arch

COMMAND = "ppgnas bench deploy"
HOST_WINDOWS, EMULATED_WINDOWS, FINALIST_WINDOWS = 200, 3, 1000
STREAMED_WINDOWS = 3
STREAMING_GOAL = 3.7
"""Times that streaming takes fewer instructions, and less energy, a reading than windows."""
GOALS = {"tiny": 1.2, "medium": 0.95, "large": 0.78}
"""Cycles per MAC that hand-made networks shall take."""
AROUND = Surroundings(ppg_hz=64, acc_hz=32)
WHOLE_GOALS = {"tiny": ("180,000", "19 KB", "4.5 KB")}
"""Instructions, flash and SRAM of a streamed reading with everything around the network."""


@dataclass(frozen=True)
class Streamed:
    """A reading of the streaming C in emulation.

    Attributes:
        differences: outputs that are not those of one long pass of the reference.
        flash_bytes: of the linked network.
        memory_bytes: scratch buffer and state.
    """

    differences: int
    instructions: int
    cycles: int
    flash_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class Whole:
    """A streamed reading from raw samples of `AROUND` to a smoothed heart rate, in emulation."""

    instructions: int
    flash_bytes: int
    sram_bytes: int


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
        cmsis_cycles, cmsis_instructions: of CMSIS-NN by its laws, over ours.
        cycles_error, flash_error: predicted over emulated, less 1.
        sram_error_bytes: predicted less linked.
        stack_bytes: emulated.
        streamed: None for a network that cannot stream.
        whole: of the hand-made networks.
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
    cycles: int
    flash_bytes: int
    scratch_bytes: int
    stack_bytes: int
    cmsis_cycles: float
    cmsis_instructions: float
    cycles_error: float
    flash_error: float
    sram_error_bytes: int
    streamed: Streamed | None
    whole: Whole | None = None

    @property
    def cycles_per_mac(self) -> float:
        """Emulated cycles for one multiply-accumulate."""
        return self.cycles / self.macs

    @property
    def instructions_per_mac(self) -> float:
        """Instructions for one multiply-accumulate."""
        return self.instructions / self.macs

    @property
    def streamed_memory(self) -> str:
        """Scratch buffer and state of the streaming C."""
        return "-" if self.streamed is None else str(self.streamed.memory_bytes)

    @property
    def fewer(self) -> str:
        """Instructions and cycles of a window over those of a streamed reading."""
        by = self.streamed
        if by is None:
            return "-"
        return f"{self.instructions / by.instructions:.2f}, {self.cycles / by.cycles:.2f}"


def measure(name: str, net: QuantizedNet, x: Int8, *, trained: bool) -> Row:
    """One network on int8 windows `(windows, 1, time, channels)`.

    Raises:
        DependencyError, ToolError: no compiler or emulator, or it fails.
        ExportError: a layer that a file cannot hold.
    """
    from deploy.integers import reference
    from deploy.parity import max_lsb
    from deploy.tflite import runtime as tflite_runtime
    from deploy.tflite import writer as tflite
    from hwmodels.fit.cmsis_counts import CYCLES_PER_INSTRUCTION, cmsis_nn_instructions

    with tempfile.TemporaryDirectory() as folder:
        net.save(Path(folder))
        verified = verify(
            Model(name, net.graph, folder=Path(folder)),
            Windows(x, name),
            board=load_board("stm32h743"),
            emulate=EMULATED_WINDOWS,
        )
    parity, emulated, error = verified.parity, verified.emulated, verified.error_percent
    truth = reference.run(net, x)
    xnnpack = tflite_runtime.run(tflite.write(net), x, kernels="xnnpack")
    cmsis = cmsis_nn_instructions(net.graph)
    by = streamed(net, x[:STREAMED_WINDOWS])
    return Row(
        name=name,
        macs=net.graph.total_macs,
        weight_bytes=net.graph.total_weight_bytes,
        host_differences=parity.c_host_differences,
        emulated_differences=parity.c_emulated_differences,
        tflm_differences=parity.tflm_differences,
        xnnpack_max_lsb=max_lsb(xnnpack, truth),
        xnnpack_bpm_share=_bpm_share(net, xnnpack, truth) if trained else None,
        rules_max_lsb=parity.rules_max_lsb,
        instructions=emulated.instructions,
        cycles=emulated.cycles,
        flash_bytes=emulated.flash_bytes,
        scratch_bytes=emulated.scratch_bytes,
        stack_bytes=emulated.stack_bytes,
        cmsis_cycles=cmsis * CYCLES_PER_INSTRUCTION / emulated.cycles,
        cmsis_instructions=cmsis / emulated.instructions,
        cycles_error=error["cycles"] / 100,
        flash_error=error["flash_bytes"] / 100,
        sram_error_bytes=verified.predicted.sram_bytes - emulated.sram_bytes,
        streamed=by,
        whole=None if by is None or name not in GOALS else whole(net, by),
    )


def streamed(net: QuantizedNet, x: Int8) -> Streamed | None:
    """Windows as one signal, block by block; None where the network cannot stream."""
    from deploy.c.build import emulator_of, model_files
    from deploy.emulation.toolchain import find_compiler
    from deploy.integers.streaming import long_pass

    signal = x.reshape(-1, x.shape[3])
    try:
        expected = long_pass(net, signal)
    except GraphError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = model_files(net, Path(folder), mode="streaming")
        emulator = emulator_of(net, files, find_compiler())
    emulator.call("ppg_start")
    outputs = {"ppg_logits": expected.shape[1]}
    found = [
        emulator.call("ppg_run", {"ppg_input": block.tobytes()}, outputs=outputs)
        for block in np.split(signal, BLOCKS * len(x))
    ]
    logits = b"".join(each.outputs["ppg_logits"] for each in found if each.result == 1)
    seen = np.frombuffer(logits, np.int8).reshape(expected.shape)
    image = emulator.machine.image
    return Streamed(
        differences=int((seen != expected).sum()),
        instructions=found[-1].instructions,
        cycles=round(found[-1].cycles),
        flash_bytes=image.sizes_of("model").flash_bytes,
        memory_bytes=files.scratch_bytes + files.state_bytes,
    )


def whole(net: QuantizedNet, by: Streamed) -> Whole:
    """What stands around a network, counted around a small one, with what the network takes."""
    from deploy.emulation.toolchain import find_compiler
    from deploy.fuzz.path import count

    shape = shape_of(net.graph, AROUND, "streaming")
    assert shape is not None, net.graph.shape(net.graph.input)
    around = count(shape, find_compiler())
    logits_bytes = -(-shape.task.classes // 8) * 8
    return Whole(
        round(sum(around.instructions)) + by.instructions,
        around.flash_bytes + by.flash_bytes,
        around.state_bytes + logits_bytes + by.memory_bytes,
    )


def _bpm_share(net: QuantizedNet, seen: Int8, truth: Int8) -> float:
    from ppg.readout.decode import decode

    bpm = [decode(net.dequantize_output(logits)).bpm for logits in (seen, truth)]
    return float(np.mean(np.abs(bpm[0] - bpm[1]) <= 0.1))


def hand_made_rows() -> list[Row]:
    """The hand-made networks of `GOALS`, with made-up weights on made-up windows."""
    from search_spaces.published import published

    return [_made_up(name, published(name), number) for number, name in enumerate(GOALS)]


def random_rows(count: int, *, space: str = "default", seed: int = 77) -> list[Row]:
    """Networks with made-up weights on made-up windows; the laws were fitted on other seeds."""
    from search_spaces.space import load_space

    networks, draw = load_space(space), random.Random(seed)
    drawn = [networks.sample(draw) for _ in range(count)]
    return [_made_up(f"{space} {n}", arch, n, seed=seed + n) for n, arch in enumerate(drawn)]


def _made_up(name: str, arch: Arch, number: int, *, seed: int = 0) -> Row:
    from deploy.fuzz.random_net import random_net
    from search_spaces.lower import lower

    net = random_net(lower(arch), seed)
    shape = (HOST_WINDOWS, *net.graph.shape(net.graph.input)[1:])
    x = np.random.default_rng(number).integers(-128, 128, shape).astype(np.int8)
    return measure(name, net, x, trained=False)


def finalist_rows(run: RunDir, data: str) -> list[Row]:
    """The finalists of a run on windows of recordings."""
    rows = []
    for number in run.finalists():
        model = find_model(f"{run.path}:{number}")
        net = model.net()
        x = windows_for(model, net, data=data, limit=FINALIST_WINDOWS).x
        rows.append(measure(f"finalist {number}", net, x, trained=True))
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """`(what, goal, measured)` over all rows."""
    windows = f"{HOST_WINDOWS} windows and more a network on the host, {EMULATED_WINDOWS} emulated"
    host = sum(row.host_differences for row in rows)
    emulated = sum(row.emulated_differences for row in rows)
    tflm = [row.tflm_differences for row in rows]
    micro = "not installed" if None in tflm else str(sum(n or 0 for n in tflm))
    xnnpack = max(row.xnnpack_max_lsb for row in rows)
    shares = [row.xnnpack_bpm_share for row in rows if row.xnnpack_bpm_share is not None]
    agree = f"{min(shares):.2%} (worst finalist)" if shares else "no run given"
    cmsis = [row.cmsis_cycles for row in rows]
    cycles = np.abs([row.cycles_error for row in rows])
    flash = np.abs([row.flash_error for row in rows])
    sram = max(abs(row.sram_error_bytes) for row in rows)
    made = [row for row in rows if row.name in GOALS]
    streams = [row.streamed for row in rows if row.streamed is not None]
    apart = f"{sum(by.differences for by in streams)} ({len(streams)} networks)"
    return [
        *(
            (f"cycles per MAC, {row.name}", f"{GOALS[row.name]:.2f}", f"{row.cycles_per_mac:.2f}")
            for row in made
        ),
        *(
            (
                f"window over streaming, {row.name}: instructions, mJ a reading",
                f"{STREAMING_GOAL}",
                row.fewer,
            )
            for row in made
        ),
        *(
            (f"raw samples to smoothed, {row.name}, streaming: {what}", goal, f"{value:,}")
            for row in made
            if row.whole is not None
            for what, goal, value in zip(
                ("instructions a reading", "flash B", "SRAM B"),
                WHOLE_GOALS.get(row.name, "---"),
                astuple(row.whole),
                strict=True,
            )
        ),
        ("streaming C emulated against one long pass", "0", apart),
        (
            "CMSIS-NN cycles over ours",
            "-",
            f"{min(cmsis):.2f} to {max(cmsis):.2f} (median {np.median(cmsis):.2f})",
        ),
        ("C on the host against its reference", "0", f"{host} ({windows})"),
        ("C emulated against its reference", "0", str(emulated)),
        ("TFLite Micro against the reference", "0", micro),
        ("LiteRT with XNNPACK, largest difference", "2 LSB", f"{xnnpack} LSB"),
        ("the same in heart rate: windows within 0.1 BPM", "99.9 %", agree),
        ("single against double rounding", "-", f"{max(r.rules_max_lsb for r in rows)} LSB"),
        ("predicted cycles, mean error", "2 %", f"{cycles.mean():.2%}"),
        ("predicted cycles, worst error", "5 %", f"{cycles.max():.2%}"),
        ("flash of the linked model, mean error", "1 %", f"{flash.mean():.2%}"),
        ("flash of the linked model, worst error", "-", f"{flash.max():.2%}"),
        ("SRAM of the linked model", "exact", f"{sram} B"),
    ]


_COLUMNS = (
    ("network", "{0.name}"),
    ("MAC", "{0.macs}"),
    ("weights B", "{0.weight_bytes}"),
    ("cycles", "{0.cycles:.0f}"),
    ("per MAC", "{0.cycles_per_mac:.2f}"),
    ("predicted", "{0.cycles_error:+.1%}"),
    ("CMSIS-NN / ours", "{0.cmsis_cycles:.2f}"),
    ("instructions", "{0.instructions}"),
    ("per MAC", "{0.instructions_per_mac:.2f}"),
    ("CMSIS-NN / ours", "{0.cmsis_instructions:.2f}"),
    ("flash B", "{0.flash_bytes}"),
    ("predicted", "{0.flash_error:+.1%}"),
    ("scratch B", "{0.scratch_bytes}"),
    ("stack B", "{0.stack_bytes}"),
    ("window / streaming: instructions, cycles", "{0.fewer}"),
    ("streaming: scratch and state B", "{0.streamed_memory}"),
)


def markdown(rows: Sequence[Row], command: str) -> str:
    """The page of `results/reference/deploy.md`."""
    from deploy.emulation.toolchain import find_compiler
    from hwmodels.fit.cmsis_counts import CYCLES_PER_INSTRUCTION

    compiler = find_compiler()
    networks = [[form.format(row) for _, form in _COLUMNS] for row in rows]
    parts = [
        "# Files for the device",
        f"`{command}`, on Python {platform.python_version()}; C built by {compiler.name} "
        f"{compiler.version} at -O2 for a Cortex-M7. Emulated, not measured: instructions, stack "
        "and outputs are exact for the image, cycles are those of the pipeline model of "
        "docs/emulation.md. CMSIS-NN is not run here: its instructions follow laws counted in "
        f"emulation (99f736a, gcc 12.2 -O3), its cycles are {CYCLES_PER_INSTRUCTION} an "
        "instruction, as published networks take on boards.",
        markdown_table(("what", "goal", "here"), summary(rows)),
        markdown_table([title for title, _ in _COLUMNS], networks),
    ]
    return "\n\n".join(parts) + "\n"
