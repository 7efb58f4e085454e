"""Embeddings of a recording, by an encoder of a file or of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.encoders.card import FILE
from nas.encoders.vectors import Floats, stored_compact
from ppg.frontend import normalise_acc, normalise_ppg, stream
from ppg.recording import Recording
from ppg.segments.cut import HOP_S, HZ, SAMPLES, SEGMENT_S, clear_of_gaps
from ppgnas.errors import DataError, RunError
from ppgnas.tables import csv_table

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
    return Embeddings(where, start / HZ, encoder.read(x), clear_of_gaps(recording, start))


def table_of(found: Embeddings) -> str:
    """CSV with a row a segment."""
    head = ["start_s", *(f"e{index}" for index in range(found.vectors.shape[1]))]
    rows = zip(found.start_s, found.vectors, strict=True)
    return csv_table(head, ([f"{at:g}", *(f"{value:.6g}" for value in row)] for at, row in rows))
