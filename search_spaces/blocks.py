"""The network as a function: convolution, activation, shortcut and head, without any weights.

The network, the supernet and the quantisation-aware network differ only in where a
convolution's weights and normalisation come from, so they pass that in and share the rest.

Shapes: signals enter as `(batch, channels, time)`; inside they are `(time, channels, 1, batch)`,
channels last in memory, and `(1, channels, time/d, d * batch)` for a filter of dilation d. Time
stands outermost in memory because torch's gradients of a depthwise filter take two to five times
as long along the innermost axis, and far longer with dilation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.plan import Conv, Plan
from search_spaces.streaming import past_read

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


def fold(x: Tensor, dilation: int) -> Tensor:
    """View time as `[T/d, d]` beside the batch, without moving a byte.

    Args:
        x: `(time, channels, 1, batch)`, channels last in memory.

    Returns:
        `(1, channels, time/d, d * batch)`: samples `d` steps apart are neighbours in a column.
    """
    time, channels, _, batch = x.shape
    lines = x.permute(0, 2, 3, 1).reshape(1, time // dilation, dilation * batch, channels)
    return lines.permute(0, 3, 1, 2)


def unfold(x: Tensor, batch: int) -> Tensor:
    """`(time, channels, 1, batch)` of what `fold` gave."""
    lines = x.permute(0, 2, 3, 1).reshape(-1, 1, batch, x.shape[1])
    return lines.permute(0, 3, 1, 2)


def causal_conv(x: Tensor, weight: Tensor, conv: Conv, bias: Tensor | None = None) -> Tensor:
    """One causal convolution.

    Args:
        x: `(time, inputs, 1, batch)`.
        weight: `(outputs, inputs / groups, kernel)`.

    Returns:
        `(time / stride, outputs, 1, batch)`.
    """
    weight = weight[..., None]
    if conv.kind == "pointwise":
        return F.conv2d(x, weight, bias)
    columns = fold(x, conv.dilation)
    rows = columns.shape[2]
    steps = -(-rows // conv.stride)
    # Padded here, not by the convolution: its gradient is then up to ten times slower.
    padded = F.pad(columns, (0, 0, (steps - 1) * conv.stride + conv.kernel - rows, 0))
    groups = conv.inputs if conv.kind == "depthwise" else 1
    written = F.conv2d(padded, weight, bias, stride=(conv.stride, 1), groups=groups)
    return unfold(written, x.shape[3])


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
        convolve: applies a named convolution with its normalisation, before the activation.
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
    x = x.permute(2, 0, 1)[:, None].contiguous().permute(0, 3, 1, 2)  # (time, channels, 1, batch)

    def layer(value: Tensor, conv: Conv) -> Tensor:
        value = convolve(value, conv)
        return tap(conv.name, F.relu(value) if conv.relu else value)

    x = layer(tap("input", x), what.stem)
    before = what.stem.name
    for block in what.blocks:
        if cuts and blocks > pooled + past[before]:
            x = _latest(x, len(x) // blocks * (pooled + past[before]))
            blocks = pooled + past[before]
        before = block.project.name
        shortcut = x
        for conv in block.convs:
            x = layer(x, conv)
        if block.residual:
            x = tap(f"{block.name}.add", x + shortcut)
    if what.neck is not None:
        x = layer(x, what.neck)
    # (steps, batch, features), as in memory: the pool's gradient is laid out in the order of its
    # input's dimensions, and in another one every operator before it would be slow.
    return x.squeeze(2).transpose(1, 2)


def _latest(x: Tensor, steps: int) -> Tensor:
    """The last steps of `(time, channels, 1, batch)`, cut so that gradients keep the layout."""
    return x.permute(0, 2, 3, 1)[-steps:].permute(0, 3, 1, 2)


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
