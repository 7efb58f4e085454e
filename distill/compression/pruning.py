"""Structured pruning: the channels whose filters are smallest leave the network.

A channel is written by filters and read by others. A depthwise layer writes the channel that it
reads, and an addition writes a channel of its block's input, so such channels are one and the
same: a *group* is a set of tensors whose channels can only be removed together.

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ppgnas.errors import SpaceError
from search_spaces.arch import Arch, StageArch
from search_spaces.lower import lower
from search_spaces.network import Network, key
from search_spaces.plan import Conv, Plan, plan

INPUT = "input"


@dataclass(frozen=True)
class Flow:
    """Where the channels of a network are written and read.

    Attributes:
        reads, writes: group of the input and the output of each convolution by its name. A group
            bears the name of the first layer that writes it; the network's input is `input`.
        last: the group that is pooled and enters the head.
        sizes: channels of each group but the input.
    """

    reads: dict[str, str]
    writes: dict[str, str]
    last: str
    sizes: dict[str, int]


def flow(what: Plan) -> Flow:
    """The groups of a planned network."""
    reads: dict[str, str] = {}
    writes: dict[str, str] = {}
    current = INPUT
    for conv, added_to in _in_order(what):
        reads[conv.name] = current
        if conv.kind != "depthwise":
            current = conv.name if added_to is None else writes[added_to]
        writes[conv.name] = current
    sizes = {writes[conv.name]: conv.outputs for conv in what.convs}
    return Flow(reads, writes, current, sizes)


def _in_order(what: Plan) -> Iterator[tuple[Conv, str | None]]:
    """Each convolution, and the one whose output its own is added to."""
    yield what.stem, None
    before = what.stem
    for block in what.blocks:
        for conv in block.convs:
            yield conv, before.name if block.residual and conv is block.project else None
        before = block.project
    if what.neck is not None:
        yield what.neck, None


@torch.no_grad()
def without_channels(network: Network, kept: Mapping[str, Tensor]) -> Network:
    """The network with fewer channels, its weights and statistics those of the channels kept.

    What the removed channels gave to their readers is gone, nothing stands in for it.

    Args:
        kept: indices of the channels that stay, in rising order, by group; the others stay whole.
    """
    what, groups = network.plan, flow(network.plan)

    def pick(values: Tensor, dimension: int, group: str) -> Tensor:
        return values.index_select(dimension, kept[group]) if group in kept else values

    widths = {name: len(channels) for name, channels in kept.items()}
    shrunk = Network(narrower(network.arch, widths))
    for old, new in zip(what.convs, shrunk.plan.convs, strict=True):
        own = groups.writes[old.name]
        weight = pick(network.weights[key(old.name)], 0, own)
        if old.kind != "depthwise":
            weight = pick(weight, 1, groups.reads[old.name])
        shrunk.weights[key(new.name)].copy_(weight)
        norm, source = shrunk.norms[key(new.name)], network.norms[key(old.name)]
        norm.load_state_dict(
            {
                name: pick(value, 0, own) if value.ndim else value
                for name, value in source.state_dict().items()
            }
        )
    shrunk.head.weight.copy_(pick(network.head.weight, 1, groups.last))
    shrunk.head.bias.copy_(network.head.bias)
    if shrunk.upsample is not None and isinstance(network.upsample, nn.Module):
        shrunk.upsample.load_state_dict(network.upsample.state_dict())
    return shrunk.train(network.training)


def narrower(arch: Arch, widths: Mapping[str, int]) -> Arch:
    """The arch whose groups have other widths, one stage a block."""
    what = plan(arch)
    groups = flow(what)
    sizes = {**groups.sizes, **widths}

    def width(conv: Conv) -> int:
        return sizes[groups.writes[conv.name]]

    stages = []
    expansions = [stage.expansion for stage in arch.stages for _ in range(stage.depth)]
    inputs = width(what.stem)
    for block, expansion in zip(what.blocks, expansions, strict=True):
        taps, inner = block.depthwise, width(block.depthwise)
        stages.append(
            StageArch(
                depth=1,
                width=width(block.project),
                kernel=taps.kernel,
                dilation=taps.dilation,
                expansion=expansion,
                stride=taps.stride,
                residual=block.residual,
                inner=0 if inner == inputs * expansion else inner,
            )
        )
        inputs = width(block.project)
    neck = 0 if what.neck is None else width(what.neck)
    return replace(arch, stem_width=width(what.stem), stages=tuple(stages), head_width=neck)


LANES = 4  # channels that leave together, and the fewest that a group keeps


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
