"""Write an ONNX file in QDQ form (QuantizeLinear / DequantizeLinear around float operators).

Interface as in the TFLite file: int8 `(windows, 1, time, channels)` in, int8 out; `windows` is
free. Inside, 4D tensors are NCHW, as ONNX wants. Every activation exists in int8: padding, views
and maxima work on the stored values; the other operators read dequantised values and their result
is quantised at once, a pattern that onnxruntime turns into its integer kernels. A fused
activation is the clamp of the int8 result, which quantisation to int8 often does already.

onnxruntime rescales in float32 with one rounding (ties to even), TFLM twice in integers: single
values may differ by one step, and later layers pass such a step on.

Reference: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.integers import joined, lookup, resizing
from deploy.integers.lstm import CELL, GATES
from deploy.integers.quantized import QuantizedNet
from deploy.integers.reference import in_turn
from deploy.onnx_nodes import TO_NCHW, TO_NHWC, Nodes, inputs_of, spread_window
from hwmodels.graph import LARGEST_SIZE, Layer, Shape, dense_rows
from hwmodels.operators import OPERATORS, Op
from ppgnas.errors import DependencyError, ExportError

if TYPE_CHECKING:
    import onnx

OPSET = 18
IR_VERSION = 8
EXACT_SUMS = "session.x64quantprecision"
"""The setting of a session without which x86-64 processors that lack VNNI add pairs of products in
16 bits, which saturate."""


def write(net: QuantizedNet) -> bytes:
    """The network as an ONNX file, checked by `onnx.checker`; the same bytes each time.

    Raises:
        DependencyError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise DependencyError(
            "writing ONNX files needs the package onnx: pip install onnx"
        ) from error
    model = _Writer(net, onnx).model()
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def run(model: bytes, x: NDArray[np.int8], *, optimize: bool = True) -> NDArray[np.int8]:
    """Run a file in onnxruntime on the CPU.

    Args:
        x: int8 `(windows, 1, time, channels)`, or see `deploy.integers.reference.run`.
        optimize: let onnxruntime use its integer kernels; else it computes the float operators
            between quantisation and dequantisation.

    Returns:
        int8 `(windows, classes)`; of several outputs `(windows, values)`.

    Raises:
        DependencyError: onnxruntime is not installed.
        ExportError: onnxruntime refuses the file or the input.
    """
    try:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it keeps a device id in HOME
        import onnxruntime as ort
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise DependencyError(
            "running ONNX files needs the package onnxruntime: pip install onnxruntime"
        ) from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(EXACT_SUMS, "1")
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    refusals = (state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument, state.Fail)
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        given = inputs_of(x, [(i.name, i.shape[1:]) for i in session.get_inputs()])
        # Batches keep the intermediate tensors in the cache.
        parts = [
            session.run(None, {name: part[at : at + 64] for name, part in given.items()})
            for at in range(0, max(len(x), 1), 64)
        ]
    except refusals as error:
        raise ExportError(f"onnxruntime refuses the file or the input: {error}") from error
    return np.concatenate([in_turn(part) for part in parts])


class _Writer(Nodes):
    def model(self) -> onnx.ModelProto:
        helper, graph = self._onnx.helper, self._net.graph
        sources, targets = self._ends("x", graph.inputs), self._ends("y", graph.outputs)
        for x, name in sources:
            self._turned(x, name, name, TO_NCHW)
        for name, values in self._net.constants.items():
            self._constant(name, values.transpose(TO_NCHW) if values.ndim == 4 else values)
        for layer in graph.layers:
            self._layer(layer)
        for y, name in targets:
            self._turned(name, y, name, TO_NHWC)
        proto = helper.make_graph(
            self._nodes,
            "ppgnas",
            self._infos(sources),
            self._infos(targets),
            list(self._constants.values()),
        )
        return helper.make_model(
            proto,
            producer_name="ppgnas",
            doc_string=f"onnxruntime on x86-64: set {EXACT_SUMS} to 1, or sums may saturate.",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )

    def _window(self, layer: Layer) -> dict[str, Any]:
        """Attributes of a sliding window; `same` becomes explicit padding."""
        (top, bottom), (left, right) = self._net.graph.padding(layer)
        return {
            "kernel_shape": list(layer.kernel),
            "strides": list(layer.stride),
            "pads": [top, left, bottom, right],
        }

    def _layer(self, layer: Layer) -> None:
        makers: dict[Op, Callable[[Layer], None]] = {
            "conv": self._conv,
            "depthwise_conv": self._conv,
            "transpose_conv": self._transpose_conv,
            "fully_connected": self._fully_connected,
            "lstm": self._lstm,
            "pad": self._pad,
            "reshape": self._reshape,
            "avg_pool": self._avg_pool,
            "max_pool": self._max_pool,
            **dict.fromkeys(("mean", "reduce_max", "reduce_min", "sum"), self._mean),
            "batch_matmul": self._batch_matmul,
            **dict.fromkeys(("softmax", "log_softmax"), self._softmax),
            **dict.fromkeys(joined.RESULTS, self._joined),
            "select": self._joined,
            "squared_difference": self._squared_difference,
            "concat": self._concat,
            "transpose": self._transpose,
            "slice": self._slice,
            "resize_nearest": self._resize_nearest,
            "resize_bilinear": self._resize_bilinear,
            "leaky_relu": self._leaky_relu,
            **dict.fromkeys(("space_to_depth", "depth_to_space"), self._blocks),
        }
        looked_up = layer.op in lookup.TABLES and not self._has_float(layer)
        makers.get(layer.op, self._looked_up if looked_up else self._of_all)(layer)

    @staticmethod
    def _has_float(layer: Layer) -> bool:
        """Whether ONNX has the float operator, with the same activation."""
        return bool(OPERATORS[layer.op].onnx) and not layer.activation.endswith("_to_1")

    def _looked_up(self, layer: Layer) -> None:
        """What ONNX has no float operator for, by the table of its results."""
        integer = self._onnx.TensorProto.INT64
        wide = self._node("Cast", [layer.inputs[0]], f"{layer.output}:wide", to=integer)
        first = self._constant("first", np.array(128, np.int64))
        place = self._node("Add", [wide, first], f"{layer.output}:place")
        results = self._constant(f"{layer.output}:results", lookup.table(self._net, layer))
        self._node("Gather", [results, place], layer.output)

    def _squared_difference(self, layer: Layer) -> None:
        apart = self._node("Sub", self._aligned(layer), f"{layer.output}:apart")
        square = self._node("Mul", [apart, apart], f"{layer.output}:square")
        self._node("QuantizeLinear", [square, *self._scale(layer.output)], layer.output)

    def _of_all(self, layer: Layer, **attributes: Any) -> None:
        """The float operator over dequantised inputs, and what it gives quantised."""
        self._quantized([self._real(name, layer) for name in layer.inputs], layer, **attributes)

    def _conv(self, layer: Layer) -> None:
        groups, window = layer.groups, self._window(layer)
        if layer.op == "depthwise_conv":
            groups = self._net.graph.shape(layer.inputs[0])[3]
        inputs = [self._real(layer.inputs[0], layer), *self._weights(layer)]
        window["dilations"] = list(layer.dilation)
        self._quantized(inputs, layer, group=groups, **window)

    def _transpose_conv(self, layer: Layer) -> None:
        window = spread_window(self._net.graph, layer)
        inputs = [self._real(layer.inputs[0], layer), *self._weights(layer)]
        self._quantized(inputs, layer, **window)

    def _fully_connected(self, layer: Layer) -> None:
        source, target = self._shapes(layer)
        rows = dense_rows(target)
        flat = self._flat(layer.inputs[0], layer, prod(source))
        if rows > 1:
            sizes = np.array([-1, prod(source) // rows], np.int64)
            shape = self._constant(f"{flat}:rows:shape", sizes)
            flat = self._node("Reshape", [flat, shape], f"{flat}:rows")
        real = self._dequantized(flat, layer.inputs[0], f"{flat}:real")
        inputs = [real, *self._weights(layer)]
        if len(target) == 2:
            self._quantized(inputs, layer, transB=1)
            return
        output = f"{layer.output}:rows"
        self._quantized(inputs, layer, output=output, transB=1)
        shape = self._constant(f"{output}:shape", np.array([-1, *target[1:]], np.int64))
        self._back(self._node("Reshape", [output, shape], f"{output}:nhwc"), layer)

    def _lstm(self, layer: Layer) -> None:
        """ONNX has steps first, and the gates in the order input, output, forget, cell."""
        net, name = self._net, layer.name
        (*_, inputs), (_, *sizes, units) = self._shapes(layer)
        steps = prod(sizes)
        scales = np.repeat(net.weight_scales[name][:CELL].reshape(2, GATES, 1), units, axis=2)
        into, again = scales.reshape(2, -1)
        weights = net.weights[name] * np.where(
            np.arange(inputs + units) < inputs, into[:, None], again[:, None]
        )
        bias = net.biases[name] * (net.activations[layer.inputs[0]][0] * into)

        def ordered(values: NDArray[Any]) -> NDArray[np.float32]:
            i, f, g, o = np.split(values.astype(np.float32), GATES)
            return np.concatenate([i, o, f, g])[None]

        constants = [
            self._constant(f"{name}/{what}", values)
            for what, values in (
                ("weights", ordered(weights[:, :inputs])),
                ("again", ordered(weights[:, inputs:])),
                ("bias", np.concatenate([ordered(bias), np.zeros_like(ordered(bias))], axis=1)),
            )
        ]
        flat = self._reshaped(self._nhwc(layer.inputs[0], layer), f"{name}:steps", (steps, inputs))
        first = self._node("Transpose", [flat], f"{name}:first", perm=[1, 0, 2])
        real = self._dequantized(first, layer.inputs[0], f"{name}:real")
        # (steps, 1, windows, units)
        found = self._node("LSTM", [real, *constants], f"{name}:all", hidden_size=units)
        stored = self._node("QuantizeLinear", [found, *self._scale(layer.output)], f"{name}:int8")
        turned = self._node("Transpose", [stored], f"{name}:turned", perm=[2, 0, 1, 3])
        shape = self._net.graph.shape(layer.output)[1:]
        self._back(self._reshaped(turned, f"{name}:nhwc", shape), layer)

    def _concat(self, layer: Layer) -> None:
        parts = [self._beside(name, layer) for name in layer.inputs]
        self._back(self._node("Concat", parts, f"{layer.output}:all", axis=layer.axes[0]), layer)

    def _transpose(self, layer: Layer) -> None:
        source = self._nhwc(layer.inputs[0], layer)
        turned = self._node("Transpose", [source], f"{layer.output}:turned", perm=layer.axes)
        self._back(turned, layer)

    def _slice(self, layer: Layer) -> None:
        axes = range(1, len(layer.rows))
        chosen = (
            (first, end if end >= 0 else -LARGEST_SIZE, by) for first, end, by in layer.rows[1:]
        )
        columns = (*zip(*chosen, strict=True),)
        names = ("first", "end", "step")
        first, end, step = (
            self._constant(f"{layer.output}:{name}", np.array(column, np.int64))
            for name, column in zip(names, columns, strict=True)
        )
        on = self._constant(f"{layer.output}:axes", np.array(axes, np.int64))
        inputs = [self._nhwc(layer.inputs[0], layer), first, end, on, step]
        rows = self._node("Slice", inputs, f"{layer.output}:rows")
        shape = self._net.graph.shape(layer.output)[1:]
        self._back(self._reshaped(rows, f"{layer.output}:nhwc", shape), layer)

    def _resize_nearest(self, layer: Layer) -> None:
        """The positions that TFLite copies, as it rounds them."""
        source, target = self._shapes(layer)
        found = layer.inputs[0]
        for axis, output in ((1, f"{layer.output}:rows"), (2, layer.output)):
            places = resizing.nearest(source[axis], target[axis], layer.grid)
            indices = self._constant(f"{output}:places", places)
            found = self._node("Gather", [found, indices], output, axis=axis + 1)

    def _resize_bilinear(self, layer: Layer) -> None:
        source, target = self._shapes(layer)
        scales = np.ones(4, np.float32)
        for axis in (1, 2):
            scales[axis + 1] = target[axis] / source[axis]
            while float(scales[axis + 1]) * source[axis] < target[axis]:
                scales[axis + 1] = np.nextafter(scales[axis + 1], np.float32(np.inf))
        by = self._constant(f"{layer.output}:scales", scales)
        inputs = [self._real(layer.inputs[0], layer), "", by]
        self._quantized(inputs, layer, mode="linear", coordinate_transformation_mode=layer.grid)

    def _shapes(self, layer: Layer) -> tuple[Shape, Shape]:
        graph = self._net.graph
        return graph.shape(layer.inputs[0]), graph.shape(layer.output)

    def _aligned(self, layer: Layer) -> list[str]:
        real = [self._real(name, layer) for name in layer.inputs]
        *shapes, whole = map(self._net.graph.shape, (*layer.inputs, layer.output))
        for index, shape in enumerate(shapes):
            if len(shape) == 2 and len(whole) == 4:  # a vector lies along the channels
                real[index] = self._reshaped(real[index], f"{real[index]}4", (shape[1], 1, 1))
        return real

    def _joined(self, layer: Layer) -> None:
        real = self._aligned(layer)
        if layer.op == "select":
            scale, zero_point = self._net.activations[layer.inputs[0]]
            least = np.array((layer.threshold - 0.5 - zero_point) * scale, np.float32)
            compared = [real[0], self._constant(f"{layer.output}:least", least)]
            real[0] = self._node("Greater", compared, f"{layer.output}:above")
        self._quantized(real, layer)

    def _blocks(self, layer: Layer) -> None:
        self._of_all(layer, blocksize=layer.block)

    def _leaky_relu(self, layer: Layer) -> None:
        self._of_all(layer, alpha=layer.slope)

    def _reshape(self, layer: Layer) -> None:
        source, target = self._shapes(layer)
        if len(source) == len(target) == 4 and source[3] == target[3]:
            # Height and width are cut anew, channels stay: the same in both layouts.
            self._reshaped(layer.inputs[0], layer.output, (target[3], *target[1:3]))
            return
        flat = self._flat(layer.inputs[0], layer, prod(source))
        if len(target) == 4:
            name = self._reshaped(flat, f"{layer.output}:nhwc", target[1:])
            self._node("Transpose", [name], layer.output, perm=TO_NCHW)
        else:
            self._reshaped(flat, layer.output, target[1:])

    def _pad(self, layer: Layer) -> None:
        top, bottom, left, right = layer.pads
        front, behind = layer.channel_pads
        pads = np.array([0, front, top, left, 0, behind, bottom, right], np.int64)
        inputs = [
            layer.inputs[0],
            self._constant(f"{layer.output}:pads", pads),
            self._scale(layer.inputs[0])[1],
        ]
        self._node("Pad", inputs, layer.output)

    def _avg_pool(self, layer: Layer) -> None:
        self._of_all(layer, **self._window(layer))

    def _max_pool(self, layer: Layer) -> None:
        self._clamped("MaxPool", [layer.inputs[0]], layer, **self._window(layer))

    def _mean(self, layer: Layer) -> None:
        rank, kept = map(len, self._shapes(layer))
        # Channels come first in four dimensions, and last in fewer.
        reduced = [2, 3] if rank == 4 else list(range(1, rank - 1))
        axes = self._constant(f"mean:axes{'' if rank == 4 else rank}", np.array(reduced, np.int64))
        self._quantized(
            [self._real(layer.inputs[0], layer), axes], layer, keepdims=int(rank == kept)
        )

    def _batch_matmul(self, layer: Layer) -> None:
        real = []
        for index, (name, swapped) in enumerate(zip(layer.inputs, layer.adjoint, strict=True)):
            stored = self._nhwc(name, layer)
            if swapped:
                turned = f"{layer.output}:swapped{index}"
                stored = self._node("Transpose", [stored], turned, perm=[0, 1, 3, 2])
            real.append(self._dequantized(stored, name, f"{layer.output}:real{index}"))
        self._quantized(real, layer, output=f"{layer.output}:nhwc")
        self._back(f"{layer.output}:nhwc", layer)

    def _softmax(self, layer: Layer) -> None:
        axis = 1 if len(self._net.graph.shape(layer.output)) == 4 else -1
        self._of_all(layer, axis=axis)
