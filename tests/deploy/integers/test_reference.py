"""The integer reference against plain loops; against the interpreter see `test_tflite`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.integers import fixed_point, reference
from deploy.integers.log_softmax import in_float32, log_softmax
from deploy.integers.quantized import QuantizedNet, quantize
from deploy.tflite import runtime, writer
from hwmodels.graph import Graph, Layer, Tensor
from ppgnas.errors import ExportError

Make = Callable[..., Any]


def plain_conv(net: QuantizedNet, layer: Layer, x: NDArray[np.int8]) -> NDArray[np.int64]:
    """One window, one loop a dimension, int64 throughout."""
    zero_in, zero_out = (net.activations[n][1] for n in (layer.inputs[0], layer.output))
    scale = net.activations[layer.output][0]
    low, high = fixed_point.activation_range(layer.activation, scale, zero_out)
    by = net.multiplier(layer)
    mantissas, shifts = np.asarray(by.mantissa), np.asarray(by.shift)
    weights = net.weights[layer.name].astype(np.int64)
    _, height, width, channels = net.graph.shape(layer.output)
    out = np.zeros((height, width, channels), np.int64)
    for row in range(height):
        for column in range(width):
            for channel in range(channels):
                total = int(net.biases[layer.name][channel])
                for i in range(layer.kernel[0]):
                    for j in range(layer.kernel[1]):
                        at = x[
                            row * layer.stride[0] + i * layer.dilation[0],
                            column * layer.stride[1] + j * layer.dilation[1],
                        ].astype(np.int64)
                        if layer.op == "conv":
                            total += int(((at - zero_in) * weights[channel, i, j]).sum())
                        else:
                            total += int((at[channel] - zero_in) * weights[0, i, j, channel])
                one = fixed_point.Multiplier(mantissas[[channel]], shifts[[channel]])
                value = int(fixed_point.multiply(np.array([total]), one)[0]) + zero_out
                out[row, column, channel] = min(max(value, low), high)
    return out


@pytest.mark.parametrize("op", ["conv", "depthwise_conv"])
def test_convolutions_equal_plain_loops(op: str, make_builder: Make) -> None:
    builder = make_builder(7, (1, 5, 9, 3))
    builder.weighted(op, 3, kernel=(2, 3), stride=(1, 2), dilation=(2, 1), activation="relu")
    net = builder.net()
    x = np.random.default_rng(0).integers(-128, 128, (4, 5, 9, 3)).astype(np.int8)
    seen = reference.run(net, x)
    for index in range(len(x)):
        expected = plain_conv(net, net.graph.layers[0], x[index])
        np.testing.assert_array_equal(seen[index], expected)


def test_one_multiplication_by_hand() -> None:
    # Centred input 10 - 2 = 8, weight 127, bias 5, multiplier 0.5 * (1 / 127) / 0.25 = 2 / 127:
    # (8 * 127 + 5) * 2 / 127 = 16.08 -> 16, plus zero point -3.
    graph = Graph(
        (Layer("f", "fully_connected", ("x",), "y"),),
        (Tensor("x", (1, 1, 1, 1)), Tensor("y", (1, 1))),
        "x",
        "y",
    )
    net = quantize(graph, {"f": ([[1.0]], [5 * 0.5 / 127])}, {"x": (0.5, 2), "y": (0.25, -3)})
    np.testing.assert_array_equal(net.biases["f"], [5])
    assert reference.run(net, np.full((1, 1, 1, 1), 10, np.int8)).tolist() == [[13]]


def test_padding_is_the_zero_point(make_builder: Make) -> None:
    builder = make_builder(0, (1, 1, 2, 1))
    builder.activations["input"] = (0.02, 9)
    builder.pad((1, 0, 2, 1))
    x = np.array([[[[5], [6]]]], np.int8)
    seen = reference.run(builder.net(), x)
    assert seen[0, :, :, 0].tolist() == [[9, 9, 9, 9, 9], [9, 9, 5, 6, 9]]


def test_average_pool_rounds_stored_values_away_from_zero(make_builder: Make) -> None:
    builder = make_builder(0, (1, 1, 2, 2))
    builder.activations["input"] = (0.02, 9)
    builder.add("avg_pool", (1, 1, 1, 2), keep_scale=True, kernel=(1, 2))
    x = np.array([[[[5, -5], [6, -6]]]], np.int8)
    assert reference.run(builder.net(), x).ravel().tolist() == [6, -6]


def test_batches_do_not_matter(
    make_lowered: Make, make_windows: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = make_lowered(3).net()
    x = make_windows(net, 37)
    whole = reference.run(net, x)
    monkeypatch.setattr(reference, "_BATCH_ELEMENTS", 1)
    np.testing.assert_array_equal(reference.run(net, x), whole)


def test_no_windows(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0, blocks=1).net()
    assert reference.run(net, make_windows(net, 0)).shape == (0, 180)


def test_real_outputs_follow_the_float_network(make_builder: Make) -> None:
    """Dequantised integers stay within the rounding of weights, inputs and output."""
    builder = make_builder(2, (1, 1, 16, 4))
    builder.activations["input"] = (0.02, 0)
    builder.weighted("conv", 6, kernel=(1, 3), scale=0.05)
    weights, bias = builder.weights["conv0"]
    net = builder.net()
    x = np.random.default_rng(0).uniform(-2, 2, (20, 4, 16)).astype(np.float32)
    rows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=2)  # (windows, channels, 14, 3)
    expected = np.einsum("nctk,okc->nto", rows, weights[:, 0]) + bias
    seen = net.dequantize_output(reference.run(net, net.quantize_input(x)))[:, 0]
    scale, zero_point = net.activations[net.graph.output]
    expected = np.clip(expected, (-128 - zero_point) * scale, (127 - zero_point) * scale)
    assert np.abs(seen - expected).max() < 0.5 * scale + 0.06
    assert np.abs(seen - expected).mean() < scale


def test_refusals(make_lowered: Make) -> None:
    net = make_lowered(0, blocks=1).net()
    with pytest.raises(ExportError) as caught:
        reference.run(net, np.zeros((2, 1, 128, 4), np.float32))
    assert str(caught.value) == (
        "input is float32 of shape (2, 1, 128, 4); this network takes int8 of shape "
        "(windows, 1, 128, 4): see QuantizedNet.quantize_input"
    )
    with pytest.raises(ExportError, match=r"^rule is 'nearest'; allowed: tflm, litert, c$"):
        reference.run(net, np.zeros((2, 1, 128, 4), np.int8), rule="nearest")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "ends"), [("softmax", (1 / 256, -128)), ("log_softmax", (1 / 16, 127))]
)
def test_softmax_is_tflite_s(op: str, ends: tuple[float, int], make_builder: Make) -> None:
    """Wide and narrow ranges, and one whose factor has no fraction; the interpreter is the
    oracle."""
    rng = np.random.default_rng(0)
    for scale in (0.001, 0.02, 0.1, 0.125, 0.7):
        builder = make_builder(0, (1, 1, 3, 7))
        builder.activations["input"] = (float(np.float32(scale)), -5)
        builder.add(op, (1, 1, 3, 7))
        builder.activations[builder.last] = ends
        net = builder.net()
        x = rng.integers(-128, 128, (200, 1, 3, 7)).astype(np.int8)
        expected = runtime.run(writer.write(net), x)
        np.testing.assert_array_equal(reference.run(net, x), expected)


def test_logarithms_of_probabilities_are_those_of_single_precision() -> None:
    """What PyTorch's converter leaves in float, at any scale; the C computes it in integers."""
    rng = np.random.default_rng(0)
    for scale, step, zero in (
        (0.003, 0.008, 127),
        (0.4, 0.42, 127),
        (2.0, 1.9, 90),
        (0.1, 0.002, 3),
    ):
        x = rng.integers(-128, 128, (500, 6))
        found = log_softmax(x, scale, (step, zero)), in_float32(x, scale, (step, zero))
        assert np.abs(found[0] - found[1]).max() <= 1 and (found[0] != found[1]).mean() < 0.01
        assert len({*found[0].ravel()}) > 5
