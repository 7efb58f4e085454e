"""Does `model.c` build, without a warning, and compute the same, wherever a project builds it?

    python -m deploy.fuzz.matrix --networks 14
    python -m deploy.fuzz.matrix --networks 2 --compiler gcc
    python -m deploy.fuzz.matrix --networks 14 --mode streaming
    python -m deploy.fuzz.matrix --networks 14 --builds 13

Each network of the presets in turn is compiled by each compiler that is here, for each core of
`CORES` at each level, and with the flags of `FURTHER`; warnings are errors. Images for cores whose
instructions a Cortex-M7 has are run in emulation, the host's under sanitizers, and every logit is
compared with the integer reference. A line for each build; the exit code is 1 if one fails. With
`--builds` a network takes so many of them, the next ones in turn.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import model_files
from deploy.c.host import host_program
from deploy.c.source import text_of
from deploy.emulation.host import find_host_compiler
from deploy.emulation.image import read_image
from deploy.emulation.machine import Machine
from deploy.emulation.toolchain import Compiler, arm_gcc, zig
from deploy.fuzz.random_net import random_net
from deploy.integers import reference, streaming
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.streaming import stream_program
from ppgnas.errors import GraphError, ToolError
from ppgnas.files import temporary_folder, write_text_atomic
from ppgnas.task import MODES, Mode
from search_spaces.lower import lower
from search_spaces.space import PRESETS, SearchSpace

LEVELS = ("-O0", "-Og", "-O1", "-O2", "-O3", "-Os")


@dataclass(frozen=True)
class Core:
    """A core as both compilers name it.

    Attributes:
        gcc, zig: flags after the program.
        runs: its code runs on the Cortex-M7 of the emulator.
    """

    gcc: tuple[str, ...]
    zig: tuple[str, ...]
    runs: bool = True


def _core(name: str, fpu: str = "", feature: str = "", *, runs: bool = True) -> Core:
    hard = ("-mfloat-abi=hard", *([f"-mfpu={fpu}"] if fpu else []))
    floats = bool(feature)
    return Core(
        (f"-mcpu={name}", "-mthumb", *(hard if floats else ())),
        (
            "-target",
            f"thumb-freestanding-eabi{'hf' if floats else ''}",
            f"-mcpu={name.replace('-', '_')}{feature}",
            "-fno-sanitize=undefined",
            "-fno-stack-protector",
        ),
        runs,
    )


CORES = {
    "M0+": _core("cortex-m0plus"),
    "M3": _core("cortex-m3"),
    "M4": _core("cortex-m4", "fpv4-sp-d16", "+vfp4d16sp"),
    "M7": _core("cortex-m7", "fpv5-sp-d16", "+fp_armv8d16sp"),
    "M33": _core("cortex-m33", "fpv5-sp-d16", "+fp_armv8d16sp"),
    # With vectors (Helium), which the emulator does not know.
    "M55": _core("cortex-m55", "", "+fp_armv8d16", runs=False),
}
FURTHER = (
    ("M7", ("-O2", "-fno-omit-frame-pointer")),
    ("M33", ("-O2", "-fno-omit-frame-pointer")),
    ("M7", ("-O0", "-g", "-fno-omit-frame-pointer")),
    ("M7", ("-O2", "-fpic")),
    ("M7", ("-O2", "-flto")),
    ("M7", ("-O2", "-DPPG_NO_ASSEMBLY")),
    ("M7", ("-Os", "-DPPG_PORTABLE")),
)
_HOST = "host, sanitizers"
_UNDEFINED = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


def for_core(compiler: Compiler, name: str) -> Compiler:
    """The compiler for another core, a name of `CORES`."""
    core = CORES[name]
    own = core.zig if compiler.is_zig else core.gcc
    program = compiler.command[: 2 if compiler.is_zig else 1]
    return replace(compiler, command=(*program, *own))


@dataclass(frozen=True)
class Build:
    """One way of building.

    Attributes:
        compiler: its program and version; the core's flags are put in.
        core: of `CORES`.
        flags: a level, then others.
    """

    compiler: Compiler
    core: str
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.compiler.name:18} {self.core:4} {' '.join(self.flags)}"

    def run(self, source: Path, x: NDArray[np.int8], mode: Mode) -> NDArray[np.int8] | None:
        """Compile, link and run; None where the emulator has not this core.

        Args:
            source: `model.c`, with `harness.c` beside it.
            x: windows, or the blocks of one signal.

        Raises:
            ToolError: a warning, an error, or a fault.
        """
        core = CORES[self.core]
        level, *flags = self.flags
        compiler = for_core(self.compiler, self.core)
        folder = source.parent
        image = compiler.build(
            [source, folder / "harness.c"],
            folder / "model.elf",
            keep=("ppg_run", "ppg_start") if mode == "streaming" else ("ppg_run",),
            include=[folder],
            optimise=level,
            flags=flags,
        )
        if not core.runs:
            return None
        machine = Machine(read_image(image), counted=False)
        found = []
        if mode == "streaming":
            machine.call("ppg_start")
        for part in x:
            machine.write("ppg_input", part.tobytes())
            due = machine.call("ppg_run").result
            count = machine.image.symbol("ppg_logits").size_bytes
            if due or mode == "window":
                found.append(np.frombuffer(machine.read("ppg_logits", count), np.int8))
        return np.array(found)


def builds(compilers: Sequence[Compiler]) -> Iterator[Build]:
    """All of them."""
    for compiler in compilers:
        for core in CORES:
            for level in LEVELS:
                yield Build(compiler, core, (level,))
        for core, flags in FURTHER:
            yield Build(compiler, core, flags)
        if not compiler.is_zig:
            yield Build(compiler, "M7", _UNDEFINED)


def networks(count: int, mode: Mode = "window") -> Iterator[tuple[str, QuantizedNet]]:
    """Samples of the presets in turn, their weights made up; those that can stream."""
    found = 0
    for number in itertools.count():
        if found == count:
            return
        name = PRESETS[number % len(PRESETS)]
        graph = lower(SearchSpace.preset(name).sample(random.Random(number)))
        if mode == "streaming":
            try:
                stream_program(graph)
            except GraphError:
                continue
        found += 1
        yield f"{name} {number}", random_net(graph, number)


def failures(
    net: QuantizedNet, chosen: Sequence[Build], folder: Path, mode: Mode = "window"
) -> dict[str, str]:
    """What went wrong, by the build's name."""
    files = model_files(net, folder, mode=mode)
    write_text_atomic(folder / "harness.c", text_of("harness.c"))
    x, expected = _expected(net, mode)
    found = {}
    for build in chosen:
        try:
            outputs = build.run(files.source, x, mode)
        except ToolError as error:
            found[build.name] = str(error)
        else:
            if outputs is not None and not np.array_equal(outputs, expected):
                found[build.name] = f"{int((outputs != expected).sum())} logits differ"
    return found


def sanitized(net: QuantizedNet, folder: Path, mode: Mode = "window") -> str:
    """What went wrong on the host under sanitizers; empty if nothing."""
    x, expected = _expected(net, mode)
    try:
        files = model_files(net, folder, mode=mode)
        program = host_program([files], folder, find_host_compiler())
        if mode == "streaming":
            found = program.stream(0, net, x.reshape(-1, x.shape[2]))
        else:
            found = program.run(0, net, x).reshape(len(x), -1)
    except ToolError as error:
        return str(error)
    return "" if np.array_equal(found, expected) else "logits differ"


def _expected(net: QuantizedNet, mode: Mode) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Two windows, or five blocks, and the logits that the C must give, `(2, classes)`."""
    shape = net.graph.shape(net.graph.input)
    rng = np.random.default_rng(0)
    if mode == "streaming":
        blocks = (net.graph.task.blocks + 1, streaming.hop_samples(net.graph), shape[3])
        x = rng.integers(-128, 128, blocks, np.int8)
        return x, streaming.long_pass(net, x.reshape(-1, shape[3]))
    x = rng.integers(-128, 128, (2, *shape[1:]), np.int8)
    return x, reference.run(net, x, rule="c").reshape(len(x), -1)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=14)
    parser.add_argument("--mode", choices=MODES, default="window")
    parser.add_argument("--builds", type=int, help="of each network, in turn; all by default")
    parser.add_argument("--compiler", choices=("gcc", "zig"))
    arguments = parser.parse_args()
    gcc = arm_gcc()
    compilers = [] if gcc is None or arguments.compiler == "zig" else [gcc]
    compilers += [] if arguments.compiler == "gcc" else [zig()]
    chosen = list(builds(compilers))
    failed: dict[str, list[str]] = {build.name: [] for build in chosen}
    failed[_HOST] = []
    tried = Counter({_HOST: arguments.networks})
    turn = itertools.cycle(chosen)
    for name, net in networks(arguments.networks, arguments.mode):
        some = list(itertools.islice(turn, arguments.builds or len(chosen)))
        tried.update(build.name for build in some)
        with temporary_folder() as folder:
            found = failures(net, some, folder, arguments.mode)
            if why := sanitized(net, folder, arguments.mode):
                found[_HOST] = why
            for build, why in found.items():
                failed[build].append(name)
                print(f"{name}: {build}: {why}", file=sys.stderr, flush=True)
        print(f"{name}: done", file=sys.stderr, flush=True)
    for build, names in failed.items():
        print(f"{build:60} {len(names)} of {tried[build]} fail {', '.join(names)}")
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
