"""Operators that read constants alone, as their results: indices of reflected padding, weights of
an interpolation, first states of recurrent layers. Interpreters compute them anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import slices
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor

Values = NDArray[Any]
_TYPES = {"INT8": "i1", "INT32": "<i4", "INT64": "<i8", "FLOAT32": "<f4", "BOOL": "?"}
_LARGEST = 2**20  # elements
_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "BROADCAST_TO", "TRANSPOSE", "FILL",
                    "STRIDED_SLICE", "CONCATENATION"})  # fmt: skip
_MAPS: dict[str, Callable[..., Values]] = {
    "ABS": np.abs,
    "NEG": np.negative,
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "EQUAL": np.equal,
    "LOGICAL_AND": np.logical_and,
    "SELECT": np.where,
    "SELECT_V2": np.where,
    "CAST": np.asarray,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU_0_TO_1": lambda x: np.clip(x, 0, 1),
}
"""Of whole numbers, truth values and floats; a fused activation is asked for before."""


def with_constants(stored: StoredModel) -> StoredModel:
    """The model with such results; operators that are not known here stay."""
    tensors, operators = list(stored.tensors), []
    kept = {*stored.inputs, *stored.outputs}
    for operator in stored.operators:
        target = operator.outputs[0] if len(operator.outputs) == 1 else -1
        found = None
        if target >= 0 and target not in kept and min(operator.inputs, default=-2) >= -1:
            found = _result(tensors, operator, tensors[target])
        if found is None:
            operators.append(operator)
        else:
            tensors[target] = replace(tensors[target], content=found.tobytes())
    if len(operators) == len(stored.operators):
        return stored
    return replace(stored, tensors=tuple(tensors), operators=tuple(operators))


def _result(
    tensors: list[StoredTensor], operator: StoredOperator, target: StoredTensor
) -> Values | None:
    """What it gives; None where that is no constant, or nobody here knows it."""
    inputs = [tensors[index] for index in operator.inputs if index >= 0]
    # How large a FILL is its output says, as its sizes may be computed of an open batch.
    read = inputs[1:] if operator.name == "FILL" else inputs
    size = prod(target.shape)
    if target.kind not in _TYPES or not read or size > _LARGEST:
        return None
    if any(tensor.content is None for tensor in read):
        return None
    values = [_values(tensor) for tensor in read]
    if any(value is None for value in values):
        return None
    try:
        with np.errstate(all="ignore"):
            found = _computed(operator, inputs, values, target)
    except (ValueError, IndexError):  # sizes that do not fit
        return None
    if found is None or found.size != size:
        return None
    return found.astype(_TYPES[target.kind])


def _values(tensor: StoredTensor) -> Values | None:
    if tensor.kind not in _TYPES:
        return None
    values = np.frombuffer(tensor.content or b"", np.uint8)
    if values.size != prod(tensor.shape) * np.dtype(_TYPES[tensor.kind]).itemsize:
        return None
    return values.view(_TYPES[tensor.kind]).reshape(tensor.shape)


def _computed(
    operator: StoredOperator, inputs: list[StoredTensor], values: list[Any], target: StoredTensor
) -> Values | None:
    name = operator.name
    if name in _MOVES:
        return _moved(operator, values, target.shape)
    if name == "PAD" and len(values) == 2:
        fill = target.zero_points[0] if len(target.zero_points) else 0
        return np.pad(values[0], values[1].tolist(), constant_values=fill)
    if name == "QUANTIZE" and inputs[0].kind == "FLOAT32" and len(target.scales) == 1:
        steps = values[0] / target.scales[0]
        away = np.trunc(steps + np.copysign(np.float32(0.5), steps))
        stored: Values = np.clip(away + target.zero_points[0], -128, 127)
        return stored
    if name == "FULLY_CONNECTED":  # of nothing, as a first state has it, nothing
        nothing = len(inputs) == 2 and len(inputs[0].zero_points) == 1
        nothing = nothing and (values[0] == inputs[0].zero_points[0]).all()
        return np.full(target.shape, target.zero_points[0]) if nothing else None
    fused = operator.words.get("FusedActivationFunction", "NONE")
    in_int8 = "INT8" in {target.kind, *(tensor.kind for tensor in inputs)}
    if name not in _MAPS or fused != "NONE" or in_int8:
        return None
    return np.broadcast_to(_MAPS[name](*values), target.shape)


def _moved(operator: StoredOperator, values: list[Any], shape: tuple[int, ...]) -> Values | None:
    """What moves values alone, of any kind."""
    first = values[0]
    if operator.name == "CONCATENATION":
        return np.concatenate(values, axis=int(operator.options["Axis"]))
    if operator.name in ("FILL", "BROADCAST_TO"):
        return np.broadcast_to(first, shape)
    if operator.name == "TRANSPOSE":
        return first.transpose(values[1].tolist())  # type: ignore[no-any-return]
    if operator.name == "STRIDED_SLICE":
        rows = slices.rows(operator.options, [v.tolist() for v in values[1:]], first.shape)
        if isinstance(rows, str):
            return None
        return first[tuple(slice(a, b if b >= 0 else None, by) for a, b, by in rows)]  # type: ignore[no-any-return]
    return first.reshape(shape)  # type: ignore[no-any-return]
