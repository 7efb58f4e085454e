"""Nodes and constants of an ONNX file: what the operators of `deploy.onnx_export` are made of.

Stored values are int8; 4D tensors lie as NCHW, see there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.integers import fixed_point
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Graph, Layer
from hwmodels.operators import OPERATORS

if TYPE_CHECKING:
    import onnx

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class Nodes:
    """A growing list of nodes and the constants that they read."""

    def __init__(self, net: QuantizedNet, onnx: Any) -> None:
        self._net, self._onnx = net, onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def _node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(
            self._onnx.helper.make_node(op, inputs, [output], f"{output}:{op}", **attributes)
        )
        return output

    def _ends(self, letter: str, tensors: Sequence[str]) -> list[tuple[str, str]]:
        """The file's ends and the tensors that they are, whose names stay as they are inside."""
        names = [letter, *(f"{letter}{index}" for index in range(1, len(tensors)))]
        taken = self._net.graph.names
        free = [name if name not in taken else f"{name}:file" for name in names]
        return list(zip(free, tensors, strict=True))

    def _infos(self, ends: list[tuple[str, str]]) -> list[Any]:
        int8, info = self._onnx.TensorProto.INT8, self._onnx.helper.make_tensor_value_info
        shape = self._net.graph.shape
        return [info(end, int8, ["windows", *shape(name)[1:]]) for end, name in ends]

    def _turned(self, source: str, target: str, tensor: str, order: list[int]) -> None:
        """An end of the file to or from the tensor's order inside."""
        if len(self._net.graph.shape(tensor)) == 4:
            self._node("Transpose", [source], target, perm=order)
        else:
            self._node("Identity", [source], target)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        """An initializer; one with a known name is not made twice."""
        if name not in self._constants:
            array = np.array(values, order="C")
            self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def _scale(self, tensor: str) -> list[str]:
        scale, zero_point = self._net.activations[tensor]
        return [
            self._constant(f"{tensor}:scale", np.array(scale, np.float32)),
            self._constant(f"{tensor}:zero_point", np.array(zero_point, np.int8)),
        ]

    def _real(self, tensor: str, layer: Layer) -> str:
        """The dequantised tensor, one node for each reader: the pattern onnxruntime looks for.

        Of a constant only the first reader has one: onnxruntime fails on one that has several.
        """
        if tensor in self._net.constants and any(tensor in node.input for node in self._nodes):
            scale, zero_point = self._net.activations[tensor]
            stored = self._onnx.numpy_helper.to_array(self._constants[tensor])
            real = (stored.astype(np.float32) - zero_point) * np.float32(scale)
            return self._constant(f"{tensor}:real", real)
        return self._dequantized(tensor, tensor, f"{layer.name}:{tensor}:real{len(self._nodes)}")

    def _dequantized(self, stored: str, tensor: str, output: str) -> str:
        """Stored values at a tensor's scale."""
        return self._node("DequantizeLinear", [stored, *self._scale(tensor)], output)

    def _weights(self, layer: Layer) -> list[str]:
        """Dequantised weights and bias."""
        net = self._net
        weights, scales = net.weights[layer.name], net.weight_scales[layer.name]
        if layer.op == "conv":
            weights = weights.transpose(0, 3, 1, 2)
        elif layer.op == "depthwise_conv":
            weights = weights[0].transpose(2, 0, 1)[:, None]
        elif layer.op == "transpose_conv":
            weights = weights.transpose(3, 0, 1, 2)
        elif not layer.channel_scales:
            scales = scales[0]
        # (out_channels, in_channels / groups, height, width) or (out_channels, inputs); of a
        # transposed convolution the inputs first
        bias_scales = net.activations[layer.inputs[0]][0] * scales
        real = []
        for what, values, scale in (
            ("weights", weights, scales),
            ("bias", net.biases[layer.name], bias_scales),
        ):
            name = f"{layer.name}/{what}"
            inputs = [
                self._constant(name, values),
                self._constant(f"{name}:scale", np.asarray(scale, np.float32)),
                self._constant(f"{name}:zero_point", np.zeros(np.shape(scale), values.dtype)),
            ]
            outputs_last = layer.op == "transpose_conv" and what == "weights"
            axis = {"axis": int(outputs_last)} if np.ndim(scale) else {}
            real.append(self._node("DequantizeLinear", inputs, f"{name}:real", **axis))
        return real

    def _quantized(
        self, inputs: list[str], layer: Layer, *, output: str = "", **attributes: Any
    ) -> None:
        """The float operator, its result quantised; it is the layer's output unless named."""
        output = output or layer.output
        op = OPERATORS[layer.op].onnx
        real = self._node(op, inputs, f"{output}:real", **attributes)
        self._clamped("QuantizeLinear", [real, *self._scale(layer.output)], layer, output=output)

    def _clamped(
        self, op: str, inputs: list[str], layer: Layer, *, output: str = "", **attributes: Any
    ) -> None:
        """An operator that gives int8, clamped where the activation's limits are not int8's."""
        output = output or layer.output
        scale, zero_point = self._net.activations[layer.output]
        low, high = fixed_point.activation_range(layer.activation, scale, zero_point)
        if (low, high) == (fixed_point.INT8_MIN, fixed_point.INT8_MAX):
            self._node(op, inputs, output, **attributes)
            return
        wide = self._node(op, inputs, f"{output}:wide", **attributes)
        limits = [
            self._constant(f"{output}:{name}", np.array(limit, np.int8))
            for name, limit in (("low", low), ("high", high))
        ]
        self._node("Clip", [wide, *limits], output)

    def _nhwc(self, tensor: str, layer: Layer) -> str:
        """Stored values with the channels last."""
        if len(self._net.graph.shape(tensor)) < 4:
            return tensor
        name = f"{layer.name}:{tensor}:nhwc{len(self._nodes)}"
        return self._node("Transpose", [tensor], name, perm=TO_NHWC)

    def _beside(self, tensor: str, layer: Layer) -> str:
        """The same, to be joined with others: a constant has a copy for each window."""
        values = self._nhwc(tensor, layer)
        constants = self._net.constants
        if tensor not in constants:
            return values
        name = f"{layer.name}:{tensor}:each{len(self._nodes)}"
        other = next(one for one in layer.inputs if one not in constants)
        count = self._node("Shape", [other], f"{name}:windows", start=0, end=1)
        ones = np.ones(constants[tensor].ndim - 1, np.int64)
        sizes = [count, self._constant(f"{name}:ones", ones)]
        return self._node(
            "Expand", [values, self._node("Concat", sizes, f"{name}:sizes", axis=0)], name
        )

    def _back(self, name: str, layer: Layer) -> None:
        """The layer's output from stored values with the channels last."""
        if len(self._net.graph.shape(layer.output)) == 4:
            self._node("Transpose", [name], layer.output, perm=TO_NCHW)
        else:
            self._node("Identity", [name], layer.output)

    def _flat(self, tensor: str, layer: Layer, size: int) -> str:
        """Stored values `(windows, size)` in the order height, width, channels."""
        shape = self._net.graph.shape(tensor)
        if len(shape) == 4 and shape[1] * shape[2] > 1 and shape[3] > 1:
            tensor = self._node("Transpose", [tensor], f"{layer.name}:{tensor}:flat", perm=TO_NHWC)
        return self._reshaped(tensor, f"{layer.name}:flat", (size,))

    def _reshaped(self, source: str, output: str, shape: tuple[int, ...]) -> str:
        # A 0 keeps the first axis, whatever the number of windows.
        target = self._constant(f"{output}:shape", np.array([0, *shape], np.int64))
        return self._node("Reshape", [source, target], output)


def inputs_of(
    x: NDArray[np.int8], inputs: list[tuple[str, list[int]]]
) -> dict[str, NDArray[np.int8]]:
    """What a file with such inputs, by name and sizes of a window, is given of windows."""
    if len(inputs) == 1:
        return {inputs[0][0]: x}
    ends = np.cumsum([prod(shape) for _, shape in inputs])[:-1]
    parts = np.split(x, ends, axis=1)
    return {
        name: part.reshape(len(x), *shape)
        for (name, shape), part in zip(inputs, parts, strict=True)
    }


def spread_window(graph: Graph, layer: Layer) -> dict[str, Any]:
    """Attributes of a transposed convolution: what is cut off its output, or added behind it."""
    source, target = graph.shape(layer.inputs[0]), graph.shape(layer.output)
    fronts = [front for front, _ in graph.padding(layer)]
    behind = [
        (size - 1) * stride + taps - front - wanted
        for size, stride, taps, front, wanted in zip(
            source[1:3], layer.stride, layer.kernel, fronts, target[1:3], strict=True
        )
    ]
    return {
        "kernel_shape": list(layer.kernel),
        "strides": list(layer.stride),
        "pads": [*fronts, *(max(cut, 0) for cut in behind)],
        "output_padding": [max(-cut, 0) for cut in behind],
    }
