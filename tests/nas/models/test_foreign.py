"""What `export` hands out of a `.tflite` file of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.models.foreign import export_foreign
from nas.models.names import find_model
from ppgnas.errors import OptionError

FILES = Path(__file__).parents[2] / "deploy" / "tflite" / "files"
INPUTS = {
    "mlp_uint8": ["* Input: int8 `[40]`; stored"],
    "both_ways_int8": ["* Input: int8 `[10][3]` (time, channels); stored"],
    "torch_branches_int8": [
        "* Input at `PPG_INPUT_0`: int8 `[1][128]` (channels, time); stored",
        "* Input at `PPG_INPUT_1`: int8 `[3][128]` (channels, time); stored",
    ],
}


@pytest.mark.parametrize("name", INPUTS)
def test_its_network_in_every_format(name: str, tmp_path: Path) -> None:
    path = FILES / f"{name}.tflite"
    found = export_foreign(find_model(str(path)), "tflite,onnx,c", tmp_path)
    assert {one.relative_to(tmp_path).as_posix() for one in found} > {
        *("model.tflite", "model.onnx", "model.c", "model.h", "README.md", "example/window.h")
    }
    assert (tmp_path / "model.tflite").read_bytes() == path.read_bytes()
    lines = (tmp_path / "README.md").read_text().splitlines()
    said = [line.split(" = ")[0] for line in lines if line.startswith("* Input")]
    assert said == INPUTS[name]
    with pytest.raises(OptionError, match="c alone has it"):
        export_foreign(find_model(str(path)), "onnx", tmp_path, prefix="second")
