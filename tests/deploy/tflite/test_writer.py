"""TFLite files in the interpreter against the integer reference: every tensor, every bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import runtime as tflite_runtime
from deploy.tflite import writer as tflite
from ppgnas.errors import DependencyError, ExportError
from tests.deploy.every_tensor import by_interpreter, by_reference

Make = Callable[..., Any]


def assert_every_tensor_equal(net: QuantizedNet, x: Any) -> None:
    """The interpreter's reference kernels, with LiteRT's rounding of fully connected layers."""
    expected = by_reference(net, x, rule="litert")
    seen = by_interpreter(tflite.write(net), x)
    for name, wanted in expected.items():
        np.testing.assert_array_equal(seen[name].reshape(wanted.shape), wanted, err_msg=name)


@pytest.mark.parametrize("pool", ["avg", "mean", "depthwise"])
@pytest.mark.parametrize("seed", range(4))
def test_lowered_networks(seed: int, pool: str, make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(seed, pool=pool).net()
    x = make_windows(net, 40, seed)
    outputs = reference.run(net, x)
    # The comparison means something only where outputs vary and do not all saturate.
    assert len(np.unique(outputs)) > 30
    assert np.mean(np.abs(outputs.astype(int)) < 127) > 0.5
    assert_every_tensor_equal(net, x)


def test_device_rule_differs_only_in_the_head(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(1).net()
    x = make_windows(net, 200)
    tflm, litert = (by_reference(net, x, rule=rule) for rule in ("tflm", "litert"))
    last = net.graph.output
    for name in tflm.keys() - {last}:
        np.testing.assert_array_equal(tflm[name], litert[name])
    difference = np.abs(tflm[last].astype(int) - litert[last])
    assert difference.max() == 1
    assert difference.mean() < 0.02


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("seed", range(6))
def test_any_window(seed: int, padding: str, make_builder: Make, make_windows: Make) -> None:
    """Kernels, strides and dilations of both axes, `same` padding, pools, relu6."""
    builder = make_builder(seed, (1, 11, 13, 3))
    rng = np.random.default_rng(100 + seed)
    kernel, dilation = (int(rng.integers(1, 4)), int(rng.integers(1, 5))), (2, 1)
    builder.weighted(
        "conv", 5, kernel=kernel, dilation=dilation, padding=padding, activation="relu6"
    )
    builder.weighted(
        "depthwise_conv", 10, kernel=(2, 3), stride=(2, 2), padding=padding, activation="relu"
    )
    _, height, width, channels = builder.size(builder.last)
    if padding == "same":
        shape = (1, -(-height // 2), width, channels)
        pool = {"kernel": (3, 2), "stride": (2, 1), "padding": "same"}
        builder.add("max_pool", shape, keep_scale=True, **pool)
        shape = (1, -(-shape[1] // 2), width, channels)
        builder.add("avg_pool", shape, keep_scale=True, **pool)
    else:
        builder.add("max_pool", (1, height, width - 1, channels), keep_scale=True, kernel=(1, 2))
        shape = (1, height, width - 2, channels)
        builder.add("avg_pool", shape, keep_scale=True, kernel=(1, 2))
    builder.add("mean", (1, channels), scale=0.02)
    net = builder.net()
    assert_every_tensor_equal(net, make_windows(net, 10, seed))


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
@pytest.mark.parametrize("scales", [(0.02, 0.02, 0.04), (0.001, 0.05, 0.03), (0.3, 0.01, 0.07)])
def test_add(
    scales: tuple[float, float, float], activation: str, make_builder: Make, make_windows: Make
) -> None:
    builder = make_builder(0, (1, 1, 64, 32))
    builder.weighted("conv", 32, scale=scales[1])
    builder.add(
        "add",
        (1, 1, 64, 32),
        inputs=("input", builder.last),
        scale=scales[2],
        activation=activation,
    )
    builder.activations["input"] = (scales[0], 5)
    net = builder.net()
    assert_every_tensor_equal(net, make_windows(net, 20))


def test_accumulators_beyond_float32(make_builder: Make, make_windows: Make) -> None:
    """6,144 taps of weight 127: sums beyond 2^24 and products beyond 2^53."""
    builder = make_builder(0, (1, 2, 48, 64))
    builder.weighted("conv", 3, kernel=(2, 48), scale=4.0)
    name = builder.layers[0].name
    signs = np.sign(builder.weights[name][0])
    builder.weights[name] = (signs, builder.weights[name][1])
    net = builder.net()
    assert net.accumulator_bound(net.graph.layers[0]).min() > 2**24
    x = make_windows(net, 20)
    assert_every_tensor_equal(net, x)
    # Windows aligned with the weights' signs reach the bound.
    extreme = np.where(signs > 0, 127, -128).astype(np.int8)
    assert_every_tensor_equal(net, extreme)


def test_multiplier_above_one(make_builder: Make, make_windows: Make) -> None:
    builder = make_builder(0, (1, 1, 8, 2))
    builder.activations["input"] = (0.5, 0)
    builder.weighted("conv", 4, scale=0.0005)
    net = builder.net()
    assert net.multiplier(net.graph.layers[0]).shift.max() > 1
    assert_every_tensor_equal(net, make_windows(net, 20))


def test_bytes_repeat_and_constants_are_aligned(make_lowered: Make) -> None:
    net = make_lowered(0).net()
    content = tflite.write(net)
    assert tflite.write(make_lowered(0).net()) == content
    schema = tflite_runtime.schema()
    model = schema.Model.GetRootAs(content, 0)
    assert model.Version() == 3
    assert model.Buffers(0).DataIsNone()
    for index in range(1, model.BuffersLength()):
        buffer = model.Buffers(index)
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        assert start % 16 == 0
        assert buffer.DataLength() > 0


def test_file_says_what_the_graph_says(make_lowered: Make) -> None:
    net = make_lowered(0).net()
    schema = tflite_runtime.schema()
    model = schema.Model.GetRootAs(tflite.write(net), 0)
    graph = model.Subgraphs(0)
    assert graph.OperatorsLength() == len(net.graph.layers)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    seen = [
        names[model.OperatorCodes(graph.Operators(i).OpcodeIndex()).BuiltinCode()]
        for i in range(graph.OperatorsLength())
    ]
    assert seen[:4] == ["PAD", "CONV_2D", "PAD", "DEPTHWISE_CONV_2D"]
    assert seen[-3:] == ["RESHAPE", "AVERAGE_POOL_2D", "FULLY_CONNECTED"]
    every = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    tensors = {tensor.Name().decode(): tensor for tensor in every if tensor.Name()}
    scale, zero_point = net.activations["input"]
    assert tensors["input"].Quantization().Scale(0) == np.float32(scale)
    assert tensors["input"].Quantization().ZeroPoint(0) == zero_point
    assert tensors[net.graph.output].ShapeAsNumpy().tolist() == [1, 180]


def test_softmax_is_written(make_builder: Make, make_windows: Make) -> None:
    builder = make_builder(0, (1, 1, 4, 2))
    builder.weighted("fully_connected", 6, scale=0.03)
    logits = builder.net()
    builder.add("softmax", (1, 6))
    builder.activations[builder.last] = (1 / 256, -128)
    net = builder.net()
    x = make_windows(net, 30)
    seen = (tflite_runtime.run(tflite.write(net), x).astype(float) + 128) / 256
    real = np.exp(logits.dequantize_output(reference.run(logits, x)).astype(float))
    np.testing.assert_allclose(seen, real / real.sum(axis=1, keepdims=True), atol=1.5 / 256)


@pytest.mark.parametrize("kernels", ["optimized", "xnnpack"])
def test_other_kernels_round_otherwise(
    kernels: str, make_lowered: Make, make_windows: Make
) -> None:
    net = make_lowered(0).net()
    x = make_windows(net, 50)
    seen = tflite_runtime.run(tflite.write(net), x, kernels=kernels)
    difference = np.abs(seen.astype(int) - reference.run(net, x))
    assert difference.max() <= 4
    assert np.mean(difference == 0) > 0.7


def test_refusals(make_lowered: Make) -> None:
    content = tflite.write(make_lowered(0, blocks=1).net())
    with pytest.raises(ExportError, match="the TFLite runtime refuses the file: "):
        tflite_runtime.run(b"not a model", np.zeros((1, 1, 128, 4), np.int8))
    with pytest.raises(ExportError) as caught:
        tflite_runtime.run(content, np.zeros((1, 1, 64, 4), np.int8))
    assert str(caught.value) == (
        "input is int8 of shape (1, 1, 64, 4); the file takes int8 of shape (windows, 1, 128, 4)"
    )
    with pytest.raises(ExportError, match="kernels is 'fast'; allowed: reference, optimized, xnn"):
        tflite_runtime.run(content, np.zeros((1, 1, 128, 4), np.int8), kernels="fast")


def test_missing_runtime_says_what_to_install() -> None:
    with pytest.raises(DependencyError) as caught:
        tflite_runtime._import_first("no_such_runtime", "nor_this_one")
    assert str(caught.value) == (
        "none of no_such_runtime, nor_this_one can be imported; writing and running TFLite files "
        "needs one of them: pip install ai-edge-litert"
    )
