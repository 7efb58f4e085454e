"""Graphs built by hand: the operators of a lowered network, small enough to count on paper."""

from __future__ import annotations

from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Op, Padding


def small_graph(*, channels: int = 8, time: int = 16, classes: int = 180) -> Graph:
    """pad -> conv 1x3 -> pad -> depthwise 1x3 -> conv 1x1 -> add -> avg_pool -> fully connected.

    The residual joins the first convolution's output, which therefore lives over four layers.
    """
    wide, padded = (1, 1, time, channels), (1, 1, time + 2, channels)
    left = (0, 0, 2, 0)
    return Graph(
        layers=(
            Layer("pad0", "pad", ("x",), "p0", pads=left),
            Layer("stem", "conv", ("p0",), "s", kernel=(1, 3), activation="relu"),
            Layer("pad1", "pad", ("s",), "p1", pads=left),
            Layer("depthwise", "depthwise_conv", ("p1",), "d", kernel=(1, 3)),
            Layer("project", "conv", ("d",), "j"),
            Layer("residual", "add", ("s", "j"), "a"),
            Layer("pool", "avg_pool", ("a",), "v", kernel=(1, time)),
            Layer("head", "fully_connected", ("v",), "y"),
        ),
        tensors=(
            Tensor("x", (1, 1, time, 4)),
            Tensor("p0", (1, 1, time + 2, 4)),
            Tensor("s", wide),
            Tensor("p1", padded),
            Tensor("d", wide),
            Tensor("j", wide),
            Tensor("a", wide),
            Tensor("v", (1, 1, 1, channels)),
            Tensor("y", (1, classes)),
        ),
        input="x",
        output="y",
    )


def one_layer(
    op: Op,
    source: tuple[int, ...],
    target: tuple[int, ...],
    *,
    kernel: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: Padding = "valid",
) -> Graph:
    """A graph of one layer with one input."""
    layer = Layer("only", op, ("x",), "y", kernel, stride, dilation, padding)
    return Graph((layer,), (Tensor("x", source), Tensor("y", target)), "x", "y")
