"""`Arch -> Graph`: the operators the device will run, without torch and in well under 100 us.

Undilated layers stand as `1 x k` over `[1, 1, T, C]`. A layer of dilation d stands as `k x 1` over
the same bytes viewed as `[1, T/d, d, C]`: equal to the last bit, and free of the penalty that the
kernels put on dilation. A reshape is needed only where the view changes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.graph import Graph, Layer, Tensor
from ppgnas.task import TASK, Task
from search_spaces.arch import Arch
from search_spaces.plan import Block, Conv, Ends, Plan, plan

NEWEST = "newest"  # the layer that leaves what is pooled where that is not the whole window

# A search meets the same layers again and again: made once, they are also nothing for the garbage
# collector to walk through. They are frozen, so graphs can share them.
_layer = lru_cache(maxsize=1 << 16)(Layer)
_tensor = lru_cache(maxsize=1 << 16)(Tensor)


class Builder:
    """Collects layers; `current` is the tensor that the next layer reads."""

    def __init__(self, current: str, shape: tuple[int, int, int, int]) -> None:
        self.layers: list[Layer] = []
        self.tensors: list[Tensor] = []
        self.source = _tensor(current, shape)
        self.current = current
        self.shape = shape

    def add(
        self,
        name: str,
        op: str,
        shape: tuple[int, ...],
        *others: str,
        output: str = "",
        **how: Any,
    ) -> None:
        """A layer that reads the current tensor and `others`; its output bears its name."""
        layer = _layer(name, op, (self.current, *others), output or name, **how)
        self.layers.append(layer)
        self.tensors.append(_tensor(layer.output, shape))
        self.current = layer.output
        self.shape = shape  # type: ignore[assignment]

    def view(self, name: str, height: int, width: int) -> None:
        """Make sure that time is folded as `[height, width]`."""
        if self.shape[1:3] != (height, width):
            self.add(f"{name}.view", "reshape", (1, height, width, self.shape[3]))

    def conv(self, conv: Conv) -> None:
        """A causal convolution: padding on the left of time only, as a layer of its own."""
        height, width, channels = self.shape[1:]
        op = "depthwise_conv" if conv.kind == "depthwise" else "conv"
        activation = "relu" if conv.relu else "none"
        if conv.kind == "pointwise":
            shape = (1, height, width, conv.outputs)
            self.add(conv.name, op, shape, activation=activation)
            return
        time = height * width
        rows = conv.kernel - 1
        if conv.dilation > 1:
            pads, kernel, stride = (rows, 0, 0, 0), (conv.kernel, 1), (1, 1)
            padded = (1, time // conv.dilation + rows, conv.dilation, channels)
            shape = (1, time // conv.dilation, conv.dilation, conv.outputs)
        else:
            # With stride s the last tap of output i stands on sample (i + 1) s - 1, the newest.
            steps = -(-time // conv.stride)
            left = (steps - 1) * conv.stride + conv.kernel - time
            pads, kernel, stride = (0, 0, left, 0), (1, conv.kernel), (1, conv.stride)
            padded = (1, 1, time + left, channels)
            shape = (1, 1, steps, conv.outputs)
        if any(pads):
            self.add(f"{conv.name}.pad", "pad", padded, pads=pads)
        self.add(conv.name, op, shape, kernel=kernel, stride=stride, activation=activation)

    def block(self, block: Block) -> None:
        """A whole block with its shortcut."""
        known = _lowered(block, self.current, self.shape)
        self.layers += known.layers
        self.tensors += known.tensors
        self.current, self.shape = known.current, known.shape

    def tail(self, what: Plan) -> None:
        """What a plan has behind its blocks."""
        if what.neck is not None:
            self.conv(what.neck)
        time, features = self.shape[1] * self.shape[2], self.shape[3]
        steps = what.pooled_of(time)
        if steps < time:
            self.view(NEWEST, 1, time)
            rows = (0, 1, 1), (0, 1, 1), (time - steps, time, 1), (0, features, 1)
            self.add(NEWEST, "slice", (1, 1, steps, features), rows=rows)
        height, width = self.shape[1:3]
        shape = (1, 1, 1, features)
        self.add("pool", f"{what.pooling}_pool", shape, kernel=(height, width), stride=(1, 1))
        up = what.upsample
        output = "logits" if up is None else "head"
        self.add("head", "fully_connected", (1, what.coarse), output=output)
        if up is not None:
            # Classes lie on the W axis; a convolution of as many outputs as classes to a place
            # leaves the classes in their order.
            self.add(f"{up.name}.view", "reshape", (1, 1, what.coarse, 1))
            shape = (1, 1, what.coarse, up.outputs)
            self.add(up.name, "conv", shape, kernel=(1, up.kernel), padding="same")
            self.add("logits", "reshape", (1, what.classes))

    def graph(self, task: Task = TASK) -> Graph:
        """All of it."""
        tensors = (self.source, *self.tensors)
        return Graph.trusted(tuple(self.layers), tensors, self.source.name, self.current, task)


@lru_cache(maxsize=1 << 16)
def _lowered(block: Block, current: str, shape: tuple[int, int, int, int]) -> Builder:
    """A block after the tensor `current`; to be read only."""
    build = Builder(current, shape)
    # The view changes before the block, so that its shortcut and its result have one shape.
    fold = block.depthwise.dilation
    time = shape[1] * shape[2]
    build.view(block.name, time // fold if fold > 1 else 1, fold if fold > 1 else time)
    shortcut = build.current
    for conv in block.convs:
        build.conv(conv)
    if block.residual:
        build.add(f"{block.name}.add", "add", build.shape, shortcut)
    return build


def lower(arch: Arch, ends: Ends | None = None) -> Graph:
    """The graph of an architecture; its output is class logits unless `ends` differ."""
    what = plan(arch, ends)
    build = Builder("input", (1, 1, what.samples, what.channels))
    build.conv(what.stem)
    for block in what.blocks:
        build.block(block)
    build.tail(what)
    return build.graph(arch.task)


def stored_weight(
    conv: Conv, weight: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """A convolution's weight in the layout of the graph's layer.

    Args:
        weight: `(outputs, inputs / groups, kernel)`.
        shape: `Graph.weight_shape`: `(1, H, W, C)` for depthwise, else `(O, H, W, I)`.
    """
    if conv.kind == "depthwise":
        return weight[:, 0, :].T.reshape(shape)  # (kernel, channels) -> 1HWC
    return weight.transpose(0, 2, 1).reshape(shape)  # (outputs, kernel, inputs) -> OHWI
