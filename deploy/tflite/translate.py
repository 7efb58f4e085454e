"""The layer graph of what a `.tflite` file says; everything that has no cost is refused by name.

A tensor of three sizes, `(1, time, channels)` as Keras writes sequences, is read as `(1, 1, time,
channels)`, and rows in the place of the batch, `(rows, channels)`, as `(1, 1, rows, channels)`:
the same bytes. Operators that compute shapes (`SHAPE`, and what follows it in INT32) are left
out: with a batch of one their results are constants. An interpreter runs them all the same, a
dispatch each.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, TypeVar

import numpy as np

from deploy.tflite import lstm, slices
from deploy.tflite.forms.islands import MAPS, float_tensors, left_in_float
from deploy.tflite.parse import StoredModel, StoredOperator
from hwmodels.graph import Graph, Layer, Shape, Tensor, dense_rows
from hwmodels.operators import (
    ACTIVATIONS,
    FLOAT_OPS,
    OPERATORS,
    PADDINGS,
    TFLITE_OPS,
    Activation,
    Grid,
    Kind,
    Op,
)
from ppgnas.errors import GraphError

Word = TypeVar("Word", bound=str)
_QUANTISE = (
    "only fully quantised int8 files have costs. Convert with a representative data set and "
    "int8 operators only; float or uint8 may be at the ends, behind QUANTIZE and DEQUANTIZE"
)
_KINDS: dict[str, Kind] = {"INT8": "int8", "UINT8": "uint8", "FLOAT32": "float32"}
_INTEGERS = ("INT32", "INT64")


def unique_names(stored: StoredModel) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for index, tensor in enumerate(stored.tensors):
        name = tensor.name or f"tensor{index}"
        if name in taken:
            name = f"{name}#{index}"
        taken.add(name)
        names.append(name)
    return names


class Translator:
    def __init__(self, stored: StoredModel) -> None:
        self._stored = stored
        self._names = unique_names(stored)
        self._where = ""
        self._islands = float_tensors(stored)

    def graph(self) -> Graph:
        """The graph of all operators but those that compute shapes."""
        stored = self._stored
        sources = self._inputs()
        used = [*sources]
        layers = []
        shapes = self._shape_operators()
        operators = [o for o in enumerate(stored.operators) if o[0] not in shapes]
        for index, operator in operators:
            layers.append(self._layer(index, operator))
            used += operator.outputs
            count = len(layers[-1].inputs)
            used += [i for i in operator.inputs[:count] if stored.tensors[i].content is not None]
        self._where = "the network"
        tensors = tuple(
            Tensor(
                self._names[index],
                self._shape(index),
                self._kind(index),
                stored.tensors[index].content is not None,
            )
            for index in sorted(set(used))
        )
        names = [self._names[index] for index in stored.outputs if index >= 0]
        sizes = {index for place in shapes for index in stored.operators[place].outputs}
        for index in sizes.intersection(stored.outputs):
            raise GraphError(
                f"the output {self._names[index]!r} holds sizes of tensors, whatever the network "
                "reads; convert the model again without it"
            )
        if not names:
            raise GraphError("the network has no output; convert the model again")
        source, *beside = (self._names[index] for index in sources)
        graph = Graph(tuple(layers), tensors, source, names[0], tuple(names[1:]), stored.task,
                      tuple(beside))  # fmt: skip
        for layer, (_, operator) in zip(graph.layers, operators, strict=True):
            self._check_weights(graph, layer, operator)
        return graph

    def _inputs(self) -> tuple[int, ...]:
        inputs = self._stored.inputs
        if not inputs or min(inputs) < 0 or len({*inputs}) < len(inputs):
            raise GraphError("the network has no input, or one twice; convert the model again")
        for index in inputs:
            shape = self._stored.tensors[index].shape
            if len(shape) > 1 and shape[0] != 1:
                raise GraphError(
                    f"tensor {self._names[index]!r} has shape {shape}: a batch of {shape[0]}; "
                    "allowed: 1. Convert with a batch of one"
                )
        return inputs

    def _shape_operators(self) -> set[int]:
        """Operators that read a tensor's sizes, and those that compute with sizes alone.

        Others may give integers too, of what the network reads, as ARG_MAX does.
        """
        tensors = self._stored.tensors
        known = {index for index, tensor in enumerate(tensors) if tensor.content is not None}
        found = set()
        for place, operator in enumerate(self._stored.operators):
            kinds = {tensors[index].kind for index in operator.outputs if index >= 0}
            of_sizes = operator.name == "SHAPE" or known.issuperset({*operator.inputs} - {-1})
            if of_sizes and kinds and kinds <= set(_INTEGERS):
                found.add(place)
                known.update(operator.outputs)
        return found

    def _kind(self, index: int) -> Kind:
        kind = self._stored.tensors[index].kind
        if kind not in _KINDS:
            raise self._fail(
                f"tensor {self._names[index]!r} is {kind}; allowed: {', '.join(_KINDS)}; "
                f"{_QUANTISE}"
            )
        return _KINDS[kind]

    def _shape(self, index: int) -> Shape:
        """A tensor's sizes, the first one 1; see the module."""
        shape = self._stored.tensors[index].shape
        return (1,) * self._lifted(shape) + shape

    @staticmethod
    def _lifted(shape: Shape) -> int:
        """How many sizes of 1 stand in front of a tensor's own in the graph."""
        if len(shape) < 2:
            return 1
        return 0 if len(shape) == 2 and shape[0] == 1 else max(4 - len(shape), 0)

    def _check_activation(self, index: int, *, end: bool = False, scalar: bool = False) -> None:
        tensor, name = self._stored.tensors[index], self._names[index]
        allowed = tuple(_KINDS) if end else ("INT8",)
        if tensor.kind not in allowed:
            raise self._fail(
                f"tensor {name!r} is {tensor.kind}; allowed: {', '.join(allowed)}; {_QUANTISE}"
            )
        if min(tensor.shape, default=int(scalar)) < 1:
            raise self._fail(
                f"tensor {name!r} has shape {tensor.shape}; every size must be known and at "
                "least 1. Convert with a fixed input shape"
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
        wanted = known.inputs or max(len(operator.inputs), 1)
        inputs = operator.inputs[:wanted]
        if len(inputs) < wanted or min(inputs) < 0:
            raise self._fail(f"it has {len(operator.inputs)} inputs; needed: {wanted}")
        if op == "select" and "Threshold" not in operator.options:
            raise self._fail(
                "it chooses by something else than an int8 tensor that is compared with one "
                "constant. Write that part with other layers and convert again"
            )
        target = operator.outputs[0]
        islands = self._islands
        for tensor in inputs:
            constant = self._stored.tensors[tensor].content is not None
            end = tensor in islands or self._ends(op, tensor, self._stored.inputs)
            self._check_activation(tensor, end=end, scalar=constant)
            if constant and len(inputs) == 1:
                raise self._fail(
                    f"it reads the constant {self._names[tensor]!r}; only activations have a "
                    "cost there. Fold the constant into a layer before conversion"
                )
        end = target in islands or self._ends(op, target, self._stored.outputs)
        if op == "dequantize" and not end:
            left = left_in_float(self._stored, target)
            raise self._fail(
                f"the converter left what follows in float: {', '.join(left)}; allowed: "
                f"one of {', '.join(sorted(MAPS))}, then QUANTIZE. Write that part with other "
                "layers, or end the network in front of it, and convert again"
            )
        self._check_activation(target, end=end)
        if op in FLOAT_OPS and target not in islands:
            raise self._fail(
                "it reads int8 values, and TFLM has it in float alone; write that part with other "
                "layers, or leave it in float between DEQUANTIZE and QUANTIZE"
            )
        shapes = [self._shape(tensor) for tensor in (*inputs, target)]
        if not {len(shape) for shape in shapes} <= set(known.ranks):
            raise self._fail(
                f"its tensors have shapes {shapes}; allowed: "
                f"{' or '.join(map(str, known.ranks))} sizes, the channels last"
            )
        layer = Layer(output, op, tuple(self._names[tensor] for tensor in inputs), output)
        return self._with_options(self._with_constants(layer, operator), operator)

    @staticmethod
    def _ends(op: Op, tensor: int, ends: tuple[int, ...]) -> bool:
        return op in ("quantize", "dequantize") and tensor in ends

    def _with_constants(self, layer: Layer, operator: StoredOperator) -> Layer:
        """The layer with what constants and options of its own say."""
        stored = self._stored.tensors[operator.inputs[0]].shape
        lifted = self._lifted(stored)
        if layer.op == "pad":
            pads = self._pads(operator, lifted)
            return replace(layer, pads=pads[2:6], channel_pads=pads[6:])
        if OPERATORS[layer.op].shape == "mean":
            self._check_mean(operator)
        elif layer.op == "fully_connected":
            return replace(layer, channel_scales=self._check_dense(operator))
        elif layer.op == "concat":
            return replace(layer, axes=(int(operator.options["Axis"]) % len(stored) + lifted,))
        elif layer.op == "transpose":
            order = self._constant(operator, 1, "order of axes")
            axes = (*range(lifted), *(axis % len(stored) + lifted for axis in order))
            return replace(layer, axes=axes)
        elif layer.op == "slice":
            return replace(layer, rows=(*((0, 1, 1),) * lifted, *self._rows(operator, stored)))
        elif OPERATORS[layer.op].shape == "resized":
            return replace(layer, grid=self._grid(operator))
        elif layer.op == "relu":
            activation: Activation = self._word("name", operator.name, ACTIVATIONS)
            return replace(layer, activation=activation)
        elif layer.op == "lstm":
            if wrong := lstm.problem(self._stored, operator):
                raise self._fail(wrong)
            return replace(layer, clip=float(operator.options["CellClip"]))
        elif layer.op == "conv":
            weights = self._constant_shape(operator, 1, "weights")
            if len(stored) == len(weights) == 4 and weights[3] and stored[3] % weights[3] == 0:
                return replace(layer, groups=stored[3] // weights[3])
        options = operator.options
        return replace(
            layer,
            block=int(options.get("BlockSize", 1)),
            slope=float(options.get("Alpha", 0.0)),
            approximate=bool(options.get("Approximate")),
            adjoint=(bool(options.get("AdjX")), bool(options.get("AdjY"))),
            dense=bool(options.get("Dense")),
            threshold=int(options.get("Threshold", 0)),
        )

    def _grid(self, operator: StoredOperator) -> Grid:
        corners, centres = operator.options["AlignCorners"], operator.options["HalfPixelCenters"]
        if corners and centres:
            raise self._fail("it aligns both corners and centres of pixels; allowed: one of them")
        return "align_corners" if corners else "half_pixel" if centres else "asymmetric"

    def _rows(self, operator: StoredOperator, shape: Shape) -> list[slices.Row]:
        parts = [
            self._constant(operator, place, what)
            for place, what in ((1, "first rows"), (2, "ends"), (3, "steps"))
        ]
        found = slices.rows(operator.options, parts, shape)
        if isinstance(found, str):
            raise self._fail(found)
        return found

    def _with_options(self, layer: Layer, operator: StoredOperator) -> Layer:
        """The layer with its kernel, strides, padding and fused activation."""
        words, known = operator.words, OPERATORS[layer.op]
        if known.activates and known.options:
            activation: Activation = self._word(
                "fused activation", words["FusedActivationFunction"], ACTIVATIONS
            )
            layer = replace(layer, activation=activation)
        if known.shape not in ("window", "spread"):
            return layer
        pairs = {
            what: self._positive(what, int(operator.options[height]), int(operator.options[width]))
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

    def _pads(self, operator: StoredOperator, lifted: int) -> tuple[Any, ...]:
        """What is added before and behind each of four axes."""
        pads = [0, 0] * lifted + self._constant(operator, 1, "paddings")
        if len(pads) != 8 or min(pads) < 0 or any(pads[:2]):
            raise self._fail(
                f"its paddings are {pads}; allowed: rows, columns and channels of a tensor, not "
                "the batch"
            )
        return tuple(pads)

    def _check_mean(self, operator: StoredOperator) -> None:
        source = self._stored.tensors[operator.inputs[0]].shape
        target = self._stored.tensors[operator.outputs[0]].shape
        axes = {axis % len(source) for axis in self._constant(operator, 1, "axes")}
        kept = {axis for axis, size in enumerate(source) if size > 1} - axes
        channels = len(source) - 1
        if kept - {channels} or channels in axes or prod(target) != source[-1]:
            raise self._fail(
                f"it reduces axes {sorted(axes)} of {source}; allowed: not the batch, and not all"
            )

    def _check_dense(self, operator: StoredOperator) -> bool:
        """Whether the weights have a scale for each output."""
        if operator.options["WeightsFormat"]:
            raise self._fail("its weights are shuffled; allowed: the default format")
        shape = self._constant_shape(operator, 1, "weights")
        source = self._shape(operator.inputs[0])
        rows = dense_rows(self._shape(operator.outputs[0]))
        if len(shape) != 2 or shape[1] * rows != prod(source):
            raise self._fail(
                f"its weights have shape {shape} for an input of {source}; allowed: "
                f"{prod(source) // rows} inputs"
            )
        return len(self._stored.tensors[operator.inputs[1]].scales) > 1

    def _check_weights(self, graph: Graph, layer: Layer, operator: StoredOperator) -> None:
        if not OPERATORS[layer.op].weighted or layer.op == "lstm":
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
                f"{len(tensor.content or b'')} bytes; expected {expected}: packed weights "
                "have no cost"
            )
        channels, source = expected[-1], graph.shape(layer.inputs[0])[-1]
        if layer.op == "depthwise_conv" and channels % source:
            raise GraphError(
                f"layer {layer.name!r}: {channels} outputs are no multiple of {source} inputs"
            )
