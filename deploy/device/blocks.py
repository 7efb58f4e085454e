"""Streaming: blocks of a stride that are normalised by the last ones, from sums alone.

A block has words as a window has (`deploy.device.normalising`). Over the last k of
the B blocks of a window, fewer at the start and after invalid samples, with x the values of a
block in units of its own exponent E, H the largest E, and ' for another channel:

    S = [B / k sum_j [sum_t x_j / 2^(H - E_j)]]                     of each channel and axis
    P = [B / k sum_j [sum_t x_j x'_j / 2^(H - E_j + H' - E'_j)]]    of pairs, one channel's own too
    d[t] = T x[t] - S    x of the newest block in units of H        V = max(0, T P - S^2)

(shifts of S at most 31, of P 62). With R of `deploy.device.normalising` a single channel is

    q[t] = round(d[t] R(V, 1 / scale) / 2^32)                       0 where the channel is dead

Several are mixed. Their correlations c give the deviation of the sum without its samples:

    G = R(V, 2^10)    c = 2^20 (T P - S S') / sqrt(V V')  by `correlation`
    m[t] = sum_c round(d_c[t] G_c / 2^32)
    q[t] = round(m[t] R(W, 1 / scale) / 2^32)      W = max(2^20 (channels alive) + 2 sum c, 1)

Acceleration follows a window's rule with V = max(0, T sum_axes P - sum_axes S^2) and H in place
of E. Clip and zero point are a window's.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints, bit_length, inverse_root, multiply_round
from deploy.device.normalising import MIXED, Normaliser
from deploy.device.rule import Windows, acc_factor, exponents, is_dead, values

ALIVE = 2**20
_MOST_LEVEL, _MOST_PAIR = 31, 62  # bits of what is shifted: all of it is gone


def quantised(
    blocks: Windows, by: Normaliser, *, ppg_channels: int, broken_steps: int = 1
) -> NDArray[np.int8]:
    """Blocks of one unbroken stream as a network reads them, `(blocks, time, 1 or 4)`.

    Args:
        blocks: of a front end in mode streaming, from its reset on.
        broken_steps: with so many invalid steps a block ends the stream; one after it with any.
    """
    words = blocks.samples
    together = _together(blocks, by, broken_steps)
    parts = [_ppg(words[..., :ppg_channels], together, by)[..., None]]
    if words.shape[2] > ppg_channels:
        parts.append(_acc(words[..., ppg_channels:], together, by))
    moved = np.clip(np.concatenate(parts, axis=2) + by.zero_point, by.low, by.high)
    return moved.astype(np.int8)


def _together(blocks: Windows, by: Normaliser, broken_steps: int) -> list[slice]:
    """The blocks that each one is normalised with: none beyond a broken one."""
    found, first, broken = [], 0, False
    most = by.steps // blocks.samples.shape[1]
    invalid = np.zeros(len(blocks)) if blocks.invalid_steps is None else blocks.invalid_steps
    for newest in range(len(blocks)):
        after, broken = broken, bool(invalid[newest] >= (1 if broken else broken_steps))
        first = newest if broken or after else first
        first = max(first, newest - most + 1)
        found.append(slice(first, newest + 1))
    return found


def _over(sums: Ints, down: Ints, most: int, blocks: int) -> Ints:
    """S or P of sums of the last of a window's blocks, `(these, ...)`."""
    return np.asarray(blocks * (sums >> np.minimum(down, most)).sum(axis=0) // len(sums))


def _ppg(words: NDArray[np.int16], together: list[slice], by: Normaliser) -> Ints:
    """`q` `(blocks, time)`."""
    own = exponents(words).max(axis=1)  # (blocks, channels)
    blocks = by.steps // words.shape[1]
    x = values(words, own[:, None])
    sums, pairs = x.sum(axis=1), np.einsum("btc,btd->bcd", x, x)
    found = []
    for block, at in zip(words, together, strict=True):
        largest = own[at].max(axis=0)
        down = largest - own[at]
        level = _over(sums[at], down, _MOST_LEVEL, blocks)
        both = _over(pairs[at], down[:, :, None] + down[:, None], _MOST_PAIR, blocks)
        centred = by.steps * both - level[:, None] * level
        d = by.steps * values(block, largest) - level
        found.append(_mixed(d, centred, largest, by))
    return np.stack(found)


def _mixed(d: Ints, together: Ints, exponent: Ints, by: Normaliser) -> Ints:
    squares = np.maximum(np.diagonal(together), 0)
    alone = len(squares) == 1
    factors = inverse_root(np.maximum(squares, 1), by.alone if alone else MIXED)
    factors = np.where(is_dead(squares, exponent, by), 0, factors)
    z = multiply_round(d, factors, 32)
    if alone:
        return z[:, 0]
    total = ALIVE * int(np.count_nonzero(factors))
    for one, other in combinations(range(len(squares)), 2):
        total += 2 * correlation(int(together[one, other]), int(factors[one]), int(factors[other]))
    return multiply_round(z.sum(axis=1), inverse_root(max(total, 1), by.alone), 32)


def correlation(together: int, factor: int, other: int) -> int:
    """`2^20 together / sqrt(V V')` from the factors of both channels.

    With s = max(0, bits(|together|) - 31): `[[[together / 2^s] G / 2^32] G' / 2^(32 - s)]`,
    at most 2^20 either way.
    """
    s = max(0, int(bit_length(abs(together))) - 31)
    found = (((together >> s) * factor >> 32) * other) >> (32 - s)
    return max(-ALIVE, min(ALIVE, found))


def _acc(words: NDArray[np.int16], together: list[slice], by: Normaliser) -> Ints:
    """`q` `(blocks, time, 3)`."""
    own = exponents(words).max(axis=(1, 2))
    blocks = by.steps // words.shape[1]
    x = values(words, own[:, None, None])
    sums, pairs = x.sum(axis=1), (x * x).sum(axis=(1, 2))
    found = []
    for block, at in zip(words, together, strict=True):
        largest = own[at].max()
        down = largest - own[at]
        level = _over(sums[at], down[:, None], _MOST_LEVEL, blocks)
        squares = by.steps * _over(pairs[at], 2 * down, _MOST_PAIR, blocks) - (level * level).sum()
        d = by.steps * values(block, largest) - level
        found.append(multiply_round(d, acc_factor(np.maximum(squares, 0), largest, by), 32))
    return np.stack(found)
