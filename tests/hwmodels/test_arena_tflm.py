"""The planner against TFLite Micro itself, as built for a host (no CMSIS-NN scratch there).

Needs the extra `tflm`: pip install -e .[tflm]
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import numpy as np
import pytest

from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet, quantize
from deploy.tflite import writer as tflite
from hwmodels.arena import buffers_of, lower_bound_plan, plan
from hwmodels.graph import Graph
from tests.hwmodels.portable import portable_scratch_bytes
from tests.hwmodels.random_nets import random_graph
from tests.hwmodels.small import one_layer

tflm = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime",
    reason="tflite-micro is not installed: pip install -e .[tflm]",
)
ARENA_BYTES = 1 << 20


def head_bytes(interpreter: Any) -> int:
    """The head of the arena. TFLM prints it from C++ on file descriptor 2."""
    with tempfile.TemporaryFile() as stream:
        kept = os.dup(2)
        os.dup2(stream.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        stream.seek(0)
        found = re.search(r"Arena allocation head (\d+) bytes", stream.read().decode())
    assert found is not None
    return int(found.group(1))


def check(net: QuantizedNet, content: bytes, expected_head_bytes: int, seed: int) -> None:
    """Head as planned, and outputs as the integer reference gives them."""
    interpreter = tflm.Interpreter.from_bytes(content, arena_size=ARENA_BYTES)
    assert head_bytes(interpreter) == expected_head_bytes
    shape = net.graph.shape(net.graph.input)[1:]
    x = np.random.default_rng(seed).integers(-128, 128, (3, *shape)).astype(np.int8)
    for window, expected in zip(x, reference.run(net, x), strict=True):
        interpreter.set_input(window[None], 0)
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_output(0)[0], expected)


def greedy_bytes(graph: Graph) -> int:
    return plan(
        buffers_of(graph, portable_scratch_bytes(graph)), len(graph.layers) + 1
    ).arena_bytes


@pytest.mark.parametrize("seed", range(60))
def test_greedy_head_of_random_networks(seed: int) -> None:
    graph = random_graph(seed)
    net = random_net(graph, seed)
    check(net, tflite.write(net), greedy_bytes(graph), seed)


@pytest.mark.parametrize("seed", range(60))
def test_embedded_plan_is_obeyed(seed: int) -> None:
    """The head falls to the plan's, and shared bytes of a reshape change no output."""
    graph = random_graph(seed)
    net = random_net(graph, seed)
    placed = lower_bound_plan(graph)
    check(net, tflite.write(net, plan=placed), placed.arena_bytes, seed)


@pytest.mark.parametrize("channels", [4, 16, 60, 256, 1024])
def test_scratch_of_a_mean(channels: int) -> None:
    graph = one_layer("mean", (1, 2, 2, channels), (1, channels))
    net = quantize(graph, {}, {"x": (0.02, 3), "y": (0.02, -5)})
    check(net, tflite.write(net), greedy_bytes(graph), 0)
