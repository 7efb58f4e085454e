"""Checkpoints of a training in one safetensors file: weights, optimiser state, step.

Draws are seeded by (seed, phase, step), so nothing about random state needs to be kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from ppgnas.errors import RunError
from ppgnas.files import write_bytes_atomic


def save_checkpoint(
    path: Path, module: nn.Module, *, optimiser: Optimizer | None = None, **facts: Any
) -> None:
    """Write weights, optimiser state and `facts` (JSON values) atomically."""
    tensors: dict[str, Tensor] = {f"model/{k}": v for k, v in module.state_dict().items()}
    if optimiser is not None:
        for index, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimiser/{index}/{name}"] = torch.as_tensor(value)
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    write_bytes_atomic(path, save(tensors, metadata={"facts": json.dumps(facts)}))


def load_checkpoint(
    path: Path, module: nn.Module, *, optimiser: Optimizer | None = None
) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote into `module` and `optimiser`.

    Returns:
        The facts.

    Raises:
        RunError: the file is missing, damaged, or of another network.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            facts: dict[str, Any] = json.loads((stored.metadata() or {}).get("facts", "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise RunError(
            f"checkpoint {path} cannot be read: {error}; remove it to start over"
        ) from (error)
    weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model/")}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(
            f"checkpoint {path} is of another network ({str(error).splitlines()[0]}); "
            "use the settings it was made with, or remove it"
        ) from error
    if optimiser is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser/"):
                _, index, item = name.split("/")
                state.setdefault(int(index), {})[item] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint alone; empty when there is none."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as stored:
            facts: dict[str, Any] = json.loads((stored.metadata() or {}).get("facts", "{}"))
            return facts
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise RunError(
            f"checkpoint {path} cannot be read: {error}; remove it to start over"
        ) from (error)
