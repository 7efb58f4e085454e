"""Quantisation of weights, its refusals, and the files of a quantised network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.integers import fixed_point
from deploy.integers.quantized import QuantizedNet, quantize
from deploy.integers.weight_scales import unambiguous_scale
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Op
from ppgnas.errors import ExportError

Make = Callable[..., Any]


def one_conv(op: Op = "conv") -> Graph:
    """`x (1,1,2,2) -> conv 1x1 -> y (1,1,2,2)`, or another weighted op."""
    shape = (1, 4) if op == "fully_connected" else (1, 1, 2, 2)
    return Graph(
        (Layer("c", op, ("x",), "y"),), (Tensor("x", (1, 1, 2, 2)), Tensor("y", shape)), "x", "y"
    )


ACTIVATIONS = {"x": (0.5, 3), "y": (0.25, -7)}
WEIGHTS = np.array([[1.27, 0.5], [-0.254, 0.001]]).reshape(2, 1, 1, 2)


def test_conv_by_hand() -> None:
    net = quantize(one_conv(), {"c": (WEIGHTS, [0.05, -1.0])}, ACTIVATIONS)
    # Scales 1.27 / 127 and 0.254 / 127 (float32); biases over 0.5 * scale.
    np.testing.assert_allclose(net.weight_scales["c"], [0.01, 0.002], rtol=1e-7)
    np.testing.assert_array_equal(net.weights["c"].reshape(2, 2), [[127, 50], [-127, 0]])
    np.testing.assert_array_equal(net.biases["c"], [10, -1000])
    assert net.activations["x"] == (0.5, 3)
    np.testing.assert_array_equal(
        net.weight_scales["c"], net.weight_scales["c"].astype(np.float32)
    )


def test_accumulator_bound_by_hand() -> None:
    net = quantize(one_conv(), {"c": (WEIGHTS, [0.05, -1.0])}, ACTIVATIONS)
    # Centred inputs lie in [-131, 124]: 131 * 177 + 10 and 131 * 127 + 1000.
    np.testing.assert_array_equal(net.accumulator_bound(net.graph.layers[0]), [23197, 17637])


def test_depthwise_scales_are_on_the_last_axis() -> None:
    weights = np.zeros((1, 1, 1, 2))
    weights[..., 0], weights[..., 1] = 1.27, 12.7
    net = quantize(one_conv("depthwise_conv"), {"c": (weights, [0.0, 0.0])}, ACTIVATIONS)
    np.testing.assert_allclose(net.weight_scales["c"], [0.01, 0.1], rtol=1e-7)
    np.testing.assert_array_equal(net.weights["c"].ravel(), [127, 127])


def test_fully_connected_has_one_scale() -> None:
    weights = np.diag([1.27, 0.2, -0.4, 0.0])
    net = quantize(one_conv("fully_connected"), {"c": (weights, np.zeros(4))}, ACTIVATIONS)
    assert len(set(net.weight_scales["c"])) == 1
    np.testing.assert_array_equal(np.diag(net.weights["c"]), [127, 20, -40, 0])


def mantissas(scale: np.float32, before: float, after: float) -> tuple[int, int]:
    """Multiplier times 2^60 with the scales' product in float64 and in float32."""
    exact = float(scale) * before
    rounded = float(np.float32(before) * scale)
    multipliers = [fixed_point.quantize_multiplier(real / after) for real in (exact, rounded)]
    first, second = (int(m.mantissa) << (29 + int(m.shift)) for m in multipliers)
    return first, second


@given(scale=st.floats(1e-5, 1.0), a=st.floats(1e-4, 1.0), b=st.floats(1e-4, 1.0))
@settings(max_examples=50)
def test_fully_connected_scale_agrees_or_stays(scale: float, a: float, b: float) -> None:
    start, before, after = np.float32(scale), float(np.float32(a)), float(np.float32(b))
    seen = unambiguous_scale(start, input_scale=before, output_scale=after)
    assert 1.0 <= seen / start < 1.002
    exact, rounded = mantissas(seen, before, after)
    if exact != rounded:
        # Nothing was found: the scale is untouched and the two meanings are close.
        assert seen == start
        assert abs(exact - rounded) < exact * 2.0**-23


def test_fully_connected_scale_is_the_first_that_agrees() -> None:
    start, before, after = np.float32(0.01), float(np.float32(1 / 255)), float(np.float32(0.05))
    seen = unambiguous_scale(start, input_scale=before, output_scale=after)
    assert seen != start
    candidate = start
    while candidate < seen:
        exact, rounded = mantissas(candidate, before, after)
        assert exact != rounded
        candidate = np.nextafter(candidate, np.float32(1))
    exact, rounded = mantissas(seen, before, after)
    assert exact == rounded


def test_fully_connected_scale_stays_where_none_agrees() -> None:
    # (1 + 2^-23) * c is off by c's own fraction of a step: no c near 1.3 comes out even.
    start, before = np.float32(1.3), 1.0 + 2.0**-23
    assert unambiguous_scale(start, input_scale=before, output_scale=1.0) == start
    exact, rounded = mantissas(start, before, 1.0)
    assert exact != rounded


def test_channel_of_zeros_keeps_its_bias() -> None:
    weights = WEIGHTS.copy()
    weights[1] = 0.0
    net = quantize(one_conv(), {"c": (weights, [0.0, 2.0])}, ACTIVATIONS)
    assert net.weight_scales["c"][1] > 0
    np.testing.assert_array_equal(net.weights["c"][1], 0)
    # Multiplier 2^-10, so the bias of 8 output steps is 8192.
    np.testing.assert_array_equal(net.biases["c"][1], 8192)


def test_dead_channel_with_a_bias_is_no_error() -> None:
    weights = WEIGHTS.copy()
    weights[1] = 1e-12
    net = quantize(one_conv(), {"c": (weights, [0.0, 2.0])}, ACTIVATIONS)
    np.testing.assert_array_equal(net.biases["c"][1], 8192)


@pytest.mark.parametrize(
    ("weights", "bias", "activations", "message"),
    [
        (
            np.full((2, 1, 1, 2), np.nan),
            [0.0, 0.0],
            ACTIVATIONS,
            "layer 'c': a weight or bias is NaN or infinite; training diverged",
        ),
        (
            WEIGHTS,
            [0.0, np.inf],
            ACTIVATIONS,
            "layer 'c': a weight or bias is NaN or infinite; training diverged",
        ),
        (
            WEIGHTS[:, 0],
            [0.0, 0.0],
            ACTIVATIONS,
            "layer 'c' (conv): weights have shape (2, 1, 2) and bias (2,); expected "
            "(2, 1, 1, 2) and (2,)",
        ),
        (
            WEIGHTS,
            [0.0, 1e9],
            ACTIVATIONS,
            "layer 'c', channel 1: the bias 1e+09 at scale 0.001 leaves int32; its weights are "
            "too small beside it: retrain or prune the channel",
        ),
        (
            WEIGHTS,
            [0.0, 0.0],
            {"x": (0.5, 3), "y": (1e-9, -7)},
            "layer 'c', channel 0: an accumulator of up to 23187 times the multiplier 5e+06 "
            "leaves int32; the output scale 1e-09 is too small for input scale 0.5: calibrate "
            "the activation ranges again",
        ),
        (
            WEIGHTS,
            [0.0, 0.0],
            {"x": (0.5, 3)},
            "tensor 'y': no scale and zero point; calibrate it",
        ),
        (
            WEIGHTS,
            [0.0, 0.0],
            {"x": (0.5, 3), "y": (0.0, -7)},
            "tensor 'y': the scale is 0.0; it must be a finite number above 0",
        ),
        (
            WEIGHTS,
            [0.0, 0.0],
            {"x": (0.5, 128), "y": (0.25, -7)},
            "tensor 'x': the zero point is 128; it must be an integer from -128 to 127",
        ),
    ],
)
def test_refusals(weights: Any, bias: Any, activations: Any, message: str) -> None:
    with pytest.raises(ExportError) as caught:
        quantize(one_conv(), {"c": (weights, bias)}, activations)
    assert str(caught.value) == message


def test_refuses_missing_weights() -> None:
    with pytest.raises(ExportError, match=r"^layer 'c': weights are missing$"):
        quantize(one_conv(), {}, ACTIVATIONS)


def test_refuses_a_pad_that_changes_its_scale(make_builder: Make) -> None:
    builder = make_builder(0, (1, 1, 4, 2))
    builder.activations["input"] = (0.02, 1)
    builder.pad((0, 0, 1, 0))
    builder.activations[builder.last] = (0.02, 2)
    with pytest.raises(ExportError) as caught:
        builder.net()
    scale = float(np.float32(0.02))
    assert str(caught.value) == (
        f"layer 'pad0' (pad): input (scale, zero point) {(scale, 1)} and output {(scale, 2)} "
        "differ; TFLite's pad keeps them, so give both tensors the same"
    )


def test_refuses_weights_of_another_type() -> None:
    net = quantize(one_conv(), {"c": (WEIGHTS, [0.0, 0.0])}, ACTIVATIONS)
    wrong: Any = {"c": net.weights["c"].astype(np.int16)}
    with pytest.raises(ExportError) as caught:
        QuantizedNet(net.graph, net.activations, wrong, net.biases, net.weight_scales)
    assert str(caught.value) == (
        "layer 'c': weights are int16 of shape (2, 1, 1, 2); expected int8 of shape (2, 1, 1, 2)"
    )


def test_refuses_a_scale_that_no_file_can_hold() -> None:
    net = quantize(one_conv(), {"c": (WEIGHTS, [0.0, 0.0])}, ACTIVATIONS)
    activations = {**net.activations, "x": (0.1, 0)}
    with pytest.raises(ExportError, match=r"^tensor 'x': the scale 0\.1 is no float32 value"):
        QuantizedNet(net.graph, activations, net.weights, net.biases, net.weight_scales)


@pytest.mark.parametrize("scales", [[np.nan, 1.0], [np.inf, 1.0], [-1.0, 1.0], [0.1, 1.0]])
def test_refuses_weight_scales(scales: list[float]) -> None:
    net = quantize(one_conv(), {"c": (WEIGHTS, [0.0, 0.0])}, ACTIVATIONS)
    with pytest.raises(ExportError, match=r"^layer 'c': the weight scales \[.*are not float32"):
        QuantizedNet(net.graph, net.activations, net.weights, net.biases, {"c": np.array(scales)})


def test_input_and_output_by_hand(make_builder: Make) -> None:
    builder = make_builder(0, (1, 1, 2, 2))
    builder.activations["input"] = (0.5, 10)
    builder.weighted("fully_connected", 3)
    net = builder.net()
    x = np.array([[[0.0, 1.0], [-0.3, 100.0]]], np.float32)  # (windows, channels, time)
    seen = net.quantize_input(x)
    assert seen.dtype == np.int8
    np.testing.assert_array_equal(seen, [[[[10, 9], [12, 127]]]])  # (windows, 1, time, channels)
    np.testing.assert_array_equal(x[0, 0], [0.0, 1.0])
    scale, zero_point = net.activations[net.graph.output]
    real = net.dequantize_output(np.array([[zero_point, zero_point + 4, 127]], np.int8))
    np.testing.assert_allclose(real, [[0, 4 * scale, (127 - zero_point) * scale]], rtol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "order"),
    [
        (((1, 1, 16, 4),), "tc"),
        (((1, 1, 4, 16),), "ct"),
        (((1, 16, 4),), "tc"),
        (((1, 1, 1, 16), (1, 1, 3, 16)), "ct"),
        (((1, 1, 16, 3), (1, 16)), "tc"),
        (((1, 1, 16, 1), (1, 1, 16, 3)), "tc"),
    ],
)
def test_channels_behind_time_and_in_inputs_of_their_own(
    shapes: tuple[tuple[int, ...], ...], order: str
) -> None:
    """Integers from 0 on, the axes ten times as coarse: where each of them lies is told."""
    names = [f"input{index}" for index in range(len(shapes))]
    tensors = tuple(Tensor(n, shape) for n, shape in zip(names, shapes, strict=True))
    graph = Graph((), tensors, names[0], names[0], beside=tuple(names[1:]))
    scales = {n: (10.0 if 3 in shape else 1.0, 0) for n, shape in zip(names, shapes, strict=True)}
    x = np.arange(4 * 16, dtype=np.float32).reshape(1, 4, 16)
    seen = QuantizedNet(graph, scales, {}, {}, {}).quantize_input(x)
    parts = []
    for name, shape in zip(names, shapes, strict=True):
        part = x[0, 1:] if 3 in shape else x[0] if 4 in shape else x[0, :1]
        part = np.rint(part / np.float32(scales[name][0]))
        parts.append((part.T if order == "tc" else part).ravel())
    assert seen.shape == (1, *graph.window)
    np.testing.assert_array_equal(seen.ravel(), np.concatenate(parts))


def test_input_refusals(make_lowered: Make) -> None:
    net = make_lowered(0, blocks=1).net()
    with pytest.raises(ExportError) as caught:
        net.quantize_input(np.zeros((3, 1, 128)))
    assert str(caught.value) == (
        "input windows have shape (3, 1, 128) (windows, channels, time); this network takes "
        "(1, 1, 128, 4)"
    )
    with pytest.raises(ExportError, match="input windows hold NaN or infinity"):
        net.quantize_input(np.full((3, 4, 128), np.nan))


def test_save_and_load(make_lowered: Make, tmp_path: Path) -> None:
    net = make_lowered(5).net()
    net.save(tmp_path)
    again = QuantizedNet.load(tmp_path)
    assert again.graph == net.graph
    assert again.activations == net.activations
    for part in ("weights", "biases", "weight_scales"):
        before, after = getattr(net, part), getattr(again, part)
        assert before.keys() == after.keys()
        for name in before:
            assert before[name].dtype == after[name].dtype
            np.testing.assert_array_equal(before[name], after[name])
    written = (tmp_path / "weights.safetensors").read_bytes()
    net.save(tmp_path)
    assert (tmp_path / "weights.safetensors").read_bytes() == written


def test_load_refusals(make_lowered: Make, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"graph.json: not found; a quantised network is"):
        QuantizedNet.load(tmp_path)
    make_lowered(0, blocks=2).net().save(tmp_path)
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[:1000])
    with pytest.raises(ExportError, match=r"is damaged \(.*\); export again$"):
        QuantizedNet.load(tmp_path)
    other = tmp_path / "other"
    make_lowered(0, blocks=1).net().save(other)
    (tmp_path / "weights.safetensors").write_bytes((other / "weights.safetensors").read_bytes())
    with pytest.raises(ExportError, match="the two files belong to different networks"):
        QuantizedNet.load(tmp_path)
