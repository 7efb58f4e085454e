"""Quantised networks with made-up weights: for counting, fuzzing and timing, not for readings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph
from hwmodels.operators import OPERATORS


def random_net(graph: Graph, seed: int, *, stretch: float = 1.0) -> QuantizedNet:
    """A network of this graph whose values neither vanish nor saturate everywhere.

    Weights are normal with the variance of a usual initialisation, channels differ by up to eight
    times in size, and ranges follow what such layers put out; a relu's zero point is -128.

    Args:
        stretch: up to how many times smaller or larger scales are; above 1, zero points of relu
            are drawn too. A large one reaches the corners of the arithmetic: multipliers above
            1/2, saturation.

    Raises:
        ExportError: a large stretch has drawn scales whose integers leave int32.
    """
    rng = np.random.default_rng(seed)
    corners = np.random.default_rng((seed, 1))
    same = _of_one_scale(graph)
    activations = {
        same[layer.output]: fixed
        for layer in graph.layers
        if (fixed := OPERATORS[layer.op].fixed_scale) is not None
    }
    activations.setdefault(
        same[graph.input], (0.02 * float(rng.uniform(0.8, 1.25)), int(rng.integers(-20, 20)))
    )
    weights: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for layer in graph.layers:
        known = OPERATORS[layer.op]
        if known.keeps_scale or known.fixed_scale:
            continue
        point = -128 if layer.activation != "none" else int(rng.integers(-40, 40))
        scale = 0.03 * float(rng.uniform(0.8, 1.25))
        if stretch > 1.0:
            scale *= stretch ** float(corners.uniform(-1, 1))
            point = int(corners.integers(-128, 128))
        activations.setdefault(same[layer.output], (scale, point))
        if known.weighted:
            shape = graph.weight_shape(layer)
            channels = graph.shape(layer.output)[-1]
            last = layer.op == "depthwise_conv"
            fan_in = int(np.prod(shape)) // channels
            spread = rng.uniform(0.25, 2.0, channels)
            values = rng.normal(size=shape) / np.sqrt(fan_in)
            values *= spread if last else spread.reshape(-1, *[1] * (values.ndim - 1))
            weights[layer.name] = (values, rng.normal(size=channels) * 0.3)
    scales = {name: activations[one] for name, one in same.items() if one in activations}
    return quantize(graph, weights, scales)


def _of_one_scale(graph: Graph) -> dict[str, str]:
    """For each tensor the one whose scale it has, as kernels between them keep it."""
    same = {tensor.name: tensor.name for tensor in graph.tensors}
    for layer in graph.layers:
        if OPERATORS[layer.op].keeps_scale:  # but for what a choice compares
            tied = {same[name] for name in (*layer.inputs[layer.op == "select" :], layer.output)}
            one = min(tied, key=list(same).index)
            same = {name: one if of in tied else of for name, of in same.items()}
    return same
