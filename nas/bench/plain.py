"""A network as one would write it in torch: what the speed of ours is measured against."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.blocks import upsample
from search_spaces.network import NORM_EPS, NORM_MOMENTUM, Network, key
from search_spaces.plan import Conv


class PlainNetwork(nn.Module):
    """`Conv1d`, `BatchNorm1d` and `ReLU` with the weights of a `Network`; the same logits."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.plan = network.plan
        self.layers = nn.ModuleDict(
            {key(conv.name): _layer(conv, network) for conv in self.plan.convs}
        )
        self.head = network.head
        self.upsample = network.upsample

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of windows `(batch, channels, time)`."""
        x = self._run(self.plan.stem, x)
        for block in self.plan.blocks:
            shortcut = x
            for conv in block.convs:
                x = self._run(conv, x)
            if block.residual:
                x = x + shortcut
        if self.plan.neck is not None:
            x = self._run(self.plan.neck, x)
        x = x[:, :, -self.plan.pooled :]
        coarse: Tensor = self.head(x.mean(dim=2) if self.plan.pooling == "avg" else x.amax(dim=2))
        up = self.upsample
        return coarse if up is None else upsample(coarse, up.weight, up.bias)

    def _run(self, conv: Conv, x: Tensor) -> Tensor:
        steps = -(-x.shape[2] // conv.stride)
        seen = (steps - 1) * conv.stride + (conv.kernel - 1) * conv.dilation + 1
        out: Tensor = self.layers[key(conv.name)](F.pad(x, (seen - x.shape[2], 0)))
        return out


def _layer(conv: Conv, network: Network) -> nn.Sequential:
    convolution = nn.Conv1d(
        conv.inputs,
        conv.outputs,
        conv.kernel,
        stride=conv.stride,
        dilation=conv.dilation,
        groups=conv.inputs if conv.kind == "depthwise" else 1,
        bias=False,
    )
    convolution.weight = network.weights[key(conv.name)]
    norm = nn.BatchNorm1d(conv.outputs, eps=NORM_EPS, momentum=NORM_MOMENTUM)
    norm.load_state_dict(network.norms[key(conv.name)].state_dict())
    return nn.Sequential(convolution, norm, nn.ReLU() if conv.relu else nn.Identity())
