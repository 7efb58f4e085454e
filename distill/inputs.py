"""The inputs of one architecture, from a batch drawn at the highest rate of the space."""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor

from ppgnas.task import STRIDE_S, WINDOW_S
from search_spaces.arch import Arch
from search_spaces.streaming import past_blocks


def stored_rate_hz(rates_hz: tuple[int, ...]) -> int:
    """The lowest rate from which every one of `rates_hz` can be had by dropping samples.

    25 Hz does not divide the others; it is interpolated from 64 Hz.
    """
    return 64 if 25 in rates_hz and len(rates_hz) > 1 else max(rates_hz)


def inputs_of(x: Tensor, arch: Arch, *, past_s: float = 0.0) -> Tensor:
    """Bring a batch `(batch, 1 or 4, samples)` to the channels and the rate of `arch`.

    Args:
        x: windows, each with the past before it.
        arch: the network.
        past_s: how much past; of it the network gets what it reads, in blocks.
    """
    have_hz = round(x.shape[2] / (WINDOW_S + past_s))
    if past_s:
        wanted_s = min(past_s, past_blocks(arch) * STRIDE_S) + WINDOW_S
        x = x[:, :, -round(wanted_s * have_hz) :]
    return at_rate(x, arch, have_hz)


def at_rate(x: Tensor, arch: Arch, have_hz: int) -> Tensor:
    """Signals `(batch, 1 or 4, samples)` of `have_hz` in the channels and the rate of `arch`."""
    x = x[:, : arch.channels]
    if have_hz == arch.rate_hz:
        return x
    if gcd(have_hz, arch.rate_hz) == arch.rate_hz:
        return x[:, :, :: have_hz // arch.rate_hz]
    samples = x.shape[2] * arch.rate_hz // have_hz
    position = torch.arange(samples, device=x.device) * (have_hz / arch.rate_hz)
    left = position.long().clamp(max=x.shape[2] - 2)
    share = position - left
    return x[:, :, left] * (1 - share) + x[:, :, left + 1] * share
