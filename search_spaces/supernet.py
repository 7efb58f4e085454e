"""One set of weights for every network of a space.

How the dimensions share (Once-for-All and BigNAS, in 1D):

* width: a narrower layer uses the first channels of the widest; `sort_channels` puts the channels
  that their consumers weigh most first, without changing what the largest network computes;
* depth: a shallower stage uses the first blocks;
* kernel: a shorter kernel uses the last (newest) taps, through a learned matrix that starts as the
  identity;
* expansion: a block without an expand layer filters the block's own channels, another meaning than
  filtering expanded ones, so the two have weights of their own; among expanded ones channels nest;
* dilation, stride, shortcut, pooling: the same weights, used differently;
* front end: each (acceleration, rate) has its own stem, because a tap then spans another time. At
  25 Hz the trunk runs at 12.5 Hz instead of 16, so depthwise kernels pass through a learned matrix
  that starts as a resampling.

Normalisation uses the batch's statistics unless statistics are given; `recalibrate` measures those
of one architecture and changes nothing in the supernet.

References: Cai et al. 2020 (arXiv 1908.09791), Yu et al. 2020 (arXiv 2003.11142).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.arch import CLASSES, Arch
from search_spaces.blocks import causal_conv, run_network
from search_spaces.network import NORM_EPS, Network, key
from search_spaces.plan import Conv, plan
from search_spaces.space import SearchSpace

Statistics = Mapping[str, tuple[Tensor, Tensor]]
TRUNK_HZ = 16.0


def _variant(name: str, arch: Arch) -> str:
    """The key of the shared weights behind a planned layer."""
    if name == "stem":
        sensors = "ppg_acc" if arch.acceleration else "ppg"
        return f"stem_{sensors}_{arch.rate_hz}"
    if name.startswith("stage"):
        stage = arch.stages[int(name[5 : name.index(".")])]
        return key(name) + ("_expanded" if stage.expansion > 1 else "_direct")
    return key(name)


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
        for acceleration in space.acceleration:
            for rate in space.rate_hz:
                sensors = "ppg_acc" if acceleration else "ppg"
                self._add(
                    f"stem_{sensors}_{rate}",
                    max(space.stem_width),
                    4 if acceleration else 1,
                    space.stem_kernel,
                )
        widest = max(space.stem_width)
        for number, stage in enumerate(space.stages):
            out = max(stage.width)
            for index in range(max(stage.depth)):
                # a block's input is the stage before (any of those that may be absent) or itself
                inputs = widest if index == 0 else out
                name = f"stage{number}_block{index}"
                if 1 in stage.expansion:
                    self._add(f"{name}_depthwise_direct", inputs, 1, stage.kernel)
                    self._add(f"{name}_project_direct", out, inputs, (1,))
                if max(stage.expansion) > 1:
                    inner = inputs * max(stage.expansion)
                    self._add(f"{name}_expand_expanded", inner, inputs, (1,))
                    self._add(f"{name}_depthwise_expanded", inner, 1, stage.kernel)
                    self._add(f"{name}_project_expanded", out, inner, (1,))
            widest = max(widest, out) if 0 in stage.depth else out
        if max(space.head_width) > 0:
            self._add("neck", max(space.head_width), widest, (1,))
        self.heads = nn.ParameterDict()
        for head, features in (("direct", widest), ("neck", max(space.head_width))):
            used = 0 in space.head_width if head == "direct" else features > 0
            if used:
                bound = 1 / math.sqrt(features)
                self.heads[head] = nn.Parameter((torch.rand(CLASSES, features) * 2 - 1) * bound)
        self.head_bias = nn.Parameter(torch.zeros(CLASSES))

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

    def forward(self, x: Tensor, arch: Arch, *, statistics: Statistics | None = None) -> Tensor:
        """Logits of one subnetwork.

        Args:
            x: `(batch, channels, time)` at the arch's rate.
            arch: a member of the space.
            statistics: mean and variance per layer from `recalibrate`; the batch's own when None.

        Returns:
            `(batch, classes)`.
        """

        def convolve(value: Tensor, conv: Conv) -> Tensor:
            name = _variant(conv.name, arch)
            value = causal_conv(value, self.weight(conv, arch), conv)
            gain, shift = self.gains[name][: conv.outputs], self.shifts[name][: conv.outputs]
            if statistics is None:
                return F.batch_norm(value, None, None, gain, shift, training=True, eps=NORM_EPS)
            mean, variance = statistics[conv.name]
            return F.batch_norm(value, mean, variance, gain, shift, eps=NORM_EPS)

        return run_network(plan(arch), x, convolve, lambda f: self._head(f, arch))

    def _head(self, features: Tensor, arch: Arch) -> Tensor:
        weight = self.heads["neck" if arch.head_width else "direct"]
        return F.linear(features, weight[:, : features.shape[1]], self.head_bias)

    def weight(self, conv: Conv, arch: Arch) -> Tensor:
        """`(outputs, inputs / groups, kernel)` weights that `arch` uses for a planned layer."""
        name = _variant(conv.name, arch)
        inputs = 1 if conv.kind == "depthwise" else conv.inputs
        whole = self.weights[name]
        taps = whole[: conv.outputs, :inputs, whole.shape[2] - conv.kernel :]
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
        sums: dict[str, tuple[Tensor, Tensor]] = {}
        count = 0
        for batch in batches:
            count += 1

            def convolve(value: Tensor, conv: Conv) -> Tensor:
                name = _variant(conv.name, arch)
                value = causal_conv(value, self.weight(conv, arch), conv)
                variance, mean = torch.var_mean(value, dim=(0, 2, 3), correction=0)
                before = sums.get(conv.name)
                sums[conv.name] = (
                    (mean, variance)
                    if before is None
                    else (before[0] + mean, before[1] + variance)
                )
                gain, shift = self.gains[name][: conv.outputs], self.shifts[name][: conv.outputs]
                return F.batch_norm(value, mean, variance, gain, shift, eps=NORM_EPS)

            run_network(what, batch, convolve, lambda f: self._head(f, arch))
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
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.weight.copy_(self.gains[name][: conv.outputs])
            norm.bias.copy_(self.shifts[name][: conv.outputs])
            norm.running_mean.copy_(statistics[conv.name][0])
            norm.running_var.copy_(statistics[conv.name][1])
        head = self.heads["neck" if arch.head_width else "direct"]
        network.head.weight.copy_(head[:, : network.plan.features])
        network.head.bias.copy_(self.head_bias)
        return network.eval()

    @torch.no_grad()
    def sort_channels(self) -> dict[str, Tensor]:
        """Put important channels first; every network of full width computes what it did.

        Importance is the L1 norm of the weights with which consumers read a channel. Only widths
        that stand alone are sorted: the inner channels of expanded blocks and of the neck. The
        channels of a stage are tied to its neighbours through shortcuts and prefixes of other
        widths, where the sandwich itself orders them.

        Returns:
            The permutation of each sorted layer, for an optimiser that keeps state per weight.
        """
        orders: dict[str, Tensor] = {}
        for name in list(self.weights):
            if not name.endswith("_expand_expanded"):
                continue
            block = name.removesuffix("_expand_expanded")
            depthwise, project = f"{block}_depthwise_expanded", f"{block}_project_expanded"
            orders[name] = orders[depthwise] = _order(self.weights[project].abs().sum(dim=(0, 2)))
            self.weights[project].copy_(self.weights[project][:, orders[name]])
            orders[f"{project}:inputs"] = orders[name]
        if "neck" in self.weights:
            orders["neck"] = _order(self.heads["neck"].abs().sum(dim=0))
            self.heads["neck"].copy_(self.heads["neck"][:, orders["neck"]])
        for name, order in orders.items():
            if name in self.weights:
                for part in (self.weights, self.gains, self.shifts):
                    part[name].copy_(part[name][order])
        return orders


def _order(importance: Tensor) -> Tensor:
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
