"""An encoder's file: weights, what it is, whom it learnt from and who was held out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from distill.encoders.job import Job, Pretrained
from distill.encoders.transformer import EncoderShape, TransformerEncoder
from distill.training.checkpoint import load_checkpoint, read_facts
from ppg.frontend import FRONT_END
from ppgnas.errors import RunError
from ppgnas.parsing import mistake

_NEXT = "pass a file of `ppgnas pretrain`"


@dataclass(frozen=True, kw_only=True)
class EncoderFacts(Job):
    """What a file says of the encoder in it: its training, and with whom.

    Attributes:
        people, held_out, also_in: who taught it, who was kept away, other names of people.
        fingerprint, front_end: of the recordings, and of what was done to them.
        teacher, teacher_shape: digest and sizes of the encoder that taught it.
    """

    people: tuple[str, ...]
    held_out: tuple[str, ...]
    also_in: tuple[str, ...]
    fingerprint: str
    front_end: str
    teacher: str | None = None
    teacher_shape: EncoderShape | None = None


@dataclass(frozen=True, eq=False)
class StoredEncoder:
    """An encoder with attention, and what is known of it.

    Attributes:
        module: what was trained: the encoder and what the loss needed beside it.
    """

    facts: EncoderFacts
    module: Pretrained
    train_s: float = field(default=0.0)

    @property
    def encoder(self) -> TransformerEncoder:
        """The encoder alone."""
        assert isinstance(self.module.encoder, TransformerEncoder)
        return self.module.encoder

    @property
    def parameters(self) -> int:
        """Of the encoder."""
        return sum(each.numel() for each in self.encoder.parameters())


def load_encoder(path: Path) -> StoredEncoder:
    """Read a finished encoder.

    Raises:
        RunError: no such file, no encoder, one whose training did not end, or of another front
            end.
    """
    if not path.is_file():
        raise RunError(f"{path}: no such encoder; {_NEXT}")
    with path.open("rb") as file:
        if file.read(9)[8:] != b"{":  # where the header of a safetensors file begins
            raise RunError(f"{path} is no encoder (no safetensors file); {_NEXT}")
    raw = read_facts(path)
    try:
        kept = _KEPT.validate_python(raw)
    except ValidationError as error:
        raise RunError(f"{path} is no encoder ({mistake(error)}); {_NEXT}") from error
    facts = kept.identity
    if kept.step != facts.steps:
        raise RunError(f"{path}: {kept.step} of {facts.steps} steps are done; finish it first")
    if facts.front_end != FRONT_END:
        raise RunError(
            f"{path} reads the front end {facts.front_end}, this version has {FRONT_END}; train "
            "it again"
        )
    if facts.shape is None:
        raise RunError(f"{path} is a part of a compact encoder; {_NEXT}")
    teacher = None if facts.teacher_shape is None else TransformerEncoder(facts.teacher_shape)
    module = facts.module(teacher)
    load_checkpoint(path, module)
    return StoredEncoder(facts, module.eval(), kept.train_s)


@torch.no_grad()
def embed(encoder: nn.Module, x: Tensor) -> Tensor:
    """Embeddings `(segments, dimensions)` of `(segments, channels, time)`, on the CPU."""
    device = next(encoder.parameters()).device
    parts = [encoder(part.to(device)).cpu() for part in torch.split(x, 256)]
    return torch.cat(parts)


@dataclass(frozen=True)
class _Kept:
    identity: EncoderFacts
    step: int
    train_s: float = 0.0


_KEPT = TypeAdapter(_Kept)
