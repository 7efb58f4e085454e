"""Float operators between `DEQUANTIZE` and `QUANTIZE`: what a converter cannot quantise, as ELU.

One that maps single values is a layer of the graph in float, with its costs; in integers it is
one table (`hwmodels.graph.Graph.core`). What moves values among them, as the reversed steps of a
bidirectional layer, and what parts them, as gates of a recurrent one, goes in front, where the
tensor is int8: the same values. A maximum does so
where the map before it never falls: the largest value has the largest result. What joins tensors
goes behind their `QUANTIZE`s. A float tensor that several read, as of a shortcut, is computed for
each of them, and so it is costed: interpreters compute it once.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator
from hwmodels.operators import ISLAND_OPS, TFLITE_OPS

MAPS = frozenset(name for name, op in TFLITE_OPS.items() if op in ISLAND_OPS)
_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "REVERSE_V2", "TRANSPOSE", "SLICE",
                    "STRIDED_SLICE", "GATHER", "GATHER_ND", "REDUCE_MAX"})  # fmt: skip
_TIMES = 4  # at most, as many operators as before
_PARTS = {"SPLIT": 1, "SPLIT_V": 0, "UNPACK": 0}  # -> which input is parted
_FALLING = frozenset(
    {"HARD_SWISH", "GELU", "ABS", "RSQRT", "NEG", "LOG", "SQUARE", "SQRT", "SIN", "COS"}
)  # or are no number


def with_islands(stored: StoredModel) -> StoredModel:
    """The model with moves in front of the islands that hold some."""
    stored = _apart(_joined_behind(_parted(stored)))
    tensors, operators = list(stored.tensors), list(stored.operators)
    for island in _islands(stored):
        kept = [operator for operator in island if operator.name not in _MOVES]
        if len(kept) == len(island):
            continue
        before, shape = island[0].inputs[0], tensors[island[-1].outputs[0]].shape
        like, moved = tensors[before], []
        for operator in island[1:-1]:
            if operator.name in _MOVES:
                name = f"{like.name}/moved{len(tensors)}"
                size = tensors[operator.outputs[0]].shape
                tensors.append(replace(like, name=name, shape=size))
                moved.append(replace(operator, inputs=(before, *operator.inputs[1:]),
                                     outputs=(len(tensors) - 1,)))  # fmt: skip
                before = len(tensors) - 1
        for operator in kept:
            target = operator.outputs[0]
            if tensors[target].shape != shape:
                name = f"{tensors[target].name}/moved{len(tensors)}"
                tensors.append(replace(tensors[target], name=name, shape=shape))
                target = len(tensors) - 1
            inputs = (before, *operator.inputs[1:])
            moved.append(replace(operator, inputs=inputs, outputs=(target,)))
            before = target
        place = operators.index(island[0])
        operators = [operator for operator in operators if operator not in island]
        operators[place:place] = moved
    return replace(stored, tensors=tuple(tensors), operators=tuple(operators))


def _parted(stored: StoredModel) -> StoredModel:
    """The model with each float part of a `DEQUANTIZE` as the `DEQUANTIZE` of an int8 part."""
    whole = {
        o.outputs[0]: o
        for o in stored.operators
        if o.name == "DEQUANTIZE" and len(o.inputs) == len(o.outputs) == 1
    }
    read = {*stored.outputs, *(index for o in stored.operators for index in o.inputs)}
    model = Rewritten(stored.tensors)
    for operator in stored.operators:
        place = _PARTS.get(operator.name, len(operator.inputs))
        before = whole.get(operator.inputs[place]) if place < len(operator.inputs) else None
        if before is None or min(operator.outputs, default=-1) < 0:
            model.operators.append(operator)
            continue
        source, inputs = before.inputs[0], list(operator.inputs)
        inputs[place] = source
        parts = tuple(model.like(source, model.shape(index)) for index in operator.outputs)
        model.operators.append(replace(operator, inputs=tuple(inputs), outputs=parts))
        model.operators += [
            replace(before, inputs=(part,), outputs=(index,))
            for part, index in zip(parts, operator.outputs, strict=True)
            if index in read
        ]
    left = {*stored.outputs, *(index for o in model.operators for index in o.inputs)}
    kept = (o for o in model.operators if o.name != "DEQUANTIZE" or o.outputs[0] in left)
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(kept))


def _joined_behind(stored: StoredModel) -> StoredModel:
    """The model with a `CONCATENATION` in float behind the `QUANTIZE` of each of its parts."""
    readers, model = _readers(stored), Rewritten(stored.tensors)
    moved: dict[int, StoredOperator] = {}  # by the tensor that it wrote
    for operator in stored.operators:
        target = operator.outputs[0] if len(operator.outputs) == 1 else -1
        after = readers.get(target, [])
        if operator.name == "CONCATENATION" and after and target not in stored.outputs:
            kinds = {(stored.tensors[i].kind, stored.tensors[i].content) for i in operator.inputs}
            if kinds == {("FLOAT32", None)} and {one.name for one in after} == {"QUANTIZE"}:
                moved[target] = operator
                continue
        join = moved.get(operator.inputs[0]) if operator.name == "QUANTIZE" else None
        if join is None:
            model.operators.append(operator)
            continue
        parts = [model.like(target, model.shape(index)) for index in join.inputs]
        for index, part in zip(join.inputs, parts, strict=True):
            model.put("QUANTIZE", (index,), part)
        model.operators.append(replace(join, inputs=tuple(parts), outputs=(target,)))
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(model.operators))


def _apart(stored: StoredModel) -> StoredModel:
    """The model with one copy of a float operator for each that reads what it gives."""
    model = Rewritten(stored.tensors)
    most = _TIMES * len(stored.operators)
    # From the last to the first: what reads a copy reads another copy of what is before it.
    operators: list[StoredOperator] = []
    places: dict[int, list[int]] = {}  # of those that read a tensor
    for operator in reversed(stored.operators):
        target = operator.outputs[0] if len(operator.outputs) == 1 else -1
        after = places.get(target, []) if target not in stored.outputs else []
        in_float = target >= 0 and model.tensors[target].kind == "FLOAT32"
        if not in_float or operator.name not in {*MAPS, *_MOVES, "DEQUANTIZE"}:
            after = []
        outputs = [target]
        for place in after[:0:-1]:
            if len(operators) + len(outputs) < most:
                outputs.append(model.like(target, model.shape(target)))
                reader = operators[place]
                inputs = tuple(outputs[-1] if i == target else i for i in reader.inputs)
                operators[place] = replace(reader, inputs=inputs)
        for own in outputs:
            for index in {*operator.inputs}:
                places.setdefault(index, []).append(len(operators))
            copy = operator if own == target else replace(operator, outputs=(own,))
            operators.append(copy)
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(operators[::-1]))


def _readers(stored: StoredModel) -> dict[int, list[StoredOperator]]:
    found: dict[int, list[StoredOperator]] = {}
    for operator in stored.operators:
        for index in operator.inputs:
            found.setdefault(index, []).append(operator)
    return found


def left_in_float(stored: StoredModel, source: int) -> list[str]:
    """Operators behind a float tensor that no island may hold; all of them where each may."""
    reached, found = {source}, set()
    for operator in stored.operators:
        if reached.intersection(operator.inputs) and operator.name != "QUANTIZE":
            found.add(operator.name)
            reached.update(i for i in operator.outputs if stored.tensors[i].kind == "FLOAT32")
    return sorted(found - MAPS - _MOVES) or sorted(found)


def float_tensors(stored: StoredModel) -> set[int]:
    """Tensors in islands of one operator that maps single values, or of none."""
    return {
        index
        for island in _islands(stored)
        if not _MOVES.intersection(operator.name for operator in island)
        for operator in island[:-1]
        for index in operator.outputs
    }


def _islands(stored: StoredModel) -> list[list[StoredOperator]]:
    """Operators from a `DEQUANTIZE` to a `QUANTIZE`, at most one of which maps single values."""
    readers, found = _readers(stored), []
    for operator in stored.operators:
        if operator.name != "DEQUANTIZE" or len(operator.inputs) != 1:
            continue
        chain = [operator]
        while len(chain[-1].outputs) == 1 and chain[-1].outputs[0] not in stored.outputs:
            after = readers.get(chain[-1].outputs[0], [])
            if len(after) != 1 or after[0].name not in {*MAPS, *_MOVES} or after[0] in chain:
                break
            if after[0].name == "REDUCE_MAX" and any(_falls(one) for one in chain):
                break
            if after[0].name in _MOVES and any(one.name == "LOG_SOFTMAX" for one in chain):
                break  # of its channels
            chain.append(after[0])
            if after[0].name == "QUANTIZE":
                break
        maps = [one for one in chain[1:-1] if one.name in MAPS]
        if chain[-1].name == "QUANTIZE" and len(maps) <= 1:
            found.append(chain)
    return found


def _falls(operator: StoredOperator) -> bool:
    return operator.name in _FALLING or operator.options.get("Alpha", 0.0) < 0
