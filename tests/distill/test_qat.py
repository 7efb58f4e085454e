"""Quantisation-aware training simulates the integers that the files hold."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from deploy.integers import reference
from distill.qat import FakeQuantise, QatNetwork, activation_scale, shared_scale_sources
from search_spaces.lower import lower
from search_spaces.network import Network
from search_spaces.space import SearchSpace


def test_activation_scale_holds_zero_exactly() -> None:
    scale, point = activation_scale(0.0, 2.55)
    assert scale == pytest.approx(0.01) and point == -128
    scale, point = activation_scale(-1.0, 1.0)
    assert point in (-1, 0) and abs((0 - point) * scale) < 1.0
    assert activation_scale(1.0, 2.0)[1] == -128  # widened to hold 0
    assert activation_scale(0.0, 0.0)[0] > 0


def test_shared_scales_come_from_where_values_are_made() -> None:
    graph = lower(SearchSpace.preset("tiny").largest())
    sources = shared_scale_sources(graph)
    assert sources["stem.pad"] == "input"
    assert sources["pool"] not in sources
    writes = {layer.output for layer in graph.layers if layer.op not in ("pad", "reshape")}
    assert set(sources.values()) <= writes | {"input"}


@pytest.mark.parametrize(("scale", "zero_point"), [(0.0213, -128), (0.05, 3), (0.011, 127)])
def test_fake_quantisation_is_that_of_torch(scale: float, zero_point: int) -> None:
    x, back = (torch.randn(5000, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    x[:3] = scale * torch.tensor([0.5, 1.5, -2.5])  # halves go to the even one
    found = []
    for quantised in (
        lambda x: torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127),
        lambda x: FakeQuantise.apply(x, scale, zero_point),
    ):
        own = (2 * x).requires_grad_()
        values = quantised(own)
        values.backward(back)
        found.append((values, own.grad))
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize("seed", range(6))
def test_fake_quantisation_agrees_with_the_integer_reference(seed: int) -> None:
    """Random networks after observing ranges: nine in ten logits within 2 LSB, all within 5.

    The head rounds before upsampling, which passes a difference of it on.
    """
    torch.manual_seed(seed)
    space = SearchSpace.preset("default")
    arch = space.sample(random.Random(seed))
    network = Network(arch)
    x = torch.randn(64, arch.channels, arch.samples)
    for _ in range(5):
        network.train()(x)
    qat = QatNetwork(network.eval())
    qat.observe([x])
    qat.observing = False
    assert set(qat.ranges) == set(qat.ranged)  # what a checkpoint holds
    with torch.no_grad():
        simulated = qat(x).numpy()
    net = qat.quantized()
    exact = net.dequantize_output(reference.run(net, net.quantize_input(x.numpy())))
    scale = net.activations["logits"][0]
    difference = np.abs(simulated - exact) / scale
    assert difference.max() < 5.5
    assert (difference < 2.5).mean() > 0.9


def test_quantised_training_reaches_every_weight() -> None:
    torch.manual_seed(0)
    arch = SearchSpace.preset("tiny").largest()
    qat = QatNetwork(Network(arch).eval())
    x = torch.randn(8, 4, 256)
    qat.observe([x])
    qat(x).square().mean().backward()
    for name, value in qat.named_parameters():
        assert value.grad is not None and torch.isfinite(value.grad).all(), name
        assert value.grad.abs().sum() > 0, name
