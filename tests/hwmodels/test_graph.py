"""A graph refuses what no operator gives; padding by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import OPERATORS, OPS, TFLITE_OPS
from ppgnas.errors import GraphError
from tests.hwmodels.small import one_layer, small_graph


def changed(**fields: Any) -> dict[str, Any]:
    """The document of a small graph, its first convolution with other fields."""
    document: dict[str, Any] = json.loads(json.dumps(small_graph().to_json()))
    layer = next(layer for layer in document["layers"] if layer["op"] == "conv")
    layer |= {"name": "c"} | fields
    return document


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"op": "pad", "activation": "relu"}, "has activation 'relu'; pad has none"),
        ({"inputs": []}, r"\(conv\) has 0 inputs; allowed: 1"),
        ({"axes": [9]}, r"\(conv\) has axes \(9,\); only transpose, concat layers have that"),
        ({"rows": [[0, 9, 1]]}, r"\(conv\) has rows .*; only slice layers have that"),
        ({"slope": 0.5}, r"\(conv\) has slope 0.5; only leaky_relu layers have that"),
        ({"block": 2}, r"\(conv\) has block 2; only space_to_depth, depth_to_space layers"),
        ({"op": "add", "groups": 2}, r"\(add\) has groups 2; only conv layers have that"),
        ({"weights_of": "c"}, "has the weights of 'c'; allowed: an earlier layer of the same"),
        ({"weights_of": "nobody"}, "has the weights of 'nobody'; allowed: an earlier layer"),
    ],
)
def test_a_layer_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=f"^graph: layer 'c' {message}"):
        Graph.from_json(changed(**fields))


@pytest.mark.parametrize(
    ("first", "named"), [("x", "x"), ("x", "nowhere"), ("nowhere", "x"), ("x", "")]
)
def test_an_input_is_a_tensor_and_is_named_once(first: str, named: str) -> None:
    assert small_graph().input == "x"
    document = small_graph().to_json() | {"input": first, "beside": [named]}
    with pytest.raises(GraphError, match=f"^graph: the inputs are '{first}', '{named}'; allowed"):
        Graph.from_json(document)


def test_a_constant_is_no_output() -> None:
    tensors = (Tensor("x", (1, 4)), Tensor("one", (1, 4), constant=True), Tensor("y", (1, 4)))
    layers = (Layer("add", "add", ("x", "one"), "y"),)
    with pytest.raises(GraphError, match=r"^graph: no layer writes the output 'one'$"):
        Graph(layers, tensors, "x", "y", also=("one",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"activation": "relu7"}, r"activation: Input should be 'none'.*'relu6'.*found 'relu7'"),
        ({"activation": ["relu"]}, r"activation: Input should be .*, found \['relu'\]"),
        ({"padding": "SAME"}, "padding: Input should be 'valid' or 'same', found 'SAME'"),
        ({"op": "Conv"}, "op: Input should be 'conv', 'depthwise_conv', .* found 'Conv'"),
        ({"op": {}}, "op: Input should be .*, found {}"),
        ({"kernel": [1]}, "kernel.1: Field required"),
        ({"kernel": [1, 1.5]}, "kernel.1: Input should be a valid integer, .* found 1.5"),
        ({"stride": "ab"}, "stride: Input should be a valid tuple, found 'ab'"),
        ({"name": 3}, "name: Input should be a valid string, found 3"),
    ],
)
def test_types_of_a_document(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(
        GraphError, match=r"^graph: the document is malformed at layers\.1\." + message
    ):
        Graph.from_json(changed(**fields))


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (("layers", 1), "strides"),
        (("layers", 0), "fused_activation"),
        (("tensors", 0), "dtype"),
        (("task",), "windows"),
        ((), "outputs"),
    ],
)
def test_a_key_that_nobody_reads_is_no_network(place: tuple[Any, ...], key: str) -> None:
    document = changed()
    document["task"] = {"window_s": 8}
    Graph.from_json(document)
    part: Any = document
    for step in place:
        part = part[step]
    part[key] = [1, 2]
    where = r"\.".join(map(str, (*place, key)))
    with pytest.raises(GraphError, match=rf"malformed at {where}: no such key"):
        Graph.from_json(document)


@pytest.mark.parametrize("version", [2, "1", None])
def test_documents_of_another_version(version: Any) -> None:
    with pytest.raises(GraphError, match=rf"version is {version!r}; allowed: 1"):
        Graph.from_json({**changed(), "version": version})


def test_a_document_written_by_hand_needs_no_version() -> None:
    document = changed()
    del document["version"]
    assert Graph.from_json(document) == Graph.from_json(changed())


@pytest.mark.parametrize("fields", [{"kernel": [0, 1]}, {"stride": [1, 2**31]}, {"groups": 0}])
def test_sizes_of_a_document(fields: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match=r"layer .c. has kernel .*; allowed: 1 to 2147483647"):
        Graph.from_json(changed(**fields))
    document = changed()
    document["tensors"][0]["shape"] = [1, 1, 2**20, 2**20]
    with pytest.raises(GraphError, match=r"tensor .* has shape .*; allowed: sizes from 1, up to"):
        Graph.from_json(document)


@pytest.mark.parametrize(
    ("source", "target"), [((1, 8), (1, 8)), ((1, 0, 1, 4), (1, 0, 1, 4)), ((), ())]
)
def test_ranks_of_the_table(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match=r"allowed: 4 sizes of at least 1"):
        one_layer("conv", source, target)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "sides"),
    [(5, 3, 1, (1, 1)), (4, 3, 2, (0, 1)), (6, 4, 1, (1, 2)), (7, 1, 3, (0, 0))],
)
def test_same_padding(size: int, kernel: int, stride: int, sides: tuple[int, int]) -> None:
    target = (1, 1, -(-size // stride), 2)
    graph = one_layer(
        "conv", (1, 1, size, 2), target, kernel=(1, kernel), stride=(1, stride), padding="same"
    )
    assert graph.padding(graph.layers[0]) == ((0, 0), sides)


def test_padding_of_a_pad_layer() -> None:
    layer = Layer("p", "pad", ("x",), "y", pads=(1, 0, 2, 3))
    graph = Graph((layer,), (Tensor("x", (1, 2, 3, 4)), Tensor("y", (1, 3, 8, 4))), "x", "y")
    assert graph.padding(layer) == ((1, 0), (2, 3))


def test_every_operator_has_a_row_and_names_of_its_own() -> None:
    assert tuple(OPERATORS) == OPS
    assert len(TFLITE_OPS) == sum(len(known.tflite) for known in OPERATORS.values())
