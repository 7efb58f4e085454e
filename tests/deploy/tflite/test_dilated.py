"""Files whose batch is open: what is read of dilated layers and of rows, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.tflite.reader import read
from hwmodels.graph import Graph
from ppgnas.errors import GraphError
from tests.deploy.tflite.test_reader import operators, packed, unpacked

FILES = Path(__file__).parent / "files"


def _graph(name: str) -> Graph:
    return read(FILES / f"{name}.tflite").graph


@pytest.mark.parametrize("name", ["tcn", "rows"])
def test_an_open_batch_changes_no_work(name: str) -> None:
    """The dynamic file has the MACs of the one with a batch of one."""
    closed, opened = _graph(f"{name}_int8"), _graph(f"{name}_dynamic")
    assert opened.total_macs == closed.total_macs


def test_sequences_stand_in_the_place_of_the_height() -> None:
    graph = _graph("dilated_dynamic")
    inputs = [graph.shape(layer.inputs[0]) for layer in graph.layers if layer.op == "conv"]
    assert inputs[0] == (1, 4, 15, 4)  # 50 steps, 8 in front, 2 behind: 4 times 15
    assert inputs[1] == (1, 1, 50, 8)  # and back


@pytest.mark.parametrize("block", [7, 0, -2])
def test_a_block_that_does_not_divide_the_steps_is_refused(block: int) -> None:
    model = unpacked((FILES / "tcn_dynamic.tflite").read_bytes())
    apart = operators(model, "SPACE_TO_BATCH_ND")[0]
    tensor = model.subgraphs[0].tensors[apart.inputs[1]]
    model.buffers[tensor.buffer].data = np.frombuffer(np.array([block], "<i4"), np.uint8)
    with pytest.raises(GraphError, match="SPACE_TO_BATCH_ND has no cost; allowed: CONV_2D"):
        read(packed(model))


def test_gates_share_the_steps_that_are_parted() -> None:
    """Two layers of dilation 2, and two of 3, over one copy each."""
    graph = _graph("wavenet_int8")
    inputs = [graph.shape(layer.inputs[0]) for layer in graph.layers if layer.op == "conv"]
    assert inputs[:2] == [(1, 2, 25, 4)] * 2 and inputs[3:5] == [(1, 3, 17, 8)] * 2
