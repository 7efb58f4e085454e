"""`SPLIT` and `SPLIT_V` as slices, one for each of their outputs: the same bytes.

A slice a part is what they cost; the interpreter dispatches once where slices are several.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor

_NO_MASKS = dict.fromkeys(
    ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"), 0.0
)


def with_slices(stored: StoredModel) -> StoredModel:
    """The model with slices in their place; one whose parts do not fit stays, and is refused."""
    tensors = list(stored.tensors)
    operators = [slice_ for operator in stored.operators for slice_ in _slices(operator, tensors)]
    return replace(stored, tensors=tuple(tensors), operators=tuple(operators))


def _slices(operator: StoredOperator, tensors: list[StoredTensor]) -> list[StoredOperator]:
    """The operator, or what stands for it; constants go behind the tensors."""
    places = {"SPLIT": (2, 1, 0), "SPLIT_V": (3, 0, 2)}.get(operator.name)
    if (
        places is None
        or len(operator.inputs) != places[0]
        or min(operator.outputs, default=-1) < 0
    ):
        return [operator]
    source, axis_of = operator.inputs[places[1]], tensors[operator.inputs[places[2]]]
    shape, content = tensors[source].shape, axis_of.content or b""
    if source < 0 or axis_of.kind != "INT32" or len(content) != 4:
        return [operator]
    axis = int.from_bytes(content, "little", signed=True)
    if not -len(shape) <= axis < len(shape):
        return [operator]
    axis %= len(shape)
    sizes = [tensors[index].shape[axis : axis + 1] for index in operator.outputs]
    ends = np.cumsum([size[0] if size else 0 for size in sizes])
    if ends[-1] != shape[axis]:
        return [operator]
    slices = []
    for target, end in zip(operator.outputs, ends.tolist(), strict=True):
        first, last = [0] * len(shape), list(shape)
        first[axis], last[axis] = end - tensors[target].shape[axis], end
        inputs = [source]
        for row in (first, last, [1] * len(shape)):
            array = np.array(row, "<i4")
            none = np.empty(0, np.float32), np.empty(0, np.int64)
            tensors.append(StoredTensor("", array.shape, "INT32", *none, array.tobytes()))
            inputs.append(len(tensors) - 1)
        slices.append(StoredOperator("STRIDED_SLICE", tuple(inputs), (target,), dict(_NO_MASKS)))
    return slices
