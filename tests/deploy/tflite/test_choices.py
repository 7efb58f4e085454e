"""`SELECT` by a comparison with a constant: every comparison, either side, int8 and float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.integers import reference
from deploy.tflite import runtime
from deploy.tflite.reader import TfliteModel, read
from hwmodels.graph import Graph
from ppgnas.errors import GraphError
from tests.deploy.tflite.test_reader import operators, packed, rename, unpacked

FILES = Path(__file__).parent / "files"


def selected(name: str, stored: int, *, behind: bool = False, part: float = 1.0) -> bytes:
    """`where(x > 0, x, x / 2)` with another comparison, constant and order; its scale in parts."""
    model = unpacked((FILES / "selected_int8.tflite").read_bytes())
    (compared,) = operators(model, "GREATER")
    rename(model.operatorCodes[compared.opcodeIndex], name)
    tensors = model.subgraphs[0].tensors
    value, constant = (tensors[index] for index in compared.inputs)
    model.buffers[constant.buffer].data = np.array([stored], np.int8).view(np.uint8)
    constant.quantization.zeroPoint = value.quantization.zeroPoint
    constant.quantization.scale = value.quantization.scale * np.float32(part)
    if behind:
        compared.inputs = compared.inputs[::-1].copy()
    return packed(model)


def assert_computed(content: bytes) -> TfliteModel:
    model = read(content)
    net = model.net()
    x = np.random.default_rng(0).integers(-128, 128, (40, *net.graph.window)).astype(np.int8)
    expected = runtime.run(content, x)
    seen = reference.run(net, x, rule="litert")
    np.testing.assert_array_equal(seen.reshape(expected.shape), expected)
    return model


def threshold(model: TfliteModel) -> tuple[int, bool]:
    """Of the only choice, and whether from it on the compared tensor itself is taken."""
    (layer,) = (layer for layer in model.graph.layers if layer.op == "select")
    return layer.threshold, layer.inputs[0] == layer.inputs[1]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", ["GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"])
def test_every_comparison(name: str, behind: bool) -> None:
    model = assert_computed(selected(name, 5, behind=behind))
    rises = name.startswith("GREATER") != behind
    # x > 5, x >= 5, not x < 5 and not x <= 5 begin at 6, 5, 5 and 6; turned round the others.
    assert threshold(model) == ((6 if name.endswith("EQUAL") != rises else 5), rises)


def test_scales_of_both_count() -> None:
    """A constant in steps half as large as those of the values, both from one zero."""
    model = assert_computed(selected("GREATER", 32, part=0.5))
    (layer,) = (layer for layer in model.graph.layers if layer.op == "select")
    point = model.net().activations[layer.inputs[0]][1]
    assert threshold(model)[0] == (32 - point) // 2 + point + 1


@pytest.mark.parametrize(("stored", "expected"), [(127, 128), (-128, -127)])
def test_some_are_never_taken(stored: int, expected: int) -> None:
    assert threshold(assert_computed(selected("GREATER", stored)))[0] == expected


def test_in_float_the_other_reader_keeps_its_island() -> None:
    """ELU, SELU, Mish and Softplus of PyTorch: EXP and LOG are tables, comparisons are gone."""
    model = read(FILES / "torch_curves_int8.tflite")
    ops = [layer.op for layer in model.net().graph.layers]
    assert (ops.count("select"), ops.count("exp"), ops.count("log")) == (4, 4, 2)
    assert {tensor.kind for tensor in model.net().graph.tensors} == {"int8"}
    whole = [layer.op for layer in model.graph.layers]
    assert whole.count("dequantize") == 6  # of four EXP and two LOG


def test_a_threshold_beyond_stored_values_is_refused() -> None:
    document = read(selected("GREATER", 5)).graph.to_json()
    (layer,) = (layer for layer in document["layers"] if layer["op"] == "select")
    for threshold in (129, -129):
        layer["threshold"] = threshold
        with pytest.raises(GraphError, match=f"has threshold {threshold}; allowed: -128 to 128"):
            Graph.from_json(document)


def _two_activations(model: Any) -> None:
    (compared,) = operators(model, "GREATER")
    (scaled,) = operators(model, "MUL")
    compared.inputs = np.array([compared.inputs[0], scaled.outputs[0]], np.int32)
    at = model.subgraphs[0].operators
    at.remove(scaled)
    at.insert(at.index(compared), scaled)


def _equal(model: Any) -> None:
    (compared,) = operators(model, "GREATER")
    rename(model.operatorCodes[compared.opcodeIndex], "EQUAL")


def _without_a_number(model: Any) -> None:
    (compared,) = operators(model, "GREATER")
    of = model.subgraphs[0].tensors[compared.inputs[0]].quantization
    of.scale = np.full(1, np.nan, np.float32)


def _without_a_zero_point(model: Any) -> None:
    (compared,) = operators(model, "GREATER")
    model.subgraphs[0].tensors[compared.inputs[0]].quantization.zeroPoint = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *((change, "GREATER has no cost")
          for change in (_two_activations, _without_a_number, _without_a_zero_point)),
        (_equal, "EQUAL has no cost"),
    ],
)  # fmt: skip
def test_others_are_refused(change: Any, message: str) -> None:
    model = unpacked((FILES / "selected_int8.tflite").read_bytes())
    change(model)
    with pytest.raises(GraphError, match=message):
        read(packed(model))
