"""ONNX files in onnxruntime against the integer reference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import onnx_export
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.parity import max_lsb
from ppgnas.errors import ExportError

ROOT = Path(__file__).parents[2]
Make = Callable[..., Any]


def apart(net: QuantizedNet, x: Any) -> int:
    """Largest difference, in steps of the output."""
    return max_lsb(onnx_export.run(onnx_export.write(net), x), reference.run(net, x))


def test_onnxruntime_keeps_nothing_of_the_user(tmp_path: Path) -> None:
    """Its telemetry would write a device id and a database of events below HOME."""
    lines = """
from deploy import onnx_export
from ppgnas.errors import ExportError
try:
    onnx_export.run(b"no model", None)
except ExportError:
    raise SystemExit(0)
raise SystemExit("it was not refused")
"""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", lines], check=True, env=environment, cwd=ROOT)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("op", ["conv", "depthwise_conv"])
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_one_convolution_is_within_a_step(
    op: str, padding: str, activation: str, make_builder: Make, make_windows: Make
) -> None:
    builder = make_builder(1, (1, 7, 9, 4))
    window = {"kernel": (2, 3), "stride": (1, 2), "padding": padding, "activation": activation}
    builder.weighted(op, 8, **window)
    # A relu whose zero point is not at the end of int8 needs its clamp written.
    builder.activations[builder.last] = (0.03, -100)
    net = builder.net()
    assert apart(net, make_windows(net, 50)) <= 1


@pytest.mark.parametrize("extreme", [1.0, -1.0])
def test_sums_do_not_saturate(extreme: float, make_builder: Make) -> None:
    """Pairs of the largest products, beyond 16 bits, on processors without VNNI too."""
    import onnx

    builder = make_builder(3, (1, 1, 16, 64))
    builder.weighted("conv", 8, kernel=(1, 3), padding="valid")
    weights, bias = builder.weights[builder.layers[-1].name]
    builder.weights[builder.layers[-1].name] = (np.full_like(weights, extreme), 0 * bias)
    builder.activations["input"] = (0.02, 0)
    builder.activations[builder.last] = (5.0, 0)
    net = builder.net()
    x = np.full((2, 1, 16, 64), 127, np.int8)
    x[1] = -128
    assert np.abs(reference.run(net, x)).min() > 90
    assert apart(net, x) <= 1
    assert onnx_export.EXACT_SUMS in onnx.load_from_string(onnx_export.write(net)).doc_string


def test_relu_clamp_is_written(make_builder: Make, make_windows: Make) -> None:
    builder = make_builder(1, (1, 1, 9, 4))
    builder.weighted("conv", 8, activation="relu6")
    builder.activations[builder.last] = (0.04, -100)
    net = builder.net()
    seen = onnx_export.run(onnx_export.write(net), make_windows(net, 50))
    assert (seen.min(), seen.max()) == (-100, 50)  # 6 / 0.04 above the zero point


def test_stored_values_pass_untouched(make_builder: Make, make_windows: Make) -> None:
    """Padding, views (also across channels) and maxima are exact."""
    builder = make_builder(1, (1, 1, 12, 4))
    builder.pad((1, 0, 3, 1))
    builder.reshape((1, 8, 4, 4))
    builder.add("max_pool", (1, 4, 3, 4), keep_scale=True, kernel=(2, 2), stride=(2, 1))
    builder.reshape((1, 3, 8, 2))
    net = builder.net()
    assert apart(net, make_windows(net, 20)) == 0


@pytest.mark.parametrize("op", ["add", "avg_pool", "mean", "fully_connected"])
def test_one_other_layer_is_within_a_step(op: str, make_builder: Make, make_windows: Make) -> None:
    builder = make_builder(1, (1, 4, 6, 5))
    if op == "add":
        builder.weighted("conv", 5)
        builder.add("add", (1, 4, 6, 5), inputs=("input", builder.last), activation="relu")
    elif op == "avg_pool":
        pool = {"kernel": (3, 2), "padding": "same"}
        builder.add("avg_pool", (1, 4, 6, 5), keep_scale=True, **pool)
    elif op == "mean":
        builder.add("mean", (1, 1, 1, 5), scale=0.01)
    else:
        builder.weighted("fully_connected", 7)
    net = builder.net()
    assert apart(net, make_windows(net, 50)) <= 1 + (op == "add")


@pytest.mark.parametrize("pool", ["avg", "mean", "depthwise"])
@pytest.mark.parametrize("seed", range(3))
def test_lowered_networks_stay_close(
    seed: int, pool: str, make_lowered: Make, make_windows: Make
) -> None:
    """A step of one layer is passed on by the next: a few steps at the end, most values equal."""
    net = make_lowered(seed, pool=pool).net()
    x = make_windows(net, 100, seed)
    expected = reference.run(net, x)
    seen = onnx_export.run(onnx_export.write(net), x)
    assert seen.shape == expected.shape
    assert seen.dtype == np.int8
    assert max_lsb(seen, expected) <= 4
    assert np.mean(seen == expected) > 0.75


def test_any_number_of_windows(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0, blocks=2).net()
    content = onnx_export.write(net)
    x = make_windows(net, 70)
    together = onnx_export.run(content, x)
    alone = np.concatenate([onnx_export.run(content, x[i : i + 1]) for i in (0, 69)])
    np.testing.assert_array_equal(alone, together[[0, 69]])
    assert onnx_export.run(content, x[:0]).shape == (0, 180)


def test_float_operators_agree_with_integer_kernels(
    make_lowered: Make, make_windows: Make
) -> None:
    net = make_lowered(0).net()
    content = onnx_export.write(net)
    x = make_windows(net, 50)
    plain = onnx_export.run(content, x, optimize=False)
    assert max_lsb(plain, onnx_export.run(content, x)) <= 2


def test_bytes_repeat(make_lowered: Make) -> None:
    assert onnx_export.write(make_lowered(0).net()) == onnx_export.write(make_lowered(0).net())


def test_softmax_is_written(make_builder: Make, make_windows: Make) -> None:
    builder = make_builder(0, (1, 1, 4, 2))
    builder.weighted("fully_connected", 6)
    builder.add("softmax", (1, 6))
    builder.activations[builder.last] = (1 / 256, -128)
    net = builder.net()
    seen = onnx_export.run(onnx_export.write(net), make_windows(net, 30)).astype(float) + 128
    np.testing.assert_allclose(seen.sum(axis=1) / 256, 1.0, atol=6 / 256)


def test_refusals(make_lowered: Make) -> None:
    content = onnx_export.write(make_lowered(0, blocks=1).net())
    with pytest.raises(ExportError, match="onnxruntime refuses the file or the input: "):
        onnx_export.run(b"not a model", np.zeros((1, 1, 128, 4), np.int8))
    with pytest.raises(ExportError, match="onnxruntime refuses the file or the input: "):
        onnx_export.run(content, np.zeros((1, 1, 64, 4), np.int8))
