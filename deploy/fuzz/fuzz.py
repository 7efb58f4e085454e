"""Random networks through the generated C under sanitizers, against the integer reference.

    python -m deploy.fuzz.fuzz --networks 1000 --seed 0
    python -m deploy.fuzz.fuzz --first 412 --networks 1 --seed 0

Three of four networks are samples of the presets in turn (up to `MAX_MACS`), every fourth one is a
foreign graph (`deploy.fuzz.foreign`) with scales from far below to far above the usual ones. Each
runs on noise, on smooth signals and on extremes; every output must equal rule `c` of
`deploy.integers.reference` to the bit, and AddressSanitizer and UBSan must find nothing. A foreign
network that the C refuses by name is counted as refused. What can stream is written a second time
and pushed block by block; each reading must equal `deploy.integers.streaming.long_pass`. The last
line says how many failed; the exit code is then 1. `--first` repeats a case by its number, or runs
the thousand in parts.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import ModelFiles, model_files
from deploy.c.host import host_program
from deploy.emulation.host import HostCompiler, find_host_compiler
from deploy.fuzz.foreign import foreign_graph, with_outputs
from deploy.fuzz.random_net import random_net
from deploy.integers import reference, streaming
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Graph
from ppgnas.errors import ExportError, GraphError, ToolError
from ppgnas.files import temporary_folder
from ppgnas.task import TASK, Task
from search_spaces.arch import POOLED_S
from search_spaces.lower import lower
from search_spaces.space import PRESETS, SearchSpace
from search_spaces.stages import at_task

MAX_MACS = 3_000_000
TASKS = (Task(6, 2), Task(8, 1), Task(5, 1), Task(4, 4), Task(9, 3), Task(16, 2))
FOREIGN_STRETCH = 100.0
BATCH = 16
OPTIMISE = "-O0"  # compiling is nine tenths of the time; `matrix` has the other levels
Int8 = NDArray[np.int8]


@dataclass(frozen=True)
class Case:
    """One network of the fuzz.

    Attributes:
        number: from 0; with the seed it repeats the case.
        source: a preset, or `foreign`.
    """

    number: int
    source: str
    net: QuantizedNet


@dataclass
class Tally:
    """What came of the networks so far; `streamed` of them block by block as well."""

    equal: int = 0
    streamed: int = 0
    refused: int = 0
    failed: int = 0


def preset_graphs(seed: int) -> Iterator[tuple[str, Graph]]:
    """Different samples of the presets in turn, up to `MAX_MACS`, without end.

    Every other round is of another of `TASKS`.
    """
    rng = random.Random(seed)
    spaces = [replace(SearchSpace.preset(name), pool_s=POOLED_S) for name in PRESETS]
    seen = set()
    turn = 0
    while True:
        space = spaces[turn % len(spaces)]
        rounds = turn // len(spaces)
        task = TASKS[rounds // 2 % len(TASKS)] if rounds % 2 else TASK
        arch = at_task(space.sample(rng), task, streams=task != TASK)
        graph = lower(arch)
        if arch not in seen and graph.total_macs <= MAX_MACS:
            seen.add(arch)
            turn += 1
            yield space.name, graph


def cases(networks: int, seed: int, *, first: int = 0) -> Iterator[Case | ExportError]:
    """Cases, or why the numbers of a foreign one leave what int8 networks can hold.

    They are the same whichever number is the first.
    """
    presets = preset_graphs(seed)
    for number in range(first + networks):
        own = seed * 1_000_003 + number
        if number % 4 != 3:
            source, graph = next(presets)
            graph = with_outputs(graph, own) if number % 8 == 6 else graph
            if number >= first:
                yield Case(number, source, random_net(graph, own))
            continue
        if number < first:
            continue
        try:
            graph = foreign_graph(own)
            graph = with_outputs(graph, own) if number % 8 == 7 else graph
            net = random_net(graph, own, stretch=FOREIGN_STRETCH)
        except ExportError as error:
            yield error
            continue
        yield Case(number, "foreign", net)


def windows(net: QuantizedNet, seed: int) -> Int8:
    """Four int8 inputs: noise, a smooth walk, noise at both ends of the range, all -128."""
    rng = np.random.default_rng(seed)
    shape = net.graph.shape(net.graph.input)[1:]
    noise = rng.integers(-128, 128, shape)
    walk = np.clip(np.cumsum(rng.normal(size=shape) * 20, axis=-2), -128, 127)
    ends = rng.choice((-128, 127), shape)
    return np.stack([noise, walk, ends, np.full(shape, -128)]).astype(np.int8)


def signal(net: QuantizedNet, seed: int) -> Int8:
    """Two windows and a block `(blocks * hop_samples, channels)`: noise, a walk and extremes."""
    three, blocks = windows(net, seed)[:3, 0], 2 * net.graph.task.blocks + 1
    return three.reshape(-1, three.shape[2])[: blocks * streaming.hop_samples(net.graph)]


def run(networks: int, seed: int, compiler: HostCompiler, *, first: int = 0) -> Tally:
    """Run the fuzz; failures are printed as they come."""
    tally = Tally()
    stream = cases(networks, seed, first=first)
    done = 0
    while batch := list(islice(stream, BATCH)):
        _run_batch(batch, seed, compiler, tally)
        done += len(batch)
        print(
            f"{done} of {networks}: {tally.equal} equal, {tally.streamed} of them streaming too, "
            f"{tally.refused} refused, {tally.failed} failed",
            flush=True,
        )
    return tally


def _run_batch(
    batch: list[Case | ExportError], seed: int, compiler: HostCompiler, tally: Tally
) -> None:
    ready: list[tuple[Case, ModelFiles]] = []
    streams: list[tuple[Case, ModelFiles]] = []
    with temporary_folder() as folder:
        for case in batch:
            if isinstance(case, ExportError):
                tally.refused += 1
                continue
            own = folder / str(case.number)
            own.mkdir()
            try:
                ready.append((case, model_files(case.net, own)))
            except ExportError as error:
                if case.source == "foreign":
                    tally.refused += 1
                else:
                    _failed(case, str(error), tally)
                continue
            own = own / "streaming"
            own.mkdir()
            with suppress(GraphError):
                streams.append((case, model_files(case.net, own, mode="streaming")))
        if not ready:
            return
        try:
            program = host_program(
                [files for _, files in ready + streams],
                folder,
                compiler,
                optimise=OPTIMISE,
                flags=["-DPPG_SEPARATE", "-g0"],
            )
        except ToolError as error:
            for case, _ in ready:
                _failed(case, str(error), tally)
            return
        for index, (case, _) in enumerate(ready):
            x = windows(case.net, seed + case.number)
            try:
                found = program.run(index, case.net, x)
            except ToolError as error:
                _failed(case, str(error), tally)
                continue
            tally.equal += _equal(case, found, reference.run(case.net, x, rule="c"), tally)
        for index, (case, _) in enumerate(streams, start=len(ready)):
            long = signal(case.net, seed + case.number)
            try:
                found = program.stream(index, case.net, long)
            except ToolError as error:
                _failed(case, f"streaming: {error}", tally)
                continue
            tally.streamed += _equal(case, found, streaming.long_pass(case.net, long), tally)


def _equal(case: Case, found: Int8, expected: Int8, tally: Tally) -> bool:
    different = int((found != expected).sum())
    if different:
        _failed(case, f"{different} of {found.size} outputs differ", tally)
    return not different


def _failed(case: Case, why: str, tally: Tally) -> None:
    tally.failed += 1
    print(f"FAILED network {case.number} ({case.source}): {why}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    compiler = find_host_compiler()
    sanitizers = compiler.sanitizers()
    if not sanitizers:
        print(f"{compiler.name} has no working sanitizer here; install gcc or clang")
        sys.exit(1)
    print(f"{compiler.name} ({compiler.version}), {OPTIMISE}, sanitizers: {', '.join(sanitizers)}")
    tally = run(arguments.networks, arguments.seed, compiler, first=arguments.first)
    print(
        f"fuzz: {arguments.networks} networks from {arguments.first} on, seed {arguments.seed}: "
        f"{tally.equal} equal to the integer reference, {tally.streamed} of them streaming too, "
        f"{tally.refused} refused, {tally.failed} failed"
    )
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
