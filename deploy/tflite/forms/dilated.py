"""Dilated layers of a file whose batch is open: `SPACE_TO_BATCH_ND`, layer, `BATCH_TO_SPACE_ND`.

So the converter stores a dilated `Conv1D` unless the batch is fixed and the layer alone reads its
steps; the two of a gate, as WaveNet has it, share them. The steps `(1, time,
channels)` become d sequences of every d-th step, one a row of the batch, and a plain layer runs
over each. In the graph a batch is one, so the sequences stand in the place of the height, `(1, d,
time / d, channels)`: the same bytes, the same integers. Both operators are a view and a transposed
copy, which is what they cost; where d does not divide the steps, one pads and the other cuts.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor
from deploy.tflite.slices import PLAIN

_APART, _BACK = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"


def with_views(stored: StoredModel) -> StoredModel:
    """The model with views and transposes in their place; others of the two stay, and are refused.

    Args:
        stored: as the file says; an open batch counts as one.
    """
    if not any(operator.name == _APART for operator in stored.operators):
        return stored
    return _Rewritten(stored).model()


class _Rewritten:
    def __init__(self, stored: StoredModel) -> None:
        self._stored = stored
        self._tensors = list(stored.tensors)
        self._operators: list[StoredOperator] = []
        self._parts: dict[int, int] = {}  # how many sequences a tensor holds

    def model(self) -> StoredModel:
        for operator in self._stored.operators:
            block, ends = self._block(operator)
            source, target = (operator.inputs or (-1,))[0], (operator.outputs or (-1,))[0]
            if block and operator.name == _APART:
                self._apart(source, target, block, ends)
            elif block and self._parts.get(source) == block:
                self._back(source, target, ends)
            else:
                self._operators.append(operator)
                self._follow(source, target)
        tensors, operators = tuple(self._tensors), tuple(self._operators)
        return replace(self._stored, tensors=tensors, operators=operators)

    def _block(self, operator: StoredOperator) -> tuple[int, tuple[int, int]]:
        """Into how many sequences it parts the steps, and steps that are added or cut."""
        if operator.name not in (_APART, _BACK) or len(operator.inputs) != 3:
            return 0, (0, 0)
        source, *said = (self._stored.tensors[index] for index in operator.inputs)
        if len(source.shape) not in (3, 4) or {one.kind for one in said} != {"INT32"}:
            return 0, (0, 0)
        block, ends = (np.frombuffer(one.content or b"", "<i4").tolist() for one in said)
        rows = len(source.shape) - 3  # of sequences with a height, which is 1 and stays it
        if len(block) != 1 + rows or len(ends) != 2 * len(block) or min(ends) < 0:
            return 0, (0, 0)
        if block[:-1] != [1] * rows or any(ends[:-2]) or block[-1] < 2:
            return 0, (0, 0)
        if operator.name == _APART and prod(source.shape[:-2]) != 1:
            return 0, (0, 0)
        if operator.name == _APART and (source.shape[-2] + sum(ends)) % block[-1]:
            return 0, (0, 0)
        return block[-1], (ends[-2], ends[-1])

    def _apart(self, source: int, target: int, block: int, pads: tuple[int, int]) -> None:
        like = self._tensors[source]
        time, channels = like.shape[-2] + sum(pads), like.shape[-1]
        if any(pads):
            wide = self._like(like, "pad", (*like.shape[:-2], time, channels))
            paddings = self._constant([[0, 0]] * (len(like.shape) - 2) + [pads, [0, 0]])
            self._operators.append(StoredOperator("PAD", (source, paddings), (wide,)))
            source = wide
        view = self._like(like, "view", (1, time // block, block, channels))
        self._operators.append(StoredOperator("RESHAPE", (source,), (view,)))
        self._operators.append(self._swap(view, target))
        self._tensors[target] = replace(
            self._tensors[target], shape=(1, block, time // block, channels)
        )
        self._parts[target] = block

    def _back(self, source: int, target: int, cut: tuple[int, int]) -> None:
        like = self._tensors[source]
        _, block, time, channels = like.shape
        view = self._like(like, "view", (1, time, block, channels))
        self._operators.append(self._swap(source, view))
        shape = (*self._tensors[target].shape[:-2], time * block, channels)
        whole = self._like(like, "whole", shape) if any(cut) else target
        self._operators.append(StoredOperator("RESHAPE", (view,), (whole,)))
        if any(cut):
            first, end = cut[0], time * block - cut[1]
            front = len(shape) - 2
            rows = [[0] * front + [first, 0], [1] * front + [end, channels], [1] * len(shape)]
            inputs = (whole, *(self._constant(row) for row in rows))
            self._operators.append(StoredOperator("STRIDED_SLICE", inputs, (target,), dict(PLAIN)))

    def _follow(self, source: int, target: int) -> None:
        """The sequences of what a layer reads are those of what it writes."""
        shape = self._tensors[target].shape if target >= 0 else ()
        parts = self._parts.get(source, 0)
        if parts and len(shape) in (3, 4) and prod(shape[:-2]) in (1, parts):
            self._parts[target] = parts
            self._tensors[target] = replace(self._tensors[target], shape=(1, parts, *shape[-2:]))

    def _swap(self, source: int, target: int) -> StoredOperator:
        """A transposed copy of the two sizes in the middle."""
        return StoredOperator("TRANSPOSE", (source, self._constant([0, 2, 1, 3])), (target,))

    def _like(self, like: StoredTensor, what: str, shape: tuple[int, ...]) -> int:
        self._tensors.append(replace(like, name=f"{like.name}/{what}", shape=shape, content=None))
        return len(self._tensors) - 1

    def _constant(self, values: object) -> int:
        array = np.array(values, "<i4")
        scales, points = np.empty(0, np.float32), np.empty(0, np.int64)
        self._tensors.append(
            StoredTensor("", array.shape, "INT32", scales, points, array.tobytes())
        )
        return len(self._tensors) - 1
