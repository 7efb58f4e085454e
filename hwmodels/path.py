"""What stands around a network costs too: front end, normalisation, decoder, smoother.

The C around a network (`deploy.device`) is the same whatever engine runs the network. Its cycles
for one reading, its flash and its memory follow from a `PathShape`: rates and channels of the
sensors, the rate of the network, the smoothing, and whether it streams. `hwmodels.fit.path` fits
the law to counts in emulation (`python -m deploy.fuzz.path`) of the usual task; samples count by
window and stride, and what goes through the classes is taken to grow with their number.

Emulated, not measured: cycles are those of the pipeline model of a Cortex-M7. Other Arm cores
have their own emulated counts of instructions, and an assumed number of cycles for each
(`SINGLE_ISSUE`); cores that no emulation ran take the board's ratio to a Cortex-M7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hwmodels.boards import Board
from hwmodels.estimate import Estimate
from hwmodels.graph import Graph
from hwmodels.power import energy_mj
from hwmodels.signals import signals_of
from ppgnas.errors import BoardError, BudgetError
from ppgnas.task import CLASSES, TASK, Mode, Task
from ppgnas.toml_file import FileModel, read_as

LAW_TOML = Path(__file__).parent / "data" / "path_law.toml"
STREAM_HZ = 64.0
"""Rate over which samples go to a network whose rate does not divide it (`ppg.windows`)."""

PARTS = ("push_ppg", "push_acc", "window", "quantise", "decode", "smooth")
"""What is called for a reading; pushes are those of one stride."""
WORDS = {
    "push_ppg": "front end",
    "push_acc": "front end",
    "window": "front end",
    "quantise": "normalisation",
    "decode": "decoder",
    "smooth": "smoother",
}
SMOOTHINGS = ("none", "clip", "hmm")
SENSOR_HZ = (10.0, 2000.0)
MOST_CHANNELS = 3
SINGLE_ISSUE = Estimate(1.25, 1.0, 1.6)
"""Cycles of an instruction on a core without a second pipe. Assumption: one, and what loads,
branches and long products take beyond it."""
WAITS = Estimate(1.0, 0.95, 1.4)
"""On a chip over emulated, as `memory_waits` of the engine ppgnas-c. Assumption."""


class PathShape(NamedTuple):
    """What the cost depends on; `acc_hz` 0 is a network that reads PPG alone."""

    ppg_hz: float
    acc_hz: float
    ppg_channels: int
    rate_hz: float
    smoothing: str
    mode: Mode = "window"
    task: Task = TASK


PATH_COLUMNS = (
    *PathShape._fields[:-1],
    "core",
    *(f"{part}_instructions" for part in PARTS),
    *(f"{part}_cycles" for part in PARTS),
    "flash_bytes",
    "state_bytes",
)
"""Columns of `data/path.csv`: instructions and cycles are those of a reading."""


def features(shape: PathShape) -> dict[str, dict[str, float]]:
    """What each part, the flash and the memory are linear in."""
    lanes, acc = shape.ppg_channels, float(shape.acc_hz > 0)
    pairs = lanes * (lanes + 1) // 2
    streams, stride_s = shape.mode == "streaming", shape.task.stride_s
    steps = (stride_s if streams else shape.task.window_s) * shape.rate_hz
    two = STREAM_HZ % shape.rate_hz != 0
    grid_hz = STREAM_HZ if two else shape.rate_hz
    grid = stride_s * grid_hz
    outputs, pushes = stride_s * shape.rate_hz, stride_s * shape.ppg_hz
    smoothing = {name: float(shape.smoothing == name) for name in SMOOTHINGS}
    share = shape.task.classes / CLASSES
    by_class = {**smoothing, "hmm": smoothing["hmm"] * share}
    whole = {
        "call": 1.0,
        "acceleration": acc,
        "steps": steps,
        "steps x channels": steps * lanes,
        "steps x acceleration": steps * acc,
    }
    blocks = {**whole, "pairs": pairs, "steps x pairs": steps * pairs}
    return {
        "push_ppg": {
            "samples": pushes,
            "samples x channels": pushes * lanes,
            "samples x acceleration": pushes * acc,
            "grid": grid,
            "between x channels": grid * _between(shape.ppg_hz, grid_hz) * lanes,
            "put": min(pushes, grid),
            "outputs": outputs,
            "outputs x channels": outputs * lanes,
            "outputs x acceleration": outputs * acc,
        },
        "push_acc": {
            "samples": stride_s * shape.acc_hz,
            "grid": grid * acc,
            "between": grid * acc * _between(shape.acc_hz, grid_hz),
            "put": min(stride_s * shape.acc_hz, grid),
            "outputs": outputs * acc,
        },
        "window": whole,
        "quantise": {
            **{name: value * (not streams) for name, value in whole.items()},
            **{f"block {name}": value * streams for name, value in blocks.items()},
        },
        "decode": {"call": share},
        "smooth": by_class,
        "flash": {
            **smoothing,
            "acceleration": acc,
            "second grid": float(two),
            "second grid x acceleration": two * acc,
            "channels": float(lanes > 1),
            "blocks": float(streams),
            "blocks x acceleration": streams * acc,
            "blocks x channels": float(streams and lanes > 1),
        },
        "state": {
            **by_class,
            "acceleration": acc,
            "channels": float(lanes),
            "second grid": float(two),
            "second grid x channels": float(two * lanes),
            "second grid x acceleration": two * acc,
            "samples": _samples_bytes(shape, int(steps)),
            "sums": _sums_bytes(lanes, acc, shape.task.blocks) * streams,
        },
    }


@cache
def _between(hz: float, grid_hz: float) -> float:
    """The share of output samples that stand between two of a sensor's."""
    return 1 - 1 / Fraction(hz / grid_hz).limit_denominator(2000).denominator


def _samples_bytes(shape: PathShape, steps: int) -> float:
    """Exact; of the ring with its marks, and of the window or block that is handed over.

    The ring holds those steps, the slack of a second, and what one push can bring beyond it.
    """
    acc = shape.acc_hz > 0
    slowest = min(shape.ppg_hz, shape.acc_hz) if acc else shape.ppg_hz
    at_once = math.ceil(9 * shape.rate_hz / (8 * slowest))
    ring = steps + max(1, int(shape.rate_hz)) + at_once - 1
    channels = shape.ppg_channels + 3 * acc
    marks = 4 * math.ceil(ring / 32) * (1 + acc)
    return marks + 4 * math.ceil(ring * channels / 2) + 2 * (steps * channels + 1)


def _sums_bytes(lanes: int, acc: float, blocks: int) -> float:
    """Exact; of a window's blocks, and their count: `ppg_gain_t`, aligned to 8."""
    block = 8 * (lanes * (lanes + 1) // 2) + 6 * lanes + 2 + 22 * acc
    return blocks * 8 * math.ceil(block / 8) + 8


class PartLaw(FileModel):
    """Coefficients of `features`; cycles and instructions, or bytes."""

    features: tuple[str, ...]
    cycles: tuple[float, ...] = ()
    instructions: tuple[float, ...] = ()
    bytes: tuple[float, ...] = ()


class PathErrors(FileModel):
    """Of settings that were left out of the fit; relative, `half_width` of 90 % in logs."""

    settings: int
    mean_error: float
    worst_error: float
    half_width: float
    flash_half_width: float


class LawFile(FileModel):
    """`data/path_law.toml`."""

    source: str
    errors: PathErrors
    cycles_per_instruction: float
    core_instructions: dict[str, float]
    parts: dict[str, PartLaw]


class PathLaw:
    """The law of a file.

    Raises:
        BoardError: not such a file, or fitted with other features than the program has.
    """

    def __init__(self, path: Path) -> None:
        self.file = read_as(path, LawFile, help_text="Run `python -m hwmodels.fit`")
        known = features(PathShape(64, 64, 1, 32, "hmm"))
        if {name: part.features for name, part in self.file.parts.items()} != {
            name: tuple(own) for name, own in known.items()
        }:
            raise BoardError(
                f"{path} was fitted with other features than the program has; run "
                "`python -m hwmodels.fit`"
            )

    def cycles(self, shape: PathShape) -> dict[str, float]:
        """Cycles of each part of a reading on a Cortex-M7."""
        found = features(shape)
        return {name: _dot(self.file.parts[name].cycles, found[name]) for name in PARTS}

    def instructions(self, shape: PathShape) -> float:
        """Instructions of a reading on a Cortex-M7."""
        found = features(shape)
        return sum(_dot(self.file.parts[name].instructions, found[name]) for name in PARTS)

    def flash_bytes(self, shape: PathShape) -> float:
        """Code and tables."""
        return _dot(self.file.parts["flash"].bytes, features(shape)["flash"])

    def state_bytes(self, shape: PathShape) -> float:
        """What lives between readings, and the window or block."""
        return _dot(self.file.parts["state"].bytes, features(shape)["state"])

    def factor(self, board: Board) -> Estimate:
        """What the cycles of a Cortex-M7 are multiplied by on a board."""
        error = WAITS.widened(self.file.errors.half_width)
        instructions = self.file.core_instructions.get(board.core)
        if instructions is None:
            return error.times(board.core_ratio)
        return error.times(SINGLE_ISSUE).times(instructions / self.file.cycles_per_instruction)


def _dot(coefficients: tuple[float, ...], own: dict[str, float]) -> float:
    return sum(c * f for c, f in zip(coefficients, own.values(), strict=True))


@cache
def path_law() -> PathLaw:
    """The law that comes with the project."""
    return PathLaw(LAW_TOML)


@dataclass(frozen=True)
class Surroundings:
    """What stands around a network on the device.

    Attributes:
        ppg_hz, acc_hz: rates of the sensors; None is the rate that the network reads.
        ppg_channels: 1 to 3, averaged into one.
        smoothing: `hmm`, `clip` or `none`.
        ppg_sensor_mw, accelerometer_mw: what they draw; None is what the board's file says.

    Raises:
        BudgetError: a rate, a number of channels or a smoothing that the C does not have.
    """

    ppg_hz: float | None = None
    acc_hz: float | None = None
    ppg_channels: int = 1
    smoothing: str = "hmm"
    ppg_sensor_mw: float | None = None
    accelerometer_mw: float | None = None

    def __post_init__(self) -> None:
        slowest, fastest = SENSOR_HZ
        for name, hz in (("ppg_hz", self.ppg_hz), ("acc_hz", self.acc_hz)):
            if hz is not None and not slowest < hz <= fastest:
                raise BudgetError(
                    f"`{name}` is {hz:g} Hz; allowed: more than {slowest:g} and up to "
                    f"{fastest:g} Hz, as the device filters"
                )
        if not 1 <= self.ppg_channels <= MOST_CHANNELS:
            raise BudgetError(
                f"`ppg_channels` is {self.ppg_channels}; allowed: 1 to {MOST_CHANNELS}"
            )
        if self.smoothing not in SMOOTHINGS:
            raise BudgetError(
                f"`smoothing` is {self.smoothing!r}; allowed: {', '.join(SMOOTHINGS)}"
            )


USUAL = Surroundings()
"""Sensors that sample as the network reads, one PPG channel, the smoother."""


def shape_of(graph: Graph, around: Surroundings, mode: Mode = "window") -> PathShape | None:
    """The shape around a network; None where it does not read windows as ours do.

    Such a network reads the window of its task, of PPG alone or with three axes, and puts out its
    classes. The graph is that of a window in either mode.
    """
    found, task = signals_of(graph), graph.task
    classes = [graph.shape(output)[-1] for output in graph.outputs]
    if found is None or found[0] % task.window_s or classes != [task.classes]:
        return None
    steps, signals = found
    rate_hz = steps / task.window_s
    acc_hz = (around.acc_hz or rate_hz) if sum(s.channels for s in signals) > 1 else 0.0
    sensors = around.ppg_hz or rate_hz, acc_hz, around.ppg_channels
    return PathShape(*sensors, rate_hz, around.smoothing, mode, task)


@dataclass(frozen=True)
class PathCost:
    """What stands around a network, on a board.

    Attributes:
        latency_ms, energy_mj: of all calls of one reading, spread over the stride before it.
        cycles: on the board's core.
        parts: what each part has of the cycles, by its words.
        state_bytes: what lives between readings, and the window.
    """

    shape: PathShape
    latency_ms: Estimate
    energy_mj: Estimate
    cycles: Estimate
    parts: dict[str, float]
    flash_bytes: Estimate
    state_bytes: float
    ppg_mw: Estimate
    accelerometer_mw: Estimate

    @property
    def sensors_mw(self) -> Estimate:
        """Both sensors."""
        return self.ppg_mw + self.accelerometer_mw

    def sram_bytes(self, scratch_bytes: float | None) -> float:
        """States, the window or block, logits, and what the decoder wants beyond the scratch.

        Args:
            scratch_bytes: of a network in generated C, which the decoder uses again, without the
                past that a stream keeps; None where the network has an arena of its own, with its
                logits in it.
        """
        classes = self.shape.task.classes
        decode_bytes, logits_bytes = 4 * classes, -(-classes // 8) * 8
        if scratch_bytes is None:
            return self.state_bytes + decode_bytes
        return self.state_bytes + logits_bytes + max(0.0, decode_bytes - scratch_bytes)


def path_cost(shape: PathShape, board: Board, around: Surroundings) -> PathCost:
    """What stands around a network.

    Args:
        around: gives what the sensors draw.
    """
    law = path_law()
    factor = law.factor(board)
    on_m7 = law.cycles(shape)
    cycles = Estimate.exact(sum(on_m7.values())).times(factor)
    latency_ms = cycles.times(1e3 / board.clock_hz)
    parts = dict.fromkeys(WORDS.values(), 0.0)
    for name, value in on_m7.items():
        parts[WORDS[name]] += value * factor.value
    flash = Estimate.exact(law.flash_bytes(shape)).widened(law.file.errors.flash_half_width)
    ppg_mw, acc_mw = around.ppg_sensor_mw, around.accelerometer_mw
    return PathCost(
        shape=shape,
        latency_ms=latency_ms,
        energy_mj=energy_mj(board, latency_ms),
        cycles=cycles,
        parts=parts,
        flash_bytes=flash,
        state_bytes=law.state_bytes(shape),
        ppg_mw=board.sensors.ppg_mw(shape.ppg_hz, shape.ppg_channels)
        if ppg_mw is None
        else Estimate.exact(ppg_mw),
        accelerometer_mw=Estimate.exact(0.0)
        if not shape.acc_hz
        else board.sensors.accelerometer_mw(shape.acc_hz)
        if acc_mw is None
        else Estimate.exact(acc_mw),
    )
