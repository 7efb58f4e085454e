"""Streaming: blocks of 2 s normalised by the last four, from sums, without their samples.

A block stays as it was when it came (`ppg.passes`): it has the mean and the spread of the window
that ends with it, of fewer blocks in the first 8 s. T samples are a window; a block has T / 4,
with one exponent h a PPG channel and one for the axes (`deploy.device.windows`). Over the last
k = 1 to 4 blocks, with H the largest of their exponents:

    S = [4 / k sum_j [sum_t x_j / 2^(H - h_j)]]                     of each channel and axis
    P = [4 / k sum_j [sum_t x_j y_j / 2^(H - h_j + H' - h'_j)]]     of pairs, x = y among them
    x'[t] = round(x[t] / 2^(H - h))       d[t] = T x'[t] - S        V = max(0, T P - S^2)

(shifts of S at most 31, of P 62, of x 16).

With r and h of `integers.inverse_deviation(V, 1)` and 1 / scale = M 2^-k, a single channel is

    z[t] = round(d[t] r(V) 2^(h - 40))    0 where V = 0             units of 2^-16
    q[t] = round(z[t] M 2^(-16 - k))

Several are mixed. Their correlations R give the spread of the sum without its samples:

    R = 2^24 (T P - S S') / sqrt(V V')    by `correlation`          m[t] = sum_c z_c[t]
    W = max(2^24 (channels with V > 0) + 2 sum R, 16)
    q[t] = round(m[t] [r(W) M / 2^31] 2^(h - 29 - k))

Acceleration follows `deploy.device.normalising` with P the sum over the axes,
V = T max(0, T P - sum_axes S^2), and H in the place of h. Clip and zero point are a window's.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints, bit_length, inverse_deviation
from deploy.device.normalising import LARGEST_ACC_SHIFT, Normaliser
from deploy.device.rule import Windows, compressed, round_shift
from ppgnas.task import BLOCKS

CORRELATION_BITS = 24
LEAST_SQUARES = 16  # of a mixed trace's spread: 0.001, so that cancelling is not blown up
_MOST_LEVEL, _MOST_PAIR, _MOST_SAMPLE = 31, 62, 16  # bits of what is shifted: all of it is gone


def quantised(blocks: Windows, by: Normaliser, *, ppg_channels: int) -> NDArray[np.int8]:
    """Blocks of one unbroken stream as a network reads them, `(blocks, time, 1 or 4)`.

    Args:
        blocks: of a front end in mode streaming, from its reset on.
        by: of the network's input.
        ppg_channels: of the sensor.
    """
    x = blocks.samples.astype(np.int64)
    assert blocks.ppg_shift is not None
    parts = [_ppg(x[..., :ppg_channels], blocks.ppg_shift, by)[..., None]]
    if blocks.acc_shift is not None:
        shift = np.clip(blocks.acc_shift, 0, LARGEST_ACC_SHIFT)
        parts.append(_acc(x[..., ppg_channels:], shift, by))
    moved = np.clip(np.concatenate(parts, axis=2) + by.zero_point, by.low, by.high)
    return moved.astype(np.int8)


def _last(newest: int) -> slice:
    return slice(max(0, newest - BLOCKS + 1), newest + 1)


def _over(sums: Ints, down: Ints, most: int) -> Ints:
    """S or P of sums of the last blocks, `(blocks, ...)`."""
    return np.asarray(BLOCKS * (sums >> np.minimum(down, most)).sum(axis=0) // len(sums))


def _centred(x: Ints, level: Ints, down: Ints, by: Normaliser) -> Ints:
    """`d` of a block `(time, channels)`."""
    down = np.minimum(down, _MOST_SAMPLE)
    return np.asarray(by.steps * ((x + ((np.int64(1) << down) >> 1)) >> down) - level)


def _ppg(x: Ints, shift: Ints, by: Normaliser) -> Ints:
    """`q` `(blocks, time)`."""
    sums, pairs = x.sum(axis=1), np.einsum("btc,btd->bcd", x, x)
    found = []
    for i, block in enumerate(x):
        at = _last(i)
        down = shift[at].max(axis=0) - shift[at]
        level = _over(sums[at], down, _MOST_LEVEL)
        both = _over(pairs[at], down[:, :, None] + down[:, None], _MOST_PAIR)
        together = by.steps * both - level[:, None] * level
        found.append(_mixed(_centred(block, level, down[-1], by), together, by))
    return np.stack(found)


def _mixed(d: Ints, together: Ints, by: Normaliser) -> Ints:
    squares = np.maximum(np.diagonal(together), 0)
    mantissa, half = inverse_deviation(np.maximum(squares, 1), 1)
    z = np.where(squares > 0, round_shift(d * mantissa, 40 - half), 0)
    inverse = by.inverse_scale
    if len(squares) == 1:
        return round_shift(z[:, 0] * inverse.mantissa, 16 + inverse.shift)
    alive = np.flatnonzero(squares)
    total = len(alive) << CORRELATION_BITS
    for one, other in combinations(alive, 2):
        value = int(together[one, other])
        total += 2 * correlation(value, mantissa[[one, other]], int(half[one] + half[other]))
    own, own_half = inverse_deviation(max(total, LEAST_SQUARES), 1)
    factor = (own * inverse.mantissa) >> 31
    return round_shift(z.sum(axis=1) * factor, 29 + inverse.shift - own_half)


def correlation(together: int, mantissas: Ints, halves: int) -> int:
    """`2^24 together / sqrt(V V')` from the inverse deviations of both channels.

    With s = bits(|together|) - 31, a = [together / 2^s] and the halves h, h':
    `round([a r / 2^31] r' / 2^(57 - s - h - h'))`; the shift is cut to 1 to 62.
    """
    s = int(bit_length(abs(together))) - 31
    a = together >> s if s > 0 else together << -s
    product = ((a * int(mantissas[0])) >> 31) * int(mantissas[1])
    shift = min(max(57 - s - halves, 1), _MOST_PAIR)
    return (product + (1 << (shift - 1))) >> shift


def _acc(x: Ints, shift: Ints, by: Normaliser) -> Ints:
    """`q` `(blocks, time, 3)`."""
    sums, pairs = x.sum(axis=1), (x * x).sum(axis=(1, 2))
    found = []
    for i, block in enumerate(x):
        at = _last(i)
        largest = shift[at].max()
        down = largest - shift[at]
        level = _over(sums[at], down[:, None], _MOST_LEVEL)
        own = by.steps * _over(pairs[at], 2 * down, _MOST_PAIR) - (level * level).sum()
        squares = by.steps * np.maximum(own, 0)
        d = _centred(block, level, down[-1:], by)
        found.append(compressed(d[None], squares.reshape(1, 1, 1), largest, by)[0])
    return np.stack(found)
