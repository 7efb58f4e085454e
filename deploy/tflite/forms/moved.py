"""Operators that move bytes alone, as those that the graph has: the same bytes.

`SPLIT`, `SPLIT_V`, `UNPACK`, `SLICE` and `REVERSE_V2` are slices, one for each output; `TILE`,
`PACK` and `GATHER` of constant places are joined parts; a `TRANSPOSE` of more than four axes has
fewer where neighbours stay together. `MEAN`, `SUM`, `REDUCE_MAX` and `REDUCE_MIN` over other axes
than those in front of the channels, as layers that normalise have them, run over a transposed
copy: the same. That is what they cost; an interpreter dispatches once where slices are several,
and makes no such copy. What does not fit stays, and is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from deploy.tflite.forms.places import LARGEST, PARTS, masked, padded, windows
from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator
from deploy.tflite.slices import PLAIN


def with_moves(stored: StoredModel) -> StoredModel:
    """The model with slices, joined parts and smaller transposes in their place."""
    if {operator.name for operator in stored.operators}.isdisjoint(_MAKERS):
        return stored
    rewritten = Rewritten(stored.tensors)
    for operator in stored.operators:
        make = _MAKERS.get(operator.name)
        if (
            make is None
            or min(operator.inputs, default=-1) < 0
            or min(operator.outputs, default=-1) < 0
            or any(rewritten.tensors[i].kind == "FLOAT32" for i in operator.inputs)
            or not make(rewritten, operator)
        ):
            rewritten.operators.append(operator)
    return replace(stored, tensors=tuple(rewritten.tensors), operators=tuple(rewritten.operators))


def _split(model: Rewritten, operator: StoredOperator) -> bool:
    """`SPLIT` and `SPLIT_V`."""
    count, value, place = (2, 1, 0) if operator.name == "SPLIT" else (3, 0, 2)
    if len(operator.inputs) != count:
        return False
    source = operator.inputs[value]
    shape = model.shape(source)
    axis = model.axis(operator.inputs[place], len(shape)) if shape else None
    if axis is None:
        return False
    sizes = [model.shape(index)[axis : axis + 1] for index in operator.outputs]
    ends = np.cumsum([size[0] if size else 0 for size in sizes]).tolist()
    if not ends or ends[-1] != shape[axis]:
        return False
    for target, (first, end) in zip(operator.outputs, pairwise([0, *ends]), strict=True):
        model.along(source, target, axis, first, end)
    return True


def _unpack(model: Rewritten, operator: StoredOperator) -> bool:
    """A slice and a change of view for each output."""
    source, shape = operator.inputs[0], model.shape(operator.inputs[0])
    axis = int(operator.options["Axis"])
    if len(operator.inputs) != 1 or not -len(shape) <= axis < len(shape):
        return False
    if shape[axis] != len(operator.outputs):
        return False
    axis %= len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    for index, target in enumerate(operator.outputs):
        part = model.like(source, one)
        model.along(source, part, axis, index, index + 1)
        model.put("RESHAPE", (part,), target)
    return True


def _pack(model: Rewritten, operator: StoredOperator) -> bool:
    """A change of view for each input, and what joins them."""
    shape = model.shape(operator.outputs[0])
    axis = int(operator.options["Axis"])
    if not -len(shape) <= axis < len(shape) or len(operator.inputs) > PARTS:
        return False
    axis %= len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    if any(model.tensors[index].content is not None for index in operator.inputs):
        return False
    parts = [model.view(index, one) for index in operator.inputs]
    model.join(parts, operator.outputs[0], axis)
    return True


def _rows(model: Rewritten, operator: StoredOperator) -> bool:
    """Vectors that become rows, as last states of stacked layers do: a batch of one each."""
    shapes = [model.shape(index) for index in operator.inputs]
    if {len(shape) for shape in shapes} != {2} or operator.options["Axis"] not in (0, -2):
        return False
    pairs = zip(operator.inputs, shapes, strict=True)
    parts = [model.view(index, (1, 1, *shape)) for index, shape in pairs]
    model.join(parts, operator.outputs[0], 2)
    return True


def _slice(model: Rewritten, operator: StoredOperator) -> bool:
    """First rows and sizes, where -1 is all that is left."""
    if len(operator.inputs) != 3:
        return False
    source, *said = operator.inputs
    firsts, sizes = map(model.numbers, said)
    shape = model.shape(source)
    if not len(firsts) == len(sizes) == len(shape):
        return False
    ends = (
        whole if size < 0 else first + size
        for whole, first, size in zip(shape, firsts, sizes, strict=True)
    )
    model.slice(source, operator.outputs[0], list(zip(firsts, ends, strict=True)))
    return True


def _reverse(model: Rewritten, operator: StoredOperator) -> bool:
    """A slice with steps back."""
    source, shape = operator.inputs[0], model.shape(operator.inputs[0])
    axes = model.numbers(operator.inputs[-1])
    if not axes or not -len(shape) <= min(axes) <= max(axes) < len(shape):
        return False
    turned = {axis % len(shape) for axis in axes}
    firsts = [size - 1 if axis in turned else 0 for axis, size in enumerate(shape)]
    steps = [-1 if axis in turned else 1 for axis in range(len(shape))]
    said = [model.constant(numbers) for numbers in (firsts, shape, steps)]
    masks = PLAIN | {"EndMask": float((1 << len(shape)) - 1)}
    model.put("STRIDED_SLICE", (source, *said), operator.outputs[0], **masks)
    return True


def _mirrored(model: Rewritten, operator: StoredOperator) -> bool:
    """Padding by what lies beside the edge, one axis after the other."""
    source, target = operator.inputs[0], operator.outputs[0]
    numbers, shape = model.numbers(operator.inputs[-1]), model.shape(source)
    pads = list(zip(numbers[::2], numbers[1::2], strict=False))
    axes = [axis for axis, pad in enumerate(pads) if any(pad)]
    if not axes or len(numbers) != 2 * len(shape) or min(numbers) < 0:
        return False
    if any(max(pads[axis]) >= shape[axis] for axis in axes):
        return False
    mode: Any = "symmetric" if operator.options["Mode"] else "reflect"
    for axis in axes:
        places = np.pad(np.arange(shape[axis]), pads[axis], mode=mode).tolist()
        shape = (*shape[:axis], len(places), *shape[axis + 1 :])
        part = target if axis == axes[-1] else model.like(source, shape)
        if not _taken(model, source, places, part, axis):
            return False
        source = part
    return True


def _transpose_conv(model: Rewritten, operator: StoredOperator) -> bool:
    """Its output's sizes come first in a file, as they may be computed; the tensor says them."""
    if len(operator.inputs) not in (3, 4):
        return False
    _, weights, source, *bias = operator.inputs
    model.operators.append(replace(operator, inputs=(source, weights, *bias)))
    return True


def _tile(model: Rewritten, operator: StoredOperator) -> bool:
    """The tensor beside itself, along one axis after the other."""
    source, target = operator.inputs[0], operator.outputs[0]
    shape, times = model.shape(source), model.numbers(operator.inputs[-1])
    repeated = [axis for axis, count in enumerate(times) if count > 1]
    if len(times) != len(shape) or min(times, default=0) < 1 or max(times) > PARTS:
        return False
    if len(shape) > 4:  # between changes of view: the axes around the only one are joined
        if len(repeated) != 1:
            return False
        axis, count = repeated[0], times[repeated[0]]
        flat = (1, prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        for index, size in ((source, shape[axis]), (target, count * shape[axis])):
            model.tensors[index] = replace(model.tensors[index], shape=(*flat[:2], size, flat[3]))
        model.join((source,) * count, target, 2)
        return True
    for axis in repeated or [len(shape) - 1]:
        shape = (*shape[:axis], times[axis] * shape[axis], *shape[axis + 1 :])
        part = target if axis == (repeated or [axis])[-1] else model.like(source, shape)
        model.join((source,) * times[axis], part, axis)
        source = part
    return True


def _gather(model: Rewritten, operator: StoredOperator) -> bool:
    """Constant places of one axis."""
    if len(operator.inputs) != 2:
        return False
    source, places = operator.inputs
    shape, target = model.shape(source), model.shape(operator.outputs[0])
    axis = int(operator.options.get("Axis", 0))
    if operator.name == "GATHER_ND" and model.shape(places)[-1:] != (1,):
        return windows(model, operator)
    if operator.options.get("BatchDims") or not -len(shape) <= axis < len(shape):
        return False
    return len(target) <= 4 and _taken(
        model, source, model.numbers(places), operator.outputs[0], axis % len(shape)
    )


def _taken(model: Rewritten, source: int, places: list[int], target: int, axis: int) -> bool:
    """Runs of neighbours of one axis, joined; each of them several times, as an image resized."""
    shape = model.shape(source)
    size = shape[axis]
    if not places or not 0 <= min(places) <= max(places) < size:
        return False
    times = len(places) // size
    if times > 1 and places == [place // times for place in range(times * size)]:
        before, behind = prod(shape[:axis]), prod(shape[axis + 1 :])
        flat = model.view(source, (1, before, size, behind))
        larger = model.like(source, (1, before, len(places), behind))
        plain = {"AlignCorners": 0.0, "HalfPixelCenters": 0.0}
        model.put("RESIZE_NEAREST_NEIGHBOR", (flat,), larger, **plain)
        model.put("RESHAPE", (larger,), target)
        return True
    runs = _runs(places)
    if len(runs) > PARTS:
        return False
    whole = (*shape[:axis], len(places), *shape[axis + 1 :])
    joined = target if model.shape(target) == whole else model.like(source, whole)
    parts = []
    for run in runs:
        part = (*shape[:axis], len(run), *shape[axis + 1 :])
        parts.append(joined if len(runs) == 1 else model.like(source, part))
        if run.step > 0:
            model.along(source, parts[-1], axis, run.start, run.stop)
            continue
        rows = [range(size) for size in shape]
        rows[axis] = run
        said = ([r.start for r in rows], [max(r.stop, 0) for r in rows], [r.step for r in rows])
        masks = PLAIN | {"EndMask": float((run.stop < 0) << axis)}
        constants = [model.constant(column) for column in said]
        model.put("STRIDED_SLICE", (source, *constants), parts[-1], **masks)
    if len(runs) > 1:
        model.join(parts, joined, axis)
    if joined != target:
        model.put("RESHAPE", (joined,), target)
    return True


def _runs(places: list[int]) -> list[range]:
    """Neighbours, upwards or downwards."""
    runs: list[range] = []
    for place in places:
        last = runs[-1] if runs else range(0)
        step = place - last[-1] if last else 0
        if step in (1, -1) and (len(last) == 1 or step == last.step):
            runs[-1] = range(last.start, place + step, step)
        else:
            runs.append(range(place, place + 1))
    return runs


def _broadcast(model: Rewritten, operator: StoredOperator) -> bool:
    """Axes of size 1, each repeated."""
    source, target = operator.inputs[0], operator.outputs[0]
    wanted = model.shape(target)
    shape = (1,) * (len(wanted) - len(model.shape(source))) + model.shape(source)
    axes = [axis for axis, size in enumerate(wanted) if shape[axis] != size]
    if not axes or len(wanted) > 4 or any(shape[axis] != 1 for axis in axes):
        return False
    if len(shape) > len(wanted) or min(wanted) < 1 or prod(wanted) > LARGEST:
        return False
    source = model.view(source, shape)
    for axis in axes:
        shape = (*shape[:axis], wanted[axis], *shape[axis + 1 :])
        part = target if axis == axes[-1] else model.like(source, shape)
        _taken(model, source, [0] * wanted[axis], part, axis)
        source = part
    return True


def _transpose(model: Rewritten, operator: StoredOperator) -> bool:
    """More than four axes, between changes of view: those that stay neighbours are one."""
    source, target = operator.inputs[0], operator.outputs[0]
    shape, order = model.shape(source), model.numbers(operator.inputs[-1])
    if len(shape) < 5 or sorted(order) != list(range(len(shape))):
        return False
    order = [axis for axis in order if shape[axis] > 1]
    runs: list[list[int]] = []
    kept = [axis for axis, size in enumerate(shape) if size > 1]
    for axis in order:
        if runs and kept.index(axis) == kept.index(runs[-1][-1]) + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if not 0 < len(runs) <= 3:
        return False
    before = sorted(runs)
    for index, parts in ((source, before), (target, runs)):
        sizes = (prod(shape[axis] for axis in run) for run in parts)
        model.tensors[index] = replace(
            model.tensors[index], shape=(*(1,) * (4 - len(runs)), *sizes)
        )
    lead = 4 - len(runs)
    axes = [*range(lead), *(before.index(run) + lead for run in runs)]
    model.put("TRANSPOSE", (source, model.constant(axes)), target)
    return True


def _reduced(model: Rewritten, operator: StoredOperator) -> bool:
    """What reduces other axes than all in front of the channels: those are moved there."""
    if len(operator.inputs) != 2:
        return False
    source, target = operator.inputs[0], operator.outputs[0]
    shape, axes = model.shape(source), model.numbers(operator.inputs[1])
    if (
        not axes
        or not 0 < len(shape) <= 4
        or not -len(shape) <= min(axes) <= max(axes) < len(shape)
    ):
        return False
    last, reduced = len(shape) - 1, {axis % len(shape) for axis in axes}
    gone: list[int] = []
    kept: list[int] = []
    ones: list[int] = []
    for axis, size in enumerate(shape):
        (ones if size == 1 else gone if axis in reduced else kept).append(axis)
    as_it_is = kept == [last] or not (kept or last in reduced)
    if not gone or as_it_is or 0 not in ones:
        return False
    order = [*ones, *gone, *kept]
    if order != sorted(order):
        turned = model.like(source, tuple(shape[axis] for axis in order))
        model.put("TRANSPOSE", (source, model.constant(order)), turned)
        source = turned
    channels = prod(shape[axis] for axis in kept)
    flat = model.view(source, (1, 1, prod(shape) // channels, channels))
    found = model.like(target, (1, channels))
    model.put(operator.name, (flat, model.constant([1, 2])), found)
    model.put("RESHAPE", (found,), target)
    return True


_MAKERS: dict[str, Callable[[Rewritten, StoredOperator], bool]] = {
    "SPLIT": _split,
    "SPLIT_V": _split,
    "UNPACK": _unpack,
    "PACK": _pack,
    "CONCATENATION": _rows,
    "SLICE": _slice,
    "REVERSE_V2": _reverse,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast,
    "GATHER": _gather,
    "GATHER_ND": _gather,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "PADV2": padded,
    "MIRROR_PAD": _mirrored,
    "SELECT": masked,
    "SELECT_V2": masked,
    "MEAN": _reduced,
    "SUM": _reduced,
    "REDUCE_MAX": _reduced,
    "REDUCE_MIN": _reduced,
}
