"""The int8 layer graph: the one object that everything after an architecture reads.

Conventions
-----------
* Tensors are int8 and NHWC: `(1, height, width, channels)`; time lies on the W axis, or is folded
  as `[T/d, d]` over H and W for a layer of dilation d (the same bytes, another view).
* Layers stand in execution order, one per TFLite operator. Causal padding is a `pad` layer before
  a `valid` convolution; a change of view is a `reshape` layer.
* A graph knows no weights, scales, boards or kernels. One MAC is one multiply-accumulate.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

from hwmodels.operators import ACTIVATIONS, OPERATORS, OPS, PADDINGS, Activation, Op, Padding
from ppgnas.errors import GraphError

Shape = tuple[int, ...]
Sides = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An int8 activation: `shape` is `(1, height, width, channels)`."""

    name: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size in memory; one byte an element."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator.

    Attributes:
        name: unique in the graph; keys the weights of a `QuantizedNet`.
        op: a row of `hwmodels.operators`.
        inputs: names of the activation inputs (two for `add`).
        output: name of the output tensor.
        kernel, stride, dilation: `(height, width)`.
        padding: of a convolution or pool: `valid` or TFLite's `same`.
        pads: of a `pad` layer: rows and columns added `(top, bottom, left, right)`.
        activation: fused activation of the output.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = "valid"
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = "none"


def window_padding(layer: Layer, source: Shape, target: Shape) -> Sides:
    """Padding of a sliding window, `((top, bottom), (left, right))`: the smaller half in front.

    TFLite's `same` adds what the last window reaches beyond the input; that of `valid` does not.
    """
    sides = []
    for axis in (0, 1):
        reach = (target[axis + 1] - 1) * layer.stride[axis]
        reach += (layer.kernel[axis] - 1) * layer.dilation[axis] + 1
        total = max(reach - source[axis + 1], 0)
        sides.append((total // 2, total - total // 2))
    return sides[0], sides[1]


def _window_positions(layer: Layer, size: int, axis: int) -> int:
    stride = layer.stride[axis]
    if layer.padding == "same":
        return -(-size // stride)
    return (size - (layer.kernel[axis] - 1) * layer.dilation[axis] - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class Graph:
    """Layers in execution order and the activations between them.

    Raises:
        GraphError: an unknown op, padding or activation, a tensor that is read before it is
            written, a name used twice, or an output shape that does not follow from the inputs.
    """

    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    input: str
    output: str
    _shapes: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shapes = {tensor.name: tensor.shape for tensor in self.tensors}
        object.__setattr__(self, "_shapes", shapes)
        if len(shapes) != len(self.tensors):
            raise GraphError("graph: two tensors have one name; names must be unique")
        written = {self.input}
        for layer in self.layers:
            _check_words(layer)
            for name in layer.inputs:
                if name not in written:
                    raise GraphError(
                        f"graph: layer {layer.name!r} reads {name!r} before a layer writes it"
                    )
            if layer.output in written or layer.output not in shapes:
                raise GraphError(
                    f"graph: layer {layer.name!r} writes {layer.output!r}, which is not a tensor "
                    "of the graph or already written"
                )
            written.add(layer.output)
            self._check_shape(layer)
        if self.output not in written:
            raise GraphError(f"graph: no layer writes the output {self.output!r}")
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise GraphError("graph: two layers have one name; names must be unique")

    @staticmethod
    def trusted(
        layers: tuple[Layer, ...], tensors: tuple[Tensor, ...], input: str, output: str
    ) -> Graph:
        """A graph without the checks, which cost as much as lowering; callers' tests make them."""
        graph = object.__new__(Graph)
        put = object.__setattr__
        put(graph, "layers", layers)
        put(graph, "tensors", tensors)
        put(graph, "input", input)
        put(graph, "output", output)
        put(graph, "_shapes", {tensor.name: tensor.shape for tensor in tensors})
        return graph

    def _check_shape(self, layer: Layer) -> None:
        known = OPERATORS[layer.op]
        sources, seen = [self._shapes[name] for name in layer.inputs], self._shapes[layer.output]
        if len(sources) != known.inputs:
            raise GraphError(
                f"graph: layer {layer.name!r} ({layer.op}) has {len(sources)} inputs; "
                f"allowed: {known.inputs}"
            )
        for shape in (*sources, seen):
            if len(shape) not in known.ranks or min(shape) < 1:
                raise GraphError(
                    f"graph: layer {layer.name!r} ({layer.op}) joins tensors of shapes "
                    f"{[*sources, seen]}; allowed: {' or '.join(map(str, known.ranks))} sizes "
                    "of at least 1"
                )
        source = sources[0]
        if any(shape != source for shape in sources):
            raise GraphError(f"graph: {layer.op} {layer.name!r} joins two shapes")
        expected = source
        if known.shape == "window":
            channels = seen[3] if known.weighted else source[3]
            positions = (_window_positions(layer, source[axis + 1], axis) for axis in (0, 1))
            expected = (1, *positions, channels)
        elif known.shape == "pads":
            top, bottom, left, right = layer.pads
            expected = (1, source[1] + top + bottom, source[2] + left + right, source[3])
        elif (
            known.shape == "dense"
            or (known.shape == "view" and prod(seen) == prod(source))
            or (known.shape == "mean" and seen[-1] == source[-1])
        ):
            expected = seen
        if seen != expected:
            raise GraphError(
                f"graph: layer {layer.name!r} ({layer.op}) gives shape {expected}, "
                f"but its output {layer.output!r} is declared {seen}"
            )

    @property
    def names(self) -> Collection[str]:
        """Names of the tensors."""
        return self._shapes.keys()

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor by name."""
        return self._shapes[tensor]

    def padding(self, layer: Layer) -> Sides:
        """Padding of a layer with a window, see `window_padding`, or of a `pad` layer."""
        if layer.op == "pad":
            top, bottom, left, right = layer.pads
            return (top, bottom), (left, right)
        return window_padding(layer, self._shapes[layer.inputs[0]], self._shapes[layer.output])

    def weight_shape(self, layer: Layer) -> tuple[int, ...]:
        """TFLite weight layout: conv OHWI, depthwise 1HWC, fully connected OI; else empty."""
        source, target = self._shapes[layer.inputs[0]], self._shapes[layer.output]
        if layer.op == "conv":
            return (target[3], *layer.kernel, source[3])
        if layer.op == "depthwise_conv":
            return (1, *layer.kernel, target[3])
        if layer.op == "fully_connected":
            return (target[-1], prod(source))
        return ()

    def macs(self, layer: Layer) -> int:
        """Multiply-accumulates of one inference, padded taps counted."""
        if not OPERATORS[layer.op].weighted:
            return 0
        weights = prod(self.weight_shape(layer))
        if layer.op == "fully_connected":
            return weights
        _, height, width, _ = self._shapes[layer.output]
        return weights * height * width

    def weight_bytes(self, layer: Layer) -> int:
        """int8 weights and int32 biases of one layer."""
        if not OPERATORS[layer.op].weighted:
            return 0
        return prod(self.weight_shape(layer)) + 4 * self._shapes[layer.output][-1]

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(self.macs(layer) for layer in self.layers)

    @property
    def total_weight_bytes(self) -> int:
        """int8 weights and int32 biases of all layers."""
        return sum(self.weight_bytes(layer) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """A JSON document; `from_json` gives the same graph back."""
        return {
            "format": "ppgnas-graph",
            "version": 1,
            "input": self.input,
            "output": self.output,
            "tensors": [asdict(tensor) for tensor in self.tensors],
            "layers": [asdict(layer) for layer in self.layers],
        }

    @staticmethod
    def from_json(document: Any) -> Graph:
        """Read `to_json`'s document.

        Raises:
            GraphError: not such a document, or an inconsistent graph.
        """
        if not isinstance(document, dict) or document.get("format") != "ppgnas-graph":
            raise GraphError(
                'graph: the document has no "format": "ppgnas-graph"; '
                "pass a graph.json that ppgnas wrote"
            )
        try:
            layers = tuple(
                Layer(
                    name=str(item["name"]),
                    op=item["op"],
                    inputs=tuple(item["inputs"]),
                    output=str(item["output"]),
                    kernel=_pair(item.get("kernel", (1, 1))),
                    stride=_pair(item.get("stride", (1, 1))),
                    dilation=_pair(item.get("dilation", (1, 1))),
                    padding=item.get("padding", "valid"),
                    pads=tuple(int(n) for n in item.get("pads", (0, 0, 0, 0))),  # type: ignore[arg-type]
                    activation=item.get("activation", "none"),
                )
                for item in document["layers"]
            )
            tensors = tuple(
                Tensor(str(item["name"]), tuple(int(n) for n in item["shape"]))
                for item in document["tensors"]
            )
            return Graph(layers, tensors, str(document["input"]), str(document["output"]))
        except (KeyError, TypeError) as error:
            raise GraphError(f"graph: the document is malformed at {error}") from error

    @staticmethod
    def loads(text: str) -> Graph:
        """Read a graph from JSON text."""
        return Graph.from_json(json.loads(text))


def _check_words(layer: Layer) -> None:
    """Refuse words that a file may hold and the table does not know."""
    for what, word, allowed in (
        ("op", layer.op, OPS),
        ("padding", layer.padding, PADDINGS),
        ("activation", layer.activation, ACTIVATIONS),
    ):
        if word not in allowed:
            raise GraphError(
                f"graph: layer {layer.name!r} has {what} {word!r}; known {what}s: "
                f"{', '.join(allowed)}"
            )
    if layer.activation != "none" and not OPERATORS[layer.op].activates:
        raise GraphError(
            f"graph: layer {layer.name!r} has activation {layer.activation!r}; {layer.op} has none"
        )


def _pair(values: Iterable[int]) -> tuple[int, int]:
    height, width = (int(value) for value in values)
    return height, width
