"""The choices of a space's stages: clamped to what acts, counted, gone through."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from ppgnas.task import Task
from search_spaces.arch import Arch, StageArch, head_spacings, stem_stride
from search_spaces.plan import residual_possible

ABSENT = StageArch(0, 0, 0, 0, 0, 0, False)


@dataclass(frozen=True)
class StageSpace:
    """Choices of one stage, each a tuple in rising order; see `StageArch`."""

    depth: tuple[int, ...]
    width: tuple[int, ...]
    kernel: tuple[int, ...]
    dilation: tuple[int, ...]
    expansion: tuple[int, ...]
    stride: tuple[int, ...]
    residual: tuple[bool, ...]


def named_choices(arch: Arch) -> dict[str, Any]:
    """Every choice of a network by its name in `SearchSpace.dimensions`: `stage0.depth`, ..."""
    named = asdict(arch)
    for number, stage in enumerate(named.pop("stages")):
        named |= {f"stage{number}.{name}": value for name, value in stage.items()}
    return named


def trunk_steps(rate_hz: int, window_s: int) -> int:
    """Time steps after the stem."""
    return -(-window_s * rate_hz // stem_stride(rate_hz))


def clamped(arch: Arch, *, streams: bool = False) -> Arch:
    """Without the choices that cannot act, where `streams` in blocks either."""
    time = trunk_steps(arch.rate_hz, arch.window_s)
    width = arch.stem_width
    stages = []
    for stage in arch.stages:
        stage, width, time = canonical_stage(stage, width, time, arch.task.blocks * streams)
        stages.append(stage)
    acts = tuple(stages)
    return arch if acts == arch.stages else replace(arch, stages=acts)


def near_spacing(spacing: int, classes: int) -> int:
    """The spacing of a head that so many classes allow, nearest to one."""
    return min(head_spacings(classes), key=lambda allowed: (abs(allowed - spacing), allowed))


def at_task(arch: Arch, task: Task, *, streams: bool = False) -> Arch:
    """The network with other windows or classes, and what these allow of its choices.

    The head pools over the same share of the window, in whole strides.
    """
    if arch.task == task:
        return arch
    newest = max(1, round(arch.pool_s / arch.window_s * task.window_s / task.stride_s))
    changed = replace(
        arch,
        head_spacing=near_spacing(arch.head_spacing, task.classes),
        pool_s=newest * task.stride_s,
        **asdict(task),
    )
    return clamped(changed, streams=streams)


def canonical_stage(
    stage: StageArch, width: int, time: int, blocks: int
) -> tuple[StageArch, int, int]:
    """The stage as it acts on `time` steps of `width` channels, and what it hands on.

    Streaming, those are of so many blocks; 0 is a window.
    """
    if stage.depth == 0:
        return ABSENT, width, time
    parts = blocks or 1  # each must hold whole steps, and whole rows of a view
    stride = stage.stride
    while blocks and stride > 1 and time // parts % stride:
        stride //= 2
    time = -(-time // stride)
    dilation = stage.dilation
    while dilation > 1 and (time // parts % dilation or time // dilation < 2):
        dilation //= 2
    residual = stage.residual and (
        stage.depth > 1 or residual_possible(inputs=width, outputs=stage.width, stride=stride)
    )
    if stride > 1 and stage.depth == 1:
        dilation = 1  # the only block carries the stride, and strided layers are undilated
    acts = replace(stage, stride=stride, dilation=dilation, residual=residual)
    return acts, stage.width, time


def _stage_choices(
    space: StageSpace, width: int, time: int, blocks: int
) -> tuple[tuple[StageArch, int, int], ...]:
    choices = itertools.product(*(getattr(space, item.name) for item in fields(StageSpace)))
    seen = {canonical_stage(StageArch(*choice), width, time, blocks) for choice in choices}
    return tuple(sorted(seen))


@lru_cache(maxsize=1024)
def count_stages(stages: tuple[StageSpace, ...], width: int, time: int, blocks: int) -> int:
    """How many different rows of stages there are after `time` steps of `width` channels."""
    if not stages:
        return 1
    # Kernel and expansion never interact with the others: count one of each, then multiply.
    first = stages[0]
    core = replace(first, kernel=first.kernel[:1], expansion=first.expansion[:1])
    free = len(first.kernel) * len(first.expansion)
    return sum(
        count_stages(stages[1:], out, steps, blocks) * (free if stage.depth else 1)
        for stage, out, steps in _stage_choices(core, width, time, blocks)
    )


def all_stages(
    stages: tuple[StageSpace, ...], width: int, time: int, blocks: int
) -> Iterator[tuple[StageArch, ...]]:
    """Each of them once."""
    if not stages:
        yield ()
        return
    for stage, out, steps in _stage_choices(stages[0], width, time, blocks):
        for rest in all_stages(stages[1:], out, steps, blocks):
            yield (stage, *rest)
