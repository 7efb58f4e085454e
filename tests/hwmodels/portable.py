"""Scratch that TFLite Micro asks for without CMSIS-NN."""

from __future__ import annotations

from math import prod

from hwmodels.engines.kernels import geometry, scratch_bytes
from hwmodels.graph import Graph


def portable_scratch_bytes(graph: Graph) -> list[int]:
    """`(layers,)` scratch that TFLM's own kernels ask for on every build.

    `MEAN` sums in int32 and keeps its axes and an index beside the sums. Source: heads of
    tflite-micro 0.dev20261023182759, 4 to 1024 outputs.
    """
    found = []
    for layer in graph.layers:
        source, target = graph.shape(layer.inputs[0]), graph.shape(layer.output)
        own = layer.op in ("lstm", "transpose_conv", "batch_matmul")
        found.append(scratch_bytes(layer.op, geometry(layer, source, target)) if own else 0)
        if layer.op == "mean":
            found[-1] = 4 * prod(target) + 32
    return found
