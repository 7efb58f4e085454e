"""The network as a function: convolution, activation, shortcut and head, without any weights.

The network, the supernet and the quantisation-aware network differ only in where a
convolution's weights and normalisation come from, so they pass that in and share the rest.

Shapes: signals enter as `(batch, channels, time)`; inside they are `(time * batch, channels)`, and
`(1, channels, time/d, d * batch)`, channels last in memory, for a filter of dilation d. Time is
outermost because torch's gradients of a depthwise filter take two to five times as long along the
innermost axis, and far longer with dilation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.plan import Conv, Plan
from search_spaces.streaming import past_read

Convolve = Callable[[Tensor, Conv, int], Tensor]
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


def causal_conv(
    x: Tensor, weight: Tensor, conv: Conv, batch: int, bias: Tensor | None = None
) -> Tensor:
    """One causal convolution.

    Args:
        x: `(time * batch, inputs)`.
        weight: `(outputs, inputs / groups, kernel)`.

    Returns:
        `(time / stride * batch, outputs)`.
    """
    if conv.kind == "pointwise":  # in a third to two thirds of the time of conv2d
        return F.linear(x, weight[..., 0], bias)
    # Samples a dilation apart are neighbours in a column, without moving a byte.
    columns = x.view(1, -1, conv.dilation * batch, conv.inputs)
    rows = columns.shape[1]
    steps = -(-rows // conv.stride)
    # Padded here, not by the convolution: its gradient is then up to ten times slower.
    zeros = x.new_zeros(1, (steps - 1) * conv.stride + conv.kernel - rows, *columns.shape[2:])
    padded = torch.cat((zeros, columns), dim=1).permute(0, 3, 1, 2)
    groups = conv.inputs if conv.kind == "depthwise" else 1
    written = F.conv2d(padded, weight[..., None], bias, stride=(conv.stride, 1), groups=groups)
    return written.permute(0, 2, 3, 1).reshape(-1, conv.outputs)


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
    taps = weight.shape[2]
    around = F.pad(coarse, (taps // 2, taps // 2)).unfold(1, taps, 1)  # (batch, places, taps)
    return F.linear(around, weight[:, 0], bias).flatten(1)


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
        x: `(batch, channels, time)`: a window, and in streaming the past before it.
        convolve: applies a named convolution with its normalisation, before the activation; it is
            told how many windows stand side by side.
        head: from the pooled features `(batch, features)` to logits.
        tap: sees (and may replace) each activation under its tensor name in the lowered graph.

    Returns:
        `(batch, classes)` logits.
    """
    return run_head(what, run_trunk(what, x, convolve, tap), head, tap)


def run_trunk(
    what: Plan, x: Tensor, convolve: Convolve, tap: Tap = _same, *, whole: bool = False
) -> Tensor:
    """The features of `run_network` before they are pooled, `(steps, batch, features)`.

    Args:
        what, x, convolve, tap: see `run_network`.
        whole: whether all steps are wanted; if not, and where the past stands before the window,
            each block computes no more of it than what is pooled needs.
    """
    past, pooled = past_read(what), what.pooled_blocks
    blocks = what.strides * x.shape[2] // what.samples
    cuts = blocks > what.strides and not whole
    batch, channels, _ = x.shape
    x = x.permute(2, 0, 1).reshape(-1, channels)

    def layer(value: Tensor, conv: Conv) -> Tensor:
        value = convolve(value, conv, batch)
        return tap(conv.name, F.relu_(value) if conv.relu else value)

    x = layer(tap("input", x), what.stem)
    before = what.stem.name
    for block in what.blocks:
        if cuts and blocks > pooled + past[before]:
            x = x[-(len(x) // blocks * (pooled + past[before])) :]
            blocks = pooled + past[before]
        before = block.project.name
        shortcut = x
        for conv in block.convs:
            x = layer(x, conv)
        if block.residual:
            x = tap(f"{block.name}.add", x + shortcut)
    if what.neck is not None:
        x = layer(x, what.neck)
    return x.view(-1, batch, x.shape[1])


def run_head(what: Plan, steps: Tensor, head: Head, tap: Tap = _same) -> Tensor:
    """The logits of `run_network` from what `run_trunk` gave: of the newest steps of it."""
    steps = steps[-what.pooled :]
    return _logits(steps.mean(dim=0) if what.pooling == "avg" else steps.amax(dim=0), head, tap)


def run_pass(what: Plan, x: Tensor, convolve: Convolve, head: Head) -> Tensor:
    """Run a network that can stream over a whole signal once.

    Args:
        what, convolve, head: see `run_network`.
        x: `(1, channels, time)`, whole blocks.

    Returns:
        `(readings, classes)` logits after each block from the last one of a window on.
    """
    steps = run_trunk(what, x, convolve, whole=True)[:, 0]
    blocks = steps.reshape(-1, what.time // what.strides, what.features).mean(dim=1)
    pooled = what.pooled_blocks
    return _logits(blocks[what.strides - pooled :].unfold(0, pooled, 1).mean(dim=2), head)


def _logits(pooled: Tensor, head: Head, tap: Tap = _same) -> Tensor:
    coarse = F.linear(tap("pool", pooled), head.weight, head.bias)
    if head.upsample is None:
        return tap("logits", coarse)
    return tap("logits", upsample(tap("head", coarse), *head.upsample))
