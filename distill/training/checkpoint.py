"""Checkpoints of a training in one safetensors file: weights, optimiser state, step.

Draws are seeded by (seed, phase, step), so nothing about random state needs to be kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from distill.training.adamw import AdamW
from ppgnas.errors import RunError
from ppgnas.files import write_bytes_atomic
from ppgnas.parsing import parse_json


def save_checkpoint(
    path: Path, module: nn.Module, *, optimiser: AdamW | None = None, **facts: Any
) -> None:
    """Write weights, optimiser state and `facts` (JSON values) atomically."""
    tensors: dict[str, Tensor] = {f"model/{k}": v for k, v in module.state_dict().items()}
    if optimiser is not None:
        tensors |= {f"optimiser/{k}": v for k, v in optimiser.tensors().items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    text = json.dumps(facts)
    write_bytes_atomic(
        path, save(tensors, metadata={"facts": text, "sha256": digest_of(tensors, text)})
    )


def load_checkpoint(path: Path, module: nn.Module, *, optimiser: AdamW | None = None) -> None:
    """Read what `save_checkpoint` wrote into `module` and `optimiser`.

    Raises:
        RunError: the file is missing, damaged, or of another network.
    """
    tensors, _ = _read(path)
    weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model/")}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(
            f"checkpoint {path} is of another network ({str(error).splitlines()[0]}); "
            "use the settings it was made with, or remove it"
        ) from error
    if optimiser is not None:
        optimiser.load({k[10:]: v for k, v in tensors.items() if k.startswith("optimiser/")})


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint alone; empty when there is none.

    Raises:
        RunError: the file is damaged.
    """
    return {} if not path.exists() else _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts; a file of before there were checksums is taken as it is."""
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}
            kept = stored.metadata() or {}
        text = kept.get("facts", "{}")
        if kept.get("sha256", "") not in ("", digest_of(tensors, text)):
            raise ValueError("its checksum is another")
        facts = parse_json(text)
        if not isinstance(facts, dict):
            raise ValueError("its facts are no table")
        return tensors, facts
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(
            f"checkpoint {path} cannot be read: {error}; remove it to start over"
        ) from error


def digest_of(tensors: Mapping[str, Tensor], facts: str = "") -> str:
    """SHA-256 of tensors with their names, and of a text."""
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        values = tensors[name].cpu().numpy()
        digest.update(f"{name} {values.dtype} {values.shape};".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is kept, and what tells it from every other.

    Attributes:
        identity: JSON values; a file of another identity is not taken.
        facts: further JSON values that the file holds.
        log: CSV file of the course of the training, see `distill.training.metrics`; None for none.
    """

    path: Path
    identity: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    log: Path | None = None

    def steps(self) -> int | None:
        """Steps that are done; None without a file of this training."""
        facts = read_facts(self.path)
        return int(facts["step"]) if facts.get("identity") == self.identity else None

    def restore(self, module: nn.Module, optimiser: AdamW) -> int:
        """Bring both to where the training was.

        Returns:
            Steps that are done.
        """
        done = self.steps()
        if done is not None:
            load_checkpoint(self.path, module, optimiser=optimiser)
        return done or 0

    def save(self, module: nn.Module, step: int, *, optimiser: AdamW | None = None) -> None:
        """Keep the state after `step` steps."""
        save_checkpoint(
            self.path, module, optimiser=optimiser, identity=self.identity, step=step, **self.facts
        )
