"""The error table of the hardware models, and how fast they answer."""

from __future__ import annotations

import math
import platform
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from hwmodels.boards import load_board
from hwmodels.costs import Costs, costing
from hwmodels.engines.load import load_engine
from hwmodels.fit.evidence import of_boards, of_engines
from hwmodels.fit.held_out import rows
from hwmodels.fit.rows import Row
from hwmodels.path import USUAL
from nas.run.target import load_target
from ppgnas.tables import markdown_table
from search_spaces.lower import lower
from search_spaces.space import load_space

ARCHITECTURES = 10_000
BATCHES = 5
COMMAND = "ppgnas bench hwmodels"
T = TypeVar("T")


@dataclass(frozen=True)
class Speed:
    """How fast all costs of one architecture are computed, on one core.

    Attributes:
        what: engine, and what is counted.
        architectures: in all batches.
        per_second: in the fastest of `BATCHES` batches.
        goal_per_second: at least so many.
    """

    what: str
    architectures: int
    per_second: float
    goal_per_second: int


@dataclass(frozen=True)
class HardwareErrors:
    """Held-out errors, and speed."""

    rows: list[Row]
    speeds: list[Speed]

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas bench hwmodels --json`."""
        return {
            "command": COMMAND,
            "rows": [{**asdict(row), "met": row.met} for row in self.rows],
            "speeds": [asdict(speed) for speed in self.speeds],
            "engines": [asdict(engine) for engine in of_engines()],
            "boards": [asdict(board) for board in of_boards()],
            "python": platform.python_version(),
            "machine": platform.machine(),
        }


def speeds(*, architectures: int = ARCHITECTURES) -> list[Speed]:
    """Seconds of the processor that new architectures take, whatever else runs.

    Half as many others go first, as they would in a search: kinds of layers are remembered,
    networks are not. Generated C is asked for as a search asks, with what stands around a network.
    Under TFLM the graphs are ready before the clock starts.
    """
    networks, rng = load_space("default"), random.Random(0)
    archs = [networks.sample(rng) for _ in range(architectures + architectures // 2)]
    of_layers = costing(load_board("stm32h743"), load_engine("tflm-cmsis-nn"))
    of_programs = load_target("stm32h743", "ppgnas-c", around=USUAL).costs
    graphs = [lower(arch) for arch in archs]
    return [
        Speed(
            "all costs of one architecture, ppgnas-c, lowering included, one core",
            architectures,
            _per_second(of_programs, archs, architectures),
            25_000,
        ),
        Speed(
            "all costs of one ready graph, tflm-cmsis-nn, one core",
            architectures,
            _per_second(of_layers, graphs, architectures),
            20_000,
        ),
    ]


def _per_second(costs_of: Callable[[T], Costs], networks: list[T], new: int) -> float:
    """Networks a second in the fastest batch of the first `new`, after the others."""
    for network in networks[new:]:
        costs_of(network)
    size, fastest_s = new // BATCHES, math.inf
    for first in range(0, size * BATCHES, size):
        start_s = time.process_time()
        for network in networks[first : first + size]:
            costs_of(network)
        fastest_s = min(fastest_s, time.process_time() - start_s)
    return size / fastest_s


def bench_hwmodels(*, architectures: int = ARCHITECTURES) -> HardwareErrors:
    """Errors and speed."""
    return HardwareErrors(rows(), speeds(architectures=architectures))


def table_rows(found: HardwareErrors) -> list[tuple[str, ...]]:
    """What, evidence, points (groups), goal, measured, inside; the speed last."""
    table = [
        (
            row.what,
            row.evidence,
            f"{row.points} ({row.groups})",
            "-" if row.goal is None else f"{row.goal:g} {row.unit}",
            f"{row.measured:.2f} {row.unit}",
            f"{100 * row.inside:.1f} %",
        )
        for row in found.rows
    ]
    return table + [
        (
            speed.what,
            "computed",
            f"{speed.architectures}",
            f"{speed.goal_per_second} /s",
            f"{speed.per_second:.0f} /s",
            "-",
        )
        for speed in found.speeds
    ]


def _engine_rows() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for engine in of_engines():
        by_kind: dict[str, list[str]] = {}
        for core, kind in engine.cores.items():
            by_kind.setdefault(kind, []).append(core)
        cores = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by_kind.items())
        rows.append((engine.name, engine.version, cores))
    return rows


def _board_rows() -> list[tuple[str, ...]]:
    return [
        (b.name, b.core, str(len(b.engines)), str(b.sourced), ", ".join(b.assumed) or "-")
        for b in of_boards()
    ]


HEADER = ("what", "evidence", "points (groups)", "goal", "measured", "inside 90 %")


def markdown(found: HardwareErrors) -> str:
    """`results/reference/hwmodels.md`."""
    parts = [
        "# Errors of the hardware models",
        f"Made by `{COMMAND}`. Every figure is of held-out points; see\n"
        "`hwmodels/fit/held_out.py` for how, and `hwmodels/data/README.md` for their sources.\n"
        "Evidence is `timed` on boards by others, `counted` in emulation, or `published` sizes\n"
        "and powers. A regime of 8 points and more shall have 80-97 % of them inside its 90 %\n"
        "interval; a whole network counts once, on however many boards it was timed, so fewer\n"
        "than six leave steps of 20 % and more.",
        markdown_table(HEADER, table_rows(found)),
        "## What engines and boards stand on",
        "A core is `timed`, `emulated`, or costed `by ratio` to the Cortex-M7; figures of a\n"
        "board have a source or are assumed.",
        markdown_table(("engine", "version", "cores"), _engine_rows()),
        markdown_table(("board", "core", "engines", "sourced figures", "assumed"), _board_rows()),
        "## What counts",
        "\n".join(f"- {row.what} (`{row.data}`): {row.note}." for row in found.rows),
        "Speed: random architectures of the default space, not seen before, fastest of "
        f"{BATCHES} batches; kinds of layers are remembered from half as many others. Under "
        "`ppgnas-c` what a search calls is timed, with what stands around a network. "
        f"Python {platform.python_version()} on {platform.machine()}, one core.",
    ]
    return "\n\n".join(parts) + "\n"
