"""Read an int8 `.tflite` file, ours or somebody's, into the layer graph.

Only fully quantised int8 files are read: int8 activations and weights, int32 biases, one input,
a batch of one. The ends may be float or uint8, behind `QUANTIZE` and `DEQUANTIZE`, which are
layers with costs; the integers are those of the int8 network between them. Everything else is
refused by name. `SQUEEZE` and `EXPAND_DIMS` become `reshape`, which is what their kernels do.

Tensors keep the order of the file, which decides between equals in TFLM's arena planner. A layer
is named by the tensor that it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from deploy.integers.quantized import QuantizedNet
from deploy.tflite import micro
from deploy.tflite import runtime as tflite_runtime
from deploy.tflite.forms.choices import with_choices
from deploy.tflite.forms.constants import with_constants
from deploy.tflite.forms.dilated import with_views
from deploy.tflite.forms.fronted import with_batch_in_front
from deploy.tflite.forms.islands import with_islands
from deploy.tflite.forms.moved import with_moves
from deploy.tflite.forms.products import with_products
from deploy.tflite.forms.rows import with_rows
from deploy.tflite.held import held_of
from deploy.tflite.lstm import differs, with_states
from deploy.tflite.parse import StoredModel, parse
from deploy.tflite.stored_net import net_of, with_shared_weights
from deploy.tflite.translate import Translator
from hwmodels.arena import Held
from hwmodels.graph import Graph
from ppgnas.errors import ExportError, GraphError
from ppgnas.files import content_of


@dataclass(frozen=True)
class TfliteModel:
    """A file that was read.

    Attributes:
        file_bytes: size of the file: the flash that the model takes, exactly.
        held: what an interpreter holds of it.
        lacking: operators that TFLite Micro has not.
        open_sizes: tensors have other sizes when it runs than it states, as its batch is open.
    """

    name: str
    graph: Graph
    file_bytes: int
    stored: StoredModel
    open_sizes: bool = False
    held: Held | None = None
    lacking: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What its user should know."""
        notes = []
        if self.lacking:
            notes.append(
                f"{self.name}: TFLite Micro does not run it, for want of "
                f"{', '.join(self.lacking)}; costs under its engines are those if it had them. "
                "LiteRT and the generated C do"
            )
        if self.open_sizes:
            notes.append(
                f"{self.name}: its batch is open, so tensors have other sizes when it runs than "
                "the file states. LiteRT sets them; TFLite Micro does not, and computes something "
                "else. Convert with a batch of one: keras.Input(shape, batch_size=1)"
            )
        if differs(self.stored):
            notes.append(
                f"{self.name}: its LSTM states one scale for outputs and has another for states: "
                "LiteRT and TFLite Micro compute different results, the C those of TFLite Micro"
            )
        return tuple(notes)

    def net(self) -> QuantizedNet:
        """The int8 network with its integers, without float or uint8 ends.

        Raises:
            ExportError: a constant is missing or the file is quantised in a way that the integer
                reference does not know (different scales on the two sides of a pool, ...).
        """
        try:
            return net_of(self.graph.core, self.stored)
        except ExportError as error:
            raise ExportError(f"{self.name}: {error}") from error


def read(source: Path | bytes, *, name: str = "") -> TfliteModel:
    """Read a file.

    Args:
        name: how messages call it; the path unless given.

    Raises:
        GraphError: no TFLite file, damaged, not int8, or with an operator without a cost.
        DependencyError: no package with the TFLite schema is installed.
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        name = name or str(source)
        source = content_of(source)
    name = name or "the TFLite file"
    parsed = parse(source, name=name)
    forms = (with_constants, with_rows, with_products, with_views, with_batch_in_front,
             with_choices, with_islands, with_moves, with_states)  # fmt: skip
    stored = reduce(lambda model, form: form(model), forms, parsed)
    pairs = zip(parsed.tensors, stored.tensors, strict=False)
    open_sizes = any(prod(said.shape) != prod(real.shape) for said, real in pairs)
    try:
        graph = with_shared_weights(Translator(stored).graph(), stored)
    except GraphError as error:
        raise GraphError(f"{name}: {error}") from error
    held = held_of(parsed, graph)
    lacking = tuple(micro.lacking(parsed))
    return TfliteModel(name, graph, len(source), stored, open_sizes, held, lacking)


def without_ends(content: bytes) -> bytes:
    """A file without `QUANTIZE` and `DEQUANTIZE` at its ends: int8 in, int8 out, else the same."""
    import flatbuffers  # type: ignore[import-untyped]

    schema = tflite_runtime.schema()
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    int8 = schema.TensorType.INT8
    swap: dict[int, int] = {}
    kept = []
    for operator in graph.operators:
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if source in graph.inputs and graph.tensors[source].type != int8:
            swap[source] = target
        elif target in graph.outputs and graph.tensors[target].type != int8:
            swap[target] = source
        else:
            kept.append(operator)
    if not swap:
        return content
    graph.operators = kept
    graph.inputs = np.array([swap.get(int(i), int(i)) for i in graph.inputs], np.int32)
    graph.outputs = np.array([swap.get(int(i), int(i)) for i in graph.outputs], np.int32)
    model.signatureDefs = []  # they name the tensors that were cut off
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
