"""The bench of trainings: plain torch computes the same, and every way is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nas.bench.plain import PlainNetwork
from nas.bench.training import FIXED, How, TrainingSpeed, _measured, _run, idle_times
from search_spaces.network import Network
from search_spaces.published import published


@pytest.mark.parametrize("name", [*FIXED, "timeppg-small", "kd-pulse-student"])
@pytest.mark.parametrize("training", [True, False])
def test_plain_torch_computes_the_same_logits_and_gradients(name: str, training: bool) -> None:
    torch.manual_seed(0)
    arch = published(name)
    network = Network(arch)
    network(torch.randn(8, arch.channels, arch.samples))  # running statistics of their own
    plain = PlainNetwork(network)
    x, towards = torch.randn(8, arch.channels, arch.samples), torch.randn(8, 180)
    found = []
    for module in (network.train(training), plain.train(training)):
        network.zero_grad()
        logits = module(x)
        (logits * towards).sum().backward()
        gradients = [network.weights[name].grad for name in network.weights]
        found.append((logits.detach(), *(g.clone() for g in gradients if g is not None)))
    assert len(found[0]) == 1 + len(network.plan.convs)
    for own, other in zip(*found, strict=True):
        scale = float(other.abs().max())
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4 * scale)


RATES: tuple[tuple[How, float], ...] = (("threads", 20.0), ("processes", 30.0))


def test_all_fixed_networks_are_measured_in_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One way in a process of its own, the other here with smaller batches."""
    monkeypatch.setattr("nas.bench.training.BATCH", 16)
    found = []
    ways: tuple[tuple[How, dict[str, float]], ...] = (
        ("one core", _measured("fixed", "one core", 2)),
        ("plain torch", _run("fixed", "plain torch", 2, tmp_path)),
    )
    for how, rates in ways:
        assert tuple(rates) == FIXED and min(rates.values()) > 0
        found += [TrainingSpeed(name, how, rate, rate / 2) for name, rate in rates.items()]
    assert [row.kept for row in found] == [0.5] * 8
    times = idle_times(found, "one core", "plain torch")
    assert times["tiny"] == found[0].idle / found[4].idle and tuple(times) == FIXED
    finalists = [TrainingSpeed("finalists", how, rate, 1) for how, rate in RATES]
    assert idle_times(finalists, "processes", "threads") == {"finalists": 1.5}
