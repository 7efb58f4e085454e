"""Counts of an emulated call, told by the layers of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerCount:
    """Emulated counts of one call: the layers that it computes, and how many calls share it."""

    layers: tuple[str, ...]
    function: str
    shared_by: int
    instructions: int
    cycles: int


def by_layer(
    calls: Sequence[tuple[str, tuple[str, ...]]],
    instructions: Mapping[str, int],
    cycles: Mapping[str, float],
) -> tuple[LayerCount, ...]:
    """Counts of functions, told by the layers that they compute.

    Layers of one shape share a function, whose counts are split evenly between its calls. What is
    left (copying the input, the calls themselves) is the last row.

    Args:
        calls: `(function, layers)` in order, of `deploy.c.source.Source`.
        instructions, cycles: by function; `name.constprop.0` is gcc's copy of `name`.
    """
    counted, clocked = _whole(instructions), _whole(cycles)
    times = {name: sum(other == name for other, _ in calls) for name, _ in calls}
    rows = [
        LayerCount(
            layers,
            name,
            times[name],
            round(counted.get(name, 0) / times[name]),
            round(clocked.get(name, 0.0) / times[name]),
        )
        for name, layers in calls
    ]
    rest = (
        round(sum(n for name, n in counts.items() if name not in times))
        for counts in (counted, clocked)
    )
    return (*rows, LayerCount((), "rest", 1, *rest))


def _whole(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts with the copies that a compiler makes of a function added to it."""
    found: dict[str, float] = {}
    for name, count in counts.items():
        base = name.split(".")[0]
        found[base] = found.get(base, 0) + count
    return found
