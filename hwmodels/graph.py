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

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from math import prod
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from hwmodels.layer import (
    Layer,
    Shape,
    Sides,
    Tensor,
    check_words,
    dense_rows,
    follows,
    products,
    window_padding,
    without_islands,
)
from hwmodels.operators import KINDS, OPERATORS
from ppgnas.errors import GraphError
from ppgnas.parsing import mistake
from ppgnas.task import TASK, Task

__all__ = ["Graph", "Layer", "Shape", "Sides", "Tensor", "dense_rows", "window_padding"]

LARGEST_SIZE = 2**31 - 1  # of the files that a graph is written to
_ALWAYS = ("kernel", "stride", "dilation", "padding", "pads", "activation")
"""Fields that a document holds whatever they are; others only where they are not as usual."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Layers in execution order and the activations between them.

    Attributes:
        layers, tensors: see there.
        input, output: names of tensors.
        also: further outputs, which live to the end as well.
        task: what its input and output mean, of a network that reads heart rates.
        beside: further inputs, as of acceleration beside PPG.

    Raises:
        GraphError: an unknown op, padding or activation, a tensor that is read before it is
            written, a name used twice, or an output shape that does not follow from the inputs.
    """

    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    input: str
    output: str
    also: tuple[str, ...] = ()
    task: Task = TASK
    beside: tuple[str, ...] = ()
    _constants: frozenset[str] = field(init=False, repr=False, compare=False)
    _shapes: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shapes = {tensor.name: tensor.shape for tensor in self.tensors}
        object.__setattr__(self, "_shapes", shapes)
        constants = frozenset(tensor.name for tensor in self.tensors if tensor.constant)
        object.__setattr__(self, "_constants", constants)
        if len(shapes) != len(self.tensors):
            raise GraphError("graph: two tensors have one name; names must be unique")
        written = {*self.inputs, *self.constants}
        before: dict[str, Layer] = {}
        taken = {tensor.name for tensor in self.tensors if not tensor.constant}
        if not {*self.inputs} <= taken or len({*self.inputs}) < len(self.inputs):
            raise GraphError(
                f"graph: the inputs are {', '.join(map(repr, self.inputs))}; allowed: names of "
                "tensors that are no constants, each once"
            )
        for tensor in self.tensors:
            if tensor.kind not in KINDS:
                raise GraphError(
                    f"graph: tensor {tensor.name!r} is of kind {tensor.kind!r}; known kinds: "
                    f"{', '.join(KINDS)}"
                )
        for layer in self.layers:
            check_words(layer)
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
            one = before.get(layer.weights_of) if layer.weights_of else layer
            sized = [known for known in (one, layer) if known and OPERATORS[known.op].weighted]
            if one is None or one.op != layer.op or len({*map(self.weight_shape, sized)}) > 1:
                raise GraphError(
                    f"graph: layer {layer.name!r} has the weights of {layer.weights_of!r}; "
                    "allowed: an earlier layer of the same operator and sizes"
                )
            before[layer.name] = layer
        for name in self.outputs:
            if name not in written - self.constants:
                raise GraphError(f"graph: no layer writes the output {name!r}")
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise GraphError("graph: two layers have one name; names must be unique")

    @staticmethod
    def trusted(
        layers: tuple[Layer, ...],
        tensors: tuple[Tensor, ...],
        input: str,
        output: str,
        task: Task = TASK,
    ) -> Graph:
        """A graph without the checks, which cost as much as lowering; callers' tests make them."""
        graph = object.__new__(Graph)
        put = object.__setattr__
        put(graph, "layers", layers)
        put(graph, "tensors", tensors)
        put(graph, "input", input)
        put(graph, "output", output)
        put(graph, "also", ())
        put(graph, "beside", ())
        put(graph, "task", task)
        put(graph, "_constants", frozenset())
        put(graph, "_shapes", {tensor.name: tensor.shape for tensor in tensors})
        return graph

    def _check_shape(self, layer: Layer) -> None:
        known = OPERATORS[layer.op]
        sources, seen = [self._shapes[name] for name in layer.inputs], self._shapes[layer.output]
        if len(sources) != (known.inputs or max(len(sources), 1)):
            raise GraphError(
                f"graph: layer {layer.name!r} ({layer.op}) has {len(sources)} inputs; "
                f"allowed: {known.inputs or 'one or more'}"
            )
        for shape in (*sources, seen):
            if len(shape) not in known.ranks or min(shape) < 1:
                raise GraphError(
                    f"graph: layer {layer.name!r} ({layer.op}) joins tensors of shapes "
                    f"{[*sources, seen]}; allowed: {' or '.join(map(str, known.ranks))} sizes "
                    "of at least 1"
                )
        expected = follows(layer, sources, seen)
        if isinstance(expected, str):
            raise GraphError(f"graph: layer {layer.name!r} ({layer.op}) cannot have {expected}")
        if seen != expected:
            raise GraphError(
                f"graph: layer {layer.name!r} ({layer.op}) gives shape {expected}, "
                f"but its output {layer.output!r} is declared {seen}"
            )

    @property
    def names(self) -> Collection[str]:
        """Names of the tensors."""
        return self._shapes.keys()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs, the first one first."""
        return (self.input, *self.beside)

    @property
    def window(self) -> tuple[int, ...]:
        """Sizes of a window as integers: the input's, or of several all values in turn."""
        return self._sizes(self.inputs)

    @property
    def answer(self) -> tuple[int, ...]:
        """Sizes of what it gives for a window: the output's, or of several all values in turn."""
        return self._sizes(self.outputs)

    def _sizes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        if len(names) > 1:
            return (sum(prod(self._shapes[name]) for name in names),)
        return self._shapes[names[0]][1:]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all outputs, the first one first."""
        return (self.output, *self.also)

    @property
    def core(self) -> Graph:
        """The int8 network between float or uint8 ends; the graph itself where it has none.

        A float operator between a `dequantize` and a `quantize` maps one int8 value to another: it
        is one layer there.

        Raises:
            GraphError: other operators than `quantize` and `dequantize` stand there.
        """
        other = {tensor.name for tensor in self.tensors if tensor.kind != "int8"}
        if not other:
            return self
        layers = without_islands(self.layers, other, self.outputs)
        inside = other - {name for layer in layers for name in (*layer.inputs, layer.output)}
        other -= inside
        ends = [layer for layer in layers if other & {*layer.inputs, layer.output}]
        swap = {
            layer.inputs[0] if layer.inputs[0] in other else layer.output: layer.output
            if layer.inputs[0] in other
            else layer.inputs[0]
            for layer in ends
        }
        if len(swap) != len(ends) or not other <= {*self.inputs, *self.outputs}:
            raise GraphError(
                f"graph: the tensors {', '.join(sorted(other))} are not int8; allowed: one "
                "quantize or dequantize at each end, and single operators between the two"
            )
        return Graph(
            tuple(layer for layer in layers if layer not in ends),
            tuple(tensor for tensor in self.tensors if tensor.name not in other | inside),
            swap.get(self.input, self.input),
            swap.get(self.output, self.output),
            tuple(swap.get(name, name) for name in self.also),
            self.task,
            tuple(swap.get(name, name) for name in self.beside),
        )

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor by name."""
        return self._shapes[tensor]

    def padding(self, layer: Layer) -> Sides:
        """Padding of a layer with a window, see `window_padding`, or of a `pad` layer.

        Of a transposed convolution what is cut off its output.
        """
        if layer.op == "pad":
            top, bottom, left, right = layer.pads
            return (top, bottom), (left, right)
        source, target = self._shapes[layer.inputs[0]], self._shapes[layer.output]
        if OPERATORS[layer.op].shape == "spread":
            source, target = target, source
        return window_padding(layer, source, target)

    def weight_shape(self, layer: Layer) -> tuple[int, ...]:
        """TFLite weight layout: conv OHWI, depthwise 1HWC, fully connected OI; else empty.

        Of a transposed convolution OHWI, too. Of an lstm `(4 * units, inputs + units)`: the units
        of the input, forget, cell and output gate, each over its inputs and over the outputs
        before.
        """
        source, target = self._shapes[layer.inputs[0]], self._shapes[layer.output]
        if layer.op in ("conv", "transpose_conv"):
            return (target[3], *layer.kernel, source[3] // layer.groups)
        if layer.op == "depthwise_conv":
            return (1, *layer.kernel, target[3])
        if layer.op == "fully_connected":
            return (target[-1], prod(source) // dense_rows(target))
        return (4 * target[-1], source[-1] + target[-1]) if layer.op == "lstm" else ()

    def biases(self, layer: Layer) -> int:
        """Number of biases of a layer with weights."""
        channels = self._shapes[layer.output][-1]
        return 4 * channels if layer.op == "lstm" else channels

    def macs(self, layer: Layer) -> int:
        """Multiply-accumulates of one inference, padded taps counted."""
        if layer.op == "batch_matmul":
            return prod(self._shapes[layer.output]) * products(layer, self.shape(layer.inputs[0]))
        if not OPERATORS[layer.op].weighted:
            return 0
        spread = OPERATORS[layer.op].shape == "spread"
        positions = self._shapes[layer.inputs[0] if spread else layer.output]
        return prod(self.weight_shape(layer)) * dense_rows(positions)

    @property
    def constants(self) -> frozenset[str]:
        """Names of the tensors that are stored with the network."""
        return self._constants

    def weight_bytes(self, layer: Layer) -> int:
        """int8 weights and int32 biases of one layer, or the constants that it joins."""
        if not OPERATORS[layer.op].weighted:
            if len(layer.inputs) == 1:
                return 0
            return sum(prod(self._shapes[name]) for name in self._constants & {*layer.inputs})
        return prod(self.weight_shape(layer)) + 4 * self.biases(layer)

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(self.macs(layer) for layer in self.layers)

    @property
    def total_parameters(self) -> int:
        """Weights and biases of all layers."""
        weighted = [layer for layer in self.layers if OPERATORS[layer.op].weighted]
        return sum(prod(self.weight_shape(layer)) + self.biases(layer) for layer in weighted)

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
            **({"also": self.also} if self.also else {}),
            **({"beside": self.beside} if self.beside else {}),
            **({"task": self.task.changed} if self.task.changed else {}),
            "tensors": [_document(tensor) for tensor in self.tensors],
            "layers": [_document(layer) for layer in self.layers],
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
        version = document.get("version", 1)
        if version != 1:
            raise GraphError(f"graph: the document's version is {version!r:.60}; allowed: 1")
        try:
            read = _DOCUMENT.validate_python(document)
        except ValidationError as error:
            raise GraphError(f"graph: the document is malformed at {mistake(error)}") from error
        for layer in read.layers:
            sizes = (*layer.kernel, *layer.stride, *layer.dilation, layer.groups, layer.block)
            pads = (*layer.pads, *layer.channel_pads)
            if min(sizes) < 1 or max(*sizes, *pads) > LARGEST_SIZE or min(pads) < 0:
                raise GraphError(
                    f"graph: layer {layer.name!r} has kernel {layer.kernel}, stride "
                    f"{layer.stride}, dilation {layer.dilation}, groups {layer.groups}, pads "
                    f"{pads}, block {layer.block}; allowed: 1 to {LARGEST_SIZE}, pads from 0"
                )
        for tensor in read.tensors:
            if not 1 <= min(tensor.shape, default=1) <= prod(tensor.shape) <= LARGEST_SIZE:
                raise GraphError(
                    f"graph: tensor {tensor.name!r} has shape {tensor.shape}; allowed: sizes from "
                    f"1, up to {LARGEST_SIZE} elements"
                )
        own = (read.layers, read.tensors, read.input, read.output, read.also, read.task)
        return Graph(*own, read.beside)


def _document(part: Tensor | Layer) -> dict[str, Any]:
    usual = {each.name: each.default for each in fields(part)}
    items = asdict(part).items()
    return {key: value for key, value in items if key in _ALWAYS or value != usual[key]}


# A key that nobody reads would be a network that nobody meant.
@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class _Document:
    format: str
    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    input: str
    output: str
    version: int = 1
    also: tuple[str, ...] = ()
    task: Task = TASK
    beside: tuple[str, ...] = ()


_DOCUMENT = TypeAdapter(_Document)
