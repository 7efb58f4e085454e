"""One subnetwork's choices.

An `Arch` is canonical: `SearchSpace.canonical` has clamped every choice to what the network can
do, so equal networks are equal values with equal ids.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

from ppgnas.errors import SpaceError
from ppgnas.task import TASK, Task

RATES_HZ = (16, 25, 32, 64)
POOLINGS = ("avg", "max")
LARGEST_CHOICE = 1024
LARGEST_SPACING = 10
_TASK = tuple(asdict(TASK))


def head_spacings(classes: int) -> tuple[int, ...]:
    """Divisors of the classes that leave an even number of outputs, which kernels pair."""
    return tuple(s for s in range(1, LARGEST_SPACING + 1) if classes % (2 * s) == 0)


def pooled_s(task: Task) -> tuple[int, ...]:
    """What a head may pool over: whole strides, up to the window."""
    return tuple(range(task.stride_s, task.window_s + 1, task.stride_s))


POOLED_S = pooled_s(TASK)
_ALLOWED = {"rate_hz": RATES_HZ, "pooling": POOLINGS}


@dataclass(frozen=True, order=True, slots=True)
class StageArch:
    """Choices of one stage: `depth` blocks of equal width; the first one carries the stride.

    A block is [expand 1x1 if expansion > 1] -> causal depthwise (kernel, dilation) -> project 1x1
    (-> add the block's input, where `residual` and the shapes allow it). `depth` 0 leaves the
    stage out; its other choices are then 0 or False.

    `inner` are the channels of the depthwise layer after an expand layer, where they are no
    multiple of the input's: pruning leaves such blocks. 0 is `expansion` times the input's.
    """

    depth: int
    width: int
    kernel: int
    dilation: int
    expansion: int
    stride: int
    residual: bool
    inner: int = 0


def stem_stride(rate_hz: int) -> int:
    """Stride that brings the input rate to the trunk's rate."""
    return max(1, round(rate_hz / 16))


_task = lru_cache(maxsize=64)(Task)


@dataclass(frozen=True, order=True, slots=True)
class Arch:
    """One subnetwork.

    Attributes:
        acceleration: input channels are PPG and three axes of acceleration (4) or PPG alone (1).
        rate_hz: sample rate of the input.
        stem_width, stem_kernel: the first full convolution; its stride brings every rate to 16 Hz
            (12.5 Hz for 25 Hz).
        stages: see `StageArch`.
        pooling: `avg` or `max` over time.
        head_width: channels of the 1x1 layer before pooling; 0 leaves it out.
        head_spacing: classes between two outputs of the dense head. 1 has an output for every
            class; above, a convolution of three taps over the classes writes those between.
        pool_s: the newest seconds of the window whose features are pooled; 0 becomes all of it.
        window_s, stride_s, lowest_bpm, highest_bpm: see `ppgnas.task.Task`.
    """

    acceleration: bool
    rate_hz: int
    stem_width: int
    stem_kernel: int
    stages: tuple[StageArch, ...]
    pooling: str
    head_width: int
    head_spacing: int = 1
    pool_s: int = 0
    window_s: int = TASK.window_s
    stride_s: int = TASK.stride_s
    lowest_bpm: int = TASK.lowest_bpm
    highest_bpm: int = TASK.highest_bpm

    def __post_init__(self) -> None:
        task = self.task
        object.__setattr__(self, "pool_s", self.pool_s or self.window_s)
        of_task = {"head_spacing": head_spacings(task.classes), "pool_s": pooled_s(task)}
        for name, allowed in {**_ALLOWED, **of_task}.items():
            if getattr(self, name) not in allowed:
                raise SpaceError(f"arch: {name} is {getattr(self, name)!r}; allowed: {allowed}")
        if self.stem_width < 1 or self.stem_kernel < 1 or self.head_width < 0:
            raise SpaceError("arch: stem_width and stem_kernel must be at least 1, head_width 0")
        if max(self.stem_width, self.stem_kernel, self.head_width) > LARGEST_CHOICE:
            raise SpaceError(f"arch: a choice is above {LARGEST_CHOICE}: {self}")
        if self.stem_kernel < stem_stride(self.rate_hz):
            raise SpaceError(
                f"arch: stem_kernel is {self.stem_kernel}, below the stem's stride "
                f"{stem_stride(self.rate_hz)}, which would skip samples; raise it"
            )
        for index, stage in enumerate(self.stages):
            acts = stage.width, stage.kernel, stage.dilation, stage.expansion, stage.stride
            if stage.depth < 0 or (stage.depth > 0 and min(acts) < 1):
                raise SpaceError(f"arch: stage {index} has a choice below 1: {stage}")
            if max(stage.depth, stage.inner, *acts) > LARGEST_CHOICE:
                raise SpaceError(
                    f"arch: stage {index} has a choice above {LARGEST_CHOICE}: {stage}"
                )
            if stage.depth and stage.kernel < stage.stride:
                raise SpaceError(
                    f"arch: stage {index} has kernel {stage.kernel} below stride {stage.stride}, "
                    "which would skip samples; raise the kernel"
                )
            if stage.inner < 0 or (stage.inner and stage.expansion < 2):
                raise SpaceError(
                    f"arch: stage {index} has inner {stage.inner} with expansion "
                    f"{stage.expansion}; only a block that expands has inner channels of its own"
                )

    @property
    def task(self) -> Task:
        """What it reads, how often, and what it answers with."""
        return _task(self.window_s, self.stride_s, self.lowest_bpm, self.highest_bpm)

    @property
    def channels(self) -> int:
        """Input channels."""
        return 4 if self.acceleration else 1

    @property
    def samples(self) -> int:
        """Input time steps."""
        return self.window_s * self.rate_hz

    @property
    def id(self) -> str:
        """Ten hexadecimal digits from the content, stable across machines and versions."""
        return _id_of(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same arch back.

        A head without spacing, a pool over the whole window, inner channels without a number and
        what is usual of the task are left out, as ids of before they existed stay what they were.
        """
        document = _values(self)
        document["stages"] = tuple(map(_values, self.stages))
        if self.pool_s == self.window_s:
            del document["pool_s"]
        for name in _TASK:
            if document[name] == getattr(TASK, name):
                del document[name]
        if self.head_spacing == 1:
            del document["head_spacing"]
        for stage in document["stages"]:
            if not stage["inner"]:
                del stage["inner"]
        return document

    def dumps(self) -> str:
        """Canonical JSON text."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(document: Any) -> Arch:
        """Read `to_json`'s document.

        Raises:
            SpaceError: a key is missing, unknown or of the wrong type.
        """
        try:
            values = dict(document)
            stages = tuple(StageArch(**stage) for stage in values.pop("stages"))
            arch = Arch(stages=stages, **values)
        except (TypeError, KeyError, ValueError) as error:
            if isinstance(error, SpaceError):
                raise
            raise SpaceError(f"arch: the document is malformed: {error}") from error
        parts: tuple[Arch | StageArch, ...] = (arch, *stages)
        for part in parts:
            for each in fields(part):
                value = getattr(part, each.name)
                if each.name != "stages" and type(value).__name__ != each.type:
                    raise SpaceError(f"arch: {each.name} is {value!r}; allowed: {each.type}")
        return arch


def _values(part: Arch | StageArch) -> dict[str, Any]:
    """As `asdict`, which copies what cannot change."""
    return {each.name: getattr(part, each.name) for each in fields(part)}


@lru_cache(maxsize=1024)  # of a candidate it is asked for several times in a row
def _id_of(arch: Arch) -> str:
    return hashlib.sha256(arch.dumps().encode()).hexdigest()[:10]
