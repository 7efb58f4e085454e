"""Float operators between `DEQUANTIZE` and `QUANTIZE`: what a converter cannot quantise, as ELU.

One that maps single values is a layer of the graph in float, with its costs; in integers it is
one table (`hwmodels.graph.Graph.core`). What moves values among them, as the reversed steps of a
bidirectional layer, and what parts them, as gates of a recurrent one, goes in front, where the
tensor is int8: the same values. A maximum does so
where the map before it never falls: the largest value has the largest result.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator
from hwmodels.operators import TABLE_OPS, TFLITE_OPS

MAPS = frozenset(name for name, op in TFLITE_OPS.items() if op in TABLE_OPS)
_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "REVERSE_V2", "TRANSPOSE", "SLICE",
                    "STRIDED_SLICE", "GATHER", "GATHER_ND", "REDUCE_MAX"})  # fmt: skip
_PARTS = {"SPLIT": 1, "SPLIT_V": 0, "UNPACK": 0}  # -> which input is parted
_FALLING = frozenset(
    {"HARD_SWISH", "GELU", "ABS", "RSQRT", "NEG", "LOG", "SQUARE", "SQRT"}
)  # or are no number


def with_islands(stored: StoredModel) -> StoredModel:
    """The model with moves in front of the islands that hold some."""
    stored = _parted(stored)
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
    readers: dict[int, list[StoredOperator]] = {}
    for operator in stored.operators:
        for index in operator.inputs:
            readers.setdefault(index, []).append(operator)
    found = []
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
            chain.append(after[0])
            if after[0].name == "QUANTIZE":
                break
        maps = [one for one in chain[1:-1] if one.name in MAPS]
        if chain[-1].name == "QUANTIZE" and len(maps) <= 1:
            found.append(chain)
    return found


def _falls(operator: StoredOperator) -> bool:
    return operator.name in _FALLING or operator.options.get("Alpha", 0.0) < 0
