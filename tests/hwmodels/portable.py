"""Scratch that TFLite Micro asks for without CMSIS-NN."""

from __future__ import annotations

from math import prod

from hwmodels.graph import Graph


def portable_scratch_bytes(graph: Graph) -> list[int]:
    """`(layers,)` scratch that TFLM's own kernels ask for on every build.

    `MEAN` sums in int32 and keeps its axes and an index beside the sums. Source: heads of
    tflite-micro 0.dev20261023182759, 4 to 1024 outputs.
    """
    return [
        4 * prod(graph.shape(layer.output)) + 32 if layer.op == "mean" else 0
        for layer in graph.layers
    ]
