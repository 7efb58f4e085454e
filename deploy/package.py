"""The files of one network: integers, TFLite, ONNX and C, checked; it knows no people.

The layer graph and the weights are the network. The other files are made of them, and the TFLite
file must equal the integer reference before the folder counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from deploy import onnx_export, parity
from deploy.c import build
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import writer as tflite
from hwmodels.arena import lower_bound_plan
from ppgnas.errors import ExportError
from ppgnas.files import write_bytes_atomic
from ppgnas.task import Mode


class FileFacts(TypedDict):
    """What a card says of one file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """What was written of a network.

    Attributes:
        parity: how far the files are from the integer reference.
        c: `model.c` and `model.h`, or why they are not there.
    """

    tflite_bytes: int
    parity: parity.Parity
    c: build.ModelFiles | ExportError


def write_package(
    folder: Path, net: QuantizedNet, *, name: str, x: NDArray[np.float32], mode: Mode = "window"
) -> Package:
    """Write `graph.json`, `weights.safetensors`, `model.tflite`, `.onnx`, `.c` and `.h`.

    Args:
        x: inputs `(windows, channels, time)` on which files and reference are compared.
        mode: of the C; other files hold the window's form, the one that their formats have.

    Raises:
        ExportError: the TFLite file does not equal the integer reference in LiteRT's rounding.
    """
    net.save(folder)
    # The plan costs a few bytes of the file and spares TFLM arena; other runtimes ignore it.
    model = tflite.write(net, plan=lower_bound_plan(net.graph))
    onnx = onnx_export.write(net)
    write_bytes_atomic(folder / "model.tflite", model)
    write_bytes_atomic(folder / "model.onnx", onnx)
    agreement = parity.compare(net, model, onnx, net.quantize_input(x))
    if agreement.tflite_rule_max_lsb > 0:
        raise ExportError(
            f"network {name}: the TFLite file differs from the integer reference with LiteRT's "
            f"rounding by {agreement.tflite_rule_max_lsb} LSB on {agreement.windows} "
            "windows; it must equal it. Check the installed TFLite runtime against "
            "constraints.txt, then continue with `resume`"
        )
    return Package(len(model), agreement, _write_c(folder, net, mode))


def _write_c(folder: Path, net: QuantizedNet, mode: Mode) -> build.ModelFiles | ExportError:
    try:
        return build.model_files(net, folder, mode=mode)
    except ExportError as error:
        return error


def fingerprints(folder: Path) -> dict[str, FileFacts]:
    """Size and SHA-256 of every file of a folder, by name."""
    found: dict[str, FileFacts] = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        found[path.name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return found
