"""The calls of CMSIS-NN, run with plain C of our own in its place: outputs are the reference's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy import cmsis_nn
from deploy.emulation.toolchain import find_compiler
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from hwmodels.graph import Graph
from hwmodels.layer import Layer, Tensor
from ppgnas.errors import ExportError
from search_spaces.lower import lower
from search_spaces.published import published

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")

PLAIN = Path(__file__).parent / "cmsis_nn"


def test_each_call_has_the_integers_of_the_network() -> None:
    """Pads, strides, additions, the pool, the dense layer and the refining convolution."""
    net = random_net(lower(published("tiny")), 5)
    shape = net.graph.shape(net.graph.input)[1:]
    x = np.random.default_rng(5).integers(-128, 128, (2, *shape)).astype(np.int8)
    seen = cmsis_nn.emulate(net, x, cmsis_nn=PLAIN, compiler=find_compiler())
    assert np.array_equal(seen.outputs, reference.run(net, x).reshape(2, -1))
    assert seen.last.cycles > net.graph.total_macs


def test_files_are_those_that_are_called() -> None:
    found = cmsis_nn.sources(PLAIN, "arm_avgpool_s8(); arm_unknown();")
    assert [path.stem for path in found] == ["arm_avgpool_s8", "arm_plain_clamped"]


def test_another_folder_is_told_from_cmsis_nn(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no CMSIS-NN; give the folder that has Include/arm_nn"):
        cmsis_nn.sources(tmp_path, "")


def test_a_layer_without_a_call_is_named() -> None:
    tensors = (Tensor("x", (1, 1, 8, 4)), Tensor("y", (1, 1, 8, 4)))
    graph = Graph((Layer("turn", "logistic", ("x",), "y"),), tensors, "x", "y")
    with pytest.raises(ExportError, match=r"layer 'turn' \(logistic\): CMSIS-NN is called here"):
        cmsis_nn.calls(random_net(graph, 0))
