"""The inputs of one architecture, from a batch drawn at the highest rate and longest window."""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor

from ppg.frontend import ACC_FLOOR_G, ACC_POWER, PPG_CLIP, PPG_FLOOR
from ppgnas.task import WINDOW_S
from search_spaces.arch import Arch
from search_spaces.streaming import past_blocks


def stored_rate_hz(rates_hz: tuple[int, ...]) -> int:
    """The lowest rate from which every one of `rates_hz` can be had by dropping samples.

    25 Hz does not divide the others; it is interpolated from 64 Hz.
    """
    return 64 if 25 in rates_hz and len(rates_hz) > 1 else max(rates_hz)


def inputs_of(x: Tensor, arch: Arch, *, past_s: float = 0.0, window_s: int = WINDOW_S) -> Tensor:
    """Bring a batch `(batch, 1 or 4, samples)` to the channels and the rate of `arch`.

    Args:
        x: windows, each with the past before it.
        arch: the network. Of a window longer than its own it gets the middle.
        past_s: how much past; of it the network gets what it reads, in blocks.
    """
    have_hz = round(x.shape[2] / (window_s + past_s))
    if past_s:
        wanted_s = min(past_s, past_blocks(arch) * arch.stride_s) + window_s
        x = x[:, :, -round(wanted_s * have_hz) :]
    elif arch.window_s < window_s:
        x = _middle(x, arch.window_s * have_hz)
    return at_rate(x, arch, have_hz)


def _middle(x: Tensor, samples: int) -> Tensor:
    """The middle of windows `(batch, 1 or 4, samples)`, normalised as it would be alone.

    The root-mean-square of normalised acceleration tells that of the movement, which is what the
    middle is divided by instead: see `ppg.frontend.normalise_acc`.
    """
    first = (x.shape[2] - samples) // 2
    part = x[:, :, first : first + samples]
    part = part - part.mean(dim=2, keepdim=True)
    ppg = part[:, :1] / part[:, :1].std(dim=2, keepdim=True, correction=0).clamp(min=PPG_FLOOR)
    if x.shape[1] == 1:
        return ppg.clamp(-PPG_CLIP, PPG_CLIP)
    told = _root_mean_square(x[:, 1:])
    still = told * ACC_FLOOR_G**ACC_POWER  # below the floor, where nothing else was divided by
    whole_g = torch.where(still < ACC_FLOOR_G, still, told ** (1 / (1 - ACC_POWER)))
    acc_g = part[:, 1:] * whole_g.clamp(min=ACC_FLOOR_G) ** ACC_POWER
    acc = acc_g / _root_mean_square(acc_g).clamp(min=ACC_FLOOR_G) ** ACC_POWER
    return torch.cat([ppg, acc], dim=1).clamp(-PPG_CLIP, PPG_CLIP)


def _root_mean_square(acc: Tensor) -> Tensor:
    """Of three axes together, `(batch, 1, 1)`."""
    return acc.square().mean(dim=(1, 2), keepdim=True).mul(3).sqrt()


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
