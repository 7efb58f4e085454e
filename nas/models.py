"""What a model name on the command line means.

`RUN:ID` is a finalist of a run, by its number or by the id of its architecture; otherwise the name
is the path of an int8 `.tflite` file, of whatever origin, or of an `arch.json` or a `graph.json`,
told apart by their content.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodels.graph import Graph
from nas.run_dir import RunDir
from ppgnas.errors import PpgnasError, RunError
from search_spaces.arch import Arch
from search_spaces.lower import lower

if TYPE_CHECKING:
    from deploy.quantized import QuantizedNet
    from deploy.tflite_reader import TfliteModel

_ALLOWED = "name RUN:ID (for example results/run:1), a .tflite file, an arch.json or a graph.json"
# Telling a TFLite file by its content, whatever it is called.
_TFLITE_MARK = b"TFL3"


class ModelError(PpgnasError, ValueError):
    """A model name leads to nothing that the verb can use."""


@dataclass(frozen=True)
class Model:
    """A model that was found.

    Attributes:
        name: as the user wrote it.
        graph: its layers.
        arch: its architecture; None for a `graph.json` and for a TFLite file.
        folder: where its weights and files lie; None without weights.
        run, number: the run and the finalist; None for a file.
        file: what was read from a TFLite file; None otherwise.
    """

    name: str
    graph: Graph
    arch: Arch | None = None
    folder: Path | None = None
    run: RunDir | None = None
    number: int | None = None
    file: TfliteModel | None = None

    @property
    def file_bytes(self) -> int | None:
        """Size of the model's TFLite file; None where there is none."""
        if self.file is not None:
            return self.file.file_bytes
        stored = None if self.folder is None else self.folder / "model.tflite"
        return stored.stat().st_size if stored is not None and stored.is_file() else None

    def net(self) -> QuantizedNet:
        """The quantised network.

        Raises:
            ModelError: the model has no weights.
            ExportError: the integers of a TFLite file are beyond the integer reference.
        """
        from deploy.quantized import QuantizedNet

        if self.file is not None:
            return self.file.net()
        if self.folder is None:
            raise ModelError(
                f"{self.name} has no weights; name a finalist of a run as RUN:ID, "
                "for example results/run:1"
            )
        return QuantizedNet.load(self.folder)


def find_model(name: str) -> Model:
    """Look a model up.

    Args:
        name: `RUN:ID`, `.../model.tflite`, `.../arch.json` or `.../graph.json`.

    Raises:
        ModelError: there is no such file, or it is none of them.
        RunError: there is no such run or finalist.
        SpaceError, GraphError: the file is malformed.
    """
    run, colon, key = name.rpartition(":")
    if colon and run and not Path(name).exists():
        return _finalist(name, RunDir(Path(run)), key)
    path = Path(name)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ModelError(f"{name}: there is no such file; {_ALLOWED}") from error
    if path.suffix == ".tflite" or content[4:8] == _TFLITE_MARK:
        from deploy.tflite_reader import read

        file = read(content, name=name)
        return Model(name, file.graph, file=file)
    try:
        document = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{name} is not JSON ({error}); {_ALLOWED}") from error
    if isinstance(document, dict) and document.get("format") == "ppgnas-graph":
        return Model(name, Graph.from_json(document))
    if isinstance(document, dict) and "stages" in document:
        arch = Arch.from_json(document)
        return Model(name, lower(arch), arch)
    raise ModelError(
        f"{name} is neither an architecture (no key stages) nor a graph "
        f'(no "format": "ppgnas-graph"); {_ALLOWED}'
    )


def _finalist(name: str, run: RunDir, key: str) -> Model:
    run.document()
    numbers = run.finalists()
    by_key = {str(number): number for number in numbers}
    by_key |= {str(run.card(number)["id"]): number for number in numbers}
    if key not in by_key:
        listed = ", ".join(map(str, numbers)) or "none yet"
        raise RunError(f"{run.path} has no finalist {key!r}; its finalists: {listed}")
    folder = run.finalist(by_key[key])
    arch = Arch.from_json(json.loads((folder / "arch.json").read_text(encoding="utf-8")))
    graph = Graph.loads((folder / "graph.json").read_text(encoding="utf-8"))
    return Model(name, graph, arch, folder, run, by_key[key])
