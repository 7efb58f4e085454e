"""What a `.tflite` file says, as plain values: tensors, operators and their options.

The content is not trusted. `deploy.tflite.bounds` looks first whether all of it lies in the file,
so that a damaged one ends in one message and never in a long loop, or in LiteRT. Nothing is
interpreted here; `deploy.tflite.reader` makes a graph of it.

Reference: tensorflow/compiler/mlir/lite/schema/schema.fbs (version 3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import runtime as tflite_runtime
from deploy.tflite.bounds import check_bounds
from deploy.tflite.slices import PLAIN
from hwmodels.operators import OPERATORS, TFLITE_OPS
from ppgnas.errors import GraphError
from ppgnas.task import TASK, Task

IDENTIFIER = b"TFL3"
PROGRAM = "ppgnas"
"""How the description of a file begins that this program wrote; its task follows."""
_CUSTOM = 32
_OWN_OPTIONS = ("WeightsFormat", "Axis", "Alpha", "BeginMask", "EndMask", "EllipsisMask",
                "NewAxisMask", "ShrinkAxisMask", "AlignCorners", "HalfPixelCenters",
                "BlockSize", "BatchDims", "Approximate", "CellClip", "ProjClip",
                "TimeMajor", "AdjX", "AdjY", "Mode")  # fmt: skip
"""Numbers that one operator has; pairs of several stand in `hwmodels.operators`."""
_MOVING = {"PACK": "PackOptions", "UNPACK": "UnpackOptions", "GATHER": "GatherOptions",
           "MIRROR_PAD": "MirrorPadOptions"}  # fmt: skip
"""Options of operators that `deploy.tflite.forms.moved` rewrites."""
# What reading a table of flatbuffers beyond its end, or a code that nobody knows, may raise.
_DAMAGED = (struct.error, LookupError, TypeError, ValueError, OverflowError, AttributeError)
_PLACEHOLDER = 127  # in the old one-byte field: the code stands in the newer field


@dataclass(frozen=True)
class StoredTensor:
    """One tensor.

    Attributes:
        name: as stored; may be empty or shared.
        shape: sizes; empty for a scalar.
        kind: name of its type: `INT8`, `FLOAT32`, ...
        scales, zero_points: `(channels,)` or `(1,)`, empty where it has none.
        content: bytes of a constant; None for an activation.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    content: bytes | None


@dataclass(frozen=True)
class StoredOperator:
    """One operator.

    Attributes:
        inputs, outputs: indices of tensors; -1 where one is left out.
        options: numbers of its table of options, by the schema's names.
        words: names among them: `Padding` and `FusedActivationFunction`.
        between: tensors of scales alone, which an LSTM has.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    between: tuple[int, ...] = ()


@dataclass(frozen=True)
class StoredModel:
    """The only subgraph of a file, and the task that it says it has."""

    tensors: tuple[StoredTensor, ...]
    operators: tuple[StoredOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    task: Task = TASK


class Rewritten:
    """A model that is written anew, operator by operator."""

    def __init__(self, tensors: Sequence[StoredTensor]) -> None:
        self.tensors = list(tensors)
        self.operators: list[StoredOperator] = []

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape

    def numbers(self, index: int) -> list[int]:
        """A constant of whole numbers, flat; empty where it is none."""
        tensor = self.tensors[index]
        kinds = {"INT32": "<i4", "INT64": "<i8"}
        content = tensor.content or b""
        if tensor.kind not in kinds or len(content) % np.dtype(kinds[tensor.kind]).itemsize:
            return []
        return [int(number) for number in np.frombuffer(content, kinds[tensor.kind])]

    def axis(self, index: int, rank: int) -> int | None:
        """A constant axis, from 0; None where it is no axis."""
        found = self.numbers(index)
        if len(found) != 1 or not -rank <= found[0] < rank:
            return None
        return found[0] % rank

    def like(self, index: int, shape: tuple[int, ...], fill: bytes | None = None) -> int:
        """A new tensor of the same scale; a constant of one value if there is a `fill`."""
        tensor = self.tensors[index]
        name = f"{tensor.name}/part{len(self.tensors)}"
        content = None if fill is None else fill * prod(shape)
        self.tensors.append(replace(tensor, name=name, shape=shape, content=content))
        return len(self.tensors) - 1

    def constant(self, values: Sequence[int]) -> int:
        array = np.array(values, "<i4")
        none = np.empty(0, np.float32), np.empty(0, np.int64)
        self.tensors.append(StoredTensor("", array.shape, "INT32", *none, array.tobytes()))
        return len(self.tensors) - 1

    def put(self, name: str, inputs: Sequence[int], target: int, **options: float) -> None:
        self.operators.append(StoredOperator(name, tuple(inputs), (target,), options))

    def slice(self, source: int, target: int, rows: Sequence[tuple[int, int]]) -> None:
        """Some rows `(first, end)` of each axis."""
        ones = [1] * len(rows)
        columns = [self.constant(column) for column in (*zip(*rows, strict=True), ones)]
        self.put("STRIDED_SLICE", (source, *columns), target, **PLAIN)

    def along(self, source: int, target: int, axis: int, first: int, end: int) -> None:
        """Some rows of one axis."""
        rows = [(0, size) for size in self.shape(source)]
        rows[axis] = first, end
        self.slice(source, target, rows)

    def view(self, source: int, shape: tuple[int, ...]) -> int:
        target = self.like(source, shape)
        self.put("RESHAPE", (source,), target)
        return target

    def join(self, parts: Sequence[int], target: int, axis: int) -> None:
        words = {"FusedActivationFunction": "NONE"}
        self.operators.append(
            StoredOperator("CONCATENATION", tuple(parts), (target,), {"Axis": axis}, words)
        )


def parse(content: bytes, *, name: str) -> StoredModel:
    """Read a file.

    Raises:
        GraphError: it is no TFLite file, is damaged, or holds more than one subgraph.
        DependencyError: no package with the TFLite schema is installed.
    """
    if content[4:8] != IDENTIFIER:
        raise GraphError(
            f"{name} is no TFLite file: bytes 4 to 8 are {content[4:8]!r} and must be "
            f"{IDENTIFIER!r}; pass a .tflite file that a converter or ppgnas wrote"
        )
    schema = tflite_runtime.schema()
    try:
        check_bounds(content)
        return _Parser(schema, content).model(name)
    except _DAMAGED as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError(
            f"{name} is damaged or cut short ({len(content)} bytes, {type(error).__name__}: "
            f"{error}); copy or export it again"
        ) from error


class _Parser:
    def __init__(self, schema: ModuleType, content: bytes) -> None:
        self._s = schema
        self._content = content
        self._kinds = _names(schema.TensorType)
        self._builtins = _names(schema.BuiltinOperator)
        self._words = {
            "Padding": _names(schema.Padding),
            "FusedActivationFunction": _names(schema.ActivationFunctionType),
        }

    def model(self, name: str) -> StoredModel:
        model = self._s.Model.GetRootAs(self._content, 0)
        if model.Version() != 3:
            raise GraphError(
                f"{name} has schema version {model.Version()}; this ppgnas reads version 3: "
                "convert the model with a current converter"
            )
        graphs = model.SubgraphsLength()
        if graphs != 1:
            raise GraphError(
                f"{name} holds {graphs} subgraphs; one is allowed: control flow and several "
                "signatures cannot be costed. Convert one signature alone"
            )
        codes = [
            self._code(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())
        ]
        graph = model.Subgraphs(0)
        tensors = tuple(
            self._tensor(model, graph.Tensors(index)) for index in range(graph.TensorsLength())
        )
        operators = tuple(
            self._operator(codes, graph.Operators(index))
            for index in range(graph.OperatorsLength())
        )
        program, _, words = _text(model.Description()).partition(" ")
        stored = StoredModel(
            tensors,
            operators,
            self._integers(graph, "Inputs"),
            self._integers(graph, "Outputs"),
            Task.of_words(words) if program == PROGRAM else TASK,
        )
        self._check_indices(stored)
        return stored

    def _integers(self, owner: Any, what: str) -> tuple[int, ...]:
        there = getattr(owner, f"{what}Length")()
        return tuple(int(n) for n in getattr(owner, f"{what}AsNumpy")()) if there else ()

    def _code(self, code: Any) -> str:
        builtin = code.BuiltinCode()
        if code.DeprecatedBuiltinCode() < _PLACEHOLDER:
            builtin = max(builtin, code.DeprecatedBuiltinCode())
        if builtin == _CUSTOM:
            return f"custom {_text(code.CustomCode())}"
        return self._builtins.get(builtin, f"operator code {builtin}")

    def _tensor(self, model: Any, tensor: Any) -> StoredTensor:
        quantization = tensor.Quantization()
        scales, points = np.empty(0, np.float32), np.empty(0, np.int64)
        if quantization is not None:
            if quantization.ScaleLength():
                scales = np.array(quantization.ScaleAsNumpy(), np.float32)
            if quantization.ZeroPointLength():
                points = np.array(quantization.ZeroPointAsNumpy(), np.int64)
        index = tensor.Buffer()
        if not 0 <= index < model.BuffersLength():
            raise ValueError(f"buffer {index} of {model.BuffersLength()}")
        buffer = model.Buffers(index)
        content = None
        if index and buffer.DataLength():
            content = bytes(buffer.DataAsNumpy())
        return StoredTensor(
            _text(tensor.Name()),
            self._integers(tensor, "Shape"),
            self._kinds.get(tensor.Type(), f"type {tensor.Type()}"),
            scales,
            points,
            content,
        )

    def _operator(self, codes: list[str], operator: Any) -> StoredOperator:
        name = codes[operator.OpcodeIndex()]
        values, words = {}, {}
        known = OPERATORS[TFLITE_OPS[name]] if name in TFLITE_OPS else None
        table = known.options if known is not None else _MOVING.get(name, "")
        if table:
            options = getattr(self._s, table)()
            # Without a table every field has the schema's default, which an empty one gives.
            stored = operator.BuiltinOptions() or self._empty_table()
            options.Init(stored.Bytes, stored.Pos)
            pairs = () if known is None else known.pairs
            read = [field for _, *pair in pairs for field in pair]
            read += [key for key in _OWN_OPTIONS if hasattr(options, key)]
            values = {key: getattr(options, key)() for key in read}
            for key, meaning in self._words.items():
                if hasattr(options, key):
                    code = int(getattr(options, key)())
                    words[key] = meaning.get(code, f"code {code}")
        return StoredOperator(
            name,
            self._integers(operator, "Inputs"),
            self._integers(operator, "Outputs"),
            values,
            words,
            self._integers(operator, "Intermediates"),
        )

    @staticmethod
    def _empty_table() -> Any:
        import flatbuffers  # type: ignore[import-untyped]

        builder = flatbuffers.Builder(16)
        builder.StartObject(0)
        builder.Finish(builder.EndObject())
        content = bytes(builder.Output())
        return flatbuffers.table.Table(content, struct.unpack_from("<I", content)[0])

    @staticmethod
    def _check_indices(stored: StoredModel) -> None:
        known = range(-1, len(stored.tensors))
        used = [*stored.inputs, *stored.outputs]
        for operator in stored.operators:
            if operator.name in TFLITE_OPS and not (operator.inputs and operator.outputs):
                raise ValueError(f"{operator.name} without inputs or without outputs")
            used += [*operator.inputs, *operator.outputs, *operator.between]
        for index in used:
            if index not in known:
                raise ValueError(f"tensor {index} of {len(stored.tensors)}")


def _names(enumeration: type) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if name.isupper()}


def _text(stored: bytes | None) -> str:
    """A stored name that is safe to print."""
    line = (stored or b"").decode("utf-8", errors="replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
