"""`SELECT` by a comparison with a constant, as `where(x > 0, ...)` and ELU of PyTorch have it.

The comparison, in int8 or behind a `DEQUANTIZE`, says of each of 256 stored values which input is
taken; it rises or falls once, so the two operators are one with a threshold among stored values.
Where a `CAST` makes a number of it, the choice is between 1 and 0.

Reference: tensorflow/lite/kernels/internal/reference/comparisons.h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.integers import fixed_point
from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator, StoredTensor
from hwmodels.operators import OPERATORS

_COMPARED: dict[str, Callable[[Any, Any], NDArray[np.bool_]]] = {
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
}
_LEFT_SHIFT = 8  # headroom that TFLite gives compared int8 values


def with_choices(stored: StoredModel) -> StoredModel:
    """The model with such pairs as one `SELECT` of the compared tensor and both inputs."""
    writers = {o.outputs[0]: o for o in stored.operators if len(o.outputs) == 1}
    model = Rewritten(stored.tensors)
    for operator in stored.operators:
        selects = operator.name in OPERATORS["select"].tflite and len(operator.inputs) == 3
        casts = operator.name == "CAST" and len(operator.inputs) == len(operator.outputs) == 1
        casts = casts and stored.tensors[operator.outputs[0]].kind == "FLOAT32"
        compared = writers.get(operator.inputs[0]) if selects or casts else None
        found = _choice(stored, compared, writers)
        if found is None:
            model.operators.append(operator)
        elif casts:
            _number(model, operator.outputs[0], *found)
        else:
            source, threshold, rises = found
            inputs = (source, *(operator.inputs[1:] if rises else operator.inputs[:0:-1]))
            options: dict[str, float] = {"Threshold": threshold}
            model.operators.append(replace(operator, inputs=inputs, options=options))
    operators = model.operators
    if operators == [*stored.operators]:
        return stored
    for names in (_COMPARED, ("DEQUANTIZE",)):  # that nobody reads any more
        read = {*stored.outputs, *(index for one in operators for index in one.inputs)}
        operators = [one for one in operators if one.name not in names or read & {*one.outputs}]
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(operators))


def _number(model: Rewritten, target: int, source: int, threshold: int, rises: bool) -> None:
    """1 where a comparison holds and else 0: a choice in int8, and its values in float."""
    chosen = model.like(target, model.shape(target))
    scale, point = np.ones(1, np.float32), np.zeros(1, np.int64)
    model.tensors[chosen] = replace(
        model.tensors[chosen], kind="INT8", scales=scale, zero_points=point
    )
    sides = [model.like(chosen, (1,), bytes([value])) for value in (rises, not rises)]
    model.put("SELECT_V2", (source, *sides), chosen, Threshold=threshold)
    model.put("DEQUANTIZE", (chosen,), target)


def _choice(
    stored: StoredModel, compared: StoredOperator | None, writers: dict[int, StoredOperator]
) -> tuple[int, int, bool] | None:
    """The int8 tensor that is compared with a constant, the stored value from which on the answer
    is another one, and whether it is yes from there on; None where it is anything else."""
    if compared is None or compared.name not in _COMPARED or len(compared.inputs) != 2:
        return None
    sides, source = [], -1
    for index in compared.inputs:
        tensor, before = stored.tensors[index], writers.get(index)
        if tensor.content is not None:
            sides.append(_constant(tensor))
            continue
        in_float = tensor.kind == "FLOAT32" and before is not None
        if in_float and before is not None and before.name == "DEQUANTIZE":
            tensor = stored.tensors[before.inputs[0]]
            index = before.inputs[0]
        if not _of_one_scale(tensor) or source >= 0:
            return None
        source = index
        sides.append(_compared(tensor, np.arange(-128, 128), in_float=in_float))
    if source < 0 or any(side is None for side in sides):
        return None
    taken = np.broadcast_to(_COMPARED[compared.name](*sides), (256,))
    rises = bool(taken[-1] or not taken[0])
    return source, 128 - int((taken if rises else ~taken).sum()), rises


def _constant(tensor: StoredTensor) -> Any:
    """What a value is compared with; None where it is not one number."""
    content = tensor.content or b""
    if tensor.kind == "FLOAT32" and len(content) == 4:
        return np.frombuffer(content, "<f4")[0]
    if len(content) == 1 and _of_one_scale(tensor):
        return _compared(tensor, np.frombuffer(content, np.int8).astype(np.int64), in_float=False)
    return None


def _of_one_scale(tensor: StoredTensor) -> bool:
    finite = [*np.isfinite(tensor.scales)] == [True]
    return tensor.kind == "INT8" and finite and len(tensor.zero_points) == 1


def _compared(tensor: StoredTensor, values: NDArray[np.int64], *, in_float: bool) -> NDArray[Any]:
    """Stored values as the comparison sees them."""
    centred = values - int(tensor.zero_points[0])
    if in_float:
        return centred * np.float32(tensor.scales[0])
    by = fixed_point.quantize_multiplier(float(tensor.scales[0]))
    return fixed_point.multiply(centred << _LEFT_SHIFT, by)
