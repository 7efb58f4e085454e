"""What a model name on the command line means.

`RUN:ID` is a finalist of a run, by its number or by the id of its architecture, and
`published:NAME` an architecture of the literature without weights; otherwise the name is the path
of a folder that `ppgnas train` wrote, of an int8 `.tflite` file, of whatever origin, or of an
`arch.json` or a `graph.json`, told apart by their content.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodels.arena import Held
from hwmodels.graph import Graph
from hwmodels.signals import classes_of, signals_of
from nas.run.card import Card, ModelFile
from nas.run.documents import read_document
from nas.run.folder import RunDir
from nas.run.windows import ANY, WindowChoice
from ppg.windows import InputSpec
from ppgnas.errors import PpgnasError, RunError
from ppgnas.files import content_of, sha256_of
from ppgnas.parsing import parse_json
from ppgnas.task import Mode
from search_spaces.arch import RATES_HZ, Arch
from search_spaces.lower import lower
from search_spaces.published import PUBLISHED_PREFIX, published
from search_spaces.stages import at_task

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from deploy.tflite.reader import TfliteModel

_ALLOWED = (
    "name RUN:ID (for example results/run:1), a folder that `ppgnas train` wrote, published:NAME, "
    "a .tflite file, an arch.json or a graph.json"
)
# Telling a TFLite file by its content, whatever it is called.
_TFLITE_MARK = b"TFL3"
_CONVERT = "quantise it to int8 with its framework's converter and pass the .tflite file"
_OTHERS = (
    (b"\x89HDF", "is a file of HDF5, as Keras saves models", _CONVERT),
    (b"PK\x03\x04", "is an archive (zip), as Keras and PyTorch save models", _CONVERT),
    (b"\x80", "is a pickle, as PyTorch saved models", _CONVERT),
    (b"\x08\x01\x12", "is a SavedModel of TensorFlow", _CONVERT),
    (b"\x1f\x8b", "is packed (gzip)", "unpack it"),
    (b"version https://git-lfs", "is a pointer of Git LFS", "get the file itself: git lfs pull"),
    (b"<", "is a page of HTML or XML", "fetch the file again"),
)
"""First bytes, what such a file is, and the next step."""
_ONNX_MARK = b"\x08"  # the field `ir_version`, which comes first


class ModelError(PpgnasError, ValueError):
    """A model name leads to nothing that the verb can use."""


@dataclass(frozen=True)
class Model:
    """A model that was found.

    Attributes:
        arch: its architecture; None for a `graph.json` and for a TFLite file.
        folder: where its weights and files lie; None without weights.
        run, number: the run and the finalist; None for a file.
        file: what was read from a TFLite file; None otherwise.
        beside: folder of a TFLite file.
    """

    name: str
    graph: Graph
    arch: Arch | None = None
    folder: Path | None = None
    run: RunDir | None = None
    number: int | None = None
    file: TfliteModel | None = None
    beside: Path | None = None

    @property
    def inputs(self) -> InputSpec:
        """What the network reads, by the shape of its input.

        Raises:
            ModelError: the network is no heart-rate network as ppgnas makes them.
        """
        graph, task = self.graph, self.graph.task
        output = graph.shape(classes_of(graph))
        rates = {task.window_s * rate_hz: rate_hz for rate_hz in RATES_HZ}
        steps, signals = signals_of(graph) or (0, ())
        if steps not in rates or prod(output) != task.classes:
            shapes = " and ".join(str(graph.shape(name)) for name in graph.inputs)
            raise ModelError(
                f"{self.name} maps {shapes} to {tuple(output)}; recordings can be read by a "
                f"network of input (1, 1, {task.window_s} s x rate, 1 or 4 channels), channels "
                "and time in either order, or of two inputs, PPG and three axes; rate one of "
                f"{', '.join(map(str, RATES_HZ))} Hz, with {task.classes} outputs of 1 BPM each"
            )
        return InputSpec(rates[steps], sum(s.channels for s in signals) > 1, task)

    def card(self) -> Card | None:
        """What is known of the network; None where nothing is.

        A TFLite file takes the card that lies beside it, if that describes this very file.
        """
        folder = self.folder or self.beside
        if folder is None or not (folder / "card.json").is_file():
            return None
        if self.file is None:
            return read_document(folder / "card.json", Card.from_json)
        try:
            card = read_document(folder / "card.json", Card.from_json)
        except RunError:  # a foreign file that happens to be called so
            return None
        described = card.files.get(Path(self.name).name)
        own = described is not None and described.sha256 == sha256_of(Path(self.name))
        return card if own else None

    @property
    def runs(self) -> ModelFile:
        """Whose arithmetic stands for it: a TFLite file's own, else that of its card's errors."""
        card = self.card() if self.file is None else None
        return "model.tflite" if card is None else card.file or "model.tflite"

    @property
    def mode(self) -> Mode:
        """Whether the network reads windows, or streams: as its card says."""
        card = self.card()
        return "window" if card is None else card.mode

    @property
    def channels(self) -> str | None:
        """PPG channels that it learnt from, see `ppg.recording.with_channels`."""
        card = self.card()
        return None if card is None else card.channels

    @property
    def file_bytes(self) -> int | None:
        """Size of the model's TFLite file; None where there is none."""
        if self.file is not None:
            return self.file.file_bytes
        stored = None if self.folder is None else self.folder / "model.tflite"
        return stored.stat().st_size if stored is not None and stored.is_file() else None

    @property
    def held(self) -> Held | None:
        """What an interpreter holds of a file of others."""
        return None if self.file is None else self.file.held

    def reading(self, windows: WindowChoice) -> Model:
        """The same architecture, without weights, that reads other windows; itself if none are.

        Raises:
            ModelError: others are asked of a model whose architecture is not known.
            TaskError: no network reads such windows.
        """
        if windows == ANY:
            return self
        if self.arch is None:
            raise ModelError(
                f"{self.name} has no architecture that could read other windows; leave `window`, "
                "`stride` and `bpm` out, or name a finalist, an arch.json or published:NAME"
            )
        arch = at_task(self.arch, windows.task(self.arch.task))
        return self if arch == self.arch else Model(self.name, lower(arch), arch)

    def net(self) -> QuantizedNet:
        """The quantised network.

        Raises:
            ModelError: the model has no weights.
            ExportError: the integers of a TFLite file are beyond the integer reference.
        """
        from deploy.integers.quantized import QuantizedNet

        if self.file is not None:
            return self.file.net()
        if self.folder is None:
            raise ModelError(
                f"{self.name} has no weights; name a finalist of a run as RUN:ID, "
                "for example results/run:1, or the folder that `ppgnas train` wrote"
            )
        return QuantizedNet.load(self.folder)


def find_model(name: str) -> Model:
    """Look a model up.

    Args:
        name: `RUN:ID`, a folder that `ppgnas train` wrote (`FOLDER:ID` too), `published:NAME`,
            `.../model.tflite`, `.../arch.json` or `.../graph.json`.

    Raises:
        ModelError: there is no such file, or it is none of them.
        RunError: there is no such run or finalist.
        SpaceError, GraphError: the file is malformed.
    """
    if "\0" in name:
        raise ModelError(f"{name!r} can be no path; {_ALLOWED}")
    if name.startswith(PUBLISHED_PREFIX):
        arch = published(name.removeprefix(PUBLISHED_PREFIX))
        return Model(name, lower(arch), arch)
    run, colon, key = name.rpartition(":")
    if colon and run and not Path(name).exists():
        card = Path(run) / "card.json"
        if card.is_file() and read_document(card, Card.from_json).id == key:
            return _in_folder(name, Path(run))
        return _finalist(name, RunDir(Path(run)), key)
    path = Path(name)
    if (path / "card.json").is_file() and (path / "arch.json").is_file():
        return _in_folder(name, path)
    if (path / "run.toml").is_file():
        run_ = RunDir(path)
        finalists = ", ".join(f"{path}:{n}" for n in run_.finalists())
        if not finalists:
            raise ModelError(f"{name} is a run without finalists: {run_.incomplete}")
        raise ModelError(f"{name} is a run; name one of its finalists: {finalists}")
    if path.is_dir():
        inside = path / "model.tflite"
        where = f"pass {inside}" if inside.is_file() else _ALLOWED
        raise ModelError(f"{name} is a folder and no model; {where}")
    try:
        content = content_of(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(f"{name}: there is no such file; {_ALLOWED}") from error
    if content[4:8] != _TFLITE_MARK:
        _check_kind(path, content)
    if path.suffix == ".tflite" or content[4:8] == _TFLITE_MARK:
        from deploy.tflite.reader import read

        file = read(content, name=name)
        return Model(name, file.graph, file=file, beside=path.parent)
    try:
        document = parse_json(content.decode("utf-8"))
    except ValueError as error:
        # Where the header of a safetensors file begins.
        told = f"is not JSON ({error})" if path.suffix == ".json" else "is no model"
        found = "holds weights alone" if content[8:9] == b"{" else told
        raise ModelError(f"{name} {found}; {_ALLOWED}") from error
    if isinstance(document, dict) and document.get("format") == "ppgnas-graph":
        return Model(name, Graph.from_json(document))
    if isinstance(document, dict) and "stages" in document:
        arch = Arch.from_json(document)
        # With the checks of a graph, which searches do without.
        return Model(name, replace(lower(arch)), arch)
    raise ModelError(
        f"{name} is neither an architecture (no key stages) nor a graph "
        f'(no "format": "ppgnas-graph"); {_ALLOWED}'
    )


def _check_kind(path: Path, content: bytes) -> None:
    """Refuse models of other tools, and what holds one, whatever the file is called."""
    for mark, what, step in _OTHERS:
        if content.startswith(mark):
            raise ModelError(f"{path} {what}; {step}")
    if path.suffix == ".onnx" or content.startswith(_ONNX_MARK):
        same = path.with_suffix(".tflite")
        there = same != path and same.is_file()
        raise ModelError(
            f"{path} is an ONNX file, which is written for other runtimes and not read; pass "
            f"{same if there else 'the .tflite file of the same network'} instead"
        )


def _finalist(name: str, run: RunDir, key: str) -> Model:
    run.document()
    numbers = run.finalists()
    by_key = {str(number): number for number in numbers}
    by_key |= {run.card(number).id: number for number in numbers}
    if not numbers:
        raise RunError(f"{run.path} has no finalist: {run.incomplete}")
    if key not in by_key:
        listed = ", ".join(map(str, numbers))
        raise RunError(f"{run.path} has no finalist {key!r}; its finalists: {listed}")
    return _in_folder(name, run.finalist(by_key[key]), run, by_key[key])


def _in_folder(
    name: str, folder: Path, run: RunDir | None = None, number: int | None = None
) -> Model:
    arch = read_document(folder / "arch.json", Arch.from_json)
    graph = read_document(folder / "graph.json", Graph.from_json)
    card = folder / "card.json"
    if card.is_file() and read_document(card, Card.from_json).id != arch.id:
        raise RunError(
            f"{folder / 'arch.json'} is not the architecture that its card describes; take back "
            "the file that `ppgnas` wrote, or make it anew"
        )
    return Model(name, graph, arch, folder, run, number)
