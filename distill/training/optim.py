"""The optimiser and its schedule, common to all trainings."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import AdamW

GRADIENT_NORM = 1.0
WARMUP_SHARE = 0.03


def make_optimiser(module: nn.Module, *, lr: float, weight_decay: float = 1e-2) -> AdamW:
    """AdamW; gains, shifts and biases do not decay."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=lr, betas=(0.9, 0.98))


def set_rate(optimiser: AdamW, *, peak: float, step: int, steps: int) -> None:
    """Linear warm-up, then half a cosine to zero."""
    done = step / steps
    rate = peak * min(1.0, (step + 1) / (WARMUP_SHARE * steps + 1)) * 0.5
    rate *= 1 + math.cos(math.pi * done)
    for group in optimiser.param_groups:
        group["lr"] = rate
