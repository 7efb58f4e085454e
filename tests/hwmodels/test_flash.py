"""The model's flash against files that the exporter writes."""

import numpy as np
import pytest

from deploy.integers.quantized import QuantizedNet
from deploy.tflite import writer as tflite
from hwmodels.arena import lower_bound_plan
from hwmodels.boards import load_board
from hwmodels.costs import flash_parts
from hwmodels.engines.load import load_engine
from hwmodels.operators import WEIGHTED_OPS
from hwmodels.scorecard import score
from tests.hwmodels.small import small_graph

pytest.importorskip("ai_edge_litert", reason="the exporter needs the TFLite schema")


@pytest.mark.parametrize("channels", [8, 32, 96])
def test_model_bytes_equal_a_written_file(channels: int) -> None:
    """42 lowered networks of the default space are within 3.0 %; this small graph within 12 %."""
    graph = small_graph(channels=channels)
    weighted = [layer for layer in graph.layers if layer.op in WEIGHTED_OPS]
    outputs = {layer.name: graph.shape(layer.output)[-1] for layer in weighted}
    rng = np.random.default_rng(channels)
    net = QuantizedNet(
        graph,
        {tensor.name: (0.0078125, 0) for tensor in graph.tensors},
        {layer.name: np.ones(graph.weight_shape(layer), np.int8) for layer in weighted},
        {name: np.arange(count, dtype=np.int32) for name, count in outputs.items()},
        # scales all different, as in a trained network: equal vectors would be stored once
        {
            name: np.full(count, 0.0078125)
            if name == graph.layers[-1].name
            else rng.uniform(0.004, 0.008, count).astype(np.float32).astype(np.float64)
            for name, count in outputs.items()
        },
    )
    card = score(graph, load_board("stm32h743"), load_engine("tflm-cmsis-nn"))
    assert card.flash_weights_bytes == pytest.approx(
        len(tflite.write(net, plan=lower_bound_plan(graph))), rel=0.12
    )


def test_kernels_are_linked_once_and_unknown_ones_are_free_of_code() -> None:
    engine = load_engine("tflm-cmsis-nn")
    parts = flash_parts(
        engine,
        weight_bytes=100,
        channels=10,
        ops=3,
        weighted_ops=2,
        kernels=["conv", "conv", "add"],
    )
    assert parts.weights.value == 100 + 1160 + 3 * 160 + 2 * 174 + 104
    assert parts.code.value == 6144 + 2048
    assert parts.runtime.value == 37 * 1024


def test_code_of_st_tools_follows_the_operators() -> None:
    """A window along two axes links what every convolution links, and a routine of its own."""
    engine = load_engine("st-edge-ai")
    kernels = {name: engine.flash.kernels[name].value for name in ("conv", "conv_2d", "add")}

    def code(*used: str) -> float:
        counts = {"weight_bytes": 7, "channels": 1, "ops": len(used), "weighted_ops": 1}
        return flash_parts(engine, kernels=used, **counts).code.value

    an_op = engine.flash.code_per_op.value
    assert code("conv") == kernels["conv"] + an_op
    assert code("conv_2d") == kernels["conv"] + kernels["conv_2d"] + an_op
    assert code("conv", "mul", "sub", "add") == kernels["conv"] + kernels["add"] + 4 * an_op
