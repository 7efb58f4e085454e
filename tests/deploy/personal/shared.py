"""Heads of random networks, and wearers whose features say their heart rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.integers.quantized import QuantizedNet, quantize
from deploy.personal.head import Head
from hwmodels.graph import Layer
from ppgnas.task import Task
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.published import published
from search_spaces.stages import at_task

SPACED = published("tiny")
DENSE = replace(at_task(SPACED, Task(12, 4, 40, 199)), head_spacing=1)  # of another task
BOTH = {"spaced": SPACED, "dense": DENSE}


def random_net(arch: Arch, *, seed: int = 0) -> QuantizedNet:
    """Random weights whose logits are neither all alike nor all apart.

    The convolution to the classes draws lines between its places, as a trained one does.
    """
    graph = lower(arch)
    rng = np.random.default_rng(seed)

    def weight_of(layer: Layer) -> NDArray[np.float64]:
        if layer.name != "upsample":
            return np.asarray(rng.normal(size=graph.weight_shape(layer)) * 0.3)
        away = np.arange(arch.head_spacing) / arch.head_spacing - 0.5
        taps = np.stack([np.maximum(-away, 0), 1 - np.abs(away), np.maximum(away, 0)], axis=1)
        return taps[:, None, :, None]

    weights = {
        layer.name: (weight_of(layer), rng.normal(size=graph.shape(layer.output)[-1]) * 0.1)
        for layer in graph.layers
        if graph.weight_shape(layer)
    }
    scales = {tensor.name: (0.05, int(rng.integers(-5, 5))) for tensor in graph.tensors}
    scales |= dict.fromkeys({"head", "upsample", "logits"} & set(scales), (0.15, 3))
    for layer in graph.layers:  # one scale on both sides of what only moves bytes
        if layer.op in ("pad", "reshape", "avg_pool"):
            scales[layer.output] = scales[layer.inputs[0]]
    return quantize(graph, weights, scales)


def windows_of_wearer(
    head: Head, count: int, *, seed: int = 0
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Features that lie on a line with the heart rate, with noise; rates in 1/256 BPM."""
    rng = np.random.default_rng(seed)
    bpm = 80 + 40 * np.sin(np.arange(count) / 9)
    way, noise = rng.normal(size=head.features), rng.normal(size=(count, head.features))
    f = head.feature_zero + (bpm[:, None] - 80) * way + 6 * noise
    return np.clip(np.rint(f), -128, 127).astype(np.int8), np.rint(256 * bpm).astype(np.int64)
