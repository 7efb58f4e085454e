"""Elements at constant places: a choice by a constant mask, constants beside an edge, and
overlapping windows of a signal.

PyTorch pads around with such a mask, and parts a signal into patches (`unfold`) with an index of
each element. Both are slices of the same bytes, joined.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from deploy.tflite.parse import Rewritten, StoredOperator
from deploy.tflite.slices import PLAIN

Shape = tuple[int, ...]
PARTS = 64  # at most, of one tensor that is joined
LARGEST = 2**20  # bytes of a tensor that is filled


def masked(model: Rewritten, operator: StoredOperator) -> bool:
    """`SELECT` by a constant that changes along one axis: runs of either input, joined."""
    target = operator.outputs[0]
    shape, (condition, *inputs) = model.shape(target), operator.inputs
    content = model.tensors[condition].content or b""
    if len(inputs) != 2 or not shape or model.tensors[condition].kind != "BOOL":
        return False
    if model.shape(condition) != shape or len(content) != np.prod(shape, dtype=int):
        return False
    mask = np.frombuffer(content, "?").reshape(shape)
    axes = [axis for axis in range(len(shape)) if (mask != mask.take([0], axis)).any()]
    if len(axes) != 1:
        return False
    axis = axes[0]
    line = np.moveaxis(mask, axis, 0).reshape(shape[axis], -1)[:, 0]
    ends = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), shape[axis]]
    if len(ends) > PARTS or not all(_whole(model, index, target) for index in inputs):
        return False
    parts = []
    for first, end in pairwise(ends):
        source = inputs[0] if line[first] else inputs[1]
        size = (*shape[:axis], end - first, *shape[axis + 1 :])
        fill = model.tensors[source].content
        parts.append(model.like(target, size, fill))
        if fill is None:
            model.along(source, parts[-1], axis, first, end)
    model.join(parts, target, axis)
    return True


def _whole(model: Rewritten, index: int, target: int) -> bool:
    """Whether an input is as large as the output, or one constant of the same scale."""
    tensor, like = model.tensors[index], model.tensors[target]
    if tensor.content is None:
        return tensor.shape == like.shape
    alike = np.array_equal(tensor.scales, like.scales)
    return len(tensor.content) == 1 and alike and like.kind == "INT8"


def padded(model: Rewritten, operator: StoredOperator) -> bool:
    """Padding by a value that is not nothing, as in front of a maximum, is a constant beside."""
    if len(operator.inputs) != 3:
        return False
    source, said, value = operator.inputs
    target, numbers = operator.outputs[0], model.numbers(said)
    like, fill = model.tensors[target], model.tensors[value]
    pads = list(zip(numbers[::2], numbers[1::2], strict=False))
    sides = zip(model.shape(source), pads, strict=False)
    if (
        like.kind != "INT8"
        or len(fill.content or b"") != 1
        or len(numbers) != 2 * len(model.shape(source))
        or min(numbers, default=-1) < 0
        or pads[0] != (0, 0)
        or like.shape != tuple(size + sum(pad) for size, pad in sides)
        or prod(like.shape) > LARGEST
        or not (np.array_equal(fill.scales, like.scales))
        or not (np.array_equal(fill.zero_points, like.zero_points))
    ):
        return False
    axes = [axis for axis, pad in enumerate(pads) if any(pad)]
    for axis in axes:
        shape = model.shape(source)

        def part(size: int, shape: Shape = shape, axis: int = axis) -> list[int]:
            sizes = (*shape[:axis], size, *shape[axis + 1 :])
            return [model.like(target, sizes, fill.content)] if size else []

        (before, behind), size = pads[axis], shape[axis]
        whole = (*shape[:axis], before + size + behind, *shape[axis + 1 :])
        joined = target if axis == axes[-1] else model.like(target, whole)
        model.join([*part(before), source, *part(behind)], joined, axis)
        source = joined
    return bool(axes)


def windows(model: Rewritten, operator: StoredOperator) -> bool:
    """`GATHER_ND` of an index of each element: one slice with steps a tap, joined."""
    source, places, target = *operator.inputs[:2], operator.outputs[0]
    shape, wanted = model.shape(source), model.shape(target)
    numbers = np.array(model.numbers(places), np.int64)
    if (
        numbers.size != np.prod(wanted, dtype=int) * len(shape)
        or not len(shape) == len(wanted) - 1
    ):
        return False
    found = tuple(numbers.reshape(-1, len(shape)).T)
    try:
        at = np.ravel_multi_index(found, shape).reshape(wanted)
    except ValueError:  # outside
        return False
    every = np.arange(np.prod(shape)).reshape(shape)
    for axis in reversed(range(1, len(wanted))):
        taps = [
            _slice_of(every, at.take([tap], axis).squeeze(axis))
            for tap in range(min(wanted[axis], PARTS))
        ]
        if wanted[axis] > PARTS or any(tap is None for tap in taps):
            continue
        parts = []
        for tap in taps:
            assert tap is not None
            part = model.like(source, (*wanted[:axis], *wanted[axis + 1 :]))
            said = [model.constant(column) for column in zip(*tap, strict=True)]
            model.put("STRIDED_SLICE", (source, *said), part, **PLAIN)
            parts.append(model.view(part, (*wanted[:axis], 1, *wanted[axis + 1 :])))
        model.join(parts, target, axis)
        return True
    return False


def _slice_of(every: np.ndarray, at: np.ndarray) -> list[tuple[int, int, int]] | None:
    """`(first, end, step)` of each axis, where there are such."""
    places = np.unravel_index(at, every.shape)
    rows = []
    for axis, size in enumerate(at.shape):
        line = np.moveaxis(places[axis], axis, 0).reshape(size, -1)[:, 0]
        first, step = int(line[0]), int(line[1] - line[0]) if size > 1 else 1
        if step < 1:
            return None
        rows.append((first, first + step * (size - 1) + 1, step))
    chosen = every[tuple(slice(*row) for row in rows)]
    return rows if np.array_equal(chosen, at) else None
