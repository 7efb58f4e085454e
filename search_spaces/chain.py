"""`Arch -> Chain`: a network in segments that are made once, for those who cost many networks.

The layers are those of `lower`, the names are not.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache, partial
from operator import attrgetter

from hwmodels.generated_c.chain import Chain, Segment
from ppgnas.task import Mode
from search_spaces.arch import Arch, StageArch, stem_stride
from search_spaces.lower import Builder, lower
from search_spaces.plan import acting, block, plan

# Plain values: dataclasses take long to hash.
_CHOICES = attrgetter(*(each.name for each in fields(StageArch)))
_TASK = attrgetter("window_s", "stride_s", "lowest_bpm", "highest_bpm")
_END = attrgetter("pooling", "head_width", "head_spacing", "pool_s")


def chain(arch: Arch, mode: Mode = "window") -> Chain:
    """The segments of an architecture, in streaming those over one block.

    Where a dilation does not divide the time, or a block holds no whole steps, there are none, nor
    where a window's layers begin late for a shorter pool.
    """
    whole, width = partial(lower, arch), arch.stem_width
    if mode == "window" and arch.pool_s < arch.window_s:
        return Chain((), whole)
    stem, time = _stem(
        arch.stride_s if mode == "streaming" else arch.window_s,
        mode,
        arch.acceleration,
        arch.rate_hz,
        width,
        arch.stem_kernel,
    )
    if not stem:
        return Chain((), whole)
    segments = [*stem]
    for stage in arch.stages:
        if stage.depth:
            blocks, time = _stage(time, width, mode, *_CHOICES(stage))
            if not blocks:
                return Chain((), whole)
            segments += blocks
            width = stage.width
    segments.append(_tail(time, width, *_END(arch), *_TASK(arch)))
    return Chain(tuple(segments), whole)


Blocks = tuple[tuple[Segment, ...], int]
"""Segments, none where they cannot be cut, and time steps of their output."""


@lru_cache(maxsize=1 << 16)
def _stem(
    seconds: int, mode: Mode, acceleration: bool, rate_hz: int, width: int, kernel: int
) -> Blocks:
    samples, stride = seconds * rate_hz, stem_stride(rate_hz)
    if mode == "streaming" and samples % stride:
        return (), 0
    what = plan(Arch(acceleration, rate_hz, width, kernel, (), "avg", 0))
    build = Builder("input", (1, 1, samples, what.channels))
    build.conv(what.stem)
    return (Segment(build.graph(), behind=False),), -(-samples // stride)


@lru_cache(maxsize=1 << 16)
def _stage(
    before: int,
    inputs: int,
    mode: Mode,
    depth: int,
    width: int,
    kernel: int,
    dilation: int,
    expansion: int,
    stride: int,
    residual: bool,
    inner: int,
) -> Blocks:
    time = -(-before // stride)
    if time % dilation or (mode == "streaming" and before % stride):
        return (), 0
    found, choices = [], (dilation, stride, residual)
    for index in range(min(depth, 2)):
        acts = acting(index, inputs, width, choices)
        found.append(_block(before, inputs, width, kernel, expansion, inner, *acts))
        before, inputs = time, width
    return (*found, *found[1:] * (depth - 2)), time


@lru_cache(maxsize=1 << 16)
def _block(
    time: int,
    inputs: int,
    width: int,
    kernel: int,
    expansion: int,
    inner: int,
    dilation: int,
    stride: int,
    residual: bool,
) -> Segment:
    build = _behind(time, inputs)
    stage = StageArch(1, width, kernel, dilation, expansion, stride, residual, inner)
    build.block(block(0, 0, inputs, stage))
    return Segment(build.graph(), behind=True)


@lru_cache(maxsize=1 << 16)
def _tail(
    time: int,
    inputs: int,
    pooling: str,
    head_width: int,
    head_spacing: int,
    pool_s: int,
    window_s: int,
    *task: int,
) -> Segment:
    # One block is pooled whole; how many of them is what it keeps.
    ends = head_width, head_spacing, window_s, window_s, *task
    arch = Arch(False, 16, inputs, 1, (), pooling, *ends)
    build = _behind(time, inputs)
    build.tail(plan(arch))
    return Segment(build.graph(arch.task), behind=True, pooled=pool_s // arch.stride_s)


def _behind(time: int, channels: int) -> Builder:
    """A stand-in for the layer before."""
    build = Builder("input", (1, 1, time, channels))
    build.add("before", "conv", build.shape)
    return build
