"""Handing out a finalist's files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from nas.models import Model, ModelError
from ppgnas.errors import ExportError
from ppgnas.files import write_bytes_atomic

FILES = {"tflite": "model.tflite", "onnx": "model.onnx"}


def export_files(model: Model, formats: Sequence[str], out: Path) -> list[Path]:
    """Copy files of a finalist to a folder; the names stay.

    Args:
        model: from `find_model`.
        formats: keys of `FILES`.
        out: where to; made if it does not exist.

    Raises:
        ModelError: an unknown format, a model without files, or another file of the same name is
            there already; nothing is then written.
        ExportError: a file of the run is missing or is not the one that its card describes.
    """
    names = [name.strip() for name in formats]
    for name in names:
        if name not in FILES:
            raise ModelError(f"--format is {name!r}; allowed: {', '.join(FILES)}, or both")
    card = model.card()
    if model.folder is None or card is None:
        raise ModelError(
            f"{model.name} has no files to export; name a finalist as RUN:ID, "
            "for example results/run:1, or the folder that `ppgnas train` wrote"
        )
    described = card["files"]
    contents = {}
    for name in names:
        path = model.folder / FILES[name]
        if not path.is_file():
            raise ExportError(f"{path} is missing; run `ppgnas search` again")
        content = path.read_bytes()
        expected = described.get(path.name, {}).get("sha256")
        if hashlib.sha256(content).hexdigest() != expected:
            raise ExportError(
                f"{path} is not the file that its card describes (sha256 differs), so its figures "
                "do not hold for it; run `ppgnas search` again"
            )
        target = out / path.name
        if target.exists() and (not target.is_file() or target.read_bytes() != content):
            raise ModelError(
                f"{target} exists and differs; it stays as it is. Choose another --out"
            )
        contents[target] = content
    for target, content in contents.items():
        write_bytes_atomic(target, content)
    return list(contents)
