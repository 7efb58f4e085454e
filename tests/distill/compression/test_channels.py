"""Channels that nothing writes can leave a network, and nothing changes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from distill.compression.pruning import flow, narrower, without_channels
from search_spaces.arch import Arch, StageArch
from search_spaces.lower import lower
from search_spaces.network import Network, key
from search_spaces.plan import plan
from search_spaces.published import PUBLISHED, published
from search_spaces.space import SearchSpace

MIXED = Arch(
    True,
    16,
    8,
    9,
    (
        StageArch(2, 8, 5, 2, 2, 1, True),  # the first block adds the stem's channels
        StageArch(2, 12, 5, 2, 1, 2, True),  # only the second block adds
        StageArch(2, 12, 5, 1, 3, 1, False),
    ),
    "max",
    16,
    6,
)


def trained(arch: Arch) -> Network:
    """Weights and statistics as after a training."""
    network = Network(arch)
    for norm in network.norms.values():
        assert isinstance(norm, nn.BatchNorm1d)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    for _ in range(3):
        network.train()(torch.randn(16, arch.channels, arch.samples))
    return network.eval()


def test_groups_follow_additions_and_depthwise_layers() -> None:
    groups = flow(plan(MIXED))
    assert groups.sizes == {
        "stem": 8,
        "stage0.block0.expand": 16,
        "stage0.block1.expand": 16,
        "stage1.block0.project": 12,
        "stage2.block0.expand": 36,
        "stage2.block0.project": 12,
        "stage2.block1.expand": 36,
        "stage2.block1.project": 12,
        "neck": 16,
    }
    for name in ("stage0.block0.project", "stage0.block1.project", "stage1.block0.depthwise"):
        assert groups.writes[name] == "stem"
    assert groups.writes["stage1.block1.project"] == "stage1.block0.project"
    assert groups.reads["stage0.block1.project"] == "stage0.block1.expand"
    assert groups.reads["stem"] == "input"
    assert groups.last == "neck"


@pytest.mark.parametrize("seed", range(6))
def test_channels_of_zeros_can_leave(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)
    arch = MIXED if seed == 0 else SearchSpace.preset("default").sample(rng)
    network, groups = trained(arch), flow(plan(arch))
    kept = {
        name: torch.tensor(sorted(rng.sample(range(size), rng.randint(1, size))))
        for name, size in groups.sizes.items()
    }
    with torch.no_grad():
        for conv in network.plan.convs:
            group = groups.writes[conv.name]
            gone = [n for n in range(conv.outputs) if n not in kept[group].tolist()]
            norm = network.norms[key(conv.name)]
            assert isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None
            network.weights[key(conv.name)][gone] = 0
            norm.bias[gone] = 0
            norm.running_mean[gone] = 0
        x = torch.randn(4, arch.channels, arch.samples)
        shrunk = without_channels(network, kept)
        assert torch.allclose(shrunk(x), network(x), atol=1e-4, rtol=1e-4)
    assert lower(shrunk.arch).total_parameters < lower(network.arch).total_parameters
    assert flow(shrunk.plan).sizes.keys() and not shrunk.training
    assert sorted(flow(shrunk.plan).sizes.values()) == sorted(map(len, kept.values()))


@pytest.mark.parametrize("name", PUBLISHED)
def test_all_channels_kept_is_the_same_network(name: str) -> None:
    arch = narrower(published(name), {})
    assert all(stage.depth == 1 and stage.inner == 0 for stage in arch.stages)
    as_planned = [replace(conv, name="") for conv in plan(published(name)).convs]
    assert [replace(conv, name="") for conv in plan(arch).convs] == as_planned
