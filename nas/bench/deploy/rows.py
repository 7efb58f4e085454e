"""What the files of a network compute and cost.

Hand-made networks, random ones of a space and, if a run is given, its finalists are written as
TFLite and as C.
The C runs on the host and on an emulated Cortex-M7. Every comparison is over all outputs of all
windows. Emulated, not measured.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwmodels.boards import load_board
from hwmodels.path import Surroundings, shape_of
from nas.models.names import Model, find_model
from nas.models.verify import verify
from nas.models.windows import Int8, Windows, windows_for
from ppgnas.errors import GraphError, RunError
from ppgnas.files import temporary_folder

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from nas.run.folder import RunDir
    from search_spaces.arch import Arch

HOST_WINDOWS, EMULATED_WINDOWS, FINALIST_WINDOWS = 200, 3, 1000
STREAMED_WINDOWS = 3
STREAMING_GOAL = 3.7
"""Times that streaming takes fewer instructions, and less energy, a reading than windows."""
GOALS = {"tiny": 1.2, "medium": 0.95, "large": 0.78}
"""Cycles per MAC that hand-made networks shall take."""
AROUND = Surroundings(ppg_hz=64, acc_hz=32)
CMSIS_GOALS = {"tiny": 6.0, "medium": 4.4, "large": 3.2}
"""Times the cycles of ours that CMSIS-NN shall take for them, built by the same compiler."""
WHOLE_GOALS = {"tiny": ("180,000", "19 KB", "4.5 KB")}
"""Instructions, flash and SRAM of a streamed reading with everything around the network."""


@dataclass(frozen=True)
class Streamed:
    """A reading of the streaming C in emulation.

    Attributes:
        differences: outputs that are not those of one long pass of the reference.
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
        host_differences, emulated_differences, tflm_differences: outputs that are not equal to the
            reference under the file's own rule; None where the runtime is not installed.
        xnnpack_max_lsb: LiteRT with XNNPACK against the reference.
        xnnpack_bpm_share: windows whose heart rate agrees within 0.1 BPM; random weights read no
            heart rate, so only finalists have it.
        rules_max_lsb: single rounding of the C against TFLite's.
        instructions, cycles: emulated.
        cmsis_cycles, cmsis_instructions: of CMSIS-NN over ours: emulated, or by its laws.
        cmsis_differences: its outputs that are not TFLM's; None by its laws.
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
    cmsis_differences: int | None = None

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


def measure(
    name: str, net: QuantizedNet, x: Int8, *, trained: bool, cmsis_nn: Path | None = None
) -> Row:
    """One network on int8 windows `(windows, 1, time, channels)`.

    Args:
        trained: its outputs are heart rates.
        cmsis_nn: folder of CMSIS-NN's sources, to run it; its laws are taken without.

    Raises:
        DependencyError, ToolError: no compiler or emulator, or it fails.
        ExportError: a layer that a file cannot hold, or that is not called in CMSIS-NN here.
    """
    from deploy import cmsis_nn as others
    from deploy.emulation.toolchain import find_compiler
    from deploy.integers import reference
    from deploy.parity import max_lsb
    from deploy.tflite import runtime as tflite_runtime
    from deploy.tflite import writer as tflite
    from hwmodels.fit.counted import CYCLES_PER_INSTRUCTION, cmsis_nn_instructions

    with temporary_folder() as folder:
        net.save(folder)
        verified = verify(
            Model(name, net.graph, folder=folder),
            Windows(x, name),
            board=load_board("stm32h743"),
            emulate=EMULATED_WINDOWS,
        )
    parity, emulated, error = verified.parity, verified.emulated, verified.error_percent
    truth = reference.run(net, x)
    xnnpack = tflite_runtime.run(tflite.write(net), x, kernels="xnnpack")
    cmsis = cmsis_nn_instructions(net.graph)
    cmsis_cycles, cmsis_differences = cmsis * CYCLES_PER_INSTRUCTION, None
    if cmsis_nn is not None:
        few = x[:EMULATED_WINDOWS]
        seen = others.emulate(net, few, cmsis_nn=cmsis_nn, compiler=find_compiler())
        cmsis, cmsis_cycles = float(seen.last.instructions), seen.last.cycles
        cmsis_differences = int((seen.outputs != truth[: len(few)].reshape(len(few), -1)).sum())
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
        cmsis_cycles=cmsis_cycles / emulated.cycles,
        cmsis_instructions=cmsis / emulated.instructions,
        cycles_error=error["cycles"] / 100,
        flash_error=error["flash_bytes"] / 100,
        sram_error_bytes=verified.predicted.sram_bytes - emulated.sram_bytes,
        streamed=by,
        whole=None if by is None or name not in GOALS else whole(net, by),
        cmsis_differences=cmsis_differences,
    )


def streamed(net: QuantizedNet, x: Int8) -> Streamed | None:
    """Windows as one signal, block by block; None where the network cannot stream."""
    from deploy.c.build import emulator_of, model_files
    from deploy.emulation.toolchain import find_compiler
    from deploy.integers.streaming import long_pass

    signal = x.reshape(-1, x.shape[3])
    with temporary_folder() as folder:
        try:
            expected = long_pass(net, signal)
            files = model_files(net, folder, mode="streaming")
        except GraphError:
            return None
        emulator = emulator_of(net, files, find_compiler())
    emulator.call("ppg_start")
    outputs = {"ppg_logits": expected.shape[1]}
    found = [
        emulator.call("ppg_run", {"ppg_input": block.tobytes()}, outputs=outputs)
        for block in np.split(signal, net.graph.task.blocks * len(x))
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


def hand_made_rows(*, cmsis_nn: Path | None = None) -> list[Row]:
    """The hand-made networks of `GOALS`, with made-up weights on made-up windows."""
    from search_spaces.published import published

    return [
        _made_up(name, published(name), number, cmsis_nn=cmsis_nn)
        for number, name in enumerate(GOALS)
    ]


def random_rows(
    count: int, *, space: str = "default", seed: int = 77, cmsis_nn: Path | None = None
) -> list[Row]:
    """Networks with made-up weights on made-up windows; the laws were fitted on other seeds."""
    from search_spaces.space import load_space

    networks, draw = load_space(space), random.Random(seed)
    drawn = [networks.sample(draw) for _ in range(count)]
    return [
        _made_up(f"{space} {n}", arch, n, seed=seed + n, cmsis_nn=cmsis_nn)
        for n, arch in enumerate(drawn)
    ]


def _made_up(
    name: str, arch: Arch, number: int, *, seed: int = 0, cmsis_nn: Path | None = None
) -> Row:
    from deploy.fuzz.random_net import random_net
    from search_spaces.lower import lower

    net = random_net(lower(arch), seed)
    shape = (HOST_WINDOWS, *net.graph.shape(net.graph.input)[1:])
    x = np.random.default_rng(number).integers(-128, 128, shape).astype(np.int8)
    return measure(name, net, x, trained=False, cmsis_nn=cmsis_nn)


def finalist_rows(run: RunDir, data: str, *, cmsis_nn: Path | None = None) -> list[Row]:
    """The finalists of a run on windows of recordings.

    Raises:
        RunError: it is no run, or has no finalist.
    """
    run.document()
    numbers = run.finalists()
    if not numbers:
        raise RunError(f"{run.path} has no finalist: {run.incomplete}")
    rows = []
    for number in numbers:
        model = find_model(f"{run.path}:{number}")
        net = model.net()
        x = windows_for(model, net, data=data, limit=FINALIST_WINDOWS).x
        rows.append(measure(f"finalist {number}", net, x, trained=True, cmsis_nn=cmsis_nn))
    return rows
