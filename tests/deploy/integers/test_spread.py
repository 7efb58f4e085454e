"""TRANSPOSE_CONV of int8, by every way; what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.emulation.host import HostCompiler
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.engines.kernels import geometry, scratch_bytes
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Activation, Padding
from ppgnas.errors import GraphError
from tests.deploy.every_way import assert_costed, assert_generated, assert_interpreted, assert_onnx

Shape = tuple[int, ...]
Pair = tuple[int, int]
Case = tuple[Shape, Shape, Pair, Pair, Padding, Activation]
CASES: list[Case] = [
    ((1, 1, 12, 5), (1, 1, 24, 3), (1, 3), (1, 2), "same", "relu"),
    ((1, 1, 9, 2), (1, 1, 29, 4), (1, 5), (1, 3), "valid", "none"),
    ((1, 1, 7, 3), (1, 1, 7, 2), (1, 4), (1, 1), "same", "relu6"),
    ((1, 4, 5, 3), (1, 8, 9, 2), (2, 3), (2, 2), "same", "none"),
    ((1, 3, 4, 2), (1, 5, 8, 3), (3, 2), (1, 2), "valid", "relu"),
    ((1, 2, 3, 1), (1, 6, 6, 1), (2, 1), (3, 2), "same", "none"),
]
"""The fourth has an output that its stride does not divide; windows of the last leave gaps."""


def spread(case: Case, seed: int = 0) -> QuantizedNet:
    source, target, kernel, stride, padding, activation = case
    rng = np.random.default_rng(seed)
    layer = Layer(
        "y", "transpose_conv", ("a",), "y", kernel=kernel, stride=stride, padding=padding,
        activation=activation,
    )  # fmt: skip
    graph = Graph((layer,), (Tensor("a", source), Tensor("y", target)), "a", "y")
    weights = rng.normal(size=graph.weight_shape(layer)), rng.normal(size=target[3])
    points = [int(point) for point in rng.integers(-100, 100, 2)]
    return quantize(graph, {"y": weights}, {"a": (0.02, points[0]), "y": (0.06, points[1])})


@pytest.mark.parametrize("case", CASES)
def test_both_interpreters(case: Case) -> None:
    for seed in range(8):
        assert_interpreted(spread(case, seed))


@pytest.mark.parametrize("case", CASES)
def test_generated_and_onnx(case: Case, tmp_path: Path, host: HostCompiler) -> None:
    assert_generated(spread(case), tmp_path, host)
    assert_onnx(spread(case))


@pytest.mark.parametrize("case", CASES[:2])
def test_every_engine_has_a_cost(case: Case) -> None:
    graph = spread(case).graph
    assert_costed(graph)
    assert Graph.from_json(graph.to_json()) == graph


def test_every_input_has_its_products() -> None:
    graph = spread(CASES[0]).graph
    (layer,) = graph.layers
    assert graph.weight_shape(layer) == (3, 1, 3, 5)
    assert graph.total_macs == 12 * 3 * 5 * 3
    assert graph.total_weight_bytes == 3 * 3 * 5 + 4 * 3
    shapes = (graph.shape(name) for name in ("a", "y"))
    assert scratch_bytes("transpose_conv", geometry(layer, *shapes)) == 4 * 24 * 3


def test_one_window_by_hand() -> None:
    """Inputs 1 and 2, stride 2, weights 3, 4, 5: 3, 4, 5 + 6, 8, 10."""
    layer = Layer("y", "transpose_conv", ("a",), "y", kernel=(1, 3), stride=(1, 2))
    graph = Graph((layer,), (Tensor("a", (1, 1, 2, 1)), Tensor("y", (1, 1, 5, 1))), "a", "y")
    net = QuantizedNet(
        graph,
        {"a": (1.0, 0), "y": (1.0, 0)},
        {"y": np.array([3, 4, 5], np.int8).reshape(1, 1, 3, 1)},
        {"y": np.zeros(1, np.int32)},
        {"y": np.ones(1)},
    )
    x = np.array([1, 2], np.int8).reshape(1, 1, 2, 1)
    assert reference.run(net, x).ravel().tolist() == [3, 4, 11, 8, 10]


@pytest.mark.parametrize(
    ("target", "padding"),
    [((1, 1, 27, 3), "same"), ((1, 1, 22, 3), "same"), ((1, 1, 24, 3), "valid")],
)
def test_sizes_that_do_not_fit_are_refused(target: Shape, padding: Padding) -> None:
    with pytest.raises(GraphError, match=r"cannot have \(1, 1, 12, 5\) of an output of"):
        spread(((1, 1, 12, 5), target, (1, 3), (1, 2), padding, "none"))
