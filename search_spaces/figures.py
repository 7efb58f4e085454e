"""An architecture in a few figures, from which its accuracy can be foretold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from search_spaces.arch import Arch, stem_stride
from search_spaces.lower import lower
from search_spaces.plan import plan


@dataclass(frozen=True)
class ArchFigures:
    """Logarithms are of base 2, of what is always above 0.

    Attributes:
        macs, weights: log of multiply-accumulates, and of weights in convolutions and head.
        reach_s: log of the receptive field of the last layer in seconds.
        rate_hz: log of the input's.
        stride: log of the product of strides after the stem.
        dilation: sum over the blocks of the log of their dilation.
        kernel: mean taps of the depthwise layers.
        width, last_width: log of the mean and of the last block's channels.
        expansion, residual: share of the blocks that expand, and that add their input.
        stem: log of the stem's channels.
        neck: log of 1 + channels before pooling.
        spacing: log of the head's.
        max_pooling: 1 for it.
        pool_s: log of the seconds that are pooled.
        window_s: log of the window's length.
    """

    macs: float
    weights: float
    reach_s: float
    rate_hz: float
    acceleration: float
    stride: float
    dilation: float
    kernel: float
    depth: float
    width: float
    last_width: float
    expansion: float
    residual: float
    stem: float
    neck: float
    spacing: float
    max_pooling: float
    pool_s: float
    window_s: float


@lru_cache(maxsize=1 << 16)
def figures(arch: Arch) -> ArchFigures:
    """The figures of a canonical arch; forecasts ask for the same ones again and again."""
    what = plan(arch)
    taps = [block.depthwise for block in what.blocks]
    widths = [block.project.outputs for block in what.blocks] or [arch.stem_width]
    count = max(1, len(taps))
    step = stem_stride(arch.rate_hz)
    reach, stride = what.stem.kernel, 1
    for tap in taps:
        reach += (tap.kernel - 1) * tap.dilation * stride * step
        stride *= tap.stride
    weights = sum(conv.weights for conv in what.convs)
    return ArchFigures(
        macs=math.log2(lower(arch).total_macs),
        weights=math.log2(weights + what.features * what.coarse),
        reach_s=math.log2(reach / arch.rate_hz),
        rate_hz=math.log2(arch.rate_hz),
        acceleration=float(arch.acceleration),
        stride=math.log2(stride),
        dilation=sum(math.log2(tap.dilation) for tap in taps),
        kernel=sum(tap.kernel for tap in taps) / count,
        depth=float(len(taps)),
        width=math.log2(sum(widths) / len(widths)),
        last_width=math.log2(widths[-1]),
        expansion=sum(block.expand is not None for block in what.blocks) / count,
        residual=sum(block.residual for block in what.blocks) / count,
        stem=math.log2(arch.stem_width),
        neck=math.log2(1 + arch.head_width),
        spacing=math.log2(arch.head_spacing),
        max_pooling=float(arch.pooling == "max"),
        pool_s=math.log2(arch.pool_s),
        window_s=math.log2(arch.window_s),
    )


def figures_matrix(archs: Sequence[Arch]) -> NDArray[np.float64]:
    """`(networks, figures)` in the order of the fields of `ArchFigures`."""
    return np.array([[*vars(figures(arch)).values()] for arch in archs], dtype=np.float64)
