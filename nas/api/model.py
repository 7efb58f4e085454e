"""Recordings, and one network: read, load, score, and what a `Model` does with recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.c.naming import PREFIX
from hwmodels.graph import Graph
from hwmodels.path import USUAL, Surroundings
from nas.models import names
from nas.run.people import read_source
from ppg.recording import Recording, with_channels
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.errors import DataError
from ppgnas.notebook import Shown
from ppgnas.task import Mode
from search_spaces.arch import Arch
from search_spaces.lower import lower

if TYPE_CHECKING:
    from hwmodels.scorecard import Scorecard
    from nas.models.evaluate import Evaluation
    from nas.models.predict import Trace
    from nas.models.verify import Verification
    from ppg.readout.smoothing import Smoothing

Name = str | Path


def named(value: object, what: str) -> str:
    """A name or path as text.

    Raises:
        DataError: it is neither, or empty, which as a path would mean the working folder.
    """
    if not isinstance(value, str | Path):
        raise DataError(f"{what} is of the type {type(value).__name__}; give a name or a path")
    if not str(value):
        raise DataError(f"{what} is empty; give a name or a path")
    return str(value)


def read(source: Name, *, seed: int = 0) -> list[Recording]:
    """Recordings of a folder.

    Args:
        source: a folder of .npz recordings, of a published data set's files or with a
            recordings.toml, a file of any form (docs/forms.md), or `synthetic`.
        seed: of synthetic people.

    Raises:
        DataError: the folder or a file in it cannot be used.

    >>> people = ppgnas.read("synthetic")
    >>> people[0].dataset, people[0].ppg_hz
    ('synthetic', 64.0)
    """
    return read_source(named(source, "`source`"), seed=seed)


@dataclass(frozen=True, repr=False)
class Model(Shown):
    """A network, found by `load`: its layers, and its weights where it has some.

    Attributes:
        found: where it lies and what is known of it.
    """

    found: names.Model

    @property
    def graph(self) -> Graph:
        """The int8 layer graph."""
        return self.found.graph

    @property
    def arch(self) -> Arch | None:
        """The architecture; None for a file that is not ours."""
        return self.found.arch

    @property
    def caption(self) -> str:
        """Name and size."""
        weights = self.graph.total_weight_bytes
        return f"{self.found.name}: {self.graph.total_macs} MAC, {weights} B of weights"

    def rows(self) -> list[dict[str, object]]:
        """One row a layer."""
        return [
            {"layer": layer.name, "op": layer.op, "output": self.graph.shape(layer.output)}
            for layer in self.graph.layers
        ]

    def predict(
        self, recording: Recording | Name, *, name: str | None = None, smoothing: Smoothing = "hmm"
    ) -> Trace:
        """Heart rate along one recording, a reading every stride.

        Args:
            recording: a recording, an .npz file, a file of any form, or a folder.
            name: which one of a folder.
            smoothing: `hmm`, `clip` or `none`.

        Raises:
            ModelError: the model has no weights or reads no heart rates.
            DataError: the recording cannot be used.

        >>> trace = ppgnas.load("results/run:1").predict(ppgnas.read("synthetic")[0])
        >>> len(trace.bpm) == len(trace.time_s) == len(trace.rows())
        True
        """
        from nas.models.predict import find_recording, trace_of
        from nas.models.readout import decoding_of

        if not isinstance(recording, Recording):
            recording = find_recording(named(recording, "`recording`"), name=name)
        (recording,) = with_channels([recording], self.found.channels)
        return trace_of(
            self.found.net(),
            recording,
            inputs=self.found.inputs,
            decoding=decoding_of(self.found.card()),
            file=self.found.runs,
            smoothing=smoothing,
            mode=self.found.mode,
        )

    def evaluate(
        self,
        data: Sequence[Recording] | Recording | Name,
        *,
        smoothing: Smoothing = "hmm",
        file: str | None = None,
    ) -> Evaluation:
        """Heart-rate errors on recordings, in the integer arithmetic of the device.

        Args:
            data: recordings, or what `read` takes.
            smoothing: `hmm`, `clip` or `none`.
            file: whose rounding: `tflite` or `c`; that of the card's errors unless given.

        Raises:
            ModelError: the model has no weights or reads no heart rates.
            DataError: the recordings cannot be used.

        >>> errors = ppgnas.load("results/run:1").evaluate("recordings")
        >>> errors.mae_bpm > 0, len(errors.people) == len(errors.rows())
        (True, True)
        """
        from nas.models.evaluate import evaluate, readable

        if isinstance(data, Recording):
            recordings: Sequence[Recording] = [data]
        elif isinstance(data, Sequence) and not isinstance(data, str):
            recordings = data
        else:
            recordings = read(data, seed=1)
        kept = readable(self.found, recordings)
        return evaluate(self.found, kept, smoothing=smoothing, file=file)

    def export(
        self,
        out: Name,
        *,
        formats: str | Sequence[str] = ("tflite",),
        prefix: str = PREFIX,
        mode: Mode | None = None,
        adapt: str | None = None,
        adapt_minutes: float | None = None,
        force: bool = False,
        **sensors: Any,
    ) -> list[Path]:
        """Write files of a finalist, checked against its card.

        Args:
            out: the folder to write to.
            formats: of `tflite`, `onnx` and `c`; as one text with commas.
            prefix, mode, adapt, adapt_minutes: for `c`, see `ppgnas export --help`.
            force: write over files of before.
            sensors: for `c`: `ppg_hz`, `acc_hz`, `ppg_channels`, `counts_per_g`, `smoothing`,
                `fifo_s`.

        Raises:
            ModelError: an unknown format, no files, or another file lies there.
            OptionError: something of the C is said and no `c` is asked for, or it is not allowed.
            ExportError: a file is not the one that the card describes.

        >>> [path.name for path in ppgnas.load("results/run:1").export("firmware")]
        ['model.tflite']
        """
        from deploy.personal.example import adapting_asked
        from nas.models.export import export_files
        from nas.models.signal_chain import Sensors
        from nas.run.windows import mode_of

        return export_files(
            self.found,
            formats,
            Path(named(out, "`out`")),
            sensors=Sensors(**sensors),
            prefix=prefix,
            mode=None if mode is None else mode_of(mode),
            adapting=adapting_asked(adapt, adapt_minutes, self.found.graph.task),
            force=force,
        )

    def verify(
        self,
        *,
        data: Name | None = None,
        windows: int = 20,
        board: str = DEFAULT_BOARD,
        compiler: str | None = None,
    ) -> Verification:
        """Compile the C for a Cortex-M7, emulate it, compare it bit for bit; see docs/deploy.md.

        Args:
            data: recordings to compare on; the run's own unless given.
            windows: how many.
            board: for time and energy.
            compiler: `zig` or `gcc`; what is installed unless given.

        Raises:
            DataError: no windows are asked for, or the recordings cannot be used.
            ExportError: a layer that the C cannot compute.
            DependencyError, ToolError: no compiler or emulator, or it fails.
        """
        from hwmodels.boards import load_board
        from nas.models.verify import verify
        from nas.models.windows import compared_on

        if windows < 1:
            raise DataError(f"`windows` is {windows}; it must be at least 1")
        source = None if data is None else str(data)
        chosen = compared_on(self.found, self.found.net(), data=source, limit=windows)
        return verify(self.found, chosen, board=load_board(board), compiler=compiler)


def load(name: Name) -> Model:
    """A network by its name.

    Args:
        name: `RUN:ID` (a finalist of a run), a folder that `ppgnas train` wrote,
            `published:NAME`, a .tflite file, an arch.json or a graph.json.

    Raises:
        ModelError, RunError: there is no such model.
        SpaceError, GraphError: the file is malformed.

    >>> ppgnas.load("published:tiny").graph.total_macs
    186284
    """
    return Model(names.find_model(named(name, "`name`")))


def score(
    model: Model | Graph | Arch | Name,
    *,
    board: str = DEFAULT_BOARD,
    engine: str = DEFAULT_ENGINE,
    period_s: float | None = None,
    mode: Mode | None = None,
    around: Surroundings = USUAL,
) -> Scorecard:
    """Latency, flash, SRAM, energy and power of a network, layer by layer; no weights needed.

    Args:
        model: a network, or the name of one.
        board, engine: by name or .toml.
        period_s: time from one reading to the next; the network's stride unless given.
        mode: `window` or `streaming`; a model's own unless given.
        around: sensors and smoothing of the device, which are part of the sums.

    Raises:
        BoardError: unknown, malformed, or the engine does not run on the board.
        TaskError, BudgetError: no such mode, or a period that is not above 0.

    >>> slow = ppgnas.score("published:tiny", board="nrf52840")
    >>> slow.latency_ms.value > ppgnas.score("published:tiny").latency_ms.value
    True
    """
    from nas.run.target import load_target
    from nas.run.windows import mode_of

    graph = lower(model) if isinstance(model, Arch) else model
    if isinstance(graph, Graph):
        own = names.Model("", graph)
    else:
        own = (graph if isinstance(graph, Model) else load(graph)).found
    task, how = own.graph.task, own.mode if mode is None else mode_of(mode)
    target = load_target(board, engine, period_s=period_s, mode=how, around=around, task=task)
    return target.score(own.graph, file_bytes=own.file_bytes, held=own.held)
