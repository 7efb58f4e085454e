"""The error table of the hardware models, and how fast they answer."""

from __future__ import annotations

import platform
import random
import time
from dataclasses import asdict
from typing import Any

from ppgnas.tables import markdown_table

ARCHITECTURES = 10_000
BATCHES = 5
GOAL_PER_SECOND = 20_000
COMMAND = "ppgnas bench hwmodels"


def speed(*, architectures: int = ARCHITECTURES, space: str = "default") -> dict[str, float]:
    """Seconds a batch of new architectures takes, on one core.

    Half as many other architectures go first, as they would in a search: kinds of layers are
    remembered, networks are not. The graphs are ready before the clock of the four costs starts;
    `lowering_us` is what making one takes.
    """
    from hwmodels.boards import load_board
    from hwmodels.costs import costs_many
    from hwmodels.engines.load import load_engine
    from search_spaces.lower import lower
    from search_spaces.space import load_space

    networks, rng = load_space(space), random.Random(0)
    archs = [networks.sample(rng) for _ in range(architectures + architectures // 2)]
    start_s = time.perf_counter()
    graphs = [lower(arch) for arch in archs]
    lowering_s = time.perf_counter() - start_s
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    costs_many(graphs[architectures:], board, engine)
    best_s = min(_timed_s(graphs[:architectures], board, engine) for _ in range(BATCHES))
    return {
        "architectures": architectures,
        "layers": sum(len(graph.layers) for graph in graphs) / len(graphs),
        "costs_per_second": architectures / best_s,
        "costs_us": best_s / architectures * 1e6,
        "lowering_us": lowering_s / len(archs) * 1e6,
    }


def _timed_s(graphs: Any, board: Any, engine: Any) -> float:
    from hwmodels.costs import costs_many

    start_s = time.perf_counter()
    costs_many(graphs, board, engine)
    return time.perf_counter() - start_s


def bench_hwmodels(*, architectures: int = ARCHITECTURES) -> dict[str, Any]:
    """The table as a document."""
    from hwmodels.fit.held_out import rows

    return {
        "command": COMMAND,
        "rows": [{**asdict(row), "met": row.met} for row in rows()],
        "speed": {**speed(architectures=architectures), "goal_per_second": GOAL_PER_SECOND},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def table_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """What, points (groups), goal, measured, inside; the speed last."""
    found = [
        (
            row["what"],
            f"{row['points']} ({row['groups']})",
            "-" if row["goal"] is None else f"{row['goal']:g} {row['unit']}",
            f"{row['measured']:.2f} {row['unit']}",
            f"{100 * row['inside']:.1f} %",
        )
        for row in document["rows"]
    ]
    figures = document["speed"]
    return [
        *found,
        (
            "four costs of one architecture, batch, one core",
            f"{figures['architectures']}",
            f"{figures['goal_per_second']} /s",
            f"{figures['costs_per_second']:.0f} /s",
            "-",
        ),
    ]


HEADER = ("what", "points (groups)", "goal", "measured", "inside 90 %")


def markdown(document: dict[str, Any]) -> str:
    """`results/reference/hwmodels.md`."""
    lines = [
        "# Errors of the hardware models",
        "",
        f"Made by `{document['command']}`. Every figure is of held-out points; see",
        "`hwmodels/fit/held_out.py` for how, and `hwmodels/data/README.md` for their sources.",
        "The share inside the 90 % interval shall be 85-95 %.",
        "",
        markdown_table(HEADER, table_rows(document)),
        "",
        "## What counts",
        "",
        *[f"- {row['what']} (`{row['data']}`): {row['note']}." for row in document["rows"]],
        "",
    ]
    figures = document["speed"]
    lines += [
        f"Speed: {figures['architectures']} random architectures of the default space, "
        f"{figures['layers']:.0f} layers on average, not seen before; latency, flash, SRAM and "
        f"power of a ready graph take {figures['costs_us']:.0f} us, fastest of five batches. "
        f"Making the graph of an architecture takes another {figures['lowering_us']:.0f} us and "
        f"is not in the figure. Python {document['python']} on {document['machine']}, one core.",
        "",
    ]
    return "\n".join(lines)
