"""The supernet: extraction, lowering layer by layer, normalisation, order of channels."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hwmodels.graph import Graph
from search_spaces.arch import Arch
from search_spaces.blocks import linear_upsample, run_network, run_trunk, upsample
from search_spaces.lower import lower, stored_weight
from search_spaces.network import Network
from search_spaces.plan import plan
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet, tap_spacing


@pytest.fixture(scope="module")
def supernets() -> dict[str, Supernet]:
    torch.manual_seed(0)
    nets = {name: Supernet(SearchSpace.preset(name)) for name in ("default", "wide")}
    with torch.no_grad():
        for net in nets.values():  # away from the initial ones and zeros and identities
            for parts in (net.gains, net.shifts, net.transforms, net.upsamples):
                for value in parts.values():
                    value.add_(0.1 * torch.randn_like(value))
    return nets


def _owner(supernets: dict[str, Supernet], arch: Arch) -> Supernet:
    return supernets["default" if len(arch.stages) == 3 else "wide"]


def test_extract_equals_forward(supernets: dict[str, Supernet], random_archs: list[Arch]) -> None:
    torch.manual_seed(1)
    for arch in random_archs[::4] + random_archs[-4:]:  # both ends are the last four
        net = _owner(supernets, arch)
        statistics = net.recalibrate(arch, [torch.randn(4, arch.channels, arch.samples)])
        x = torch.randn(2, arch.channels, arch.samples)
        with torch.no_grad():
            expected = net(x, arch, statistics=statistics)
            torch.testing.assert_close(
                net.extract(arch, statistics)(x), expected, rtol=1e-4, atol=1e-4
            )


def test_lowering_agrees_with_the_extracted_network_layer_by_layer(
    supernets: dict[str, Supernet], random_archs: list[Arch]
) -> None:
    """Oracle: the graph run in float64 numpy by the plain definition of each operator."""
    torch.manual_seed(2)
    for arch in random_archs[:25] + random_archs[150:160]:
        net = _owner(supernets, arch)
        statistics = net.recalibrate(arch, [torch.randn(4, arch.channels, arch.samples)])
        network = net.extract(arch, statistics)
        seen: dict[str, NDArray[np.float32]] = {}

        def tap(
            name: str, x: torch.Tensor, seen: dict[str, NDArray[np.float32]] = seen
        ) -> torch.Tensor:
            value = x.detach().numpy()
            seen[name] = value.transpose(3, 0, 2, 1) if value.ndim == 4 else value
            return x

        x = torch.randn(1, arch.channels, arch.samples)
        with torch.no_grad():
            run_network(network.plan, x, network._convolve, network._head(), tap)
        graph = lower(arch)
        values = _run_graph(graph, network, x.numpy().transpose(0, 2, 1)[:, None])
        layers = [layer for layer in graph.layers if layer.output in seen]
        assert len(layers) >= len(network.plan.convs) + 2
        for layer in layers:
            expected = seen[layer.output].reshape(graph.shape(layer.output))
            np.testing.assert_allclose(
                values[layer.output], expected, rtol=2e-3, atol=2e-3, err_msg=layer.name
            )


def _run_graph(
    graph: Graph, network: Network, x: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    convs = {conv.name: conv for conv in network.plan.convs}
    if network.plan.upsample is not None:
        convs["upsample"] = network.plan.upsample
    values = {graph.input: x.astype(np.float64)}
    for layer in graph.layers:
        source = values[layer.inputs[0]]
        if layer.op == "pad":
            top, bottom, left, right = layer.pads
            out = np.pad(source, ((0, 0), (top, bottom), (left, right), (0, 0)))
        elif layer.op == "reshape":
            out = source.reshape(graph.shape(layer.output))
        elif layer.op == "add":
            out = source + values[layer.inputs[1]]
        elif layer.op == "avg_pool":
            out = source.mean(axis=(1, 2), keepdims=True)
        elif layer.op == "max_pool":
            out = source.max(axis=(1, 2), keepdims=True)
        elif layer.op == "fully_connected":
            weight = network.head.weight.detach().numpy().astype(np.float64)
            out = source.reshape(1, -1) @ weight.T + network.head.bias.detach().numpy()
        else:
            conv = convs[layer.name]
            folded: torch.Tensor
            bias: torch.Tensor
            if layer.name == "upsample":
                assert network.upsample is not None
                folded, bias = network.upsample.weight, network.upsample.bias
                assert (layer.padding, layer.kernel) == ("same", (1, 3))
                source = np.pad(source, ((0, 0), (0, 0), (1, 1), (0, 0)))
            else:
                folded, bias = network.folded(conv)
            weight = stored_weight(
                conv, folded.detach().double().numpy(), graph.weight_shape(layer)
            )
            # (rows, columns, channels, rows of the kernel, columns of the kernel)
            patches = np.lib.stride_tricks.sliding_window_view(source[0], layer.kernel, (0, 1))
            patches = patches[:: layer.stride[0], :: layer.stride[1]]
            if layer.op == "depthwise_conv":
                sums = np.einsum("rcdkl,kld->rcd", patches, weight[0])
            else:
                sums = np.tensordot(patches, weight, axes=((3, 4, 2), (1, 2, 3)))
            out = sums[None] + bias.detach().double().numpy()
            assert out.shape == graph.shape(layer.output)
            if layer.activation == "relu":
                out = np.maximum(out, 0)
        values[layer.output] = out
    return values


@pytest.mark.parametrize("spacing", [2, 3, 5, 9])
def test_upsampling_starts_as_linear_interpolation(spacing: int) -> None:
    """A line over the places is a line over the classes, but for the ends."""
    places = 180 // spacing
    line = (torch.arange(places) + 0.5) * spacing - 0.5  # the class at the middle of each place
    written = upsample(line[None], linear_upsample(spacing, 3), torch.zeros(spacing))
    assert written.shape == (1, 180)
    inside = slice(spacing, 180 - spacing)
    torch.testing.assert_close(written[0, inside], torch.arange(180.0)[inside])


@pytest.mark.parametrize("spacing", [3, 9])
def test_upsampling_can_write_any_soft_label(spacing: int) -> None:
    """Three places determine a parabola, so no Gaussian is lost between them."""
    classes, places = torch.arange(180.0).double(), 180 // spacing
    middles = ((torch.arange(places) + 0.5) * spacing - 0.5).double()
    beside = (torch.arange(spacing).double() - (spacing - 1) / 2) / spacing
    lagrange = [beside * (beside - 1) / 2, 1 - beside**2, beside * (beside + 1) / 2]
    weight = torch.stack(lagrange, dim=1)[:, None]
    for centre in (40.3, 101.7):
        coarse = -0.5 * ((middles - centre) / 2) ** 2
        written = upsample(coarse[None], weight, torch.zeros(spacing).double())[0]
        inside = slice(spacing, 180 - spacing)
        expected = -0.5 * ((classes - centre) / 2) ** 2
        torch.testing.assert_close(written[inside], expected[inside])


def test_networks_are_causal(supernets: dict[str, Supernet]) -> None:
    """Before pooling, no time step depends on a later sample."""
    space = SearchSpace.preset("default")
    rng = random.Random(3)
    for _ in range(10):
        arch = space.sample(rng)
        network = supernets["default"].extract(
            arch,
            supernets["default"].recalibrate(arch, [torch.randn(4, arch.channels, arch.samples)]),
        )
        what = plan(arch)
        x = torch.randn(1, arch.channels, arch.samples)
        later = x.clone()
        later[..., arch.samples // 2 :] += 1
        with torch.no_grad():
            before, after = (run_trunk(what, each, network._convolve) for each in (x, later))
        half = what.time // 2
        torch.testing.assert_close(after[:half], before[:half])
        assert not torch.allclose(after[half:], before[half:])


def test_recalibration_changes_no_shared_weight(supernets: dict[str, Supernet]) -> None:
    net = supernets["default"]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    arch = net.space.largest()
    first = net.recalibrate(arch, [torch.randn(4, 4, 256) for _ in range(3)])
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert set(first) == {conv.name for conv in plan(arch).convs}


def test_recalibration_is_the_mean_of_the_batches(supernets: dict[str, Supernet]) -> None:
    net = supernets["default"]
    arch = net.space.smallest()
    one, two = (
        torch.randn(4, arch.channels, arch.samples),
        torch.randn(4, arch.channels, arch.samples),
    )
    both = net.recalibrate(arch, [one, two])
    single = [net.recalibrate(arch, [batch]) for batch in (one, two)]
    for name, (mean, variance) in both.items():
        torch.testing.assert_close(mean, (single[0][name][0] + single[1][name][0]) / 2)
        torch.testing.assert_close(variance, (single[0][name][1] + single[1][name][1]) / 2)
    with pytest.raises(ValueError, match="at least one batch"):
        net.recalibrate(arch, [])


def test_sorting_channels_keeps_the_largest_network_and_orders_it() -> None:
    torch.manual_seed(4)
    net = Supernet(SearchSpace.preset("default"))
    arch = net.space.largest()
    x = torch.randn(4, 4, 256)
    with torch.no_grad():
        before = net(x, arch)
        net.sort_channels()
        torch.testing.assert_close(net(x, arch), before, rtol=1e-4, atol=1e-4)
    for name in net.weights:
        if name.endswith("_expand_expanded"):
            block = name.removesuffix("_expand_expanded")
            importance = sum(
                weight.abs().sum(dim=(0, 2))
                for reader, weight in net.weights.items()
                if reader.startswith(f"{block}_project_expanded")
            )
            assert (importance[:-1] >= importance[1:]).all(), name
    importance = sum(net.heads[name].abs().sum(dim=0) for name in net.heads if "neck" in name)
    assert (importance[:-1] >= importance[1:]).all()


def test_taps_of_one_spacing_share_weights() -> None:
    space = SearchSpace.preset("default")
    choices = {name: values[0] for name, values in space.dimensions.items()}
    strided = space.build({**choices, "stage1.stride": 2, "stage1.depth": 2, "stage1.dilation": 1})
    dilated = space.build({**choices, "stage1.stride": 1, "stage1.depth": 2, "stage1.dilation": 2})
    # after stage 0's stride of 2: stride 2 and dilation 2 both span 4 steps of the trunk
    assert tap_spacing(strided.stages, 1, 1) == tap_spacing(dilated.stages, 1, 1) == 4
    assert tap_spacing(strided.stages, 1, 0) == 2  # a strided block reads its neighbours
    net = Supernet(space)
    layers = [
        next(c for c in plan(arch).convs if c.name == "stage1.block1.depthwise")
        for arch in (strided, dilated)
    ]
    one, two = (net.weight(c, a) for c, a in zip(layers, (strided, dilated), strict=True))
    torch.testing.assert_close(one, two)


def test_every_parameter_is_used_by_some_network(supernets: dict[str, Supernet]) -> None:
    torch.manual_seed(5)
    net = Supernet(SearchSpace.preset("tiny"))
    rng, unused = random.Random(5), [name for name, _ in net.named_parameters()]
    for _ in range(500):
        arch = net.space.sample(rng)
        net(torch.randn(2, arch.channels, arch.samples), arch).square().mean().backward()
        unused = [name for name, value in net.named_parameters() if value.grad is None]
        if not unused:
            break
    assert unused == []
