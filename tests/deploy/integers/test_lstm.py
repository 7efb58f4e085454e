"""UNIDIRECTIONAL_SEQUENCE_LSTM of int8, by every way; what is not computed is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.emulation.host import HostCompiler
from deploy.integers import lstm, reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import runtime, writer
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
from tests.deploy.tflite.test_reader import packed, unpacked

CASES = [(6, 3, 4, -15, 10.0), (9, 8, 5, -12, 10.0), (1, 1, 1, -11, 10.0), (7, 4, 12, -9, 0.0)]
"""Steps, inputs, units, power of the cell state's scale, clip."""


def net_of(
    steps: int, inputs: int, units: int, power: int = -13, clip: float = 10.0, seed: int = 0
) -> QuantizedNet:
    rng = np.random.default_rng((seed, steps, units))
    graph = Graph(
        (Layer("y", "lstm", ("x",), "y", clip=clip),),
        (Tensor("x", (1, 1, steps, inputs)), Tensor("y", (1, 1, steps, units))),
        "x",
        "y",
    )
    # LiteRT's outputs have a scale and zero point of their own.
    own = rng.uniform(0.002, 0.008), rng.integers(28, 229)
    spread = np.array([*rng.uniform(0.5, 4.0, 2 * lstm.GATES) / 127, 2.0**power, *own])
    scales = spread.astype(np.float32).astype(np.float64)
    points = rng.integers(-100, 100, 2)
    activations = {
        "x": (float(np.float32(rng.uniform(0.005, 0.03))), int(points[0])),
        "y": (float(np.float32(rng.uniform(0.002, 0.008))), int(points[1])),
    }
    weights = rng.integers(-127, 128, (4 * units, inputs + units)).astype(np.int8)
    biases = rng.integers(-5000, 5000, 4 * units).astype(np.int32)
    return QuantizedNet(graph, activations, {"y": weights}, {"y": biases}, {"y": scales})


@pytest.mark.parametrize("case", CASES)
def test_both_interpreters(case: tuple[int, int, int, int, float]) -> None:
    for seed in range(4):
        assert_interpreted(net_of(*case, seed=seed))


@pytest.mark.parametrize("case", CASES[:2])
def test_generated(
    case: tuple[int, int, int, int, float], tmp_path: Path, host: HostCompiler
) -> None:
    assert_generated(net_of(*case), tmp_path, host)


def test_onnx_in_float_is_near() -> None:
    """What int8 and int16 cut goes on uncut there, so scales hold all of it."""
    for seed in range(2):
        net = net_of(9, 8, 5, -12, seed=seed)
        assert_onnx(replace(net, activations=net.activations | {"y": (1 / 128, 0)}), lsb=4)


def test_every_engine_has_a_cost() -> None:
    assert_costed(net_of(*CASES[0]).graph)


def test_counts() -> None:
    graph = net_of(6, 3, 4).graph
    assert graph.weight_shape(graph.layers[0]) == (16, 7)
    assert graph.total_macs == 6 * 16 * 7
    assert graph.total_weight_bytes == 16 * 7 + 4 * 16
    assert graph.total_parameters == 16 * 7 + 16
    assert Graph.from_json(graph.to_json()) == graph


def test_every_window_begins_at_zero() -> None:
    net = net_of(6, 3, 4)
    x = every_value(net)[[2, 3, 2, 3, 3]]
    for rule in reference.RULES:
        found = reference.run(net, x, rule=rule)
        np.testing.assert_array_equal(found[:2], found[2:4])
    by_litert = runtime.run(writer.write(net), x)
    np.testing.assert_array_equal(by_litert[:2], by_litert[2:4])


def test_steps_in_front_of_the_batch_are_the_same_bytes() -> None:
    plain = net_of(6, 3, 4)
    layers = (
        Layer("z", "reshape", ("x",), "z"),
        Layer("y", "lstm", ("z",), "y", clip=10.0),
        Layer("out", "reshape", ("y",), "out"),
    )
    shapes = {"x": (1, 1, 6, 3), "z": (1, 6, 1, 3), "y": (1, 6, 1, 4), "out": (1, 1, 6, 4)}
    graph = Graph(layers, tuple(Tensor(*one) for one in shapes.items()), "x", "out")
    (first, last) = (plain.activations[name] for name in "xy")
    scales = {"x": first, "z": first, "y": last, "out": last}
    net = replace(plain, graph=graph, activations=scales)
    assert_interpreted(net)
    x = every_value(net)
    np.testing.assert_array_equal(reference.run(net, x).ravel(), reference.run(plain, x).ravel())


def test_its_mean_over_steps_is_written() -> None:
    plain = net_of(6, 3, 4)
    layers = (*plain.graph.layers, Layer("out", "mean", ("y",), "out"))
    graph = Graph(layers, (*plain.graph.tensors, Tensor("out", (1, 4))), "x", "out")
    scales = plain.activations | {"out": plain.activations["y"]}
    assert_interpreted(replace(plain, graph=graph, activations=scales))


def test_the_curve_in_sixteen_bits() -> None:
    x = np.arange(-32768, 32768)
    real = x / 4096
    for curve in (lstm.sigmoid, lstm._gemmlowp_sigmoid):
        assert np.abs(curve(x) - 32768 / (1 + np.exp(-real))).max() < 20
    for power in range(-15, -8):
        wide = x * 2.0**power
        for bend in (lstm.tanh, lstm._gemmlowp_tanh):
            assert np.abs(bend(x, power) - 32768 * np.tanh(wide)).max() < 40
    assert lstm.table()[[0, 1, 28, 48, 135, 254, 255]].tolist() == [
        32768, 33451, 49975, 57724, 65301, 65534, 65535
    ]  # fmt: skip


def test_a_gate_that_forgets_all_leaves_the_cell_s_own() -> None:
    """Outputs without products are tanh(1/2 tanh 1)/2: all gates but the cell's are half open."""
    net = net_of(2, 1, 1, power=-15)
    net.weights["y"][...] = 0
    in_one = 1 / (net.activations["x"][0] * net.weight_scales["y"][2])
    net.biases["y"][...] = [0, -(10**6), round(in_one), 0]
    scale, point = net.activations["y"]
    net.weight_scales["y"][-2:] = scale, point + 128
    x = np.zeros((1, 1, 2, 1), np.int8)
    expected = np.tanh(0.5 * np.tanh(1.0)) / 2
    for rule in reference.RULES:
        found = (reference.run(net, x, rule=rule).astype(float) - point) * scale
        np.testing.assert_allclose(found.ravel(), expected, atol=scale)


@pytest.mark.parametrize("power", [-16, -8])
def test_a_cell_state_that_litert_does_not_compute(power: int) -> None:
    with pytest.raises(
        ExportError, match=r"layer 'y': its cell state has scale .* 2\^-15 to 2\^-9"
    ):
        net_of(3, 2, 2, power)


def _peepholes(model: Any, operator: Any) -> None:
    operator.inputs[9:12] = operator.inputs[12:15]


def _projection(model: Any, operator: Any) -> None:
    operator.inputs[16] = operator.inputs[5]


def _no_input_gate(model: Any, operator: Any) -> None:
    operator.inputs[1] = operator.inputs[5] = -1


def _relu(model: Any, operator: Any) -> None:
    operator.builtinOptions.fusedActivationFunction = 1


def _float_weights(model: Any, operator: Any) -> None:
    model.subgraphs[0].tensors[operator.inputs[1]].type = 0


def _two_sequences(model: Any, operator: Any) -> None:
    operator.builtinOptions.timeMajor = True


def _first_state(model: Any, operator: Any) -> None:
    operator.inputs[18] = operator.inputs[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_peepholes, "it has peepholes, which is not computed"),
        (_projection, "it has a projection"),
        (_no_input_gate, "an input gate that is one minus the forget gate"),
        (_relu, "its activation is RELU, not TANH"),
        (_float_weights, "its input 1 is FLOAT32"),
        (_two_sequences, r"sequences of shape \(1, 3, 2\); allowed: a batch of one"),
        (_first_state, "its first state is an input; allowed: zeros"),
    ],
)
def test_what_is_not_computed(change: Callable[[Any, Any], None], said: str) -> None:
    model = unpacked(writer.write(net_of(3, 2, 2)))
    (operator,) = model.subgraphs[0].operators
    operator.inputs = operator.inputs.copy()
    change(model, operator)
    with pytest.raises(GraphError, match=said):
        read(packed(model))
