"""Which channels leave, how many, and that what is left is a network like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from deploy.c.build import ModelFiles
from deploy.package import write_package
from distill.compression.pruning import flow, goals, prune, shares
from distill.qat import QatNetwork
from ppgnas.errors import SpaceError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.network import Network
from search_spaces.published import published

LARGE = published("large")


def of(arch: Arch, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(arch).eval()


def test_a_channels_share_is_the_mean_over_the_layers_that_write_it() -> None:
    network = of(published("tiny"))
    with torch.no_grad():
        for weight in network.weights.values():
            weight.fill_(1)
        network.weights["stem"][0] = 3
        network.weights["stage0_block0_depthwise"][0] = -2
    found = shares(network)["stem"]
    assert found.sum() == pytest.approx(1)
    assert found[0] == pytest.approx((3 / 10 + 2 / 9) / 2)
    assert found[1] == pytest.approx((1 / 10 + 1 / 9) / 2)


def test_the_smallest_filters_leave() -> None:
    network = of(published("large"))
    groups = flow(network.plan)
    with torch.no_grad():
        for conv in network.plan.convs:
            if groups.writes[conv.name] == "stage1.block1.expand":
                network.weights[conv.name.replace(".", "_")][[3, 50, 51, 90]] *= 1e-3
    pruned = prune(network, lower(network.arch).total_parameters - 1)
    assert lower(pruned.arch).total_parameters == lower(network.arch).total_parameters - 4 * (
        48 + 7 + 48 + 2
    )
    kept = [n for n in range(96) if n not in (3, 50, 51, 90)]
    expected = network.weights["stage1_block1_expand"][kept]
    assert torch.equal(pruned.weights["stage3_block0_expand"], expected)


@pytest.mark.parametrize("name", ["tiny", "small", "medium", "large", "kd-pulse-student"])
def test_the_goal_is_reached_and_hardly_passed(name: str) -> None:
    network = of(published(name))
    goal = round(0.3 * lower(network.arch).total_parameters)
    pruned = prune(network, goal)
    assert 0.8 * goal < lower(pruned.arch).total_parameters <= goal
    assert all(size % 4 == 0 for size in flow(pruned.plan).sizes.values())
    assert Arch.from_json(pruned.arch.to_json()) == pruned.arch


def test_channels_that_additions_tie_together_do_not_leave_before_all_others() -> None:
    pruned = prune(of(LARGE), round(0.3 * lower(LARGE).total_parameters))
    assert min(flow(pruned.plan).sizes.values()) >= 12  # of 24 to 96


def test_too_few_parameters_are_refused() -> None:
    with pytest.raises(SpaceError, match=r"pruning to 100 parameters is not possible: with 4"):
        prune(of(published("tiny")), 100)


def test_every_round_takes_the_same_share() -> None:
    assert goals(1000, 0.75, 2) == [500, 250]
    assert goals(31_000, 0.7, 1) == [9_300]


def test_a_pruned_network_is_written_like_any_other(tmp_path: Path) -> None:
    """Files equal the integer reference; the integers follow the floats."""
    pruned = prune(of(LARGE), round(0.3 * lower(LARGE).total_parameters))
    x = torch.randn(8, 4, LARGE.samples)
    qat = QatNetwork(pruned)
    qat.observe([x])
    net = qat.quantized()
    written = write_package(tmp_path, net, name="pruned", x=x.numpy().astype(np.float32))
    assert written.parity.tflite_rule_max_lsb == 0
    assert isinstance(written.c, ModelFiles)
    assert net.graph.total_weight_bytes < 0.4 * lower(LARGE).total_weight_bytes
