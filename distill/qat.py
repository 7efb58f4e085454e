"""Quantisation-aware training: the arithmetic of the int8 file, simulated in float.

Normalisation is folded before this phase. Weights are fake-quantised per output channel (per
tensor in the head) with the scale their largest value asks for; activations per tensor, with
ranges that follow the batches through the first half of training and then stand still. Pooling and
the head share what TFLite makes them share: an average pool keeps the scale of its input.

Reference: Jacob et al. 2018 (arXiv 1712.05877).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph
from hwmodels.operators import OPERATORS
from search_spaces.arch import Arch
from search_spaces.blocks import Head, causal_conv, run_head, run_network, run_trunk
from search_spaces.lower import lower, stored_weight
from search_spaces.network import Network, key
from search_spaces.plan import Conv

RANGE_MOMENTUM = 0.05
SMALLEST_RANGE = 1e-4


class QatNetwork(nn.Module):
    """The folded network with fake quantisation at every tensor that the graph names."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.arch: Arch = network.arch
        self.ends = network.ends
        self.plan = network.plan
        self.weights = nn.ParameterDict()
        self.biases = nn.ParameterDict()
        for conv in self.plan.convs:
            weight, bias = network.folded(conv)
            self.weights[key(conv.name)] = nn.Parameter(weight.detach().clone())
            self.biases[key(conv.name)] = nn.Parameter(bias.detach().clone())
        for name, layer in (("head", network.head), ("upsample", network.upsample)):
            if layer is not None:
                self.weights[name] = nn.Parameter(layer.weight.detach().clone())
                self.biases[name] = nn.Parameter(layer.bias.detach().clone())
        graph = lower(self.arch, self.ends)
        self._sources = shared_scale_sources(graph)
        names = (self._sources.get(tensor.name, tensor.name) for tensor in graph.tensors)
        self.ranged = tuple(dict.fromkeys(names))
        self.ranges: dict[str, tuple[float, float]] = {}
        self.observing = True
        self.quantising = True

    def get_extra_state(self) -> Tensor:
        """The ranges, `(tensors, 2)` in the order of `ranged`: a checkpoint holds them."""
        return torch.tensor([self.ranges[name] for name in self.ranged], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take ranges that `get_extra_state` gave."""
        ranges = zip(self.ranged, state.tolist(), strict=True)
        self.ranges = {name: (low, high) for name, (low, high) in ranges}

    def observe(self, batches: Iterable[Tensor]) -> None:
        """Set the ranges from float passes over `batches` of `(batch, channels, time)`."""
        self.quantising = False
        with torch.no_grad():
            for batch in batches:
                self(batch)
        self.quantising = True

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)`."""
        return run_network(self.plan, x, self._convolve, self._head(), self._tap)

    def view(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the features before they are pooled, `(batch, features, steps)`."""
        whole = self.plan.pooled < self.plan.time
        steps = run_trunk(self.plan, x, self._convolve, self._tap, whole=whole)
        seen = steps[-self.plan.time :].permute(1, 2, 0)
        return run_head(self.plan, steps, self._head(), self._tap), seen

    def _convolve(self, x: Tensor, conv: Conv, batch: int) -> Tensor:
        name = key(conv.name)
        return causal_conv(x, self._weight(name), conv, batch, self.biases[name])

    def _head(self) -> Head:
        up = None
        if self.plan.upsample is not None:
            up = self._weight("upsample"), self.biases["upsample"]
        return Head(self._weight("head"), self.biases["head"], up)

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = self.weights[name]
        if not self.quantising:
            return weight
        if name == "head":
            scale = float(weight.detach().abs().max().clamp(min=1e-8)) / 127
            return torch.fake_quantize_per_tensor_affine(weight, scale, 0, -127, 127)
        scale_of = weight.detach().abs().amax(dim=(1, 2)).clamp(min=1e-8) / 127
        zeros = torch.zeros_like(scale_of, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale_of, zeros, 0, -127, 127)

    def _tap(self, name: str, x: Tensor) -> Tensor:
        name = self._sources.get(name, name)
        if self.observing:
            self._follow(name, x.detach())
        if not self.quantising:
            return x
        scale, zero_point = activation_scale(*self.ranges[name])
        quantised: Tensor = FakeQuantise.apply(x, scale, zero_point)  # type: ignore[no-untyped-call]
        return quantised

    def _follow(self, name: str, x: Tensor) -> None:
        # What shares a scale is averaged into one range: pooled values are smaller than their
        # source's, so an average pool draws the range in and its source's rare peaks are clipped.
        low, high = (float(bound) for bound in torch.aminmax(x))
        if name in self.ranges:
            before = self.ranges[name]
            low = before[0] + RANGE_MOMENTUM * (low - before[0])
            high = before[1] + RANGE_MOMENTUM * (high - before[1])
        self.ranges[name] = (low, high)

    def quantized(self) -> QuantizedNet:
        """The integers: what the files hold."""
        graph = lower(self.arch, self.ends)
        floats: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        up = self.plan.upsample
        for conv in (*self.plan.convs, *(() if up is None else (up,))):
            weight = self.weights[key(conv.name)].detach().double().numpy()
            bias = self.biases[key(conv.name)].detach().double().numpy()
            layer = next(item for item in graph.layers if item.name == conv.name)
            floats[conv.name] = (stored_weight(conv, weight, graph.weight_shape(layer)), bias)
        head = self.weights["head"].detach().double().numpy()
        floats["head"] = (head, self.biases["head"].detach().double().numpy())
        activations: dict[str, tuple[float, int]] = {}
        for tensor in graph.tensors:
            source = self._sources.get(tensor.name, tensor.name)
            activations[tensor.name] = activation_scale(*self.ranges[source])
        return quantize(graph, floats, activations)


class FakeQuantise(torch.autograd.Function):
    """`torch.fake_quantize_per_tensor_affine` to int8, whose kernel takes ten times as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, zero_point: int) -> Tensor:
        steps = torch.mul(x, 1 / scale).round_()
        ctx.save_for_backward(steps)
        ctx.bounds = -128 - zero_point, 127 - zero_point
        return steps.clamp(*ctx.bounds).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (steps,) = ctx.saved_tensors
        lowest, highest = ctx.bounds
        back = torch.ops.aten.hardtanh_backward(gradient, steps, lowest - 0.5, highest + 0.5)
        return back, None, None


def shared_scale_sources(graph: Graph) -> dict[str, str]:
    """For each tensor that must share its input's scale, the tensor that decides it."""
    sources: dict[str, str] = {}
    for layer in graph.layers:
        if OPERATORS[layer.op].keeps_scale:
            origin = layer.inputs[0]
            sources[layer.output] = sources.get(origin, origin)
    return sources


def activation_scale(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of an int8 tensor that must hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max(high - low, SMALLEST_RANGE) / 255))
    zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return scale, zero_point
