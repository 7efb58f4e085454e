"""Which networks can stream: run over the stride that is new, with the real past before it.

The strides of a window are its blocks. Every layer must put out whole steps in one, or blocks of
different time would differ in what they compute. Layers of dilation d stand over time viewed as
rows of d steps, so d must divide the steps of a block as well, or the view would turn from one
block to the next. The head pools over the window's blocks, or over fewer, the last, by their sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from ppgnas.errors import SpaceError
from ppgnas.task import Task
from search_spaces.arch import Arch, stem_stride
from search_spaces.plan import Conv, Plan, plan

MOST_PAST_S = 12
MOST_PAST_BLOCKS = 6


def most_past_s(task: Task) -> int:
    """Training shows so much before a window; no layer may read further back."""
    return max(MOST_PAST_S, MOST_PAST_BLOCKS * task.stride_s)


def streamable(arch: Arch) -> str | None:
    """Why a network cannot stream; None where it can."""
    if arch.pooling != "avg":
        return f"its head pools by {arch.pooling}, and streaming pools by avg"
    block = arch.stride_s * arch.rate_hz
    for conv, spacing in _spaced(plan(arch)):
        if block % (spacing * conv.stride * conv.dilation):
            return (
                f"{conv.name} steps over {spacing * conv.stride} samples with dilation "
                f"{conv.dilation}, and their product does not divide the {block} of "
                f"{arch.stride_s} s"
            )
    if reads_too_far(arch):
        return (
            f"it reads {past_samples(arch) / arch.rate_hz:.1f} s back; allowed: "
            f"{most_past_s(arch.task)} s"
        )
    return None


def reads_too_far(arch: Arch) -> bool:
    """Whether it reads further back than training goes."""
    return past_blocks(arch) * arch.stride_s > most_past_s(arch.task)


def require_streamable(arch: Arch) -> None:
    """Refuse a network that cannot stream."""
    reason = streamable(arch)
    if reason is not None:
        raise SpaceError(
            f"network {arch.id} cannot stream: {reason}; choose another, or `mode` window"
        )


def past_samples(arch: Arch) -> int:
    """Input samples before the newest one that a step of the last layer depends on."""
    layers = _spaced(plan(arch))
    return sum((conv.kernel - 1) * conv.dilation * spacing for conv, spacing in layers)


def past_blocks(arch: Arch) -> int:
    """The same in blocks, rounded up: what a window needs before it."""
    return -(-past_samples(arch) // (arch.stride_s * arch.rate_hz))


def shortened(arch: Arch) -> Arch:
    """One that reads less far back: half the dilation of the last stage that has one, else a
    block less of the last stage that has several, else the same.
    """
    stages = list(arch.stages)
    for number, stage in reversed([*enumerate(stages)]):
        if stage.dilation > 1:
            stages[number] = replace(stage, dilation=stage.dilation // 2)
            return replace(arch, stages=tuple(stages))
    for number, stage in reversed([*enumerate(stages)]):
        if stage.depth > 1:
            stages[number] = replace(stage, depth=stage.depth - 1)
            return replace(arch, stages=tuple(stages))
    return arch


def streaming_rates(rates_hz: tuple[int, ...], stride_s: int) -> tuple[int, ...]:
    """Those at which a stride holds whole steps of the stem.

    Raises:
        SpaceError: none.
    """
    whole = tuple(hz for hz in rates_hz if stride_s * hz % stem_stride(hz) == 0)
    if not whole:
        raise SpaceError(
            f"the space has networks at {rates_hz} Hz, of which {stride_s} s are no whole steps; "
            "add 16, 32 or 64 Hz, give another `stride`, or choose `mode` window"
        )
    return whole


def streaming_pools(task: Task) -> tuple[int, ...]:
    """Seconds that a space which says nothing pools over: half, three quarters and all."""
    strides = {-(-task.blocks * quarters // 4) for quarters in (2, 3, 4)}
    return tuple(task.stride_s * count for count in sorted(strides))


@lru_cache(maxsize=4096)
def past_read(what: Plan) -> dict[str, int]:
    """Blocks before what is pooled that layers read of each convolution's output, by its name."""
    block, left, found = what.samples // what.strides, 0, {}
    for conv, spacing in reversed([*_spaced(what)]):
        found[conv.name] = -(-left // block)
        left += (conv.kernel - 1) * conv.dilation * spacing
    return found


def _spaced(what: Plan) -> Iterator[tuple[Conv, int]]:
    """Convolutions over time, each with the input samples between two steps that it reads."""
    spacing = 1
    for conv in what.convs:
        yield conv, spacing
        spacing *= conv.stride
