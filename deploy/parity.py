"""How far the written files are from the integer reference, on given windows.

Unit: LSB, one step of the int8 output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy import onnx_export
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import runtime as tflite_runtime
from ppgnas.errors import ExportError


@dataclass(frozen=True)
class Parity:
    """Largest differences over all outputs of all windows.

    Attributes:
        tflite_max_lsb: the TFLite file in LiteRT's reference kernels against the reference.
        tflite_rule_max_lsb: the same file against the reference with LiteRT's own rounding of the
            fully connected layer (`reference.RULES`): 0, or the file is another network.
        onnx_max_lsb: the ONNX file in onnxruntime against the reference.
    """

    tflite_max_lsb: int
    tflite_equal_share: float
    tflite_rule_max_lsb: int
    onnx_max_lsb: int
    onnx_equal_share: float
    windows: int


def compare(net: QuantizedNet, tflite: bytes, onnx: bytes, x: NDArray[np.int8]) -> Parity:
    """Run both files and the reference on the same windows.

    Args:
        x: int8 `(windows, 1, time, channels)`, at least one window.

    Raises:
        ExportError: no windows, or a file gives outputs of another shape.
        DependencyError: a runtime is not installed.
    """
    if len(x) == 0:
        raise ExportError("parity: no windows to compare; pass at least one")
    truth = reference.run(net, x)
    by_tflite = _same_shape("TFLite", tflite_runtime.run(tflite, x), truth)
    by_onnx = _same_shape("ONNX", onnx_export.run(onnx, x), truth)
    return Parity(
        tflite_max_lsb=max_lsb(by_tflite, truth),
        tflite_equal_share=float(np.mean(by_tflite == truth)),
        tflite_rule_max_lsb=max_lsb(by_tflite, reference.run(net, x, rule="litert")),
        onnx_max_lsb=max_lsb(by_onnx, truth),
        onnx_equal_share=float(np.mean(by_onnx == truth)),
        windows=len(x),
    )


def max_lsb(a: NDArray[np.int8], b: NDArray[np.int8]) -> int:
    """Largest absolute difference of two int8 arrays of one shape."""
    return int(np.abs(a.astype(np.int16) - b.astype(np.int16)).max())


def _same_shape(what: str, seen: NDArray[np.int8], expected: NDArray[np.int8]) -> NDArray[np.int8]:
    if seen.shape != expected.shape:
        raise ExportError(
            f"parity: the {what} file gives outputs of shape {seen.shape}, the reference "
            f"{expected.shape}; the file belongs to another network"
        )
    return seen
