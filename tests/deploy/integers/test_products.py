"""BATCH_MATMUL and SUM of int8, by every way; what does not fit is refused."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.c.source import check
from deploy.emulation.host import HostCompiler
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import micro, runtime, writer
from deploy.tflite.reader import read
from hwmodels.graph import Graph, Layer, Tensor
from ppgnas.errors import ExportError, GraphError
from tests.deploy.every_way import (
    assert_costed,
    assert_generated,
    assert_interpreted,
    assert_onnx,
    every_value,
)

Shape = tuple[int, ...]
Case = tuple[Shape, Shape, tuple[bool, bool], Shape]
WITH_ITSELF: list[Case] = [
    ((1, 2, 7, 3), (), (False, True), (1, 2, 7, 7)),
    ((1, 1, 5, 4), (), (True, False), (1, 1, 4, 4)),
    ((1, 3, 4, 4), (), (True, True), (1, 3, 4, 4)),
]
WITH_A_CONSTANT: list[Case] = [
    ((1, 2, 6, 3), (1, 2, 3, 5), (False, False), (1, 2, 6, 5)),
    ((1, 3, 4, 5), (1, 1, 2, 5), (False, True), (1, 3, 4, 2)),
    ((1, 1, 3, 6), (1, 4, 3, 2), (True, False), (1, 4, 6, 2)),
]
CASES = [*WITH_ITSELF, *WITH_A_CONSTANT]


def scale(value: float) -> float:
    return float(np.float32(value))


def product(case: Case, seed: int = 0) -> QuantizedNet:
    """A tensor times itself, or times a constant."""
    source, other, adjoint, target = case
    rng = np.random.default_rng(seed)
    tensors, second = [Tensor("a", source)], "a"
    values = {}
    if other:
        second = "k"
        tensors.append(Tensor("k", other, constant=True))
        values["k"] = rng.integers(-128, 128, other).astype(np.int8)
    graph = Graph(
        (Layer("y", "batch_matmul", ("a", second), "y", adjoint=adjoint),),
        (*tensors, Tensor("y", target)),
        "a",
        "y",
    )
    steps = rng.uniform(0.01, 0.05, 3)
    points = rng.integers(-100, 100, 3)
    activations = {
        name: (scale(step), int(point))
        for name, step, point in zip(("a", "k", "y"), steps, points, strict=True)
        if name != "k" or other
    }
    largest = steps[0] * steps[1 if other else 0] * 100**2
    activations["y"] = scale(largest / 60), activations["y"][1]
    return QuantizedNet(graph, activations, {}, {}, {}, values)


@pytest.mark.parametrize("case", CASES)
def test_both_interpreters(case: Case) -> None:
    for seed in range(8):
        assert_interpreted(product(case, seed))


@pytest.mark.parametrize("case", CASES)
def test_generated_and_onnx(case: Case, tmp_path: Path, host: HostCompiler) -> None:
    assert_generated(product(case), tmp_path, host)
    assert_onnx(product(case))


@pytest.mark.parametrize("case", [CASES[0], CASES[3]])
def test_every_engine_has_a_cost(case: Case) -> None:
    graph = product(case).graph
    assert_costed(graph)
    assert Graph.from_json(graph.to_json()) == graph


def test_products_are_counted() -> None:
    graph = product(CASES[0]).graph
    assert graph.total_macs == 2 * 7 * 7 * 3
    assert graph.total_weight_bytes == 0
    constant = product(CASES[4]).graph
    assert constant.total_macs == 3 * 4 * 2 * 5
    assert constant.total_weight_bytes == 2 * 5


def test_one_product_by_hand() -> None:
    """(2, 3) by (1, 1), zero points away, times 0.5 * 0.5 / 0.25."""
    net = product(((1, 1, 1, 2), (1, 1, 2, 1), (False, False), (1, 1, 1, 1)))
    net = replace(
        net,
        activations={"a": (0.5, 1), "k": (0.5, -1), "y": (0.25, 4)},
        constants={"k": np.zeros((1, 1, 2, 1), np.int8)},
    )
    x = np.array([3, 4], np.int8).reshape(1, 1, 1, 2)
    assert reference.run(net, x).ravel().tolist() == [2 + 3 + 4]


@pytest.mark.parametrize(
    ("source", "adjoint", "target"),
    [
        ((1, 2, 7, 3), (False, False), (1, 2, 7, 7)),
        ((1, 2, 7, 3), (True, True), (1, 2, 3, 7)),
        ((1, 1, 4, 4), (False, True), (1, 1, 4, 5)),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    source: Shape, adjoint: tuple[bool, bool], target: Shape
) -> None:
    with pytest.raises(GraphError, match="batch_matmul"):
        product((source, (), adjoint, target))


def test_only_products_have_swapped_inputs() -> None:
    with pytest.raises(GraphError, match="only batch_matmul layers have that"):
        Graph(
            (Layer("y", "add", ("a", "a"), "y", adjoint=(True, False)),),
            (Tensor("a", (1, 1, 2, 2)), Tensor("y", (1, 1, 2, 2))),
            "a",
            "y",
        )


def test_sums_beyond_int32_have_no_c() -> None:
    net = product(CASES[0])
    wide = replace(net, activations=net.activations | {"y": (scale(1e-12), 0)})
    with pytest.raises(ExportError, match=r"layer 'y': sums of up to \d+ leave int32"):
        check(wide)


def total(source: Shape, target: Shape, seed: int = 0) -> QuantizedNet:
    rng = np.random.default_rng(seed)
    graph = Graph(
        (Layer("y", "sum", ("a",), "y"),), (Tensor("a", source), Tensor("y", target)), "a", "y"
    )
    count = np.prod(source[1:-1])
    points = [int(point) for point in rng.integers(-100, 100, 2)]
    activations = {"a": (scale(0.03), points[0]), "y": (scale(0.01 * count), points[1])}
    return QuantizedNet(graph, activations, {}, {}, {})


SUMS: list[tuple[Shape, Shape]] = [
    ((1, 1, 9, 3), (1, 3)),
    ((1, 4, 5, 2), (1, 1, 1, 2)),
    ((1, 7, 6), (1, 1, 6)),
]


@pytest.mark.parametrize(("source", "target"), SUMS)
def test_sums(source: Shape, target: Shape, tmp_path: Path, host: HostCompiler) -> None:
    """LiteRT's optimised kernel rounds once; its reference kernel gives one value for all."""
    net = total(source, target)
    assert_generated(net, tmp_path, host)
    assert_onnx(net)
    assert_costed(net.graph)
    for seed in range(8):
        net = total(source, target, seed)
        x, file = every_value(net, 200), writer.write(net)
        assert read(file).graph.layers == net.graph.layers
        truth = reference.run(net, x)
        by_litert = runtime.run(file, x, kernels="optimized").reshape(truth.shape)
        assert np.abs(by_litert.astype(int) - truth).max() <= 1
        if importlib.util.find_spec("tflite_micro"):
            np.testing.assert_array_equal(micro.run(file, x).reshape(truth.shape), truth)


def test_a_sum_is_no_mean() -> None:
    net = total((1, 1, 4, 1), (1, 1))
    net = replace(net, activations={"a": (1.0, 0), "y": (1.0, 0)})
    x = np.array([1, 2, 3, 4], np.int8).reshape(1, 1, 4, 1)
    assert reference.run(net, x).ravel().tolist() == [10]


@pytest.mark.parametrize(
    ("source", "target"),
    [((1, 1, 1, 6), (1, 1, 1, 5)), ((1, 1, 3, 6), (1, 1, 3, 5)), ((1, 6), (1, 5))],
)
def test_a_gate_of_dense_layers_is_joined_in_onnx(source: Shape, target: Shape) -> None:
    """Outputs of a dense layer over one position, with four sizes, beside many positions."""
    layers = (
        Layer("d", "fully_connected", ("a",), "d"),
        Layer("y", "mul", ("d", "k"), "y"),
    )
    many = (1, 1, 3, 5)
    whole = many if len(target) == 4 else target
    tensors = (
        *(Tensor("a", source), Tensor("d", target)),
        *(Tensor("k", whole, constant=True), Tensor("y", whole)),
    )
    rng = np.random.default_rng(0)
    values = {"k": rng.integers(-128, 128, whole).astype(np.int8)}
    weights = rng.integers(-127, 128, (5, 6)).astype(np.int8)
    scales = np.full(5, scale(0.01))
    activations = {"a": (0.5, 3), "d": (1.0, -7), "k": (0.25, 0), "y": (0.5, 1)}
    net = QuantizedNet(
        Graph(layers, tensors, "a", "y"),
        activations,
        {"d": weights},
        {"d": np.zeros(5, np.int32)},
        {"d": scales},
        values,
    )
    assert_onnx(net)
