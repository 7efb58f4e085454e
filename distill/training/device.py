"""Where trainings run: on the cores of the CPU, or on a GPU.

Draws, first weights and checkpoints stay with the CPU, so that a seed gives the same batches on
either device and a training goes on on the other. A module is placed once, and batches follow it.

On a GPU one process trains the teacher or a supernet, and a few train networks side by side.
Networks of a search differ in shape, so they cannot be stacked into one (`torch.func.vmap`); a
step of a small one is mostly launching kernels, which processes do at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from distill.training.jobs import Share, Workers
from ppgnas.errors import DependencyError

CPU = torch.device("cpu")
GPU_PROCESSES = 4
"""Networks that share a GPU. Each process holds a CUDA context in its memory."""

Module = TypeVar("Module", bound=nn.Module)
Given = TypeVar("Given", Tensor, tuple[Tensor, Tensor])


@dataclass(frozen=True)
class Site:
    """A device, and the cores that feed it or do the work themselves.

    Attributes:
        dask: the cluster that trains networks side by side in their stead, see
            `distill.training.cluster`; teacher and supernet stay here.
        share: what other machines do of the same trainings, or None.
        workers: processes that train networks side by side, or None to start some each time.
    """

    device: torch.device = CPU
    cores: int = 1
    dask: str | None = None
    share: Share | None = None
    workers: Workers | None = None

    @property
    def name(self) -> str:
        """`cpu`, or the name of the GPU."""
        if self.device.type == "cpu":
            return "cpu"
        return torch.cuda.get_device_name(self.device)

    @property
    def processes(self) -> int:
        """That may share one training: its cores, or one process with a GPU."""
        return self.cores if self.device.type == "cpu" else 1

    @property
    def side_by_side(self) -> int:
        """Networks that are trained at a time."""
        return self.cores if self.device.type == "cpu" else min(self.cores, GPU_PROCESSES)


def site_of(name: str, *, cores: int) -> Site:
    """What a name means here.

    Args:
        name: `cpu`, `cuda`, or `auto`, which is a GPU where torch sees one.

    Raises:
        DependencyError: `cuda`, and torch sees none.
    """
    seen = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not seen:
        build = "the CPU build" if torch.version.cuda is None else f"CUDA {torch.version.cuda}"
        raise DependencyError(
            f"`device` is 'cuda', and torch {torch.__version__} ({build}) sees no GPU; allowed: "
            "auto, cpu, cuda. Leave `device` out to train on the CPU; for a GPU install its "
            "driver and the CUDA build of torch (in a fresh .venv: make install TORCH_INDEX=)"
        )
    if not seen:
        return Site(CPU, cores)
    # torchrun numbers the processes of a machine, and each takes a GPU.
    number = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return Site(torch.device("cuda", number), cores)


def placed(module: Module, device: torch.device) -> Module:
    """The module on its device, where float32 keeps its 24 bits.

    cuDNN would round the inputs of convolutions to the 11 bits of TF32. What is measured, and what
    simulates integers, must not.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    return module.to(device)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; by way of pinned memory, so that nobody waits for it."""
    if device.type == "cuda":
        x = x.pin_memory()
    return x.to(device, non_blocking=True)


def mixed_precision(device: torch.device, run: Callable[..., Given], *values: object) -> Given:
    """`run(*values)` in float32, on a GPU with convolutions and linear layers in bfloat16.

    Weights, gradients and the statistics of normalisation are float32 all the same: kernels of
    batch normalisation sum up in float32, and so keep what they sum.
    """
    if device.type != "cuda" or not torch.cuda.is_bf16_supported(including_emulation=False):
        return run(*values)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        given = run(*values)
    if isinstance(given, Tensor):
        return given.float()
    first, second = given
    return first.float(), second.float()
