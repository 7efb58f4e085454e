"""Counts of generated steps on the emulated Cortex-M7: what the engine `ppgnas-c` is fitted on.

    python -m deploy.fuzz.counting --networks 240 --foreign 240 --out hwmodels/data/c_steps_m7.csv

draws networks of the presets and of a space of longer kernels and all heads, generates and builds
each, runs one window in emulation and writes one row for each function: the shape of its step, how
many steps call it, instructions and cycles (of the pipeline model) of one call, bytes of code.
Outputs must equal the reference. With `--mode streaming` the networks run block by block, and each
row also says what its step keeps of the past (`c_streaming_m7.csv`). With `--foreign` as many
graphs that no search draws follow (`deploy.fuzz.foreign`), for the plain loops. Then
`python -m hwmodels.fit` makes the laws of it.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from deploy.c.build import emulator_of, model_files
from deploy.c.source import generate
from deploy.emulation.emulate import EmulationResult, Emulator
from deploy.emulation.toolchain import Compiler, find_compiler
from deploy.fuzz.foreign import foreign_graph
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.shapes import COLUMNS, StepShape, infer_shape, step_shape
from hwmodels.generated_c.streaming import stream_program
from hwmodels.graph import Graph
from ppgnas.errors import GraphError, ToolError
from ppgnas.files import temporary_folder
from ppgnas.task import CLASSES, MODES, Mode
from search_spaces.arch import POOLED_S, Arch, head_spacings
from search_spaces.lower import lower
from search_spaces.space import PRESETS, SearchSpace
from search_spaces.stages import StageSpace

MAX_MACS = 4_000_000
MEASURED = ("calls", "instructions", "cycles", "code_bytes")
KEPT = ("kept_bytes", "kept_apart")
_KERNELS = StageSpace(
    depth=(1, 2),
    width=(8, 16, 24),
    kernel=(4, 5, 6, 8, 10, 11, 12, 13, 16, 20, 24, 32),
    dilation=(1, 2, 4, 16),
    expansion=(1, 2),
    stride=(1, 2, 4),
    residual=(False, True),
)


def draw(networks: int, seed: int, mode: Mode) -> Iterator[Graph]:
    """Graphs of the spaces in turn, different ones, up to `MAX_MACS`; those that can stream."""
    rng = random.Random(seed)
    presets = [SearchSpace.preset(name) for name in PRESETS]
    kernels = replace(
        presets[1],
        name="kernels",
        stages=(_KERNELS, _KERNELS),
        pooling=("avg", "max"),
        head_spacing=head_spacings(CLASSES),
    )
    spaces = [*presets, kernels]
    if mode == "streaming":
        spaces = [replace(space, pool_s=POOLED_S).streaming() for space in spaces]
    seen: set[Arch] = set()
    while len(seen) < networks:
        arch = spaces[len(seen) % len(spaces)].sample(rng)
        graph = lower(arch)
        if arch in seen or graph.total_macs > MAX_MACS:
            continue
        if mode == "streaming":
            try:
                stream_program(graph)
            except GraphError:
                continue
        seen.add(arch)
        yield graph


def emulated(
    net: QuantizedNet, seed: int, compiler: Compiler, mode: Mode = "window"
) -> tuple[Emulator, EmulationResult]:
    """A window of noise in emulation, of streaming block by block; the counts of the last call.

    Raises:
        ToolError: the logits differ from the reference.
    """
    graph, rng = net.graph, np.random.default_rng(seed)
    window = rng.integers(-128, 128, graph.shape(graph.input)).astype(np.int8)
    expected = reference.run(net, window, rule="c")
    with temporary_folder() as folder:
        emulator = emulator_of(net, model_files(net, folder, mode=mode), compiler)
    if mode == "streaming":
        emulator.call("ppg_start")
    for part in np.split(window, graph.task.blocks if mode == "streaming" else 1, axis=2):
        result = emulator.call(
            "ppg_run", {"ppg_input": part.tobytes()}, outputs={"ppg_logits": expected.nbytes}
        )
    if result.outputs["ppg_logits"] != expected.tobytes():
        raise ToolError(f"seed {seed}: outputs in emulation differ from the reference")
    return emulator, result


def count(graph: Graph, seed: int, compiler: Compiler, mode: Mode) -> list[tuple[object, ...]]:
    """Rows of one network: `COLUMNS`, then `MEASURED`, and of streaming `KEPT`."""
    net = random_net(graph, seed)
    source = generate(net, mode=mode)
    stream = source.stream
    emulator, result = emulated(net, seed, compiler, mode)
    graph = graph if stream is None else stream.graph

    def row(function: str, shape: StepShape, times: int, *kept: int) -> tuple[object, ...]:
        instructions = result.by_function[function] // times
        cycles = result.cycles_by_function[function] / times
        size = emulator.image.symbol(function).size_bytes
        return *shape[: len(COLUMNS)], times, instructions, cycles, size, *kept

    times = Counter(function for function, _ in source.calls)
    rows = {}
    for index, step in enumerate(source.program.steps):
        function = source.calls[index][0]
        shape = step_shape(graph, source.program, step)
        kept = () if stream is None else stream.kept.get(index, (0, 0, 0))[1:]
        rows[function] = row(function, shape, times[function], *kept)
    entry = infer_shape(graph, len(source.program.steps))
    last = ("ppg_infer", entry, 1) if stream is None else ("ppg_step", entry, 1, 0, 0)
    return [*rows.values(), row(*last)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=120)
    parser.add_argument("--foreign", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", choices=MODES, default="window")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    compiler = find_compiler()
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        streaming = arguments.mode == "streaming"
        writer.writerow(["network", *COLUMNS, *MEASURED, *(KEPT if streaming else ())])
        foreign = map(foreign_graph, range(arguments.foreign))
        graphs = chain(draw(arguments.networks, arguments.seed, arguments.mode), foreign)
        for number, graph in enumerate(graphs):
            for row in count(graph, arguments.seed + number, compiler, arguments.mode):
                writer.writerow([number, *row])
            file.flush()
            print(f"{number + 1}: {graph.total_macs} MACs", flush=True)


if __name__ == "__main__":
    main()
