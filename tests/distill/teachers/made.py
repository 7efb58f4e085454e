"""Teachers that are hardly trained, and a network that somebody else has trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from distill.teachers.base import Teacher
from distill.teachers.choice import teacher_of
from distill.training.effort import EFFORTS, Progress
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from tests.distill.killing import silent

TINY = replace(EFFORTS["smoke"], teacher_steps=2, batch=8)
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


def taught(
    name: str, people: list[Recording], path: Path, *, progress: Progress = silent
) -> Teacher:
    found = teacher_of(
        name,
        TrainingBank(people[:3], acceleration=True),
        people[3:],
        rate_hz=32,
        effort=TINY,
        seed=0,
        path=path,
        processes=1,
        progress=progress,
    )
    assert found is not None
    return found
