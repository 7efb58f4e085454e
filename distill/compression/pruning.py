"""Structured pruning: the channels whose filters are smallest leave the network.

A channel's weight is the L1 norm of the filters that write it (Li et al. 2017, arXiv 1608.08710),
with normalisation folded, as the share that it has of its layer; where several layers write a
channel, the mean of their shares. Channels leave four at a time, as kernels compute four at a
time, always those that carry the least for the square root of the parameters that go with them.
For the parameters themselves, the channels that additions tie together would leave before all
others, as many layers read each: `large` kept 4 of 48, and search people found that far worse
(docs/distillation.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from distill.compression.channels import flow, narrower, without_channels
from ppgnas.errors import SpaceError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.network import Network

LANES = 4
"""Channels that leave together, and the fewest that a group keeps."""


@torch.no_grad()
def shares(network: Network) -> dict[str, Tensor]:
    """`(channels,)` of each group: the part of its layers' L1 norm that a channel has."""
    writes = flow(network.plan).writes
    found: dict[str, list[Tensor]] = {}
    for conv in network.plan.convs:
        weight, _ = network.folded(conv)
        norms = weight.abs().sum(dim=(1, 2)).double()
        found.setdefault(writes[conv.name], []).append(norms / norms.sum().clamp(min=1e-12))
    return {group: torch.stack(of_layers).mean(dim=0) for group, of_layers in found.items()}


def prune(network: Network, parameters: int) -> Network:
    """The network without its smallest channels, with at most so many parameters.

    Args:
        parameters: weights and biases with normalisation folded, see `Graph.total_parameters`.

    Raises:
        SpaceError: so few cannot be reached.
    """
    order = {group: torch.argsort(part, stable=True) for group, part in shares(network).items()}
    smallest = {group: part.sort().values.tolist() for group, part in shares(network).items()}
    widths = {group: len(part) for group, part in smallest.items()}
    while (have := _parameters(network.arch, widths)) > parameters:
        scores: dict[str, float] = {}
        for group, width in widths.items():
            fewer = _fewer(width)
            if fewer < LANES:
                continue
            gone = len(smallest[group]) - width
            leaving = sum(smallest[group][gone : gone + width - fewer])
            left = max(sum(smallest[group][gone:]), 1e-12)
            saved = have - _parameters(network.arch, {**widths, group: fewer})
            scores[group] = leaving / left / math.sqrt(saved)
        if not scores:
            raise SpaceError(
                f"pruning to {parameters} parameters is not possible: with {LANES} channels "
                f"everywhere the network has {have}; ask for at least so many"
            )
        chosen = min(scores, key=scores.__getitem__)
        widths[chosen] = _fewer(widths[chosen])
    kept = {group: order[group][-width:].sort().values for group, width in widths.items()}
    return without_channels(network, kept)


def _fewer(width: int) -> int:
    """The next multiple of `LANES` below."""
    return (width - 1) // LANES * LANES


def _parameters(arch: Arch, widths: Mapping[str, int]) -> int:
    return lower(narrower(arch, widths)).total_parameters


def goals(parameters: int, removed: float, rounds: int) -> list[int]:
    """Parameters after each round: every round takes the same share of what is there.

    Args:
        parameters: before the first.
        removed: share of them that is gone after the last.
    """
    return [round(parameters * (1 - removed) ** (n / rounds)) for n in range(1, rounds + 1)]
