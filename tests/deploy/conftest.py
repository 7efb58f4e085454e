"""Random small networks shaped like the lowered ones, and compilers, as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.emulation.host import HostCompiler, find_host_compiler
from deploy.emulation.toolchain import Compiler, find_compiler
from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Op
from ppgnas.errors import DependencyError

Shape = tuple[int, ...]


@dataclass
class NetworkBuilder:
    """Adds layers one by one and makes up weights and scales that keep values in range."""

    rng: np.random.Generator
    shape: Shape
    layers: list[Layer] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    weights: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    activations: dict[str, tuple[float, int]] = field(default_factory=dict)
    last: str = "input"

    def __post_init__(self) -> None:
        self.tensors.append(Tensor("input", self.shape))
        self.activations["input"] = (0.02, int(self.rng.integers(-20, 20)))

    def add(
        self,
        op: Op,
        shape: Shape,
        *,
        inputs: tuple[str, ...] = (),
        scale: float = 0.03,
        keep_scale: bool = False,
        **options: Any,
    ) -> str:
        """Append a layer and its output; a relu's output has zero point -128."""
        name = f"{op}{len(self.layers)}"
        target = f"{name}_out"
        inputs = inputs or (self.last,)
        self.layers.append(Layer(name, op, inputs, target, **options))
        self.tensors.append(Tensor(target, shape))
        if keep_scale:
            self.activations[target] = self.activations[inputs[0]]
        else:
            relu = options.get("activation", "none") != "none"
            point = -128 if relu else int(self.rng.integers(-40, 40))
            self.activations[target] = (scale * float(self.rng.uniform(0.8, 1.25)), point)
        self.last = target
        return target

    def size(self, name: str) -> Shape:
        """Shape of a tensor so far."""
        return next(t.shape for t in self.tensors if t.name == name)

    def weighted(self, op: Op, channels: int, **options: Any) -> str:
        """Append a convolution or fully connected layer with random weights."""
        _, height, width, source = self.size(self.last)
        kernel, stride = options.get("kernel", (1, 1)), options.get("stride", (1, 1))
        dilation = options.get("dilation", (1, 1))
        if op == "fully_connected":
            shape: Shape = (1, channels)
            weights = (channels, height * width * source)
            fan_in = weights[1]
        else:
            if options.get("padding") == "same":
                sizes = [-(-n // s) for n, s in zip((height, width), stride, strict=True)]
            else:
                sizes = [
                    (n - (k - 1) * d - 1) // s + 1
                    for n, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
                ]
            shape = (1, *sizes, channels)
            weights = (channels, *kernel, source) if op == "conv" else (1, *kernel, channels)
            fan_in = kernel[0] * kernel[1] * (source if op == "conv" else 1)
        target = self.add(op, shape, **options)
        # Channels differ by up to 8x in size, so that per-channel scales matter.
        spread = self.rng.uniform(0.25, 2.0, channels)
        values = self.rng.normal(size=weights) / np.sqrt(fan_in)
        last = op == "depthwise_conv"
        values *= spread if last else spread.reshape(-1, *[1] * (values.ndim - 1))
        self.weights[self.layers[-1].name] = (values, self.rng.normal(size=channels) * 0.3)
        return target

    def pad(self, pads: tuple[int, int, int, int]) -> str:
        """Append a zero padding `(top, bottom, left, right)`."""
        _, height, width, channels = self.size(self.last)
        shape = (1, height + pads[0] + pads[1], width + pads[2] + pads[3], channels)
        return self.add("pad", shape, keep_scale=True, pads=pads)

    def reshape(self, shape: Shape) -> str:
        """Append another view of the same bytes."""
        return self.add("reshape", shape, keep_scale=True)

    def graph(self) -> Graph:
        """The graph so far; its output is the last tensor."""
        return Graph(tuple(self.layers), tuple(self.tensors), "input", self.last)

    def net(self) -> QuantizedNet:
        """The quantised network so far."""
        return quantize(self.graph(), self.weights, self.activations)

    def block(self, width: int, *, kernel: int, dilation: int, steps: int) -> None:
        """A causal depthwise-separable block, with a residual where the widths agree."""
        view = (1, 1, steps) if dilation == 1 else (1, steps // dilation, dilation)
        if self.size(self.last)[:3] != view:
            self.reshape((*view, self.size(self.last)[3]))
        before = self.last
        source = self.size(before)[3]
        self.pad((0, 0, kernel - 1, 0) if dilation == 1 else (kernel - 1, 0, 0, 0))
        shape = (1, kernel) if dilation == 1 else (kernel, 1)
        self.weighted("depthwise_conv", source, kernel=shape, activation="relu")
        self.weighted("conv", width)
        if source == width:
            self.add("add", self.size(before), inputs=(before, self.last), activation="relu")


def lowered(
    seed: int, *, steps: int = 64, width: int = 8, blocks: int = 4, pool: str = "avg"
) -> NetworkBuilder:
    """Stem, blocks of dilation 1, 2, 4, 8 ..., pooling over time, 180 classes."""
    builder = NetworkBuilder(np.random.default_rng(seed), (1, 1, 2 * steps, 4))
    builder.pad((0, 0, 6, 0))
    builder.weighted("conv", width, kernel=(1, 7), stride=(1, 2), activation="relu")
    assert builder.size(builder.last) == (1, 1, steps, width)
    for index in range(blocks):
        wider = width + 4 * (index // 2)
        builder.block(wider, kernel=3 + 2 * (index % 2), dilation=2 ** (index % 4), steps=steps)
    channels = builder.size(builder.last)[3]
    builder.reshape((1, 1, steps, channels))
    if pool == "avg":
        builder.add("avg_pool", (1, 1, 1, channels), keep_scale=True, kernel=(1, steps))
    elif pool == "mean":
        builder.add("mean", (1, 1, 1, channels), scale=0.01)
    else:
        # The last step alone: a window of one that starts nowhere but at the end.
        builder.weighted("depthwise_conv", channels, kernel=(1, steps))
    builder.weighted("fully_connected", 180, scale=0.05)
    return builder


@pytest.fixture
def make_lowered() -> Callable[..., NetworkBuilder]:
    """`lowered`, as a fixture."""
    return lowered


@pytest.fixture
def make_builder() -> Callable[..., NetworkBuilder]:
    """An empty builder from a seed and an input shape."""

    def make(seed: int, shape: Shape) -> NetworkBuilder:
        return NetworkBuilder(np.random.default_rng(seed), shape)

    return make


@pytest.fixture
def make_windows() -> Callable[..., NDArray[np.int8]]:
    """Random int8 inputs of a network: half noise over the whole range, half smooth."""

    def make(net: QuantizedNet, count: int, seed: int = 0) -> NDArray[np.int8]:
        rng = np.random.default_rng(seed)
        shape = (count, *net.graph.shape(net.graph.input)[1:])
        noise = rng.integers(-128, 128, shape)
        smooth = np.clip(np.cumsum(rng.normal(size=shape) * 20, axis=2), -128, 127)
        return np.where(rng.random((count, 1, 1, 1)) < 0.5, noise, smooth).astype(np.int8)

    return make


@pytest.fixture(scope="session")
def host() -> HostCompiler:
    try:
        return find_host_compiler()
    except DependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["zig", "gcc"])
def arm(request: pytest.FixtureRequest) -> Compiler:
    try:
        return find_compiler(request.param)
    except DependencyError as error:
        pytest.skip(str(error))
