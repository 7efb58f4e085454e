"""Counts of what stands around a network: what `hwmodels.path` is fitted on.

    python -m deploy.fuzz.path --settings 48 --streaming 16 --out hwmodels/data/path.csv

draws sensors, rates, channels and smoothings, builds front end and decoder around a small network
and runs them on the emulated Cortex-M7: 12 s of made-up signals, then windows one after the other;
of streaming, blocks of 2 s.
A row holds instructions and cycles (of the pipeline model) of each part for one reading, its bytes
of flash and of memory. Every few settings are built for the other cores too; what they run there
is counted in instructions, for the pipeline model is a Cortex-M7's. Then `python -m hwmodels.fit`
makes the law of it.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import model_texts
from deploy.c.reading import SensorChain
from deploy.c.source import generate, text_of
from deploy.device.decoder import Decoder
from deploy.device.decoding import calibration_of
from deploy.device.settings import FrontEnd
from deploy.device.smoothing import smoother_of
from deploy.emulation.emulate import EmulationResult, Emulator
from deploy.emulation.image import Image, read_image
from deploy.emulation.toolchain import Compiler, find_compiler
from deploy.fuzz.matrix import for_core
from deploy.fuzz.random_net import random_net
from deploy.integers.quantized import QuantizedNet
from hwmodels.path import PATH_COLUMNS, PathShape
from ppg.readout.smoothing import SMOOTHINGS
from ppg.readout.transitions import Transitions
from ppg.readout.typical import RAW
from ppgnas.errors import ToolError
from ppgnas.files import temporary_folder, write_text_atomic
from ppgnas.task import Mode
from search_spaces.arch import RATES_HZ
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from search_spaces.stages import at_task

SENSOR_HZ = (16, 25, 32, 50, 64, 100, 128, 200, 256)
SECONDS = 12
SETTLED_S = 2.0
CHUNK_S = 0.25
WINDOWS = 12
SETTLED = 4  # windows after which a smoother believes in few classes
LOGIT_SCALE = 0.08
OTHER_CORES = {"M0+": "Cortex-M0+", "M3": "Cortex-M3", "M4": "Cortex-M4F", "M33": "Cortex-M33"}
EVERY = 12  # one setting in so many is counted on the other cores too


def draw(settings: int, seed: int, mode: Mode = "window") -> Iterator[PathShape]:
    """Different settings: both kinds of input, all rates and all smoothings in turn."""
    rng = random.Random(seed)
    seen: set[PathShape] = set()
    while len(seen) < settings:
        rate_hz = rng.choice(RATES_HZ)
        # A sensor is seldom slower than the network reads it.
        rates = [hz for hz in SENSOR_HZ if hz >= rate_hz]
        acc_hz = rng.choice(rates) if len(seen) % 2 else 0
        shape = PathShape(
            rng.choice(rates),
            acc_hz,
            rng.choice((1, 1, 2, 3)),
            rate_hz,
            rng.choice(SMOOTHINGS),
            mode,
        )
        if shape not in seen:
            seen.add(shape)
            yield shape


@dataclass(frozen=True)
class Counted:
    """One setting on one core; `PATH_COLUMNS` say what each is."""

    shape: PathShape
    core: str
    instructions: tuple[float, ...]
    cycles: tuple[float, ...]
    flash_bytes: int
    state_bytes: int

    def row(self) -> list[object]:
        """In the order of `PATH_COLUMNS`."""
        numbers = [f"{value:.1f}" for value in (*self.instructions, *self.cycles)]
        return [*self.shape[:-1], self.core, *numbers, self.flash_bytes, self.state_bytes]


def _network(shape: PathShape) -> QuantizedNet:
    small = SearchSpace.preset("wide").smallest()
    if shape.mode == "streaming":  # strides that divide the 50 samples of 2 s too
        small = replace(small, stages=tuple(replace(s, stride=1) for s in small.stages[:2]))
    own = replace(small, acceleration=shape.acc_hz > 0, rate_hz=int(shape.rate_hz))
    return random_net(lower(at_task(own, shape.task)), 0)


def chain(shape: PathShape) -> SensorChain:
    """What stands around the network of a setting."""
    acc_hz = Fraction(shape.acc_hz) if shape.acc_hz else None
    end = FrontEnd(
        Fraction(shape.ppg_hz),
        acc_hz,
        int(shape.rate_hz),
        shape.ppg_channels,
        mode=shape.mode,
        task=shape.task,
    )
    by = smoother_of(Transitions(), shape.task) if shape.smoothing == "hmm" else None
    knots = calibration_of(RAW.spread_bpm, RAW.error_bpm)
    return SensorChain(end, Decoder(LOGIT_SCALE, shape.smoothing, by, knots, knots, shape.task))


def _image(shape: PathShape, compiler: Compiler, folder: Path) -> tuple[Image, int]:
    """The image with everything around the network, and what that adds of flash."""
    net = _network(shape)
    made = generate(net, mode=shape.mode)
    network = ["ppg_infer"] if shape.mode == "window" else ["ppg_step", "ppg_network_reset"]
    flags = () if shape.acc_hz else ("PATH_NO_ACC",)
    found = []
    for name, around in (("around", chain(shape)), ("alone", None)):
        here = folder / name
        here.mkdir()
        model, header = model_texts(net, made, around)
        write_text_atomic(here / "model.c", model)
        write_text_atomic(here / "model.h", header)
        sources, keep = [here / "model.c"], [*network]
        if around is not None:
            write_text_atomic(here / "calls.c", text_of("path_calls.c"))
            sources.append(here / "calls.c")
            keep += ["start", "push_ppg", "window", "quantise", "decode", "smooth", "sizes"]
            keep += ["push_acc"] if shape.acc_hz else []
        image = compiler.build(
            sources, here / "image.elf", keep=keep, include=[here], defines=flags
        )
        found.append(read_image(image))
    own = found[0].sizes_of("calls").flash_bytes
    return found[0], found[0].flash_bytes - own - found[1].flash_bytes


def count(shape: PathShape, compiler: Compiler, core: str = "Cortex-M7") -> Counted:
    """Run one setting in emulation."""
    with temporary_folder() as folder:
        image, flash_bytes = _image(shape, compiler, folder)
        return _run(shape, Emulator(image), core, flash_bytes)


def _run(shape: PathShape, emulator: Emulator, core: str, flash_bytes: int) -> Counted:
    rng = np.random.default_rng(0)
    emulator.call("start")
    parts = _pushed(shape, emulator, rng)
    seen = [
        (emulator.call("decode", {"logits": logits.tobytes()}), emulator.call("smooth"))
        for logits in _logits(rng, shape.task.classes)
    ]
    parts += [
        (
            float(np.mean([one.instructions for one in calls[SETTLED:]])),
            float(np.mean([one.cycles for one in calls[SETTLED:]])),
        )
        for calls in zip(*seen, strict=True)
    ]
    sizes = np.frombuffer(emulator.machine.read("sizes", 16), np.uint32).tolist()
    instructions, cycles = (tuple(part[index] for part in parts) for index in (0, 1))
    return Counted(shape, core, instructions, cycles, flash_bytes, sum(sizes))


def _pushed(
    shape: PathShape, emulator: Emulator, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Instructions and cycles of all pushes of a stride, PPG and acceleration, and of a window."""
    pulse = 3000 * np.sin(2 * np.pi * 1.4 * np.arange(SECONDS * shape.ppg_hz) / shape.ppg_hz)
    walk = np.cumsum(rng.normal(size=(len(pulse), shape.ppg_channels)), axis=0) * 50
    ppg = (100000 + pulse[:, None] + walk).astype(np.int32)
    acc = rng.normal(size=(SECONDS * int(shape.acc_hz), 3)) * 900 + [0, 0, 4096]
    streams: dict[str, tuple[NDArray[Any], float]] = {
        "ppg": (ppg, shape.ppg_hz),
        "acc": (acc.astype(np.int16), shape.acc_hz),
    }
    sums = {name: np.zeros(2) for name in streams}
    settled = round(SETTLED_S / CHUNK_S)
    chunks = round(SECONDS / CHUNK_S)
    made: list[EmulationResult] = []
    for chunk in range(chunks):
        for name, (samples, hz) in streams.items():
            first, last = (int(number * CHUNK_S * hz) for number in (chunk, chunk + 1))
            if first == last:
                continue
            part = samples[first:last]
            result = emulator.call(
                f"push_{name}", {f"{name}_samples": part.tobytes()}, arguments=(len(part),)
            )
            if chunk >= settled:
                sums[name] += (result.instructions, result.cycles)
            if result.result:
                taken = emulator.call("window")
                if taken.result:
                    raise ToolError(f"{shape}: a window that was due could not be taken")
                made = [taken, emulator.call("quantise")]
    share = shape.task.stride_s / (SECONDS - SETTLED_S)
    if not made:
        raise ToolError(f"{shape}: no window was due in {SECONDS} s")
    pushes = [tuple((sums[name] * share).tolist()) for name in streams]
    return [*pushes, *((one.instructions, one.cycles) for one in made)]


def _logits(rng: np.random.Generator, classes: int) -> Iterator[NDArray[np.int8]]:
    """As finalists give them: one mode that moves, and a long tail."""
    places = np.arange(classes)
    for number in range(WINDOWS):
        distance = np.abs(places - 60 - 3 * number)
        values = np.maximum(110 - 2.8 * distance**1.2, 8) + rng.normal(size=classes) * 10
        yield np.clip(values, -128, 127).astype(np.int8)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=60)
    parser.add_argument("--streaming", type=int, default=16, help="as many settings of blocks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    compiler = find_compiler()
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PATH_COLUMNS)
        windows = draw(arguments.settings, arguments.seed)
        blocks = draw(arguments.streaming, arguments.seed, "streaming")
        for number, shape in [*enumerate(windows), *enumerate(blocks)]:
            writer.writerow(count(shape, compiler).row())
            for name, core in OTHER_CORES.items() if number % EVERY == 0 else ():
                writer.writerow(count(shape, for_core(compiler, name), core).row())
            file.flush()
            print(f"{number + 1}: {shape}", flush=True)


if __name__ == "__main__":
    main()
