"""Readings of networks whose outputs are probabilities, as those of others often are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from scipy.special import softmax

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite.reader import read
from distill.evaluation import decoded, predict_windows
from hwmodels.graph import Graph, Layer, Tensor
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.errors import DataError

FILES = Path(__file__).parents[1] / "deploy" / "tflite" / "files"


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    return windows_of(synthesize(people=1, minutes=1.0), InputSpec(16, acceleration=True))


def net_of(name: str) -> QuantizedNet:
    return read(FILES / f"{name}.tflite").net()


def viewed(net: QuantizedNet) -> QuantizedNet:
    """The same with a change of view behind it."""
    graph = net.graph
    layer = Layer("view", "reshape", (graph.output,), "viewed")
    tensors = (*graph.tensors, Tensor("viewed", (1, 1, 1, 180)))
    behind = Graph((*graph.layers, layer), tensors, graph.input, "viewed")
    activations = {**net.activations, "viewed": net.activations[graph.output]}
    return replace(net, graph=behind, activations=activations)


def probabilities(net: QuantizedNet, windows: WindowSet) -> np.ndarray:
    y = reference.run(net, net.quantize_input(windows.x))
    return net.dequantize_output(y).reshape(len(windows.x), 180).astype(np.float64)


@pytest.mark.parametrize("name", ["heart_softmax_int8", "heart_softmax_float", "view"])
def test_probabilities_are_no_logits(name: str, windows: WindowSet) -> None:
    """A softmax of probabilities had made all heart rates about as likely."""
    net = viewed(net_of("heart_softmax_int8")) if name == "view" else net_of(name)
    p = np.maximum(probabilities(net, windows), 1 / 512)
    seen, expected = predict_windows(net, windows), decoded(np.log(p), windows)
    np.testing.assert_allclose(seen.raw.bpm, expected.raw.bpm, rtol=1e-5)
    np.testing.assert_allclose(seen.smoothed.bpm, expected.smoothed.bpm, rtol=1e-5)
    share = p / p.sum(axis=1, keepdims=True)
    mean = share @ np.arange(30, 210)
    spread = np.sqrt(share @ np.arange(30, 210) ** 2 - mean**2)
    np.testing.assert_allclose(seen.raw.spread_bpm, spread, rtol=1e-4)
    wrong = softmax(probabilities(net, windows), axis=1)
    assert share.max() > 3 * wrong.max()


def test_logits_stay_as_they_are(windows: WindowSet) -> None:
    net = net_of("heart_int8")
    logits = net.dequantize_output(reference.run(net, net.quantize_input(windows.x)))
    expected = decoded(logits.reshape(len(windows.x), 180), windows)
    np.testing.assert_array_equal(predict_windows(net, windows).raw.bpm, expected.raw.bpm)
    missing: Any = None  # a wrong word is told before inference
    with pytest.raises(DataError, match="`smoothing` is 'x'; allowed: none, clip, hmm"):
        predict_windows(missing, windows, smoothing=cast("Any", "x"))
