"""TFLite Micro itself, on the host: the wheel `tflite-micro` (Linux, x86-64).

It has TFLM's reference kernels, whose results are those of its CMSIS-NN kernels bit for bit.
"""

from __future__ import annotations

import importlib
from math import prod

import numpy as np
from numpy.typing import NDArray

from deploy.integers.reference import in_turn
from deploy.tflite.parse import StoredModel
from deploy.tflite.runtime import schema
from ppgnas.errors import DependencyError, ExportError, install_line

_MODULE = "tflite_micro.python.tflite_micro.runtime"
_ARENA_BYTES = 1 << 26  # no device's: what is compared is arithmetic


_LACKING = frozenset({"GELU", "POW", "RANGE", "REDUCE_PROD", "RELU_0_TO_1", "RELU_N1_TO_1",
                      "SELECT", "SIGN", "TILE"})  # fmt: skip
_FLOAT_ALONE = frozenset({"EXP", "LOG", "SQRT"})
"""Asked of tflite-micro 0.dev20261023182759, one operator after the other."""


def lacking(stored: StoredModel) -> list[str]:
    """Operators of a file, as it is, that TFLite Micro has not, or not in int8."""
    found = {operator.name for operator in stored.operators} & _LACKING
    for operator in stored.operators:
        if operator.name in _FLOAT_ALONE and stored.tensors[operator.inputs[0]].kind == "INT8":
            found.add(f"{operator.name} of int8")
    return sorted(found)


def run(model: bytes, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """Run a file over windows.

    Args:
        x: int8 `(windows, 1, time, channels)`, or see `deploy.integers.reference.run`.

    Returns:
        int8 `(windows, classes)`; of several outputs `(windows, values)`.

    Raises:
        DependencyError: the wheel is not installed.
        ExportError: it has not all operators of the file.
    """
    try:
        runtime = importlib.import_module(_MODULE)
    except ImportError as error:
        raise DependencyError(
            "tflite-micro is not installed; running a file in TFLite Micro needs it: "
            f"{install_line('tflm')} (Linux, x86-64)"
        ) from error
    found = []
    count = schema().Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength()
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
        for window in x.reshape(len(x), -1):
            interpreter.reset()
            index = 0
            while len(window):
                shape = interpreter.get_input_details(index)["shape"]
                interpreter.set_input(window[: prod(shape)].reshape(shape), index)
                window, index = window[prod(shape) :], index + 1
            interpreter.invoke()
            found.append(in_turn([interpreter.get_output(index) for index in range(count)]).copy())
    except RuntimeError as error:
        raise ExportError(f"TFLite Micro does not run the file: {error}") from error
    return np.concatenate(found)
