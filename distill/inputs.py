"""The inputs of one architecture, from a batch drawn at the highest rate of the space."""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor

from ppgnas.task import WINDOW_S
from search_spaces.arch import Arch


def stored_rate_hz(rates_hz: tuple[int, ...]) -> int:
    """The lowest rate from which every one of `rates_hz` can be had by dropping samples.

    25 Hz does not divide the others; it is interpolated from 64 Hz.
    """
    return 64 if 25 in rates_hz and len(rates_hz) > 1 else max(rates_hz)


def inputs_of(x: Tensor, arch: Arch) -> Tensor:
    """Bring a batch `(batch, 1 or 4, samples)` to the channels and the rate of `arch`."""
    x = x[:, : arch.channels]
    have = x.shape[2] // WINDOW_S
    if have == arch.rate_hz:
        return x
    if gcd(have, arch.rate_hz) == arch.rate_hz:
        return x[:, :, :: have // arch.rate_hz]
    position = torch.arange(arch.samples, device=x.device) * (have / arch.rate_hz)
    left = position.long().clamp(max=x.shape[2] - 2)
    share = position - left
    return x[:, :, left] * (1 - share) + x[:, :, left + 1] * share
