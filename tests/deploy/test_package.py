"""The folder of files of one network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.c import build
from deploy.integers.quantized import QuantizedNet
from deploy.package import fingerprints, write_package
from ppgnas.errors import ExportError

Make = Callable[..., Any]
FILES = {
    "graph.json",
    "model.c",
    "model.h",
    "model.onnx",
    "model.tflite",
    "weights.safetensors",
}


def inputs(net: QuantizedNet) -> np.ndarray[Any, np.dtype[np.float32]]:
    _, _, time, channels = net.graph.tensors[0].shape
    shape = (3, channels, time)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_files_and_what_is_said_of_them(tmp_path: Path, make_lowered: Make) -> None:
    net = make_lowered(0).net()
    package = write_package(tmp_path, net, name="a", x=inputs(net))
    files = fingerprints(tmp_path)
    assert set(files) == FILES
    tflite = (tmp_path / "model.tflite").read_bytes()
    assert files["model.tflite"] == {
        "bytes": package.tflite_bytes,
        "sha256": hashlib.sha256(tflite).hexdigest(),
    }
    assert package.parity.windows == 3
    assert isinstance(package.c, build.ModelFiles) and package.c.scratch_bytes > 0


def test_a_network_without_c_keeps_its_other_files(
    tmp_path: Path, make_lowered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ExportError("layer 'stem': all weights of channel 3 are zero")

    monkeypatch.setattr(build, "model_files", refuse)
    net = make_lowered(0).net()
    package = write_package(tmp_path, net, name="a", x=inputs(net))
    assert str(package.c) == "layer 'stem': all weights of channel 3 are zero"
    assert set(fingerprints(tmp_path)) == FILES - {"model.c", "model.h"}


def test_the_c_of_a_streaming_network_streams(tmp_path: Path, make_lowered: Make) -> None:
    net = make_lowered(0).net()
    package = write_package(tmp_path, net, name="a", x=inputs(net), mode="streaming")
    assert isinstance(package.c, build.ModelFiles) and package.c.state_bytes > 0
    assert "int ppg_step(" in (tmp_path / "model.h").read_text(encoding="utf-8")
