"""Files of generated C on disk, and images of them in emulation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.c import naming
from deploy.c.naming import Identity
from deploy.c.pointwise import DOT_PREFIX
from deploy.c.reading import SensorChain, reading_texts
from deploy.c.source import Source, generate, header, text_of
from deploy.c.taps import TAPS_PREFIX
from deploy.device.c_text import in_times_of
from deploy.emulation.emulate import Emulator
from deploy.emulation.toolchain import Compiler
from deploy.integers.quantized import QuantizedNet
from ppgnas.files import write_text_atomic
from ppgnas.task import Mode


@dataclass(frozen=True)
class ModelFiles:
    """Where `model.c` and `model.h` lie, and the scratch buffer that they want.

    Streaming C has a state as well, of `state_bytes`.
    """

    source: Path
    header: Path
    scratch_bytes: int
    state_bytes: int = 0


def model_texts(
    net: QuantizedNet,
    made: Source,
    reading: SensorChain | None = None,
    *,
    identity: Identity | None = None,
) -> tuple[str, str]:
    """Contents of `model.c` and of `model.h`.

    Args:
        net, made: the network and what the generator made of it.
        reading: front end and decoder; the network alone without.

    Raises:
        ExportError: front end or decoder do not fit the network.
    """
    own, task = header(net, made), net.graph.task
    start = naming.opening(identity) + text_of("preamble.c")
    if reading is None:
        source, declared = start + made.functions, naming.header(own, identity)
        return in_times_of(source, task), in_times_of(declared, task)
    around = reading_texts(net, made, own, reading)
    source = "\n".join([start + around.before, made.functions, around.after])
    declared = naming.header(own + "\n" + around.header, identity)
    return in_times_of(source, task), in_times_of(declared, task)


def model_files(net: QuantizedNet, folder: Path, *, mode: Mode = "window") -> ModelFiles:
    """Write `model.c` and `model.h` into a folder.

    Args:
        mode: see `generate`.

    Raises:
        ExportError: a layer that the C cannot compute, by name.
        GraphError: a network that cannot stream.
        OSError: the folder cannot be written.
    """
    made = generate(net, mode=mode)
    model, head = model_texts(net, made)
    write_text_atomic(folder / "model.h", head)
    write_text_atomic(folder / "model.c", model)
    state_bytes = 0 if made.stream is None else made.stream.state_bytes
    return ModelFiles(folder / "model.c", folder / "model.h", made.program.bytes, state_bytes)


def emulator_of(net: QuantizedNet, files: ModelFiles, compiler: Compiler) -> Emulator:
    """An emulated Cortex-M7 with `ppg_run`, `ppg_input` and `ppg_logits`.

    Of streaming C `ppg_start` forgets the past, and `ppg_run` returns 1 where there are logits.

    Raises:
        ToolError: the compiler fails.
        DependencyError: a package of the extra `emulate` is missing.
    """
    folder = files.source.parent
    harness = folder / "harness.c"
    write_text_atomic(harness, text_of("harness.c"))
    image = compiler.build(
        [files.source, harness],
        folder / "model.elf",
        keep=("ppg_run", "ppg_start") if files.state_bytes else ("ppg_run",),
        include=[folder],
    )
    return Emulator(image, shared=(DOT_PREFIX, TAPS_PREFIX, "keep_"))
