"""One set of weights for every network of a space.

How the dimensions share (Once-for-All and BigNAS, in 1D):

* width: a narrower layer uses the first channels of the widest; `sort_channels` puts the channels
  that their consumers weigh most first, without changing what the largest network computes;
* depth: a shallower stage uses the first blocks;
* kernel: a shorter kernel uses the last (newest) taps, through a learned matrix that starts as the
  identity;
* expansion: a block without an expand layer filters the block's own channels, another meaning than
  filtering expanded ones, so the two have weights of their own; among expanded ones channels nest;
* dilation and stride: a depthwise kernel has weights for each spacing of its taps in time
  (dilation times the strides before it). A filter over 0.3 s is no use as one over 2.4 s, while
  the pointwise layers, which hold nearly all weights, are shared over all spacings;
* shortcut: a block that adds to its input and one that replaces it end in different pointwise
  layers; pooling and the spacing of the head: each kind has its head;
* front end: each (acceleration, rate) has its own stem, because a tap then spans another time. At
  25 Hz the trunk runs at 12.5 Hz instead of 16, so depthwise kernels pass through a learned matrix
  that starts as a resampling.

Normalisation uses the batch's statistics unless statistics are given; `recalibrate` measures those
of one architecture and changes nothing in the supernet.

References: Cai et al. 2020 (arXiv 1908.09791), Yu et al. 2020 (arXiv 2003.11142).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.arch import Arch, StageArch
from search_spaces.blocks import Head, causal_conv, linear_upsample, run_network, run_pass
from search_spaces.network import NORM_EPS, Network, key
from search_spaces.plan import UPSAMPLE_TAPS, Conv, plan, residual_possible
from search_spaces.space import SearchSpace
from search_spaces.stages import StageSpace, canonical_stage, trunk_steps

Statistics = Mapping[str, tuple[Tensor, Tensor]]
TRUNK_HZ = 16.0


def _variant(name: str, arch: Arch) -> str:
    """The key of the shared weights behind a planned layer."""
    if name == "stem":
        return _stem_key(arch.acceleration, arch.rate_hz)
    if not name.startswith("stage"):
        return key(name)
    block, part = name.rsplit(".", 1)
    number, index = (int(digits) for digits in block.removeprefix("stage").split(".block"))
    stage = arch.stages[number]
    own = f"{key(name)}_{'expanded' if stage.expansion > 1 else 'direct'}"
    if part == "depthwise":
        return f"{own}_spacing{tap_spacing(arch.stages, number, index)}"
    if part == "project":
        return f"{own}_{'added' if _adds(arch, number, index) else 'plain'}"
    return own


def _every(spacing: int) -> str:
    return f"every{spacing}"


def _stem_key(acceleration: bool, rate_hz: int) -> str:
    return f"stem_{'ppg_acc' if acceleration else 'ppg'}_{rate_hz}"


def _adds(arch: Arch, number: int, index: int) -> bool:
    stage = arch.stages[number]
    if index > 0:
        return stage.residual
    before = [arch.stem_width, *(s.width for s in arch.stages[:number] if s.depth)]
    return stage.residual and residual_possible(
        inputs=before[-1], outputs=stage.width, stride=stage.stride
    )


def tap_spacing(stages: tuple[StageArch, ...], number: int, index: int) -> int:
    """Time steps of the trunk's first layer between two taps of a block's depthwise kernel."""
    spacing = math.prod(before.stride for before in stages[:number] if before.depth)
    return spacing * _own_spacing(stages[number], index)


def _own_spacing(stage: StageArch, index: int) -> int:
    """The same in time steps of the stage's own input."""
    if index > 0:
        return stage.stride * stage.dilation
    return 1 if stage.stride > 1 else stage.dilation


def _spacings(space: SearchSpace) -> dict[tuple[int, bool], set[int]]:
    """Tap spacings that can occur, by (stage, whether it is the stage's first block)."""
    found: dict[tuple[int, bool], set[int]] = {}
    longest = max(max(stage.dilation) for stage in space.stages)
    # To read less far back, streaming networks may halve a dilation down to 1.
    halvings = range(longest.bit_length() if space.streams else 1)
    for rate_hz, window_s in itertools.product(space.rate_hz, space.window_s):
        # what a stage may be handed: steps, and those of the trunk's first layer between two
        handed = {(trunk_steps(rate_hz, window_s), 1)}
        for number, stage in enumerate(space.stages):
            timings = [
                StageArch(depth, 4, 4, dilation, 1, stride, False)
                for depth in {min(stage.depth), max(stage.depth)}
                for dilation in {max(1, d >> n) for d in stage.dilation for n in halvings}
                for stride in stage.stride
            ]
            after = set()
            for (steps, spacing), timing in itertools.product(handed, timings):
                acts, _, left = canonical_stage(timing, 4, steps, window_s * space.streams)
                for index in range(min(acts.depth, 2)):
                    taps = spacing * _own_spacing(acts, index)
                    found.setdefault((number, index == 0), set()).add(taps)
                after.add((left, spacing * acts.stride if acts.depth else spacing))
            handed = after
    return found


class Supernet(nn.Module):
    """Shared weights of all networks of `space`.

    The active architecture is an argument of `forward`, never state.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space
        self.weights = nn.ParameterDict()
        self.gains = nn.ParameterDict()
        self.shifts = nn.ParameterDict()
        self.transforms = nn.ParameterDict()
        for acceleration, rate in itertools.product(space.acceleration, space.rate_hz):
            name, inputs = _stem_key(acceleration, rate), 4 if acceleration else 1
            self._add(name, max(space.stem_width), inputs, space.stem_kernel)
        spacings = _spacings(space)
        # channels a stage may be handed: by the stage before, or further back where that is absent
        widths = set(space.stem_width)
        for number, stage in enumerate(space.stages):
            for index in range(max(stage.depth)):
                self._add_block(number, index, stage, widths, spacings[number, index == 0])
            widths = set(stage.width) | (widths if 0 in stage.depth else set())
        widest = max(widths)
        if max(space.head_width) > 0:
            self._add("neck", max(space.head_width), widest, (1,))
        self.heads = nn.ParameterDict()
        self.head_biases = nn.ParameterDict()
        self.upsamples = nn.ParameterDict()
        self.upsample_biases = nn.ParameterDict()
        for spacing in space.head_spacing:
            self._add_heads(spacing, widest)

    def _add_block(
        self, number: int, index: int, stage: StageSpace, widths: set[int], spacings: set[int]
    ) -> None:
        name, out = f"stage{number}_block{index}", max(stage.width)
        inputs = max(widths) if index == 0 else out
        may_add = index > 0 or (1 in stage.stride and not widths.isdisjoint(stage.width))
        endings = []
        if False in stage.residual or index == 0:
            endings.append("plain")  # a first block's shapes may differ: nothing can be added
        if True in stage.residual and may_add:
            endings.append("added")
        for kind, inner in (("direct", inputs), ("expanded", inputs * max(stage.expansion))):
            if kind == "direct" and 1 not in stage.expansion:
                continue
            if kind == "expanded":
                if max(stage.expansion) == 1:
                    continue
                self._add(f"{name}_expand_expanded", inner, inputs, (1,))
            for spacing in sorted(spacings):
                self._add(f"{name}_depthwise_{kind}_spacing{spacing}", inner, 1, stage.kernel)
            for ending in endings:
                self._add(f"{name}_project_{kind}_{ending}", out, inner, (1,))

    def _add_heads(self, spacing: int, widest: int) -> None:
        every, coarse = _every(spacing), self.space.task.classes // spacing
        for pooling in self.space.pooling:
            for kind, features, used in (
                ("direct", widest, 0 in self.space.head_width),
                ("neck", max(self.space.head_width), max(self.space.head_width) > 0),
            ):
                if used:
                    start = (torch.rand(coarse, features) * 2 - 1) / math.sqrt(features)
                    self.heads[f"{pooling}_{kind}_{every}"] = nn.Parameter(start)
        self.head_biases[every] = nn.Parameter(torch.zeros(coarse))
        if spacing > 1:
            self.upsamples[every] = nn.Parameter(linear_upsample(spacing, UPSAMPLE_TAPS))
            self.upsample_biases[every] = nn.Parameter(torch.zeros(spacing))

    def _add(self, name: str, outputs: int, inputs: int, kernels: tuple[int, ...]) -> None:
        longest = max(kernels)
        spread = math.sqrt(2 / (inputs * longest))
        self.weights[name] = nn.Parameter(torch.randn(outputs, inputs, longest) * spread)
        self.gains[name] = nn.Parameter(torch.ones(outputs))
        self.shifts[name] = nn.Parameter(torch.zeros(outputs))
        for kernel in kernels:
            if kernel < longest:
                self.transforms[f"{name}_k{kernel}"] = nn.Parameter(torch.eye(kernel))
            if 25 in self.space.rate_hz and "depthwise" in name:
                matrix = _resampling(kernel, TRUNK_HZ / 12.5)
                self.transforms[f"{name}_k{kernel}_25hz"] = nn.Parameter(matrix)

    def forward(
        self, x: Tensor, arch: Arch, *, statistics: Statistics | None = None, whole: bool = False
    ) -> Tensor:
        """Logits of one subnetwork.

        Args:
            x: `(batch, channels, time)` at the arch's rate.
            statistics: mean and variance per layer from `recalibrate`; the batch's own when None.
            whole: whether `x` is one whole signal, see `search_spaces.blocks.run_pass`.

        Returns:
            `(batch, classes)`; of a whole signal `(readings, classes)`.
        """

        def convolve(value: Tensor, conv: Conv, batch: int) -> Tensor:
            value = causal_conv(value, self.weight(conv, arch), conv, batch)
            moments = None if statistics is None else statistics[conv.name]
            return self._normalise(value, conv, arch, moments)

        run = run_pass if whole else run_network
        return run(plan(arch), x, convolve, self._head(arch))

    def _normalise(
        self, x: Tensor, conv: Conv, arch: Arch, moments: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """By mean and variance of each channel; by those of `x` where there are none."""
        mean, variance = moments or (None, None)
        name, own = _variant(conv.name, arch), moments is None
        gain, shift = self.gains[name][: conv.outputs], self.shifts[name][: conv.outputs]
        return F.batch_norm(x, mean, variance, gain, shift, training=own, eps=NORM_EPS)

    def _head(self, arch: Arch) -> Head:
        every, up = _every(arch.head_spacing), None
        head = f"{arch.pooling}_{'neck' if arch.head_width else 'direct'}_{every}"
        weight = self.heads[head][:, : plan(arch).features]
        if every in self.upsamples:
            up = self.upsamples[every], self.upsample_biases[every]
        return Head(weight, self.head_biases[every], up)

    def weight(self, conv: Conv, arch: Arch) -> Tensor:
        """`(outputs, inputs / groups, kernel)` weights that `arch` uses for a planned layer."""
        name = _variant(conv.name, arch)
        inputs = 1 if conv.kind == "depthwise" else conv.inputs
        whole = self.weights[name]
        taps: Tensor = whole[: conv.outputs, :inputs, whole.shape[2] - conv.kernel :]
        for matrix in (f"{name}_k{conv.kernel}", f"{name}_k{conv.kernel}_25hz"):
            if matrix in self.transforms and (arch.rate_hz == 25 or not matrix.endswith("25hz")):
                taps = taps @ self.transforms[matrix]
        return taps

    @torch.no_grad()
    def recalibrate(
        self, arch: Arch, batches: Iterable[Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Mean and variance of every layer's convolution, averaged over batches of windows.

        Each batch passes once with its own statistics; shared weights are not touched.
        """
        what = plan(arch)
        sums: dict[str, Tensor] = {}
        count = 0
        for x in batches:
            count += 1

            def convolve(value: Tensor, conv: Conv, batch: int) -> Tensor:
                value = causal_conv(value, self.weight(conv, arch), conv, batch)
                variance, mean = torch.var_mean(value, dim=0, correction=0)
                sums[conv.name] = sums.get(conv.name, 0) + torch.stack([mean, variance])
                return self._normalise(value, conv, arch, (mean, variance))

            run_network(what, x, convolve, self._head(arch))
        if count == 0:
            raise ValueError("recalibrate needs at least one batch")
        return {name: (mean / count, var / count) for name, (mean, var) in sums.items()}

    @torch.no_grad()
    def extract(self, arch: Arch, statistics: Statistics) -> Network:
        """A stand-alone network that computes what `forward(x, arch, statistics=...)` does."""
        network = Network(arch)
        for conv in network.plan.convs:
            name, own = _variant(conv.name, arch), key(conv.name)
            network.weights[own].copy_(self.weight(conv, arch))
            norm = network.norms[own]
            assert isinstance(norm, nn.BatchNorm1d)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.weight.copy_(self.gains[name][: conv.outputs])
            norm.bias.copy_(self.shifts[name][: conv.outputs])
            norm.running_mean.copy_(statistics[conv.name][0])
            norm.running_var.copy_(statistics[conv.name][1])
        head = self._head(arch)
        network.head.weight.copy_(head.weight)
        network.head.bias.copy_(head.bias)
        if network.upsample is not None and head.upsample is not None:
            weight, bias = head.upsample
            network.upsample.weight.copy_(weight)
            network.upsample.bias.copy_(bias)
        return network.eval()

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Put important channels first; every network of full width computes what it did.

        Importance is the L1 norm of the weights with which consumers read a channel. Only widths
        that stand alone are sorted: the inner channels of expanded blocks and of the neck. The
        channels of a stage are tied to its neighbours through shortcuts and prefixes of other
        widths, where the sandwich itself orders them.
        """
        orders: dict[str, Tensor] = {}
        for name in [n for n in self.weights if n.endswith("_expand_expanded")]:
            block = name.removesuffix("_expand_expanded")
            projects = [n for n in self.weights if n.startswith(f"{block}_project_expanded")]
            order = _order(sum(self.weights[n].abs().sum(dim=(0, 2)) for n in projects))
            for project in projects:
                self.weights[project].copy_(self.weights[project][:, order])
            for layer in self.weights:
                if layer == name or layer.startswith(f"{block}_depthwise_expanded"):
                    orders[layer] = order
        necks = [n for n in self.heads if "_neck_" in n]
        if necks:
            orders["neck"] = _order(sum(self.heads[n].abs().sum(dim=0) for n in necks))
            for name in necks:
                self.heads[name].copy_(self.heads[name][:, orders["neck"]])
        for name, order in orders.items():
            for part in (self.weights, self.gains, self.shifts):
                part[name].copy_(part[name][order])


def _order(importance: Tensor | int) -> Tensor:
    assert isinstance(importance, Tensor)
    return torch.argsort(importance, descending=True, stable=True)


def _resampling(kernel: int, ratio: float) -> Tensor:
    """`(kernel, kernel)` matrix that stretches taps in time by linear interpolation.

    A kernel's newest tap stays; tap `j` steps back at the lower rate reads the shared kernel at
    `j * ratio` steps back.
    """
    matrix = torch.zeros(kernel, kernel)
    for back in range(kernel):
        position = min(back * ratio, kernel - 1)
        near = min(int(position), kernel - 2) if kernel > 1 else 0
        share = position - near
        matrix[kernel - 1 - near, kernel - 1 - back] += 1 - share
        if kernel > 1:
            matrix[kernel - 2 - near, kernel - 1 - back] += share
    return matrix
