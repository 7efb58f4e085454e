"""Statistics of batch normalisation after a training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def settle_norms(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Cumulative statistics over fixed batches, so that no moving average lags behind.

    Args:
        network: what `batches` are read by; it is in evaluation mode afterwards.
    """
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None
    network.train()
    for x in batches:
        network(x)
    network.eval()
