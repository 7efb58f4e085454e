"""`Arch -> Chain`: a network in segments that are made once, for those who cost many networks.

The layers are those of `lower`, the names are not.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import lru_cache, partial
from typing import Any

from hwmodels.generated_c.segments import Chain, Segment
from ppgnas.task import BLOCKS, Mode, Task
from search_spaces.arch import Arch, StageArch, stem_stride
from search_spaces.lower import Builder, lower
from search_spaces.plan import Block, plan


def chain(arch: Arch, mode: Mode = "window") -> Chain:
    """The segments of an architecture, in streaming those over one block of 2 s.

    Where a dilation does not divide the time, or a block holds no whole steps, there are none, nor
    where a window's layers begin late for a shorter pool.
    """
    whole = partial(lower, arch)
    time, stride, width = arch.samples, stem_stride(arch.rate_hz), arch.stem_width
    if mode == "streaming":
        time //= BLOCKS
        if time % stride:
            return Chain((), whole, arch.task)
    elif arch.pool_s < arch.window_s:
        return Chain((), whole, arch.task)
    ends = arch.acceleration, arch.rate_hz
    segments = [_stem(time, *ends, width, arch.stem_kernel)]
    time = -(-time // stride)
    for stage in arch.stages:
        if not stage.depth:
            continue
        choices = (
            stage.width,
            stage.kernel,
            stage.dilation,
            stage.expansion,
            stage.stride,
            stage.residual,
            stage.inner,
        )
        before, time = time, -(-time // stage.stride)
        if time % stage.dilation or (mode == "streaming" and before % stage.stride):
            return Chain((), whole, arch.task)
        segments.append(_block(before, width, 0, *choices))
        width = stage.width
        if stage.depth > 1:
            segments += [_block(time, width, 1, *choices)] * (stage.depth - 1)
    end = arch.pooling, arch.head_width, arch.head_spacing, arch.pool_s
    segments.append(_tail(time, width, arch.task, *end))
    return Chain(tuple(segments), whole, arch.task)


@lru_cache(maxsize=1 << 16)
def _stem(time: int, acceleration: bool, rate_hz: int, width: int, kernel: int) -> Segment:
    what = plan(Arch(acceleration, rate_hz, width, kernel, (), "avg", 0))
    build = Builder("input", (1, 1, time, what.channels))
    build.conv(what.stem)
    return Segment(build.graph(), behind=False)


@lru_cache(maxsize=1 << 16)
def _block(time: int, inputs: int, index: int, *choices: Any) -> Segment:
    """A block with the choices of its stage, behind a first one where `index` is 1."""
    what = plan(Arch(False, 16, inputs, 1, (StageArch(2, *choices),), "avg", 0))
    return _same_block(time, inputs, replace(what.blocks[index], name="block"))


@lru_cache(maxsize=1 << 16)
def _same_block(time: int, inputs: int, block: Block) -> Segment:
    """Choices that do not act make no other block."""
    build = _behind(time, inputs)
    build.block(block)
    return Segment(build.graph(), behind=True)


@lru_cache(maxsize=1 << 16)
def _tail(
    time: int,
    inputs: int,
    task: Task,
    pooling: str,
    head_width: int,
    head_spacing: int,
    pool_s: int,
) -> Segment:
    build = _behind(time, inputs)
    # One block is pooled whole; how many of them is what it keeps.
    head = pooling, head_width, head_spacing, task.window_s, *asdict(task).values()
    build.tail(plan(Arch(False, 16, inputs, 1, (), *head)))
    return Segment(build.graph(), behind=True, pooled=BLOCKS * pool_s // task.window_s)


def _behind(time: int, channels: int) -> Builder:
    """A stand-in for the layer before."""
    build = Builder("input", (1, 1, time, channels))
    build.add("before", "conv", build.shape)
    return build
