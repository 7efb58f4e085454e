"""Read an int8 `.tflite` file, ours or somebody's, into the layer graph.

Only fully quantised int8 files are read: int8 activations and weights, int32 biases, one input,
one output, a batch of one. Everything else is refused by name: nothing is silently free.
`SQUEEZE` and `EXPAND_DIMS` become `reshape`, which is what their kernels do.

Tensors keep the order of the file, which decides between equals in TFLM's arena planner. A layer
is named by the tensor that it writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deploy.integers.quantized import QuantizedNet
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor, parse
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import ACTIVATIONS, OPERATORS, PADDINGS, TFLITE_OPS, Activation
from ppgnas.errors import ExportError, GraphError

Word = TypeVar("Word", bound=str)
_QUANTISE = (
    "only fully quantised int8 files have costs. Convert with a representative data set, "
    "int8 operators only, and int8 input and output"
)


@dataclass(frozen=True)
class TfliteModel:
    """A file that was read.

    Attributes:
        name: of the file.
        graph: its layers.
        file_bytes: size of the file: the flash that the model takes, exactly.
        stored: what the file says.
    """

    name: str
    graph: Graph
    file_bytes: int
    stored: StoredModel

    def net(self) -> QuantizedNet:
        """The network with its integers.

        Raises:
            ExportError: a constant is missing or the file is quantised in a way that the integer
                reference does not know (one weight scale a channel in a fully connected layer,
                different scales on the two sides of a pool, ...).
        """
        try:
            return _net(self.graph, self.stored)
        except ExportError as error:
            raise ExportError(f"{self.name}: {error}") from error


def read(source: Path | bytes, *, name: str = "") -> TfliteModel:
    """Read a file.

    Args:
        source: its path or content.
        name: how messages call it; the path unless given.

    Raises:
        GraphError: no TFLite file, damaged, not int8, or with an operator without a cost.
        DependencyError: no package with the TFLite schema is installed.
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        name = name or str(source)
        source = source.read_bytes()
    name = name or "the TFLite file"
    stored = parse(source, name=name)
    try:
        graph = _Translator(stored).graph()
    except GraphError as error:
        raise GraphError(f"{name}: {error}") from error
    return TfliteModel(name, graph, len(source), stored)


def _unique_names(stored: StoredModel) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for index, tensor in enumerate(stored.tensors):
        name = tensor.name or f"tensor{index}"
        if name in taken:
            name = f"{name}#{index}"
        taken.add(name)
        names.append(name)
    return names


class _Translator:
    def __init__(self, stored: StoredModel) -> None:
        self._stored = stored
        self._names = _unique_names(stored)
        self._where = ""

    def graph(self) -> Graph:
        stored = self._stored
        source, target = self._only("input", stored.inputs), self._only("output", stored.outputs)
        used = [source]
        layers = []
        for index, operator in enumerate(stored.operators):
            layers.append(self._layer(index, operator))
            used += operator.outputs
        for index in used:
            self._check_activation(index)
        tensors = tuple(
            Tensor(self._names[index], stored.tensors[index].shape) for index in sorted(set(used))
        )
        graph = Graph(tuple(layers), tensors, self._names[source], self._names[target])
        for layer, operator in zip(graph.layers, stored.operators, strict=True):
            self._check_weights(graph, layer, operator)
        return graph

    def _only(self, what: str, indices: tuple[int, ...]) -> int:
        if len(indices) != 1 or indices[0] < 0:
            raise GraphError(
                f"the network has {len(indices)} {what}s; one is allowed. Convert a model with "
                f"one {what}"
            )
        return indices[0]

    def _check_activation(self, index: int) -> None:
        tensor, name = self._stored.tensors[index], self._names[index]
        if tensor.kind != "INT8":
            raise GraphError(f"tensor {name!r} is {tensor.kind}; allowed: INT8; {_QUANTISE}")
        if not tensor.shape or min(tensor.shape) < 1:
            raise GraphError(
                f"tensor {name!r} has shape {tensor.shape}; every size must be known and at "
                "least 1. Convert with a fixed input shape"
            )
        if tensor.shape[0] != 1 and len(tensor.shape) == 4:
            raise GraphError(
                f"tensor {name!r} has shape {tensor.shape}: a batch of {tensor.shape[0]}; "
                "allowed: 1. Convert with a batch of one"
            )

    def _fail(self, problem: str) -> GraphError:
        return GraphError(f"{self._where}: {problem}")

    def _layer(self, index: int, operator: StoredOperator) -> Layer:
        output = self._names[operator.outputs[0]] if operator.outputs else "nothing"
        self._where = f"operator {index} {operator.name} ({output!r})"
        if operator.name not in TFLITE_OPS:
            raise self._fail(
                f"{operator.name} has no cost; allowed: {', '.join(TFLITE_OPS)}. "
                "To add it, extend hwmodels/operators.py"
            )
        op = TFLITE_OPS[operator.name]
        known = OPERATORS[op]
        if len(operator.outputs) != 1 or operator.outputs[0] < 0:
            raise self._fail(f"it has {len(operator.outputs)} outputs; allowed: 1")
        inputs = operator.inputs[: known.inputs]
        if len(inputs) < known.inputs or min(inputs) < 0:
            raise self._fail(f"it has {len(operator.inputs)} inputs; needed: {known.inputs}")
        for tensor in inputs:
            if self._stored.tensors[tensor].content is not None:
                raise self._fail(
                    f"it reads the constant {self._names[tensor]!r}; only activations have a "
                    "cost there. Fold the constant into a layer before conversion"
                )
            self._check_activation(tensor)
        self._check_activation(operator.outputs[0])
        shapes = [self._stored.tensors[t].shape for t in (*inputs, operator.outputs[0])]
        if not {len(shape) for shape in shapes} <= set(known.ranks):
            raise self._fail(
                f"its tensors have shapes {shapes}; allowed: "
                f"{' or '.join(map(str, known.ranks))} sizes, the channels last"
            )
        layer = Layer(output, op, tuple(self._names[tensor] for tensor in inputs), output)
        if op == "pad":
            return replace(layer, pads=self._pads(operator))
        if op == "mean":
            self._check_mean(operator)
        if op == "fully_connected":
            self._check_dense(operator)
        return self._with_options(layer, operator)

    def _with_options(self, layer: Layer, operator: StoredOperator) -> Layer:
        """The layer with its kernel, strides, padding and fused activation."""
        words, known = operator.words, OPERATORS[layer.op]
        if known.activates:
            activation: Activation = self._word(
                "fused activation", words["FusedActivationFunction"], ACTIVATIONS
            )
            layer = replace(layer, activation=activation)
        if known.shape != "window":
            return layer
        pairs = {
            what: self._positive(what, operator.options[height], operator.options[width])
            for what, height, width in known.pairs
        }
        if known.weighted:
            shape = self._constant_shape(operator, 1, "weights")
            if len(shape) != 4:
                raise self._fail(f"its weights have shape {shape}; allowed: four sizes")
            pairs["kernel"] = self._positive("kernel", shape[1], shape[2])
        return replace(
            layer,
            padding=self._word("padding", words["Padding"], PADDINGS),
            kernel=pairs["kernel"],
            stride=pairs["stride"],
            dilation=pairs.get("dilation", (1, 1)),
        )

    def _word(self, what: str, stored: str, allowed: tuple[Word, ...]) -> Word:
        for word in allowed:
            if word.upper() == stored:
                return word
        raise self._fail(
            f"its {what} is {stored}; allowed: {', '.join(word.upper() for word in allowed)}"
        )

    def _positive(self, what: str, height: int, width: int) -> tuple[int, int]:
        if min(height, width) < 1:
            raise self._fail(f"its {what} is {(height, width)}; both must be at least 1")
        return height, width

    def _constant_shape(self, operator: StoredOperator, place: int, what: str) -> tuple[int, ...]:
        index = operator.inputs[place] if len(operator.inputs) > place else -1
        if index < 0 or self._stored.tensors[index].content is None:
            raise self._fail(f"its {what} are not constants of the file; convert the model again")
        return self._stored.tensors[index].shape

    def _constant(self, operator: StoredOperator, place: int, what: str) -> list[int]:
        """An integer parameter, flat."""
        self._constant_shape(operator, place, what)
        tensor = self._stored.tensors[operator.inputs[place]]
        types = {"INT32": "<i4", "INT64": "<i8"}
        if tensor.kind not in types:
            raise self._fail(f"its {what} are {tensor.kind}; allowed: INT32, INT64")
        values = np.frombuffer(tensor.content or b"", np.uint8)
        if values.size != prod(tensor.shape) * np.dtype(types[tensor.kind]).itemsize:
            raise self._fail(f"its {what} hold {values.size} bytes for shape {tensor.shape}")
        return [int(n) for n in values.view(types[tensor.kind])]

    def _pads(self, operator: StoredOperator) -> tuple[int, int, int, int]:
        pads = self._constant(operator, 1, "paddings")
        if len(pads) != 8 or min(pads) < 0 or any(pads[:2] + pads[6:]):
            raise self._fail(
                f"its paddings are {pads}; allowed: rows and columns of a four-dimensional "
                "tensor, not batch or channels"
            )
        return pads[2], pads[3], pads[4], pads[5]

    def _check_mean(self, operator: StoredOperator) -> None:
        source = self._stored.tensors[operator.inputs[0]].shape
        target = self._stored.tensors[operator.outputs[0]].shape
        axes = {axis % len(source) for axis in self._constant(operator, 1, "axes")}
        kept = {axis for axis, size in enumerate(source) if size > 1} - axes
        channels = len(source) - 1
        if kept - {channels} or channels in axes or prod(target) != source[-1]:
            raise self._fail(
                f"it reduces axes {sorted(axes)} of {source}; allowed: all of height and width"
            )

    def _check_dense(self, operator: StoredOperator) -> None:
        if operator.options["WeightsFormat"]:
            raise self._fail("its weights are shuffled; allowed: the default format")
        shape = self._constant_shape(operator, 1, "weights")
        source = self._stored.tensors[operator.inputs[0]].shape
        if len(shape) != 2 or shape[1] != prod(source):
            raise self._fail(
                f"its weights have shape {shape} for an input of {source}; allowed: one row of "
                f"{prod(source)}. A dense layer over several rows is a convolution 1x1: write it "
                "as one"
            )

    def _check_weights(self, graph: Graph, layer: Layer, operator: StoredOperator) -> None:
        if not OPERATORS[layer.op].weighted:
            return
        expected = graph.weight_shape(layer)
        tensor = self._stored.tensors[operator.inputs[1]]
        if tensor.kind != "INT8":
            raise GraphError(
                f"layer {layer.name!r}: its weights are {tensor.kind}; allowed: INT8; {_QUANTISE}"
            )
        if tensor.shape != expected or len(tensor.content or b"") != prod(expected):
            raise GraphError(
                f"layer {layer.name!r}: its weights have shape {tensor.shape} and "
                f"{len(tensor.content or b'')} bytes; expected {expected}: grouped convolutions "
                "and packed weights have no cost"
            )
        channels, source = expected[-1], graph.shape(layer.inputs[0])[-1]
        if layer.op == "depthwise_conv" and channels % source:
            raise GraphError(
                f"layer {layer.name!r}: {channels} outputs are no multiple of {source} inputs"
            )


def _net(graph: Graph, stored: StoredModel) -> QuantizedNet:
    indices = {name: index for index, name in enumerate(_unique_names(stored))}
    activations = {}
    for tensor in graph.tensors:
        if tensor.shape[0] != 1:
            raise ExportError(
                f"tensor {tensor.name!r} has shape {tensor.shape}; the integer reference knows a "
                "first size of 1. Its costs are not affected"
            )
        found = stored.tensors[indices[tensor.name]]
        if len(found.scales) != 1 or len(found.zero_points) != 1:
            raise ExportError(
                f"tensor {tensor.name!r} has {len(found.scales)} scales and "
                f"{len(found.zero_points)} zero points; one of each is allowed"
            )
        activations[tensor.name] = float(found.scales[0]), int(found.zero_points[0])
    weights, biases, scales = {}, {}, {}
    for layer, operator in zip(graph.layers, stored.operators, strict=True):
        if not OPERATORS[layer.op].weighted:
            continue
        shape = graph.weight_shape(layer)
        channels = shape[-1] if layer.op == "depthwise_conv" else shape[0]
        kernel = stored.tensors[operator.inputs[1]]
        weights[layer.name] = np.frombuffer(kernel.content or b"", np.int8).reshape(shape)
        scales[layer.name] = _weight_scales(layer, kernel, channels)
        bias = operator.inputs[2] if len(operator.inputs) > 2 else -1
        biases[layer.name] = _bias(layer, stored.tensors[bias] if bias >= 0 else None, channels)
    return QuantizedNet(graph, activations, weights, biases, scales)


def _weight_scales(layer: Layer, kernel: StoredTensor, channels: int) -> NDArray[np.float64]:
    if (
        np.any(kernel.zero_points)
        or len(kernel.scales) not in (1, channels)
        or not (np.isfinite(kernel.scales) & (kernel.scales > 0)).all()
    ):
        raise ExportError(
            f"layer {layer.name!r}: its weights have {len(kernel.scales)} scales, zero points up "
            f"to {np.abs(kernel.zero_points).max(initial=0)}; allowed: 1 or {channels} scales "
            "above 0, zero points of 0"
        )
    if layer.op == "fully_connected" and np.ptp(kernel.scales) != 0:
        raise ExportError(
            f"layer {layer.name!r}: its weights have {channels} different scales; the integer "
            "reference knows one for a whole fully connected layer. Its costs are not affected; "
            "to run it here, convert with per-tensor scales for dense layers"
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
