"""MAXIMUM, MINIMUM, PRELU, SQUARED_DIFFERENCE and DIV with constants a channel, by every way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.emulation.host import HostCompiler
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet, quantize
from deploy.tflite import runtime, writer
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Op
from ppgnas.errors import ExportError
from tests.deploy.every_way import assert_costed, assert_generated, assert_interpreted, assert_onnx

OPS: tuple[Op, ...] = ("maximum", "minimum", "prelu", "squared_difference", "div")


def joined(op: Op, seed: int, scales: dict[str, tuple[float, int]] | None = None) -> QuantizedNet:
    """Of an input and a constant a channel; scales as they may come."""
    rng = np.random.default_rng(seed)
    graph = Graph(
        (Layer("b", op, ("a", "k"), "b"),),
        (
            Tensor("a", (1, 1, 6, 8)),
            Tensor("k", (1, 1, 1, 8), constant=True),
            Tensor("b", (1, 1, 6, 8)),
        ),
        "a",
        "b",
    )
    drawn = {name: float(np.float32(rng.uniform(0.004, 0.1))) for name in "akb"}
    if op == "squared_difference":
        drawn["b"] = float(np.float32((255 * max(drawn["a"], drawn["k"])) ** 2 / 600))
    points = {name: int(rng.integers(-60, 60)) for name in "akb"}
    activations = {name: (drawn[name], points[name]) for name in "akb"}
    if op == "div":  # no quotient below half a step, see `_quotient`
        drawn["b"] = float(np.float32(drawn["a"] / (8 * drawn["k"])))
        activations["b"] = drawn["b"], points["b"]
    if op in ("maximum", "minimum"):
        activations = dict.fromkeys("akb", activations["a"])
    values = rng.integers(-128, 128, (1, 1, 1, 8)).astype(np.int8)
    if op == "div":
        values = (points["k"] + rng.integers(1, 17, 8) * rng.choice((-1, 1), 8)).astype(np.int8)
        values = values.reshape(1, 1, 1, 8)
    return QuantizedNet(graph, scales or activations, {}, {}, {}, {"k": values})


@pytest.mark.parametrize("op", OPS)
def test_every_way(op: Op, tmp_path: Path, host: HostCompiler) -> None:
    for seed in range(6):
        assert_interpreted(joined(op, seed))
        assert_onnx(joined(op, seed))
    assert_generated(joined(op, 0), tmp_path, host)


def test_every_engine_has_a_cost() -> None:
    for op in ("maximum", "prelu", "squared_difference", "div"):
        assert_costed(joined(op, 0).graph)


def test_a_slope_of_one_changes_nothing() -> None:
    same = (0.0625, 0)
    net = joined("prelu", 0, {"a": same, "k": (1.0, 0), "b": same})
    net.constants["k"][...] = 1
    x = np.arange(-24, 24, dtype=np.int8).reshape(1, 1, 6, 8)
    np.testing.assert_array_equal(reference.run(net, x), x)


@pytest.mark.parametrize("op", ["mul", "squared_difference"])
def test_a_vector_lies_along_the_channels(op: Op) -> None:
    """Layers of Keras 2 that normalise: steps stand in the place of channels."""
    shapes = {"a": (1, 2, 3, 8), "m": (1, 8), "b": (1, 2, 3, 8)}
    layers = (Layer("m", "mean", ("a",), "m"), Layer("b", op, ("a", "m"), "b"))
    graph = Graph(layers, tuple(Tensor(*one) for one in shapes.items()), "a", "b")
    scales = {"a": (0.05, -7), "m": (0.02, 3), "b": (0.25, -100)}
    assert_onnx(quantize(graph, {}, scales))


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_another_scale_is_refused(op: Op) -> None:
    scales = {"a": (0.0625, 0), "k": (0.25, 0), "b": (0.0625, 0)}
    with pytest.raises(ExportError, match=rf"layer 'b' \({op}\): input .* differ"):
        joined(op, 0, scales)


def test_the_factor_of_a_product_is_a_float32_in_litert_alone() -> None:
    """115 by 130 of a gate: rounded twice, the last bits of the factor decide."""
    scales = {"a": (1 / 128, 0), "k": (1 / 256, -128), "b": (0.007668365258723497, 1)}
    net = joined("mul", 0, scales)
    net.constants["k"][:] = 2
    x = np.full((1, 1, 6, 8), 115, np.int8)
    found = {rule: int(reference.run(net, x, rule=rule).ravel()[0]) for rule in reference.RULES}
    assert found == {"tflm": 61, "litert": 60, "c": 61}
    assert_interpreted(net)
    by_litert = runtime.run(writer.write(net), x)
    assert int(by_litert.ravel()[0]) == 60


@pytest.mark.parametrize(("op", "scale"), [("add", 0.5), ("mul", 2.0**-24)])
def test_axes_between_others_are_repeated(
    op: Op, scale: float, tmp_path: Path, host: HostCompiler
) -> None:
    """Additive attention: each query, (1, 4, 1, 3), beside each key, (1, 1, 5, 3).

    By so large a factor all products but 0 leave int8, and in LiteRT even int32.
    """
    shapes = {"a": (1, 4, 1, 3), "k": (1, 1, 5, 3), "b": (1, 4, 5, 3)}
    tensors = tuple(Tensor(name, shape, constant=name == "k") for name, shape in shapes.items())
    graph = Graph((Layer("b", op, ("a", "k"), "b"),), tensors, "a", "b")
    values = np.arange(-5, 10, dtype=np.int8).reshape(shapes["k"])
    activations = {"a": (0.5, -3), "k": (0.5, -3), "b": (scale, -3)}
    net = QuantizedNet(graph, activations, {}, {}, {}, {"k": values})
    if op == "add":
        assert_interpreted(net)
    assert_generated(net, tmp_path, host)
