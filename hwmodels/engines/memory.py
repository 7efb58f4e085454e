"""What an engine holds in SRAM of a network's activations."""

from __future__ import annotations

from collections.abc import Sequence

from hwmodels.arena import Held, plan_of
from hwmodels.engines.engine import Engine
from hwmodels.engines.st import OLDER, live_bytes
from hwmodels.estimate import Estimate
from hwmodels.graph import Graph


def activations(
    graph: Graph, engine: Engine, scratch: Sequence[int], held: Held | None
) -> tuple[Sequence[int], int, int]:
    """Live bytes of each layer, bytes in all, and the fullest layer."""
    if engine.st_version is not None:
        live = live_bytes(graph, older=engine.st_version in OLDER)
        return live, max(live), live.index(max(live))
    placed = plan_of(graph, scratch, held)
    return placed.live_bytes[1:], placed.arena_bytes, max(placed.peak_time - 1, 0)


def arena(engine: Engine, planned: int, channels: int, ops: int) -> Estimate:
    """Planned tensors and what the runtime keeps beside them."""
    rules = engine.sram
    return (
        rules.arena_factor.times(planned)
        + rules.arena_base
        + rules.arena_per_op.times(ops)
        + rules.arena_per_channel.times(channels)
    )
