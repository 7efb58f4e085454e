"""Handing out the network of a file of others: its C, its ONNX, and the file itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.c.naming import PREFIX
from nas.models.export import FILES, C, check_formats, write_files
from nas.models.names import Model
from ppgnas import __version__
from ppgnas.files import content_of, sha256_of


def export_foreign(
    model: Model,
    formats: str | Sequence[str],
    out: Path,
    *,
    prefix: str = PREFIX,
    force: bool = False,
) -> list[Path]:
    """Write files of the int8 network between a file's ends; c is a project that checks itself.

    Args:
        model: of a `.tflite` file, by whose path it is called.
        prefix: of every name in the C.

    Raises:
        ModelError: an unknown format, or another file of the same name is there already.
        ExportError: the network cannot be written so.
    """
    from deploy import onnx_export

    names = check_formats(formats, prefix=prefix)
    contents: dict[str, bytes] = {}
    for name in names:
        if name == C:
            contents |= _project(model, prefix)
        elif name == "onnx":
            contents[FILES[name]] = onnx_export.write(model.net())
        else:
            contents[FILES[name]] = content_of(Path(model.name))
    return write_files(contents, out, force=force)


def _project(model: Model, prefix: str) -> dict[str, bytes]:
    """The network in C with an example of made-up values, which prove its build."""
    import numpy as np

    from deploy.c.naming import Identity
    from deploy.c.project import project

    net, path = model.net(), Path(model.name)
    noise = np.random.default_rng(0).integers(-128, 128, net.graph.window).astype(np.int8)
    identity = Identity(path.stem, path.absolute().parent.name, __version__, sha256_of(path))
    made = project(net, noise, title=path.name, identity=identity, prefix=prefix)
    return {name: text.encode() for name, text in made.texts.items()}
