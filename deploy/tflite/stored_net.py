"""The integers of a `.tflite` file that was read: weights, biases, scales."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from deploy.integers.quantized import QuantizedNet
from deploy.tflite import lstm
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor
from deploy.tflite.translate import unique_names
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import OPERATORS
from ppgnas.errors import ExportError


def net_of(graph: Graph, stored: StoredModel) -> QuantizedNet:
    """The network between the ends of a file, with its integers.

    Args:
        graph: int8 throughout, see `Graph.core`.

    Raises:
        ExportError: a constant is missing or the file is quantised in a way that the integer
            reference does not know.
    """
    names = unique_names(stored)
    indices = {name: index for index, name in enumerate(names)}
    writers = {names[o.outputs[0]]: o for o in stored.operators if o.outputs}
    activations = {}
    for tensor in graph.tensors:
        found = stored.tensors[indices[tensor.name]]
        if len(found.scales) != 1 or len(found.zero_points) != 1:
            raise ExportError(
                f"tensor {tensor.name!r} has {len(found.scales)} scales and "
                f"{len(found.zero_points)} zero points; one of each is allowed"
            )
        activations[tensor.name] = float(found.scales[0]), int(found.zero_points[0])
    weights, biases, scales = {}, {}, {}
    for layer in graph.layers:
        operator: StoredOperator = writers[layer.output]
        if not OPERATORS[layer.op].weighted:
            continue
        if layer.op == "lstm":
            name = layer.name
            try:
                weights[name], biases[name], scales[name] = lstm.integers(stored, operator)
            except ExportError as error:
                raise ExportError(f"layer {name!r}: {error}") from error
            continue
        shape = graph.weight_shape(layer)
        channels = shape[-1] if layer.op == "depthwise_conv" else shape[0]
        kernel = stored.tensors[operator.inputs[1]]
        weights[layer.name] = np.frombuffer(kernel.content or b"", np.int8).reshape(shape)
        scales[layer.name] = _weight_scales(layer, kernel, channels)
        bias = operator.inputs[2] if len(operator.inputs) > 2 else -1
        biases[layer.name] = _bias(layer, stored.tensors[bias] if bias >= 0 else None, channels)
    constants = {
        tensor.name: _constant(tensor, stored.tensors[indices[tensor.name]])
        for tensor in graph.tensors
        if tensor.constant
    }
    return QuantizedNet(graph, activations, weights, biases, scales, constants)


def with_shared_weights(graph: Graph, stored: StoredModel) -> Graph:
    """The graph whose layers name the earlier one that has their weights or their table of
    results, which follows from scales: in unrolled loops many are equal."""
    names = unique_names(stored)
    tensors = dict(zip(names, stored.tensors, strict=True))
    kernels = {names[o.outputs[0]]: o.inputs[1] for o in stored.operators if len(o.inputs) > 1}
    first: dict[tuple[object, ...], str] = {}
    layers = []
    for layer in graph.layers:
        known = OPERATORS[layer.op]
        key: tuple[object, ...] | None = None
        touched = [tensors[name] for name in (*layer.inputs, layer.output)]
        if known.weighted and layer.op not in ("lstm", "transpose_conv"):
            content = stored.tensors[kernels[layer.output]].content
            key = layer.op, graph.weight_shape(layer), content
        elif known.table_bytes and not known.weighted and {t.kind for t in touched} == {"INT8"}:
            scales = [(one.scales.tobytes(), one.zero_points.tobytes()) for one in touched]
            key = replace(layer, name="", inputs=(), output=""), *scales
        one = layer.name if key is None else first.setdefault(key, layer.name)
        layers.append(replace(layer, weights_of="" if one == layer.name else one))
    return replace(graph, layers=tuple(layers))


def _constant(tensor: Tensor, found: StoredTensor) -> NDArray[np.int8]:
    content = found.content or b""
    if len(content) != prod(tensor.shape):
        raise ExportError(
            f"tensor {tensor.name!r} holds {len(content)} bytes for shape {tensor.shape}"
        )
    return np.frombuffer(content, np.int8).reshape(tensor.shape)


def _weight_scales(layer: Layer, kernel: StoredTensor, channels: int) -> NDArray[np.float64]:
    if (
        np.any(kernel.zero_points)
        or len(kernel.scales) not in (1, channels)
        or not (np.isfinite(kernel.scales) & (kernel.scales >= 0)).all()
    ):
        raise ExportError(
            f"layer {layer.name!r}: its weights have {len(kernel.scales)} scales, zero points up "
            f"to {np.abs(kernel.zero_points).max(initial=0)}; allowed: 1 or {channels} scales "
            "from 0 on, zero points of 0"
        )
    return np.broadcast_to(kernel.scales.astype(np.float64), (channels,)).copy()


def _bias(layer: Layer, bias: StoredTensor | None, channels: int) -> NDArray[np.int32]:
    if bias is None:
        return np.zeros(channels, np.int32)
    content = bias.content or b""
    if bias.kind != "INT32" or len(content) != 4 * channels:
        raise ExportError(
            f"layer {layer.name!r}: its bias is {bias.kind} of {len(content)} bytes; allowed: "
            f"INT32 of {4 * channels}"
        )
    return np.frombuffer(content, "<i4").astype(np.int32)
