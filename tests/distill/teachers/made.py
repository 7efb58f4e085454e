"""A network that somebody else has trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SAID = 'rate_hz = 16\nchannels = 1\noutput = "{}"\npeople = ["bami1/7"]\n'


def write(
    path: Path, *, width: int, batch: str | int = "batch", said: str = "", seed: int = 0
) -> NDArray[np.float32]:
    """Windows of 8 s at 16 Hz times a matrix."""
    matrix = np.random.default_rng(seed).normal(size=(128, width)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, width])],
        [numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if said:
        helper.set_model_props(model, {"ppgnas": said})
    onnx.save(model, path)
    return matrix
