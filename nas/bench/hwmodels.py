"""The error table of the hardware models, and how fast they answer."""

from __future__ import annotations

import platform
import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from hwmodels.boards import load_board
from hwmodels.costs import costs_many
from hwmodels.engines.load import load_engine
from hwmodels.fit.evidence import of_boards, of_engines
from hwmodels.fit.held_out import rows
from hwmodels.fit.rows import Row
from ppgnas.tables import markdown_table
from search_spaces.lower import lower
from search_spaces.space import load_space

ARCHITECTURES = 10_000
BATCHES = 5
GOAL_PER_SECOND = 20_000
COMMAND = "ppgnas bench hwmodels"


@dataclass(frozen=True)
class Speed:
    """How fast the four costs of one architecture are computed, on one core.

    Attributes:
        architectures: in a batch.
        layers: of one, on average.
        costs_per_second, costs_us: of ready graphs, in the fastest of `BATCHES` batches.
        lowering_us: what making a graph takes.
    """

    architectures: int
    layers: float
    costs_per_second: float
    costs_us: float
    lowering_us: float
    goal_per_second: int = GOAL_PER_SECOND


@dataclass(frozen=True)
class HardwareErrors:
    """Held-out errors, and speed."""

    rows: list[Row]
    speed: Speed

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas bench hwmodels --json`."""
        return {
            "command": COMMAND,
            "rows": [{**asdict(row), "met": row.met} for row in self.rows],
            "speed": asdict(self.speed),
            "engines": [asdict(engine) for engine in of_engines()],
            "boards": [asdict(board) for board in of_boards()],
            "python": platform.python_version(),
            "machine": platform.machine(),
        }


def speed(*, architectures: int = ARCHITECTURES, space: str = "default") -> Speed:
    """Seconds of the processor that a batch of new architectures takes, whatever else runs.

    Half as many other architectures go first, as they would in a search: kinds of layers are
    remembered, networks are not. The graphs are ready before the clock of the four costs starts.
    """
    networks, rng = load_space(space), random.Random(0)
    archs = [networks.sample(rng) for _ in range(architectures + architectures // 2)]
    start_s = time.process_time()
    graphs = [lower(arch) for arch in archs]
    lowering_s = time.process_time() - start_s
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    costs_many(graphs[architectures:], board, engine)

    def batch_s() -> float:
        start_s = time.process_time()
        costs_many(graphs[:architectures], board, engine)
        return time.process_time() - start_s

    best_s = min(batch_s() for _ in range(BATCHES))
    return Speed(
        architectures,
        layers=sum(len(graph.layers) for graph in graphs) / len(graphs),
        costs_per_second=architectures / best_s,
        costs_us=best_s / architectures * 1e6,
        lowering_us=lowering_s / len(archs) * 1e6,
    )


def bench_hwmodels(*, architectures: int = ARCHITECTURES) -> HardwareErrors:
    """Errors and speed."""
    return HardwareErrors(rows(), speed(architectures=architectures))


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
    goal, per_second = found.speed.goal_per_second, found.speed.costs_per_second
    what = "four costs of one architecture, batch, one core"
    last = (
        what,
        "computed",
        f"{found.speed.architectures}",
        f"{goal} /s",
        f"{per_second:.0f} /s",
        "-",
    )
    return [*table, last]


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
    fast = found.speed
    parts = [
        "# Errors of the hardware models",
        f"Made by `{COMMAND}`. Every figure is of held-out points; see\n"
        "`hwmodels/fit/held_out.py` for how, and `hwmodels/data/README.md` for their sources.\n"
        "Evidence is `timed` on boards by others, `counted` in emulation, or `published` sizes\n"
        "and powers. A regime of 8 points and more shall have 80-97 % of them inside its 90 %\n"
        "interval; a whole network counts once, on however many boards it was timed.",
        markdown_table(HEADER, table_rows(found)),
        "## What engines and boards stand on",
        "A core is `timed`, `emulated`, or costed `by ratio` to the Cortex-M7; figures of a\n"
        "board have a source or are assumed.",
        markdown_table(("engine", "version", "cores"), _engine_rows()),
        markdown_table(("board", "core", "engines", "sourced figures", "assumed"), _board_rows()),
        "## What counts",
        "\n".join(f"- {row.what} (`{row.data}`): {row.note}." for row in found.rows),
        f"Speed: {fast.architectures} random architectures of the default space, "
        f"{fast.layers:.0f} layers on average, not seen before; latency, flash, SRAM and "
        f"power of a ready graph take {fast.costs_us:.0f} us, fastest of five batches. "
        f"Making the graph of an architecture takes another {fast.lowering_us:.0f} us and is not "
        f"in the figure. Python {platform.python_version()} on {platform.machine()}, one core.",
    ]
    return "\n\n".join(parts) + "\n"
