"""A small network through every stage: files, interpreters, reference, C, ONNX and costs."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np

from deploy import onnx_export
from deploy.c.build import model_files
from deploy.c.host import host_program
from deploy.emulation.host import HostCompiler
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import micro, runtime, writer
from deploy.tflite.reader import read
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.graph import Graph
from hwmodels.scorecard import score


def every_value(net: QuantizedNet, windows: int = 8) -> np.ndarray:
    """Random int8 inputs, the smallest and largest among them."""
    shape = (windows, *net.graph.shape(net.graph.input)[1:])
    x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def assert_interpreted(net: QuantizedNet, *, on_the_device: bool = True) -> None:
    """The reference is LiteRT to the last bit, and TFLM where it has the operator."""
    x, file = every_value(net), writer.write(net)
    again = read(file)
    assert again.graph.layers == net.graph.layers
    expected = runtime.run(file, x)
    by_litert = reference.run(again.net(), x, rule="litert")
    np.testing.assert_array_equal(by_litert.reshape(expected.shape), expected)
    if on_the_device and importlib.util.find_spec("tflite_micro"):
        by_tflm = micro.run(file, x)
        np.testing.assert_array_equal(reference.run(net, x).reshape(by_tflm.shape), by_tflm)


def assert_generated(net: QuantizedNet, folder: Path, host: HostCompiler) -> None:
    """The C is the reference by its rule."""
    x = every_value(net)
    program = host_program(
        [model_files(net, folder)], folder, host, flags=["-DPPG_SEPARATE", "-g0"]
    )
    truth = reference.run(net, x, rule="c")
    np.testing.assert_array_equal(program.run(0, net, x).reshape(truth.shape), truth)


def assert_onnx(net: QuantizedNet, *, lsb: int = 1) -> None:
    x = every_value(net)
    truth = reference.run(net, x).astype(int)
    seen = onnx_export.run(onnx_export.write(net), x).reshape(truth.shape)
    assert np.abs(seen - truth).max() <= lsb


def assert_costed(graph: Graph) -> None:
    """Every engine has cycles, flash and SRAM, the same by both ways."""
    for engine in map(load_engine, engine_names()):
        board = load_board("stm32h743" if "Cortex-M7" in engine.cores else "esp32-s3")
        card, fast = score(graph, board, engine), costing(board, engine)(graph)
        assert 0 < card.latency_ms.low < card.latency_ms.value < card.latency_ms.high
        for key in ("latency_ms", "flash_bytes", "sram_bytes"):
            assert math.isclose(getattr(card, key).value, getattr(fast, key), rel_tol=1e-6)
