"""Made-up weights of graphs whose kernels keep the scales of several inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.tflite.reader import read

FILES = Path(__file__).parents[1] / "tflite" / "files"


@pytest.mark.parametrize("name", ["autoencoder", "concatenated", "moved", "pyramid", "torch_unet"])
@pytest.mark.parametrize("seed", [0, 1])
def test_joined_tensors_have_one_scale(name: str, seed: int) -> None:
    graph = read(FILES / f"{name}_int8.tflite").graph
    net = random_net(graph, seed)
    joined = [layer for layer in graph.layers if layer.op == "concat"]
    assert joined
    for layer in joined:
        assert len({net.activations[one] for one in (*layer.inputs, layer.output)}) == 1
    drawn = {net.activations[tensor.name] for tensor in graph.tensors}
    assert len(drawn) > 1  # others have their own
    x = np.random.default_rng(seed).integers(-128, 128, (2, *graph.shape(graph.input)[1:]))
    assert reference.run(net, x.astype(np.int8)).std() > 0
