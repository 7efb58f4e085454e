"""What a converter leaves in float: parts, float ends beside it; and what is joined or reduced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.tflite.forms.islands import with_islands
from deploy.tflite.forms.moved import with_moves
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor
from deploy.tflite.reader import read
from ppgnas.errors import GraphError
from tests.deploy.tflite.test_moved import _stored
from tests.deploy.tflite.test_reader import operators, packed, rename, unpacked

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["SPLIT", "SPLIT_V", "UNPACK"])
@pytest.mark.parametrize("unread", [False, True])
def test_parts_in_float_are_those_of_the_int8_tensor(name: str, unread: bool) -> None:
    """`DEQUANTIZE`, three parts, `QUANTIZE` of each: the parts go in front."""
    none = np.empty(0, np.float32), np.empty(0, np.int64)
    one = (1, 6) if name != "UNPACK" else (6,)
    shapes = [(3, 6) if name == "UNPACK" else (1, 18)] * 2 + [one] * 6
    kinds = ["INT8", *["FLOAT32"] * 4, *["INT8"] * 3]
    tensors = [
        StoredTensor(f"t{i}", shape, kind, *none, None)
        for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
    ]
    said = {"SPLIT": [[1]], "SPLIT_V": [[6, 6, 6], [1]], "UNPACK": []}[name]
    for numbers in said:
        content = np.array(numbers, "<i4").tobytes()
        tensors.append(StoredTensor("c", (len(numbers),), "INT32", *none, content))
    inputs = {"SPLIT": (8, 1), "SPLIT_V": (1, 8, 9), "UNPACK": (1,)}[name]
    rows = range(1 if unread else 0, 3)
    parted = [
        StoredOperator("DEQUANTIZE", (0,), (1,)),
        StoredOperator(name, inputs, (2, 3, 4), {"Axis": 0.0}),
        *(StoredOperator("QUANTIZE", (2 + row,), (5 + row,)) for row in rows),
    ]
    found = with_moves(
        with_islands(StoredModel(tuple(tensors), tuple(parted), (0,), tuple(5 + r for r in rows)))
    )
    slices = [o for o in found.operators if o.name == "STRIDED_SLICE"]
    assert len(slices) == 3 and all(found.tensors[o.inputs[0]].kind == "INT8" for o in slices)
    assert [o.name for o in found.operators].count("DEQUANTIZE") == len(rows)
    read_by = {o.inputs[0]: o for o in found.operators if o.name == "DEQUANTIZE"}
    assert all(found.tensors[index].kind == "INT8" for index in read_by)
    assert {o.outputs[0] for o in read_by.values()} == {2 + row for row in rows}


def test_nothing_moves_in_front_of_an_operator_of_channels() -> None:
    none = np.empty(0, np.float32), np.empty(0, np.int64)
    kinds = ["INT8", "FLOAT32", "FLOAT32", "FLOAT32", "INT8"]
    tensors = [StoredTensor(f"t{i}", (1, 6), kind, *none, None) for i, kind in enumerate(kinds)]
    names = ("DEQUANTIZE", "LOG_SOFTMAX", "RESHAPE", "QUANTIZE")
    chain = tuple(StoredOperator(name, (i,), (i + 1,)) for i, name in enumerate(names))
    stored = StoredModel(tuple(tensors), chain, (0,), (4,))
    assert [o.name for o in with_islands(stored).operators] == [*names]
    map_alone = tuple(replace(o, name=o.name.replace("LOG_SOFTMAX", "ELU")) for o in chain)
    moved = with_islands(replace(stored, operators=map_alone)).operators
    assert [o.name for o in moved] == ["RESHAPE", "DEQUANTIZE", "ELU", "QUANTIZE"]


@pytest.mark.parametrize("axes", [[1], [0, 1], [-1]])
@pytest.mark.parametrize("name", ["SUM", "MEAN", "REDUCE_MAX"])
def test_one_number_is_left_of_a_vector(name: str, axes: list[int]) -> None:
    stored = with_moves(_stored(name, [(1, 12), (1, 1)], axes, KeepDims=1.0))
    assert [o.name for o in stored.operators] == ["RESHAPE", name, "RESHAPE"]
    assert stored.tensors[stored.operators[1].inputs[0]].shape == (1, 1, 12, 1)


@pytest.mark.parametrize("ends", ["exponential", "powers", "layernorm"])
def test_float_ends_and_float_operators_inside(ends: str) -> None:
    """An output in float is no reason to refuse what maps int8 to int8 before it."""
    graph = read(FILES / f"{ends}_int8.tflite").graph
    document = graph.to_json()
    output = document["output"]
    shape = list(graph.shape(output))
    document["tensors"].append({"name": "real", "shape": shape, "kind": "float32"})
    document["layers"].append(
        {"name": "last", "op": "dequantize", "inputs": [output], "output": "real"}
    )
    document["output"] = "real"
    whole = type(graph).from_json(document)
    assert whole.core.layers == graph.core.layers and whole.core.output == output


@pytest.mark.parametrize("steps", [16, 24, 64, 65])
def test_many_steps_are_joined(steps: int) -> None:
    """Keras's `TimeDistributed` has one layer a step."""
    stored = _stored("PACK", [(1, 5)] * steps + [(1, steps, 5)], [], Axis=1.0)
    found = [o.name for o in with_moves(stored).operators]
    assert found == (["RESHAPE"] * steps + ["CONCATENATION"] if steps <= 64 else ["PACK"])


@pytest.mark.parametrize("name", ["NEG", "SQUARE"])
def test_what_is_in_float_alone_reads_no_int8(name: str) -> None:
    model = unpacked((FILES / "squashed_int8.tflite").read_bytes())
    (operator,) = operators(model, "TANH")
    rename(model.operatorCodes[operator.opcodeIndex], name)
    with pytest.raises(GraphError, match="it reads int8 values, and TFLM has it in float alone"):
        read(packed(model))


def test_vectors_that_become_rows_are_joined_as_rows() -> None:
    """Last states of two layers: their first size is a batch of one, and the rows' is two."""
    model = with_moves(_stored("CONCATENATION", [(1, 5), (1, 5), (2, 5)], [], Axis=0))
    *views, join = model.operators
    assert [model.tensors[one.outputs[0]].shape for one in views] == [(1, 1, 1, 5)] * 2
    assert (join.options["Axis"], join.outputs) == (2, (2,))


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("name", ["QUANTIZE", "DEQUANTIZE"])
def test_an_operator_without_one_of_its_sides_is_damage(name: str, side: str) -> None:
    model = unpacked((FILES / "exponential_int8.tflite").read_bytes())
    setattr(operators(model, name)[0], side, [])
    with pytest.raises(GraphError, match=f"{name} without inputs or without outputs"):
        read(packed(model))
