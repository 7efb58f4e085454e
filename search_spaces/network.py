"""A stand-alone network of one architecture, with batch normalisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from search_spaces.arch import Arch
from search_spaces.blocks import (
    Head,
    causal_conv,
    linear_upsample,
    run_head,
    run_network,
    run_pass,
    run_trunk,
)
from search_spaces.plan import Conv, Ends, plan

NORM_EPS = 1e-5
NORM_MOMENTUM = 0.05


def weight_shape(conv: Conv) -> tuple[int, int, int]:
    """`(outputs, inputs / groups, kernel)`."""
    return (conv.outputs, 1 if conv.kind == "depthwise" else conv.inputs, conv.kernel)


class Upsample(nn.Module):
    """Weight and bias of `search_spaces.blocks.upsample`."""

    def __init__(self, conv: Conv) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear_upsample(conv.outputs, conv.kernel))
        self.bias = nn.Parameter(torch.zeros(conv.outputs))


class Network(nn.Module):
    """Causal network of `arch`: `(batch, channels, time)` to `(batch, classes)` logits.

    Weights are keyed by the plan's names, with a dot replaced by an underscore in module names.
    """

    def __init__(self, arch: Arch, ends: Ends | None = None) -> None:
        super().__init__()
        self.arch = arch
        self.ends = ends
        self.plan = plan(arch, ends)
        self.weights = nn.ParameterDict()
        self.norms = nn.ModuleDict()
        for conv in self.plan.convs:
            shape = weight_shape(conv)
            bound = math.sqrt(2 / (shape[1] * shape[2]))
            self.weights[key(conv.name)] = nn.Parameter(torch.randn(shape) * bound)
            self.norms[key(conv.name)] = nn.BatchNorm1d(
                conv.outputs, eps=NORM_EPS, momentum=NORM_MOMENTUM
            )
        self.head = nn.Linear(self.plan.features, self.plan.coarse)
        up = self.plan.upsample
        self.upsample = None if up is None else Upsample(up)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of windows `(batch, channels, time)`."""
        return run_network(self.plan, x, self._convolve, self._head())

    def read(self, x: Tensor) -> Tensor:
        """Logits `(readings, classes)` of one pass over a whole signal `(channels, time)`."""
        return run_pass(self.plan, x[None], self._convolve, self._head())

    def view(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the features before they are pooled, `(batch, features, steps)`."""
        whole = self.plan.pooled < self.plan.time
        steps = run_trunk(self.plan, x, self._convolve, whole=whole)
        seen = steps[-self.plan.time :].permute(1, 2, 0)
        return run_head(self.plan, steps, self._head()), seen

    def _convolve(self, x: Tensor, conv: Conv, batch: int) -> Tensor:
        name = key(conv.name)
        value: Tensor = self.norms[name](causal_conv(x, self.weights[name], conv, batch))
        return value

    def _head(self) -> Head:
        up = self.upsample
        return Head(self.head.weight, self.head.bias, None if up is None else (up.weight, up.bias))

    def folded(self, conv: Conv) -> tuple[Tensor, Tensor]:
        """Weight `(outputs, inputs / groups, kernel)` and bias, normalisation folded in."""
        norm = self.norms[key(conv.name)]
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_var is not None and norm.running_mean is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = self.weights[key(conv.name)] * scale[:, None, None]
        return weight, norm.bias - norm.running_mean * scale


def key(name: str) -> str:
    """Module names cannot hold dots."""
    return name.replace(".", "_")
