"""The comparison of both files with the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy import onnx_export, parity
from deploy.fuzz.random_net import random_net
from deploy.tflite import writer as tflite
from ppgnas.errors import ExportError
from search_spaces.lower import lower
from search_spaces.published import published

Make = Callable[..., Any]


def test_files_of_the_network_agree(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0).net()
    files = tflite.write(net), onnx_export.write(net)
    seen = parity.compare(net, *files, make_windows(net, 60))
    assert seen.windows == 60
    assert seen.tflite_rule_max_lsb == 0
    assert seen.tflite_max_lsb <= 1
    assert seen.onnx_max_lsb <= 4
    assert 0.98 < seen.tflite_equal_share <= 1.0
    assert 0.75 < seen.onnx_equal_share <= 1.0


def test_files_of_a_pool_over_the_newest_seconds_agree(make_windows: Make) -> None:
    net = random_net(lower(published("tiny-4s")), 3)
    seen = parity.compare(net, tflite.write(net), onnx_export.write(net), make_windows(net, 20))
    assert seen.tflite_rule_max_lsb == 0
    assert seen.onnx_max_lsb <= 4


def test_one_changed_weight_shows(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0).net()
    name = net.graph.layers[-1].name
    weights = net.weights[name].copy()
    weights[0] = 127 * np.sign(-weights[0])
    other = replace(net, weights={**net.weights, name: weights})
    files = tflite.write(other), onnx_export.write(other)
    seen = parity.compare(net, *files, make_windows(net, 60))
    assert seen.tflite_rule_max_lsb > 10
    assert seen.onnx_max_lsb > 10
    # One of 180 outputs differs.
    assert seen.tflite_equal_share > 0.95


def test_refusals(make_builder: Make, make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0, blocks=1).net()
    files = tflite.write(net), onnx_export.write(net)
    with pytest.raises(ExportError, match="parity: no windows to compare; pass at least one"):
        parity.compare(net, *files, make_windows(net, 0))
    builder = make_builder(0, (1, 1, 128, 4))
    builder.weighted("fully_connected", 3)
    with pytest.raises(ExportError) as caught:
        parity.compare(net, tflite.write(builder.net()), files[1], make_windows(net, 2))
    assert str(caught.value) == (
        "parity: the TFLite file gives outputs of shape (2, 3), the reference (2, 180); "
        "the file belongs to another network"
    )
