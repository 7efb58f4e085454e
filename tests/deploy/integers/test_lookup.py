"""Operators that look up one value: against LiteRT, through every stage that a layer goes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import onnx_export
from deploy.c.build import model_files
from deploy.c.host import host_program
from deploy.emulation.host import HostCompiler
from deploy.integers import lookup, reference
from deploy.integers.quantized import QuantizedNet, quantize
from deploy.tflite import micro, reader, runtime, writer
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import OPERATORS, Op
from hwmodels.scorecard import score
from ppgnas.errors import ExportError, GraphError

EVERY_VALUE = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 1, 256)
SCALES = [2.0**-20, 1e-4, 0.0078125, 0.02, 0.0625, 0.117, 0.3, 1.0, 5.5]


def logistic(scale: float, zero_point: int, *, rank: int = 4) -> QuantizedNet:
    shape = (1,) * (rank - 1) + (256,)
    graph = Graph(
        (Layer("l", "logistic", ("a",), "b"),), (Tensor("a", shape), Tensor("b", shape)), "a", "b"
    )
    return quantize(graph, {}, {"a": (scale, zero_point), "b": (1 / 256, -128)})


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("zero_point", [-128, -3, 0, 77])
def test_every_value_is_litert_s(scale: float, zero_point: int) -> None:
    net = logistic(scale, zero_point)
    expected = runtime.run(writer.write(net), EVERY_VALUE)
    np.testing.assert_array_equal(reference.run(net, EVERY_VALUE, rule="litert"), expected)
    by_tflm = reference.run(net, EVERY_VALUE)
    assert np.abs(by_tflm.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(reference.run(net, EVERY_VALUE, rule="c"), by_tflm)


def test_many_scales_are_those_of_tflm_and_of_litert() -> None:
    tflm = importlib.util.find_spec("tflite_micro")
    rng = np.random.default_rng(0)
    for scale in np.exp(rng.uniform(np.log(1e-3), np.log(0.5), 40)):
        net = logistic(float(scale), int(rng.integers(-128, 128)))
        file = writer.write(net)
        by_litert = reference.run(net, EVERY_VALUE, rule="litert")
        np.testing.assert_array_equal(by_litert, runtime.run(file, EVERY_VALUE))
        if tflm is not None:
            by_tflm = reference.run(net, EVERY_VALUE)
            np.testing.assert_array_equal(by_tflm, micro.run(file, EVERY_VALUE))


def test_the_table_is_the_function() -> None:
    net = logistic(0.05, 10)
    x = (np.arange(-128, 128) - 10) * 0.05
    found = (lookup.table(net, net.graph.layers[0]).astype(float) + 128) / 256
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-x)), atol=0.51 / 256)


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_through_files_c_and_costs(rank: int, tmp_path: Path, host: HostCompiler) -> None:
    net = logistic(0.05, 10, rank=rank)
    x = EVERY_VALUE.reshape(1, *net.graph.shape("a")[1:])
    truth = reference.run(net, x)
    read = reader.read(writer.write(net))
    assert read.graph.layers[0].op == "logistic"
    lifted = reference.run(read.net(), x.reshape(1, *read.graph.shape("a")[1:]))
    np.testing.assert_array_equal(lifted.reshape(truth.shape), truth)
    by_onnx = onnx_export.run(onnx_export.write(net), x).astype(int)
    assert np.abs(by_onnx - truth).max() <= 1
    made = host_program([model_files(net, tmp_path)], tmp_path, host, sanitize=False)
    np.testing.assert_array_equal(made.run(0, net, x), truth)
    for name in engine_names():
        engine = load_engine(name)
        board = load_board("stm32h743" if "Cortex-M7" in engine.cores else "esp32-s3")
        card = score(net.graph, board, engine)
        assert card.layers[0].cycles.low < card.layers[0].cycles.value
        assert costing(board, engine)(net.graph).flash_bytes >= OPERATORS["logistic"].table_bytes


def test_another_output_scale_is_refused() -> None:
    graph = logistic(0.05, 0).graph
    with pytest.raises(ExportError) as caught:
        quantize(graph, {}, {"a": (0.05, 0), "b": (1 / 128, 0)})
    assert str(caught.value) == (
        "layer 'l' (logistic): output (scale, zero point) is (0.0078125, 0); TFLite's logistic "
        "has (0.00390625, -128)"
    )


def mapped(op: Op, seed: int, **options: Any) -> QuantizedNet:
    """One layer of scales as they may come; roots and logarithms read what is positive."""
    rng = np.random.default_rng(seed)
    graph = Graph(
        (Layer("b", op, ("a",), "b", **options),),
        (Tensor("a", (1, 1, 1, 256)), Tensor("b", (1, 1, 1, 256))),
        "a",
        "b",
    )
    (scale, other), (point, target) = np.exp(rng.uniform(-6, -2, 2)), rng.integers(-128, 128, 2)
    if op in ("rsqrt", "log"):
        point = -128
    return quantize(graph, {}, {"a": (scale, int(point)), "b": (other, int(target))})


MAPPED: list[tuple[Op, dict[str, Any], str]] = [
    ("elu", {}, "optimized"),  # LiteRT's reference kernels lack it
    ("gelu", {}, "reference"),
    ("gelu", {"approximate": True}, "reference"),
    ("abs", {}, "reference"),
    ("exp", {}, "reference"),
    ("log", {}, "reference"),
    ("rsqrt", {}, "reference"),
    ("relu", {"activation": "relu_n1_to_1"}, "optimized"),
    ("relu", {"activation": "relu_0_to_1"}, "optimized"),
]
IN_TFLM = ("elu", "abs", "rsqrt")


@pytest.mark.parametrize(("op", "options", "kernels"), MAPPED)
def test_every_value_is_the_interpreter_s(op: Op, options: dict[str, Any], kernels: str) -> None:
    x = np.maximum(EVERY_VALUE, -127) if op in ("rsqrt", "log") else EVERY_VALUE
    for seed in range(10):
        net = mapped(op, seed, **options)
        file = writer.write(net)
        assert reader.read(file).graph.layers == net.graph.layers
        by_litert = reference.run(net, x, rule="litert")
        np.testing.assert_array_equal(by_litert, runtime.run(file, x, kernels=kernels))
        if op in IN_TFLM and importlib.util.find_spec("tflite_micro") is not None:
            np.testing.assert_array_equal(reference.run(net, x), micro.run(file, x))
        by_onnx = onnx_export.run(onnx_export.write(net), x)
        np.testing.assert_array_equal(by_onnx, reference.run(net, x))


def test_ways_to_cut_at_one_are_no_fused_activation_of_both_sides() -> None:
    graph = mapped("relu", 0, activation="relu_0_to_1").graph
    document = graph.to_json()
    document["layers"][0] |= {"op": "avg_pool"}
    with pytest.raises(GraphError, match="is an operator of its own in every file"):
        Graph.from_json(document)
