"""The network as a function: convolution, view, activation and shortcut, without any weights.

The stand-alone network, the supernet and the quantisation-aware network differ only in where a
convolution's weights and normalisation come from, so they pass that in and share the rest.

Shapes: signals enter as `(batch, channels, time)`; inside they are `(batch, channels, 1, time)`,
or `(batch, channels, time/d, d)` for a layer of dilation d, channels last in memory: the layout of
the exported graph. On a CPU this is several times faster than `Conv1d` with dilation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.plan import Conv, Plan

Convolve = Callable[[Tensor, Conv], Tensor]
Tap = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class Head:
    """Weights behind the pooled features, see `search_spaces.plan`.

    Attributes:
        weight, bias: of the dense layer, `(coarse, features)` and `(coarse,)`.
        upsample: weight and bias of `upsample`; None where the dense layer has all classes.
    """

    weight: Tensor
    bias: Tensor
    upsample: tuple[Tensor, Tensor] | None = None


def refold(x: Tensor, dilation: int) -> Tensor:
    """View time as `[T/d, d]` (or `[1, T]` for d = 1) without moving a byte.

    Args:
        x: `(batch, channels, height, width)`, channels last in memory.
    """
    batch, channels, height, width = x.shape
    time = height * width
    rows, columns = (time // dilation, dilation) if dilation > 1 else (1, time)
    if (height, width) == (rows, columns):
        return x
    return x.permute(0, 2, 3, 1).reshape(batch, rows, columns, channels).permute(0, 3, 1, 2)


def causal_conv(x: Tensor, weight: Tensor, conv: Conv, bias: Tensor | None = None) -> Tensor:
    """One causal convolution on the folded view.

    Args:
        x: `(batch, inputs, 1, time)` or `(batch, inputs, time/d, d)`.
        weight: `(outputs, inputs / groups, kernel)`.

    Returns:
        `(batch, outputs, ...)` in the same view, time divided by the stride.
    """
    if conv.kind == "pointwise":
        return F.conv2d(x, weight[..., None], bias)
    groups = conv.inputs if conv.kind == "depthwise" else 1
    if conv.dilation > 1:
        padded = F.pad(x, (0, 0, conv.kernel - 1, 0))
        return F.conv2d(padded, weight[..., None], bias, groups=groups)
    time = x.shape[3]
    steps = -(-time // conv.stride)
    left = (steps - 1) * conv.stride + conv.kernel - time
    padded = F.pad(x, (left, 0))
    return F.conv2d(padded, weight[:, :, None], bias, stride=(1, conv.stride), groups=groups)


def _same(name: str, x: Tensor) -> Tensor:
    return x


def upsample(coarse: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Logits of all classes from those of every few.

    Args:
        coarse: `(batch, places)`.
        weight: `(classes to a place, 1, taps)`, of the places around each.
        bias: `(classes to a place,)`.

    Returns:
        `(batch, classes)`.
    """
    written = F.conv1d(coarse[:, None], weight, bias, padding=weight.shape[2] // 2)
    return written.transpose(1, 2).flatten(1)  # (batch, places, classes to a place) -> classes


def linear_upsample(spacing: int, taps: int) -> Tensor:
    """`(spacing, 1, taps)` weights of `upsample` that interpolate linearly: where training starts.

    Class `j` of a place stands `(j - (spacing - 1) / 2) / spacing` places beside it.
    """
    beside = (torch.arange(spacing) - (spacing - 1) / 2) / spacing
    distance = beside[:, None] - (torch.arange(taps) - taps // 2)
    return (1 - distance.abs()).clamp(min=0)[:, None]


def run_network(what: Plan, x: Tensor, convolve: Convolve, head: Head, tap: Tap = _same) -> Tensor:
    """Run a planned network.

    Args:
        what: the plan.
        x: `(batch, channels, time)`.
        convolve: applies a named convolution with its normalisation, before the activation.
        head: from the pooled features `(batch, features)` to logits.
        tap: sees (and may replace) each activation under its tensor name in the lowered graph.

    Returns:
        `(batch, classes)` logits.
    """
    x = x[:, :, None, :].contiguous(memory_format=torch.channels_last)

    def layer(value: Tensor, conv: Conv) -> Tensor:
        value = convolve(value, conv)
        return tap(conv.name, F.relu(value) if conv.relu else value)

    x = layer(tap("input", x), what.stem)
    for block in what.blocks:
        x = refold(x, block.depthwise.dilation)
        shortcut = x
        for conv in block.convs:
            x = layer(x, conv)
        if block.residual:
            x = tap(f"{block.name}.add", x + shortcut)
    if what.neck is not None:
        x = layer(x, what.neck)
    pooled = x.mean(dim=(2, 3)) if what.pooling == "avg" else x.amax(dim=(2, 3))
    coarse = F.linear(tap("pool", pooled), head.weight, head.bias)
    if head.upsample is None:
        return tap("logits", coarse)
    return tap("logits", upsample(tap("head", coarse), *head.upsample))
