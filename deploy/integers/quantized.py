"""A graph with int8 weights and scales: what every file for the device is written from.

Convention (TFLite's int8 specification): real = scale * (stored - zero_point). Activations are
int8 with one scale and zero point a tensor. Weights are int8 in [-127, 127] with zero point 0 and
one scale an output channel, 0 where a converter found no weight. A fully connected layer that
`quantize` makes has one scale for all, because that is what every runtime accepts. Biases are
int32 at scale `input scale * weight scale`.
All scales are float32 values, since that is what a file can hold: the integer arithmetic that is
derived from them is then the same before and after a file.

Reference: https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deploy.integers import fixed_point, lstm
from deploy.integers.weight_scales import WEIGHT_MAX, choose_scales
from hwmodels.graph import Graph, Layer
from hwmodels.operators import OPERATORS
from hwmodels.signals import classes_among, classes_of, signals_of
from ppgnas.errors import ExportError, GraphError
from ppgnas.files import content_of, text_of, write_bytes_atomic, write_json_atomic
from ppgnas.parsing import parse_json

GRAPH_FILE = "graph.json"
WEIGHTS_FILE = "weights.safetensors"
_PARTS = ("weights", "biases", "weight_scales", "constants")


@dataclass(frozen=True)
class QuantizedNet:
    """A network in integers.

    Attributes:
        activations: tensor name -> (scale, zero point).
        weights: layer name -> int8 in TFLite's layout (`Graph.weight_shape`).
        biases: layer name -> int32 `(out_channels,)`.
        weight_scales: layer name -> float64 `(out_channels,)`; of an lstm see `lstm.SCALES`.
        constants: name of a constant tensor -> int8 of its shape.

    Raises:
        ExportError: a tensor without scale, weights of a wrong shape or type, scales that TFLite
            wants equal and are not, or a multiplier or accumulator beyond the range of int32.
    """

    graph: Graph
    activations: dict[str, tuple[float, int]]
    weights: dict[str, NDArray[np.int8]]
    biases: dict[str, NDArray[np.int32]]
    weight_scales: dict[str, NDArray[np.float64]]
    constants: dict[str, NDArray[np.int8]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor in self.graph.tensors:
            scale, _ = _check_activation(tensor.name, self.activations)
            # float(...): numpy would compare a Python float with a float32 in float32.
            if scale != float(np.float32(scale)):
                raise ExportError(
                    f"tensor {tensor.name!r}: the scale {scale!r} is no float32 value, so a file "
                    "cannot hold it; make networks with `quantize`"
                )
            if tensor.constant and (
                tensor.name not in self.constants
                or self.constants[tensor.name].shape != tensor.shape
                or self.constants[tensor.name].dtype != np.int8
            ):
                raise ExportError(
                    f"tensor {tensor.name!r}: its values are missing or not int8 of shape "
                    f"{tensor.shape}"
                )
        for layer in self.graph.layers:
            _check_scales(layer, self.activations)
            if OPERATORS[layer.op].weighted:
                self._check_weights(layer)
                if layer.op == "lstm":
                    self.lstm_factors(layer)
                else:
                    self._check_range(layer)

    def _check_weights(self, layer: Layer) -> None:
        shape = self.graph.weight_shape(layer)
        channels = (self.graph.biases(layer),)
        scales_shape = (lstm.SCALES,) if layer.op == "lstm" else channels
        for what, values, dtype, expected in (
            ("weights", self.weights, np.int8, shape),
            ("biases", self.biases, np.int32, channels),
            ("weight_scales", self.weight_scales, np.float64, scales_shape),
        ):
            if layer.name not in values:
                raise ExportError(f"layer {layer.name!r}: {what} are missing")
            array = values[layer.name]
            if array.dtype != dtype or array.shape != expected:
                raise ExportError(
                    f"layer {layer.name!r}: {what} are {array.dtype} of shape {array.shape}; "
                    f"expected {np.dtype(dtype)} of shape {expected}"
                )

        scales = self.weight_scales[layer.name]
        as_stored = scales.astype(np.float32).astype(np.float64)
        if not (np.isfinite(scales) & (scales >= 0) & (scales == as_stored)).all():
            raise ExportError(
                f"layer {layer.name!r}: the weight scales {scales} are not float32 values from 0 "
                "on; make networks with `quantize`"
            )

    def _check_range(self, layer: Layer) -> None:
        shift = self.multiplier(layer).shift
        bound = self.accumulator_bound(layer)
        worst = int(np.argmax(bound * 2.0 ** np.maximum(shift, 0)))
        left = max(int(np.broadcast_to(shift, bound.shape)[worst]), 0)
        if left > 30 or bound[worst] * 2.0**left > fixed_point.INT32_MAX:
            input_scale, output_scale = self._scales(layer)
            real = input_scale * self.weight_scales[layer.name][worst] / output_scale
            raise ExportError(
                f"layer {layer.name!r}, channel {worst}: an accumulator of up to "
                f"{bound[worst]:.0f} times the multiplier {real:.4g} leaves int32; the output "
                f"scale {output_scale:.4g} is too small for input scale {input_scale:.4g}: "
                "calibrate the activation ranges again"
            )

    def _scales(self, layer: Layer) -> tuple[float, float]:
        return self.activations[layer.inputs[0]][0], self.activations[layer.output][0]

    def multiplier(self, layer: Layer) -> fixed_point.Multiplier:
        """Rescaling of a weighted layer's accumulators, `(out_channels,)`."""
        input_scale, output_scale = self._scales(layer)
        scales = self.weight_scales[layer.name]
        return fixed_point.weighted_multiplier(input_scale, scales, output_scale)

    def lstm_factors(self, layer: Layer) -> lstm.Factors:
        """Rescaling of an lstm.

        Raises:
            ExportError: a scale of its cell state that is not computed, or sums that leave int32.
        """
        try:
            by = lstm.factors(self.weight_scales[layer.name], *self._scales(layer), layer.clip)
        except ExportError as error:
            raise ExportError(f"layer {layer.name!r}: {error}") from error
        weights = np.abs(self.weights[layer.name].astype(np.int64)).sum(axis=1) * 255
        largest = int((weights + np.abs(self.biases[layer.name].astype(np.int64))).max())
        left = max(int(one.shift) for one in (*by.inputs, *by.outputs))
        if largest * 2 ** max(left, 0) > fixed_point.INT32_MAX:
            raise ExportError(
                f"layer {layer.name!r}: sums of up to {largest} shifted by {left} bits leave "
                "int32: calibrate the activation ranges again"
            )
        return by

    def accumulator_bound(self, layer: Layer) -> NDArray[np.float64]:
        """`(out_channels,)` largest `|accumulator|` that any input can cause, bias included.

        The same bound holds for every partial sum, in any order: each tap's range includes 0.
        """
        weights = self.weights[layer.name].astype(np.float64)
        if layer.op == "depthwise_conv":
            weights = np.moveaxis(weights, -1, 0)
        weights = weights.reshape(weights.shape[0], -1)  # (out_channels, taps)
        zero_point = self.activations[layer.inputs[0]][1]
        low, high = fixed_point.INT8_MIN - zero_point, fixed_point.INT8_MAX - zero_point
        positive = np.maximum(weights, 0).sum(axis=1)
        negative = np.minimum(weights, 0).sum(axis=1)
        top, bottom = high * positive + low * negative, low * positive + high * negative
        bias = np.abs(self.biases[layer.name].astype(np.float64))
        result: NDArray[np.float64] = np.maximum(top, -bottom) + bias
        return result

    def quantize_input(self, x: ArrayLike) -> NDArray[np.int8]:
        """Real windows to the network's input.

        Args:
            x: `(windows, channels, time)`.

        Returns:
            int8 `(windows, *graph.window)`; values beyond the range saturate.

        Raises:
            ExportError: another shape than the network's, or a value that is not finite.
        """
        values, graph = np.asarray(x, dtype=np.float32), self.graph
        if graph.shape(graph.input) == (1, 1, *values.shape[:0:-1]) and not graph.beside:
            return self._stored(values, graph.input)[:, None]
        steps, signals = signals_of(graph) or (0, ())
        if values.shape[1:] != (sum(s.channels for s in signals), steps):
            raise ExportError(
                f"input windows have shape {values.shape} (windows, channels, time); this network "
                f"takes {' and '.join(str(graph.shape(name)) for name in graph.inputs)}"
            )
        ends = ((s, s.first + s.channels) for s in signals)
        parts = [self._stored(values[:, s.first : end], s.name, s.time_first) for s, end in ends]
        flat = [part.reshape(len(part), -1) for part in parts]
        return np.concatenate(flat, axis=1).reshape(-1, *graph.window)

    def quantize_signal(self, x: ArrayLike) -> NDArray[np.int8]:
        """A real signal `(channels, time)` as a stream of inputs, int8 `(time, channels)`.

        Raises:
            ExportError: a value that is not finite.
        """
        return np.asarray(self._stored(np.asarray(x, dtype=np.float32)[None], self.graph.input)[0])

    def _stored(
        self, values: NDArray[np.float32], name: str, time_first: bool = True
    ) -> NDArray[np.int8]:
        """`(windows, time, channels)` of `(windows, channels, time)`, or the same order."""
        if not np.isfinite(values).all():
            raise ExportError("input windows hold NaN or infinity; leave those windows out")
        scale, zero_point = self.activations[name]
        order = (0, 2, 1) if time_first else (0, 1, 2)
        stored = np.ascontiguousarray(values.transpose(order)) / np.float32(scale)
        np.rint(stored, out=stored)
        stored += zero_point
        np.clip(stored, fixed_point.INT8_MIN, fixed_point.INT8_MAX, out=stored)
        return stored.astype(np.int8)

    def dequantize_output(self, y: NDArray[np.int8]) -> NDArray[np.float32]:
        """int8 outputs `(windows, classes)` to real logits; of several those with the classes."""
        scale, zero_point = self.activations[classes_of(self.graph)]
        real = classes_among(self.graph, y).astype(np.float32)
        return (real - np.float32(zero_point)) * np.float32(scale)

    def save(self, folder: Path) -> None:
        """Write `graph.json` and `weights.safetensors` into `folder`.

        Raises:
            OSError: the folder cannot be written.
        """
        from safetensors.numpy import save

        arrays: dict[str, NDArray[Any]] = {}
        for key in _PARTS:
            for name, array in getattr(self, key).items():
                arrays[f"{key}/{name}"] = np.ascontiguousarray(array)
        pairs = [self.activations[tensor.name] for tensor in self.graph.tensors]
        arrays["activation_scales"] = np.array([scale for scale, _ in pairs], np.float64)
        arrays["activation_zero_points"] = np.array([point for _, point in pairs], np.int32)
        write_bytes_atomic(folder / WEIGHTS_FILE, save(arrays))
        write_json_atomic(folder / GRAPH_FILE, self.graph.to_json())

    @staticmethod
    def load(folder: Path) -> QuantizedNet:
        """Read what `save` wrote.

        Raises:
            ExportError: a file is missing, damaged or belongs to another graph.
            GraphError: `graph.json` is not a layer graph.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            graph = Graph.from_json(parse_json(text_of(folder / GRAPH_FILE)))
            arrays = load(content_of(folder / WEIGHTS_FILE))
        except FileNotFoundError as error:
            raise ExportError(
                f"{error.filename}: not found; a quantised network is a folder with "
                f"{GRAPH_FILE} and {WEIGHTS_FILE}"
            ) from error
        except GraphError:  # a GraphError is a ValueError
            raise
        except (ValueError, SafetensorError) as error:
            raise ExportError(
                f"{folder}: {GRAPH_FILE} or {WEIGHTS_FILE} is damaged ({error}); export again"
            ) from error
        scales = arrays.pop("activation_scales", np.empty(0))
        points = arrays.pop("activation_zero_points", np.empty(0))
        if not len(scales) == len(points) == len(graph.tensors):
            raise ExportError(
                f"{folder}: {WEIGHTS_FILE} has {len(scales)} activation scales, {GRAPH_FILE} has "
                f"{len(graph.tensors)} tensors; the two files belong to different networks"
            )
        parts: dict[str, dict[str, NDArray[Any]]] = {key: {} for key in _PARTS}
        for key, array in arrays.items():
            part, _, name = key.partition("/")
            if part not in parts:
                raise ExportError(f"{folder}: {WEIGHTS_FILE} holds an unknown entry {key!r}")
            parts[part][name] = array
        pairs = zip(map(float, scales), map(int, points), strict=True)
        names = (tensor.name for tensor in graph.tensors)
        return QuantizedNet(graph, dict(zip(names, pairs, strict=True)), **parts)


def quantize(
    graph: Graph,
    float_weights: Mapping[str, tuple[ArrayLike, ArrayLike]],
    activations: Mapping[str, tuple[float, int]],
) -> QuantizedNet:
    """Quantise trained weights (batch norm already folded).

    Weight scales: see `deploy.integers.weight_scales`.

    Args:
        float_weights: layer name -> (weights in TFLite's layout, bias `(out_channels,)`).
        activations: tensor name -> (scale, zero point); equal for the input and output of `pad`,
            `reshape`, `avg_pool` and `max_pool`.

    Raises:
        ExportError: weights that are missing, of a wrong shape or not finite; a bias beyond
            int32; see also `QuantizedNet`.
    """
    rounded: dict[str, tuple[float, int]] = {}
    for tensor in graph.tensors:
        scale, zero_point = _check_activation(tensor.name, activations)
        rounded[tensor.name] = float(np.float32(scale)), zero_point
    weights: dict[str, NDArray[np.int8]] = {}
    biases: dict[str, NDArray[np.int32]] = {}
    weight_scales: dict[str, NDArray[np.float64]] = {}
    for layer in graph.layers:
        if not OPERATORS[layer.op].weighted:
            continue
        if layer.name not in float_weights:
            raise ExportError(f"layer {layer.name!r}: weights are missing")
        weight, bias = (np.asarray(part, np.float64) for part in float_weights[layer.name])
        _check_float(graph, layer, weight, bias)
        input_scale, output_scale = rounded[layer.inputs[0]][0], rounded[layer.output][0]
        scales = choose_scales(
            layer, weight, bias, input_scale=input_scale, output_scale=output_scale
        )
        weight_scales[layer.name] = scales
        # Channels are the last axis of a depthwise layer's weights, the first of others'.
        axis = (-1,) if layer.op == "depthwise_conv" else (-1, *(1,) * (weight.ndim - 1))
        spread = scales.reshape(axis)
        stored = np.clip(np.rint(weight / spread), -WEIGHT_MAX, WEIGHT_MAX)
        weights[layer.name] = stored.astype(np.int8)
        biases[layer.name] = _quantize_bias(layer, bias, input_scale * scales)
    return QuantizedNet(graph, rounded, weights, biases, weight_scales)


def _quantize_bias(
    layer: Layer, bias: NDArray[np.float64], scales: NDArray[np.float64]
) -> NDArray[np.int32]:
    stored = np.rint(bias / scales)
    worst = int(np.argmax(np.abs(stored)))
    if abs(stored[worst]) > fixed_point.INT32_MAX:
        raise ExportError(
            f"layer {layer.name!r}, channel {worst}: the bias {bias[worst]:.4g} at scale "
            f"{scales[worst]:.4g} leaves int32; its weights are too small beside it: "
            "retrain or prune the channel"
        )
    return stored.astype(np.int32)


def _check_float(
    graph: Graph, layer: Layer, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> None:
    expected = graph.weight_shape(layer)
    channels = graph.shape(layer.output)[-1:]
    if weight.shape != expected or bias.shape != channels:
        raise ExportError(
            f"layer {layer.name!r} ({layer.op}): weights have shape {weight.shape} and bias "
            f"{bias.shape}; expected {expected} and {channels}"
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ExportError(
            f"layer {layer.name!r}: a weight or bias is NaN or infinite; training diverged"
        )


def _check_activation(
    name: str, activations: Mapping[str, tuple[float, int]]
) -> tuple[float, int]:
    if name not in activations:
        raise ExportError(f"tensor {name!r}: no scale and zero point; calibrate it")
    scale, zero_point = activations[name]
    as_stored = np.float32(scale)
    if not (np.isfinite(as_stored) and as_stored > 0):
        raise ExportError(
            f"tensor {name!r}: the scale is {scale}; it must be a finite number above 0"
        )
    if zero_point != int(zero_point) or not -128 <= zero_point <= 127:
        raise ExportError(
            f"tensor {name!r}: the zero point is {zero_point}; it must be an integer from "
            "-128 to 127"
        )
    return float(scale), int(zero_point)


def _check_scales(layer: Layer, activations: Mapping[str, tuple[float, int]]) -> None:
    after = activations[layer.output]
    known = OPERATORS[layer.op]
    if known.fixed_scale not in (None, after) and not layer.in_float:
        raise ExportError(
            f"layer {layer.name!r} ({layer.op}): output (scale, zero point) is {after}; "
            f"TFLite's {layer.op} has {known.fixed_scale}"
        )
    for name in layer.inputs[layer.op == "select" :]:  # first compared alone; a slice moves bytes
        if known.keeps_scale and activations[name] != after and layer.op != "slice":
            raise ExportError(
                f"layer {layer.name!r} ({layer.op}): input (scale, zero point) "
                f"{activations[name]} and output {after} differ; TFLite's {layer.op} keeps them, "
                "so give both tensors the same"
            )
