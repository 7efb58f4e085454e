"""What a training learns beside its student, and leaves behind when it ends."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Adaptor(nn.Module):
    """A student's features in the channels of its teacher: a convolution of one tap.

    It belongs to a training, in its optimiser and its checkpoints, and never to a network.

    Args:
        student, teacher: channels of their features.
    """

    def __init__(self, student: int, teacher: int, *, seed: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        start = torch.randn(teacher, student, generator=rng) / student**0.5
        self.weight = nn.Parameter(start)
        self.bias = nn.Parameter(torch.zeros(teacher))

    def forward(self, features: Tensor) -> Tensor:
        """`(batch, student, steps)` to `(batch, teacher, steps)`."""
        return self.weight @ features + self.bias[:, None]


def beside(module: nn.Module, adaptor: Adaptor | None) -> nn.Module:
    """What is trained: the module, with the adaptor if there is one."""
    return module if adaptor is None else nn.ModuleList([module, adaptor])
