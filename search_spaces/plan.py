"""What an `Arch` means, layer by layer: the one definition that lowering, the stand-alone network
and the supernet all read.

A plan lists convolutions by the names that key weights everywhere: `stem`, `stage0.block1.expand`,
`stage0.block1.depthwise`, `stage0.block1.project`, `neck`, `head`, `upsample`.

The dense head would hold most weights of a small network: one row of features and a bias for each
of the classes. With a spacing it has an output for every few classes only, and `upsample` writes
each class as a weighted sum of the three nearest: a sub-pixel convolution over the classes (Shi et
al. 2016, arXiv 1609.05158). The logarithm of a Gaussian label is a parabola, which three points
determine, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from search_spaces.arch import Arch, StageArch, stem_stride

UPSAMPLE_TAPS = 3  # the place itself and its two neighbours: not causal, as classes are no time


@dataclass(frozen=True, slots=True)
class Ends:
    """What a network reads and answers with where that is not windows and classes.

    Attributes:
        channels, samples: of its input; the arch's rate still says the stride of the stem.
        outputs: of its head.
    """

    channels: int
    samples: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Conv:
    """One causal convolution with folded normalisation; `relu` is its fused activation.

    Kinds: `full`, `depthwise` (one filter a channel), `pointwise` (kernel 1).
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    relu: bool

    @property
    def weights(self) -> int:
        """How many it has, without biases."""
        return self.outputs * self.kernel * (1 if self.kind == "depthwise" else self.inputs)


@dataclass(frozen=True, slots=True)
class Block:
    """`[expand] -> depthwise -> project`, the block's input added to the result if `residual`."""

    name: str
    expand: Conv | None
    depthwise: Conv
    project: Conv
    residual: bool

    @property
    def convs(self) -> tuple[Conv, ...]:
        """The block's convolutions in order."""
        if self.expand is None:
            return (self.depthwise, self.project)
        return (self.expand, self.depthwise, self.project)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole network.

    Attributes:
        channels, samples: of the input.
        times: time steps that each block puts out.
        pool_s: seconds that are pooled, the newest of the window.
        window_s, stride_s: of the task.
        features: channels that are pooled and enter the head.
        coarse: outputs of the dense head.
        upsample: from those to the classes, `classes / coarse` outputs at each of `coarse` places;
            None where the head has all classes.
    """

    channels: int
    samples: int
    stem: Conv
    stem_time: int
    blocks: tuple[Block, ...]
    times: tuple[int, ...]
    neck: Conv | None
    pooling: str
    pool_s: int
    window_s: int
    stride_s: int
    features: int
    coarse: int
    upsample: Conv | None
    classes: int

    @property
    def convs(self) -> tuple[Conv, ...]:
        """All convolutions over time, in order of execution."""
        inner = tuple(conv for block in self.blocks for conv in block.convs)
        return (self.stem, *inner) if self.neck is None else (self.stem, *inner, self.neck)

    @property
    def values(self) -> int:
        """What stem and blocks put out for a window, in numbers: a training step is as long."""
        inner = zip(self.blocks, self.times, strict=True)
        return self.stem.outputs * self.stem_time + sum(
            time * sum(conv.outputs for conv in block.convs) for block, time in inner
        )

    @property
    def time(self) -> int:
        """Time steps of the window before the pool."""
        return self.times[-1] if self.times else self.stem_time

    @property
    def pooled(self) -> int:
        """Those of them that are pooled, the newest."""
        return self.pooled_of(self.time)

    def pooled_of(self, time: int) -> int:
        """The newest of a window's steps that are pooled, where it has so many."""
        return -(-time * self.pool_s // self.window_s)

    @property
    def strides(self) -> int:
        """Those of the window, one of which a stream brings at once."""
        return self.window_s // self.stride_s

    @property
    def pooled_blocks(self) -> int:
        """Those of them that are pooled."""
        return self.pool_s // self.stride_s


def residual_possible(*, inputs: int, outputs: int, stride: int) -> bool:
    """An identity shortcut needs equal shapes."""
    return inputs == outputs and stride == 1


def acting(
    index: int, inputs: int, outputs: int, choices: tuple[int, int, bool]
) -> tuple[int, int, bool]:
    """Dilation, stride and shortcut of a stage as block `index` has them."""
    dilation, stride, residual = choices
    stride = stride if index == 0 else 1
    possible = residual_possible(inputs=inputs, outputs=outputs, stride=stride)
    return 1 if stride > 1 else dilation, stride, residual and possible


# Shared between plans, as layers are between graphs.
@lru_cache(maxsize=1 << 16)
def block(number: int, index: int, width: int, stage: StageArch) -> Block:
    """Block `index` of stage `number`, which reads `width` channels."""
    name = f"stage{number}.block{index}"
    choices = stage.dilation, stage.stride, stage.residual
    dilation, stride, residual = acting(index, width, stage.width, choices)
    inner = stage.inner or width * stage.expansion
    expand = None
    if stage.expansion > 1:
        expand = Conv(f"{name}.expand", "pointwise", width, inner, 1, 1, 1, relu=True)
    taps = (stage.kernel, stride, dilation)
    depthwise = Conv(f"{name}.depthwise", "depthwise", inner, inner, *taps, relu=True)
    project = Conv(f"{name}.project", "pointwise", inner, stage.width, 1, 1, 1, relu=not residual)
    return Block(name, expand, depthwise, project, residual)


@lru_cache(maxsize=4096)
def plan(arch: Arch, ends: Ends | None = None) -> Plan:
    """Lay out a canonical arch, between other ends where they are given."""
    ends = Ends(arch.channels, arch.samples, arch.task.classes) if ends is None else ends
    stride = stem_stride(arch.rate_hz)
    stem = Conv(
        "stem", "full", ends.channels, arch.stem_width, arch.stem_kernel, stride, 1, relu=True
    )
    time = stem_time = -(-ends.samples // stride)
    width = arch.stem_width
    blocks: list[Block] = []
    times: list[int] = []
    for number, stage in enumerate(arch.stages):
        for index in range(stage.depth):
            blocks.append(block(number, index, width, stage))
            width = stage.width
            time = -(-time // blocks[-1].depthwise.stride)
            times.append(time)
    neck = None
    if arch.head_width:
        neck = Conv("neck", "pointwise", width, arch.head_width, 1, 1, 1, relu=True)
        width = arch.head_width
    spacing = arch.head_spacing
    upsample = None
    if spacing > 1:
        upsample = Conv("upsample", "full", 1, spacing, UPSAMPLE_TAPS, 1, 1, relu=False)
    return Plan(
        ends.channels,
        ends.samples,
        stem,
        stem_time,
        tuple(blocks),
        tuple(times),
        neck,
        arch.pooling,
        arch.pool_s,
        arch.window_s,
        arch.stride_s,
        width,
        ends.outputs // spacing,
        upsample,
        ends.outputs,
    )
