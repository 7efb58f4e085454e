"""Write a `.tflite` file directly from the graph and its integers.

One operator a layer, in the graph's order, all int8, with the operator versions that have int8
kernels in TFLM and LiteRT. The same network gives the same bytes. Constants are aligned to 16
bytes, as the schema asks and as 32-bit cores need for int32 biases that stay in flash.

Reference: tensorflow/compiler/mlir/lite/schema/schema.fbs (version 3); operator versions from
tensorflow/lite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.integers.lookup import IN_FLOAT
from deploy.integers.lstm import CELL, GATES
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import lstm
from deploy.tflite import runtime as tflite_runtime
from deploy.tflite.parse import PROGRAM
from hwmodels.arena import ALIGNMENT, Plan
from hwmodels.graph import Layer
from hwmodels.operators import FLOAT_OPS, OPERATORS
from ppgnas.errors import ExportError

_ALIGNMENT_BYTES = 16
PLAN_NAME = "OfflineMemoryAllocation"
"""Metadata entry in which TFLM looks for offsets; see tensorflow/lite/micro/docs/
memory_management.md."""
_PLANNED_BY_RUNTIME = -1


def write(net: QuantizedNet, *, plan: Plan | None = None) -> bytes:
    """The network as a TFLite file.

    Activation tensors keep their names. Constants have none, and equal parameters of operators
    are stored once: the file lies in flash as it is, and the records of tensors are most of what
    it holds beside weights.

    Args:
        plan: where TFLM shall keep the activations, as `hwmodels.arena.lower_bound_plan` gives
            it; the runtime plans for itself unless given. Other runtimes ignore it.

    Raises:
        DependencyError: no package with the TFLite schema is installed.
        ExportError: the plan lacks a tensor of the network or is not aligned to 16 bytes.
    """
    return _Writer(net, tflite_runtime.schema()).finish(plan)


def _planned_offsets(net: QuantizedNet, plan: Plan) -> dict[str, int]:
    """Tensor name -> byte offset in the arena, checked."""
    offsets = {b.name: offset for b, offset in zip(plan.buffers, plan.offsets, strict=True)}
    planned = [tensor for tensor in net.graph.tensors if not tensor.constant]
    for tensor in planned:
        offset = offsets.get(tensor.name)
        if offset is None or offset < 0 or offset % ALIGNMENT:
            raise ExportError(
                f"plan: tensor {tensor.name!r} lies at {offset}; allowed: a multiple of "
                f"{ALIGNMENT} for every tensor. Make the plan with lower_bound_plan of this graph"
            )
    return {tensor.name: offsets[tensor.name] for tensor in planned}


class _Writer:
    def __init__(self, net: QuantizedNet, schema: ModuleType) -> None:
        self._net = net
        self._sequences = lstm.sequences(net.graph)
        self._s = schema
        self._aligned_buffer = _aligned_buffer_class(schema)
        self._quantization_class = _shared_quantization_class(schema)
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 is the empty one by convention
        self._tensors: list[Any] = []
        self._codes: list[Any] = []
        self._index: dict[str, int] = {}
        self._parameters: dict[tuple[tuple[int, ...], bytes], int] = {}

    def finish(self, plan: Plan | None) -> bytes:
        import flatbuffers  # type: ignore[import-untyped]

        s, graph = self._s, self._net.graph
        for tensor in graph.tensors:
            scale, zero_point = self._net.activations[tensor.name]
            self._index[tensor.name] = self._add_tensor(
                tensor.name,
                self._shape(tensor.name),
                s.TensorType.INT8,
                quantization=self._quantization([scale], [zero_point]),
                content=self._net.constants[tensor.name].tobytes() if tensor.constant else None,
            )
        subgraph = s.SubGraphT()
        subgraph.name = "main"
        subgraph.operators = [self._operator(layer) for layer in graph.layers]
        subgraph.tensors = self._tensors
        subgraph.inputs = np.array([self._index[name] for name in graph.inputs], np.int32)
        subgraph.outputs = np.array([self._index[name] for name in graph.outputs], np.int32)
        model = s.ModelT()
        model.version = 3
        model.description = f"{PROGRAM}{graph.task.words}"
        model.operatorCodes = self._codes
        model.subgraphs = [subgraph]
        if plan is not None:
            model.metadata = [self._plan_metadata(_planned_offsets(self._net, plan))]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _shape(self, tensor: str) -> tuple[int, ...]:
        """A tensor's sizes in the file: an lstm takes three, `(1, steps, channels)`."""
        return self._net.graph.shape(tensor)[tensor in self._sequences :]

    def _plan_metadata(self, offsets: dict[str, int]) -> Any:
        """Version, subgraph, number of tensors, then an offset for each tensor of the file."""
        by_index = {self._index[name]: offset for name, offset in offsets.items()}
        count = len(self._tensors)
        entries = [by_index.get(index, _PLANNED_BY_RUNTIME) for index in range(count)]
        metadata = self._s.MetadataT()
        metadata.name = PLAN_NAME
        metadata.buffer = len(self._buffers)
        content = np.array([1, 0, count, *entries], "<i4").tobytes()
        self._buffers.append(self._aligned_buffer(content))
        return metadata

    def _quantization(self, scales: list[float], zero_points: list[int], *, axis: int = 0) -> Any:
        parameters = self._quantization_class()
        parameters.scale = np.array(scales, np.float32)
        parameters.zeroPoint = np.array(zero_points, np.int64)
        parameters.quantizedDimension = axis
        return parameters

    def _add_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: int,
        *,
        quantization: Any = None,
        content: bytes | None = None,
    ) -> int:
        tensor = self._s.TensorT()
        tensor.name = name or None
        tensor.shape = np.array(shape, np.int32)
        tensor.type = kind
        tensor.quantization = quantization
        tensor.hasRank = True
        tensor.buffer = 0
        if content is not None:
            tensor.buffer = len(self._buffers)
            self._buffers.append(self._aligned_buffer(content))
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _constant(self, values: Any) -> int:
        """An int32 parameter of an operator; equal ones are one tensor."""
        array = np.array(values, "<i4")
        found = (array.shape, array.tobytes())
        if found not in self._parameters:
            self._parameters[found] = self._add_tensor(
                "", array.shape, self._s.TensorType.INT32, content=array.tobytes()
            )
        return self._parameters[found]

    def _weights(self, layer: Layer) -> list[int]:
        """Tensor indices of weights and bias."""
        net = self._net
        weights: NDArray[np.int8] = net.weights[layer.name]
        scales = net.weight_scales[layer.name]
        axis = weights.ndim - 1 if layer.op == "depthwise_conv" else 0
        if layer.op == "fully_connected" and not layer.channel_scales:
            scales = scales[:1]
        points = [0] * len(scales)
        input_scale = net.activations[layer.inputs[0]][0]
        return [
            self._add_tensor(
                "",
                weights.shape,
                self._s.TensorType.INT8,
                quantization=self._quantization(list(scales), points, axis=axis),
                content=weights.tobytes(),
            ),
            self._add_tensor(
                "",
                net.biases[layer.name].shape,
                self._s.TensorType.INT32,
                quantization=self._quantization(list(input_scale * scales), points),
                content=net.biases[layer.name].astype("<i4").tobytes(),
            ),
        ]

    def _lstm(self, layer: Layer, source: int, operator: Any) -> list[int]:
        """Tensor indices of an lstm's inputs; those between its gates go to the operator."""
        net, kinds = self._net, self._s.TensorType
        units = net.graph.shape(layer.output)[-1]
        weights, scales = net.weights[layer.name], net.weight_scales[layer.name]
        rows = np.split(weights, GATES)
        parts = [one[:, :-units] for one in rows] + [one[:, -units:] for one in rows]
        inputs = [source] + [-1] * (lstm.INPUTS - 1)

        def put(place: int, kind: int, values: NDArray[Any], scale: float) -> None:
            inputs[place] = self._add_tensor(
                "", values.shape, kind, quantization=self._quantization([scale], [0]),
                content=values.tobytes(),
            )  # fmt: skip

        for place, part, scale in zip(lstm.WEIGHTS, parts, scales[:CELL], strict=True):
            put(place, kinds.INT8, part, scale)
        biases = np.split(net.biases[layer.name].astype("<i4"), GATES)
        of_input = net.activations[layer.inputs[0]][0] * scales
        for place, bias, scale in zip(lstm.BIASES, biases, of_input[:GATES], strict=True):
            put(place, kinds.INT32, bias, scale)
        output, point = net.activations[layer.output]
        for place, kind, scale, zero in (
            (lstm.OUTPUT_STATE, kinds.INT8, output, point),
            (lstm.CELL_STATE, kinds.INT16, scales[CELL], 0),
        ):
            inputs[place] = self._add_tensor(
                "", (1, units), kind, quantization=self._quantization([scale], [zero])
            )
            self._tensors[inputs[place]].isVariable = True
        gate = self._add_tensor("", (0,), kinds.FLOAT32)
        own = self._quantization([scales[CELL + 1]], [int(scales[CELL + 2]) - 128])
        hidden = self._add_tensor("", (0,), kinds.INT8, quantization=own)
        between = [gate] * (lstm.INTERMEDIATES - 1) + [hidden]
        operator.intermediates = np.array(between, np.int32)
        return inputs

    def _operator(self, layer: Layer) -> Any:
        operator = self._s.OperatorT()
        operator.opcodeIndex = self._opcode(layer)
        inputs = [self._index[name] for name in layer.inputs]
        if layer.op == "lstm":
            inputs = self._lstm(layer, inputs[0], operator)
        elif layer.op == "transpose_conv":
            weights, bias = self._weights(layer)
            inputs = [self._constant(self._shape(layer.output)), weights, *inputs, bias]
        elif OPERATORS[layer.op].weighted:
            inputs += self._weights(layer)
        elif layer.op == "pad":
            top, bottom, left, right = layer.pads
            paddings = [[0, 0], [top, bottom], [left, right], layer.channel_pads]
            inputs.append(self._constant(paddings))
        elif layer.op == "reshape":
            inputs.append(self._constant(self._shape(layer.output)))
        elif OPERATORS[layer.op].shape == "mean":
            inputs.append(self._constant(range(1, len(self._shape(layer.inputs[0])) - 1)))
        elif layer.op == "transpose":
            inputs.append(self._constant(layer.axes))
        elif OPERATORS[layer.op].shape == "resized":
            inputs.append(self._constant(self._net.graph.shape(layer.output)[1:3]))
        elif layer.op == "slice":
            inputs += [self._constant(column) for column in zip(*self._rows(layer), strict=True)]
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([self._index[layer.output]], np.int32)
        name = OPERATORS[layer.op].options
        if name:
            operator.builtinOptionsType = getattr(self._s.BuiltinOptions, name)
            operator.builtinOptions = self._options(layer, getattr(self._s, f"{name}T")())
        return operator

    def _rows(self, layer: Layer) -> tuple[tuple[int, int, int], ...]:
        """Of a slice, those of the axes that its input has in the file."""
        return layer.rows[-len(self._shape(layer.inputs[0])) :]

    def _opcode(self, layer: Layer) -> int:
        known = OPERATORS[layer.op]
        ends = [self._net.activations[name] for name in (layer.inputs[0], layer.output)]
        stays = layer.op == "quantize" and ends[0] == ends[1]
        if layer.op == "select" or layer.dense:
            what = "two operators" if layer.op == "select" else "a dense layer of two activations"
            raise ExportError(
                f"layer {layer.name!r}: {layer.op} is {what}; keep the file it is from"
            )
        in_float = layer.in_float and not stays and layer.op in (*IN_FLOAT, "log_softmax")
        if layer.op in FLOAT_OPS or in_float:
            raise ExportError(
                f"layer {layer.name!r}: {layer.op} was computed in float; keep the file it is from"
            )
        name = known.tflite[0]
        if layer.activation.upper() in known.tflite:  # `relu` stands for both
            name = layer.activation.upper()
        code = getattr(self._s.BuiltinOperator, name)
        for index, written in enumerate(self._codes):
            if written.builtinCode == code:
                return index
        entry = self._s.OperatorCodeT()
        # Older readers know only this int8 field.
        entry.deprecatedBuiltinCode = min(code, 127)
        entry.builtinCode = code
        entry.version = known.version
        self._codes.append(entry)
        return len(self._codes) - 1

    def _options(self, layer: Layer, options: Any) -> Any:
        """The table of options, filled."""
        s, graph, known = self._s, self._net.graph, OPERATORS[layer.op]
        for what, *fields in known.pairs:
            for name, value in zip(fields, getattr(layer, what), strict=True):
                setattr(options, name[0].lower() + name[1:], value)
        if known.shape in ("window", "spread"):
            options.padding = getattr(s.Padding, layer.padding.upper())
        if known.activates:
            options.fusedActivationFunction = getattr(
                s.ActivationFunctionType, layer.activation.upper()
            )
        if layer.op == "depthwise_conv":
            channels = graph.shape(layer.inputs[0])[3]
            options.depthMultiplier = graph.shape(layer.output)[3] // channels
        if layer.op == "fully_connected":
            options.keepNumDims = len(graph.shape(layer.output)) > 2
        if layer.op == "concat":
            options.axis = layer.axes[0] - (layer.output in self._sequences)
        if known.shape == "resized":
            options.alignCorners = layer.grid == "align_corners"
            options.halfPixelCenters = layer.grid == "half_pixel"
        if known.shape == "blocks":
            options.blockSize = layer.block
        if layer.op == "lstm":
            options.cellClip = layer.clip
            options.timeMajor = self._shape(layer.inputs[0])[0] > 1
            options.fusedActivationFunction = s.ActivationFunctionType.TANH
        if layer.op == "batch_matmul":
            options.adjX, options.adjY = layer.adjoint
        if layer.op == "gelu":
            options.approximate = layer.approximate
        if layer.op == "leaky_relu":
            options.alpha = layer.slope
        if layer.op == "slice":
            rows, target = self._rows(layer), self._shape(layer.output)
            # Steps back to the first row have no end that a file could say.
            options.endMask = sum(1 << axis for axis, row in enumerate(rows) if row[1] < 0)
            if len(rows) != len(target):
                single = [i for i, row in enumerate(rows) if len(range(*row)) == 1]
                gone = single[1 : 1 + len(rows) - len(target)]
                options.shrinkAxisMask = sum(1 << axis for axis in gone)
        if known.shape == "mean":
            source, target = graph.shape(layer.inputs[0]), graph.shape(layer.output)
            options.keepDims = len(source) == len(target)
        if layer.op == "softmax":
            options.beta = 1.0
        return options


def _aligned_buffer_class(schema: ModuleType) -> type:
    """`BufferT` whose bytes start at a multiple of 16; the generated one aligns to 1."""

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc, name-defined]
        def __init__(self, content: bytes) -> None:
            super().__init__()
            self.data = np.frombuffer(content, np.uint8)

        def Pack(self, builder: Any) -> int:
            size = len(self.data)
            builder.StartVector(1, size, _ALIGNMENT_BYTES)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = self.data.tobytes()
            data = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, data)
            return int(schema.BufferEnd(builder))

    return AlignedBuffer


def _shared_quantization_class(schema: ModuleType) -> type:
    """`QuantizationParametersT` that writes equal vectors once.

    Zero points are 8 bytes a channel, all zero, for weights and again for biases; shared, as
    flatbuffers allow, they cost two thirds less of what a file spends on a channel.
    """
    written: dict[bytes, int] = {}

    class SharedQuantization(schema.QuantizationParametersT):  # type: ignore[misc, name-defined]
        def Pack(self, builder: Any) -> int:
            scale = _vector(builder, self.scale)
            zero_point = _vector(builder, self.zeroPoint)
            schema.QuantizationParametersStart(builder)
            schema.QuantizationParametersAddScale(builder, scale)
            schema.QuantizationParametersAddZeroPoint(builder, zero_point)
            schema.QuantizationParametersAddQuantizedDimension(builder, self.quantizedDimension)
            return int(schema.QuantizationParametersEnd(builder))

    def _vector(builder: Any, values: NDArray[Any]) -> int:
        found = values.dtype.str.encode() + values.tobytes()
        if found not in written:
            written[found] = int(builder.CreateNumpyVector(values))
        return written[found]

    return SharedQuantization
