"""Embeddings by an encoder of a file or a folder: of the segments of shards, and of a recording.

Float encoders are read as they are, compact ones by their integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nas.encoders.card import FILE, EncoderCard
from nas.run.documents import AGAIN, read_document
from ppg.frontend import normalise_acc, normalise_ppg, stream
from ppg.recording import Recording
from ppg.segments.cut import HOP_S, HZ, SAMPLES, SEGMENT_S
from ppg.segments.draw import SegmentBank
from ppg.segments.shards import Shards
from ppgnas.errors import DataError, RunError
from ppgnas.tables import csv_table

if TYPE_CHECKING:
    from torch import nn

    from deploy.integers.quantized import QuantizedNet
    from distill.encoders.job import Sensor
    from distill.encoders.objectives import Aligned, Projection


Floats = NDArray[np.float64]
BATCH = 256
WIDEST = 4096  # of an embedding


def float_vectors(
    encoder: nn.Module, shards: Shards, rows: NDArray[np.int64], sensor: Sensor
) -> Floats:
    """`(rows, dimensions)` of segments as they are, read batch by batch."""
    import torch

    from distill.encoders.files import embed

    bank = SegmentBank(shards, rows)
    parts = [
        embed(encoder, torch.from_numpy(getattr(bank.pairs(part), sensor))).numpy()
        for part in np.array_split(rows, -(-len(rows) // BATCH))
    ]
    return np.concatenate([part.reshape(len(part), -1) for part in parts]).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Compact:
    """A compact encoder that lies in a folder.

    Attributes:
        projection, teacher_projection: for retrieval alone; no part of the model.
    """

    card: EncoderCard
    net: QuantizedNet
    projection: Projection
    teacher_projection: Projection

    def read(self, x: NDArray[np.float32]) -> Floats:
        """Embeddings `(segments, dimensions)` of `(segments, channels, time)`, as `model.c`."""
        from deploy.integers import reference

        scale, zero = self.net.activations[self.net.graph.output]
        found = reference.run(self.net, self.net.quantize_input(x), rule="c")
        return scale * (found.astype(np.float64) - zero)

    def vectors(
        self, shards: Shards, rows: NDArray[np.int64], *, progress: Callable[[int, int], None]
    ) -> Floats:
        """`(rows, dimensions)` of segments of shards."""
        bank = SegmentBank(shards, rows)
        parts = []
        for part in np.array_split(rows, -(-len(rows) // BATCH)):
            parts.append(self.read(bank.pairs(part).acc))
            progress(BATCH * len(parts), len(rows))
        return np.concatenate(parts)


def stored_compact(folder: Path) -> Compact:
    """Read the folder of a compact encoder.

    Raises:
        RunError: it is none, or damaged.
    """
    from deploy.integers.quantized import QuantizedNet
    from distill.encoders.objectives import Projection
    from distill.training.checkpoint import load_checkpoint, read_facts

    if not (folder / FILE).is_file():
        raise RunError(f"{folder} holds no {FILE}; pass a folder of `ppgnas pretrain acc --size`")
    card = read_document(folder / FILE, EncoderCard.from_json)
    found = []
    for name in ("projection", "teacher_projection"):
        path = folder / f"{name}.safetensors"
        width = read_facts(path).get("dimensions", card.dimensions)
        if type(width) is not int or not 1 <= width <= WIDEST:
            raise RunError(f"{path}: dimensions is {width!r}; allowed: 1 to {WIDEST}. {AGAIN}")
        projection = Projection(width)
        load_checkpoint(path, projection)
        found.append(projection.eval())
    return Compact(card, QuantizedNet.load(folder), *found)


def projected(by: Aligned | Compact, own: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Unit vectors of acceleration and of PPG, in which retrieval is done.

    Args:
        by: what was aligned.
        own, other: embeddings of the student and of its teacher.
    """
    import torch

    with torch.no_grad():
        left = by.projection(torch.from_numpy(own.astype(np.float32)))
        right = by.teacher_projection(torch.from_numpy(other.astype(np.float32)))
    return left.double().numpy(), right.double().numpy()


Segments = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoundEncoder:
    """An encoder that was asked for.

    Attributes:
        arithmetic: `float32`, or `int8` as in `model.c`.
        read: from `(segments, channels, time)` to `(segments, dimensions)`.
    """

    sensor: Literal["ppg", "acc"]
    arithmetic: Literal["float32", "int8"]
    read: Callable[[Segments], Floats]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Of one recording.

    Attributes:
        start_s: `(segments,)`.
        vectors: `(segments, dimensions)`.
        clear: `(segments,)`, False where one touches a hole in the signals.
    """

    recording: str
    start_s: NDArray[np.float64]
    vectors: Floats
    clear: NDArray[np.bool_]


def find_encoder(path: Path) -> FoundEncoder:
    """Read an encoder.

    Raises:
        RunError: there is none, or it is a file out of the folder of one.
    """
    if path.is_dir():
        return FoundEncoder("acc", "int8", stored_compact(path).read)
    if path.is_file() and (path.parent / FILE).is_file():
        raise RunError(f"{path} is a part of a compact encoder; pass its folder, {path.parent}")
    import torch

    from distill.encoders.files import embed, load_encoder

    stored = load_encoder(path)

    def read(x: Segments) -> Floats:
        return embed(stored.encoder, torch.from_numpy(x)).double().numpy()

    return FoundEncoder(stored.facts.sensor, "float32", read)


def embeddings_of(encoder: FoundEncoder, recording: Recording) -> Embeddings:
    """Embed every segment, also those that touch a hole.

    Raises:
        DataError: the recording has no acceleration, and the encoder reads it, or is too short.
    """
    where = f"{recording.dataset}/{recording.name}"
    if encoder.sensor == "acc" and recording.acc is None:
        raise DataError(f"{where} has no acceleration, and this encoder reads it; choose another")
    signals = stream(recording, hz=HZ)
    start = np.arange(0, max(0, len(signals.ppg) - SAMPLES + 1), HOP_S * HZ)
    if not len(start):
        raise DataError(
            f"{where} lasts {recording.duration_s:.1f} s; an encoder reads segments of "
            f"{SEGMENT_S} s"
        )
    source = signals.ppg if encoder.sensor == "ppg" else signals.acc
    assert source is not None
    parts = np.stack([source[first : first + SAMPLES] for first in start])
    if encoder.sensor == "ppg":
        x = normalise_ppg(parts)[:, None]
    else:
        x = normalise_acc(parts).transpose(0, 2, 1)
    x = np.ascontiguousarray(x, dtype=np.float32)
    start_s = start / HZ
    clear = recording.measured(start_s, SEGMENT_S)
    return Embeddings(where, start_s, encoder.read(x), clear)


def table_of(found: Embeddings) -> str:
    """CSV with a row a segment."""
    head = ["start_s", *(f"e{index}" for index in range(found.vectors.shape[1]))]
    rows = zip(found.start_s, found.vectors, strict=True)
    return csv_table(head, ([f"{at:g}", *(f"{value:.6g}" for value in row)] for at, row in rows))
