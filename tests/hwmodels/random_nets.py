"""Networks of the default space with made-up weights and scales, quick enough for fifty a test."""

from __future__ import annotations

import random

import numpy as np

from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph
from hwmodels.operators import SHARED_SCALE_OPS, WEIGHTED_OPS
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


def random_graph(seed: int) -> Graph:
    """A sample of the default space, lowered."""
    return lower(SearchSpace.preset("default").sample(random.Random(seed)))


def random_net(graph: Graph, seed: int) -> QuantizedNet:
    """Weights and scales that keep values in range."""
    rng = np.random.default_rng(seed)
    activations = {graph.input: (0.02, int(rng.integers(-20, 20)))}
    weights = {}
    for layer in graph.layers:
        if layer.op in SHARED_SCALE_OPS:
            activations[layer.output] = activations[layer.inputs[0]]
        else:
            point = -128 if layer.activation != "none" else int(rng.integers(-40, 40))
            activations[layer.output] = (0.03 * float(rng.uniform(0.8, 1.25)), point)
        if layer.op in WEIGHTED_OPS:
            shape = graph.weight_shape(layer)
            taps = shape[1] * shape[2] if layer.op == "depthwise_conv" else np.prod(shape[1:])
            bias = rng.normal(size=graph.shape(layer.output)[-1]) * 0.3
            weights[layer.name] = rng.normal(size=shape) / np.sqrt(taps), bias
    return quantize(graph, weights, activations)
