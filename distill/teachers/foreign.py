"""Somebody's trained network as a teacher: a frozen ONNX file, with a head that is fitted here.

What it reads stands in a TOML file of the same name beside it, or as that text under the key
`ppgnas` in the metadata of the ONNX file:

    rate_hz = 64
    channels = 1            # 1: PPG; 4: and three axes of acceleration
    output = "embedding"    # or "logits" of 180 classes from 30 BPM on: then no head is fitted
    signal = "wave"         # or "slope", which networks read here: see ppg.frontend
    people = []             # data set/subject of people here that it was trained on

The file takes windows `(batch, channels, time)` of 8 s, normalised as networks read them here, and
gives `(batch, width)` or `(batch, width, steps)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn

from distill.teachers.base import Shape, Teacher
from ppgnas.errors import RunError
from ppgnas.files import text_of
from ppgnas.parsing import mistake, parse_toml
from ppgnas.task import CLASSES, WINDOW_S

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

KEY = "ppgnas"
Output = Literal["logits", "embedding"]
Signal = Literal["slope", "wave"]


@dataclass(frozen=True)
class ForeignShape(Shape):
    """Width of what the file gives, what that is, which PPG it reads, and its length in bytes."""

    width: int
    output: Output
    signal: Signal
    file_bytes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.width, most=1 << 16)
        self.check(self.file_bytes, most=1 << 28)
        if self.output == "logits" and self.width != CLASSES:
            raise ValueError(f"logits of {self.width} classes; there are {CLASSES}")


@dataclass(frozen=True)
class Declared:
    """What the author of a file says of it, see the module."""

    rate_hz: int
    channels: Literal[1, 4]
    output: Output
    people: tuple[str, ...]
    signal: Signal = "slope"

    __pydantic_config__ = ConfigDict(extra="forbid")


class ForeignTeacher(Teacher):
    """The file's bytes are a buffer, so that a teacher.safetensors holds all of it."""

    def __init__(self, shape: ForeignShape, model: bytes = b"") -> None:
        super().__init__(shape)
        self.shape: ForeignShape = shape
        self.model: Tensor
        known = torch.frombuffer(bytearray(model), dtype=torch.uint8) if model else None
        empty = torch.zeros(shape.file_bytes, dtype=torch.uint8)
        self.register_buffer("model", empty if known is None else known)
        whole = shape.output == "logits"
        self.head = nn.Identity() if whole else nn.Linear(shape.width, CLASSES)

    @cached_property
    def _session(self) -> InferenceSession:
        return _session(self.model.cpu().numpy().tobytes())

    @property
    def size(self) -> int:
        import onnx

        graph = onnx.load_from_string(self.model.cpu().numpy().tobytes()).graph
        return super().size + sum(int(np.prod(each.dims)) for each in graph.initializer)

    def encode(self, x: Tensor) -> Tensor:
        if self.shape.signal == "wave":
            wave = x[:, :1].cumsum(dim=2)
            wave = wave - wave.mean(dim=2, keepdim=True)
            wave = wave / wave.std(dim=2, keepdim=True).clamp(min=1e-6)
            x = torch.cat([wave, x[:, 1:]], dim=1)
        return _run(self._session, x.detach()).to(x.device)


def declared(path: Path) -> Declared:
    """What is said of an ONNX file.

    Raises:
        RunError: nothing, or something that is not allowed.
    """
    beside = path.with_suffix(".toml")
    keys = (
        "rate_hz, channels (1 or 4), output (logits or embedding), signal (slope or wave), people"
    )
    try:
        if beside.is_file():
            text = text_of(beside)
        else:
            text = _session(path.read_bytes()).get_modelmeta().custom_metadata_map[KEY]
        return _DECLARED.validate_python(parse_toml(text))
    except KeyError as error:
        raise RunError(f"{path} does not say what it reads; write {beside} with {keys}") from error
    except ValueError as error:
        why = mistake(error) if isinstance(error, ValidationError) else error
        raise RunError(f"{path} is not told as it must be ({why}); keys: {keys}") from error


def foreign_teacher(path: Path) -> ForeignTeacher:
    """The network of an ONNX file with a head that knows nothing.

    Raises:
        RunError: it cannot be run on what it says it reads.
    """
    said = declared(path)
    model = path.read_bytes()
    try:
        reads = Shape(said.channels, said.rate_hz)
        x = torch.zeros(2, reads.channels, WINDOW_S * reads.rate_hz)
        width = _run(_session(model), x).shape[1]
        shape = ForeignShape(
            channels=said.channels,
            rate_hz=said.rate_hz,
            width=width,
            output=said.output,
            signal=said.signal,
            file_bytes=len(model),
        )
    except ValueError as error:
        raise RunError(f"{path} is no teacher ({error})") from error
    return ForeignTeacher(shape, model)


def _session(model: bytes) -> InferenceSession:
    """A session of one thread.

    Raises:
        ValueError: no ONNX file that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with _told():
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


@contextmanager
def _told() -> Iterator[None]:
    """What onnxruntime cannot do is a ValueError."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        yield
    except (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NotImplemented,
        errors.RuntimeException,
    ) as error:
        raise ValueError(str(error).splitlines()[0]) from error


def _run(session: InferenceSession, x: Tensor) -> Tensor:
    """`(batch, width, steps)`.

    Raises:
        ValueError: the file does not take such windows, or gives something else.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs; one is allowed")
    rows = x.float().cpu().numpy()
    parts = np.split(rows, len(rows)) if inputs[0].shape[0] == 1 else [rows]
    with _told():
        made: list[Any] = [session.run(None, {inputs[0].name: part})[0] for part in parts]
    found = np.concatenate(made)
    if found.ndim not in (2, 3) or len(found) != len(rows):
        raise ValueError(f"it gives {found.shape}; allowed: (batch, width) or (.., .., steps)")
    return torch.from_numpy(found.astype(np.float32).reshape(*found.shape[:2], -1))


_DECLARED = TypeAdapter(Declared)
