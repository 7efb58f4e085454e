"""Int16 windows out of filtered samples.

PPG samples wait in the ring as 32-bit words of a 27-bit mantissa and a 5-bit exponent, so that a
12-bit and a 24-bit sensor lose equally little (one part in 2^25), and a blow to the wrist does
not saturate. With y in units of 2^-20 counts:

    e = max(0, bits(|y|) - 26)      word = 32 * floor(y / 2^e) + e

A window takes each PPG channel with one block exponent, so that its largest value has 15 bits; a
channel whose values span less than 1/16 of a count is dead and becomes 0:

    h = max(0, bits(max |y|) - 15)      value = min(32767, floor(y / 2^h + 1/2)),  or y for h = 0

Acceleration waits as 32-bit words in units of 2^-20 g and takes one block exponent for all axes,
which stands behind the samples of the window, because the strength of a movement counts:

    a = clip(floor((2^20 y + d / 2) / d), -(2^31 - 1), 2^31 - 1)        d = counts per g * 2^20
    h = max(0, bits(max |a|) - 15)      value = min(32767, floor(a / 2^h + 1/2)),  or a for h = 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.filtering import FRACTION_BITS
from deploy.device.integers import Ints, bit_length
from deploy.device.settings import ACC_G_BITS, DEAD_SHARE

MANTISSA_BITS = 26
EXPONENT_BITS = 5
DEAD_SPAN = 2**FRACTION_BITS // DEAD_SHARE
INT16_MAX = 32767
ACC_MAX = 2**31 - 1


@dataclass(frozen=True)
class Windows:
    """Int16 windows of the device.

    Attributes:
        samples: `(windows, time, channels)`: PPG, each channel with a block exponent of its own
            that nobody needs, then three axes in `2^(acc_shift - 20)` g.
        acc_shift: `(windows,)` 0 to 16; None without acceleration.
    """

    samples: NDArray[np.int16]
    acc_shift: Ints | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def words(self) -> NDArray[np.int16]:
        """`(windows, words)` as the C holds them: samples, then the exponent."""
        flat = self.samples.reshape(len(self), -1)
        if self.acc_shift is None:
            return flat
        return np.concatenate([flat, self.acc_shift[:, None].astype(np.int16)], axis=1)


def pack(y: Ints) -> Ints:
    """PPG values, `|y| < 2^57`, to 32-bit words."""
    exponent = np.maximum(bit_length(np.abs(y)) - MANTISSA_BITS, 0)
    return ((y >> exponent) << EXPONENT_BITS) + exponent


def unpack(words: Ints) -> Ints:
    """Values of packed words."""
    return (words >> EXPONENT_BITS) << (words & (2**EXPONENT_BITS - 1))


def _block(y: Ints, axes: tuple[int, ...]) -> tuple[NDArray[np.int16], Ints]:
    """Values with one exponent along `axes`, and the exponent."""
    shift = np.maximum(bit_length(np.abs(y).max(axis=axes, keepdims=True)) - 15, 0)
    rounded = (y + ((np.int64(1) << shift) >> 1)) >> shift
    return np.minimum(rounded, INT16_MAX).astype(np.int16), shift


def ppg_window(words: Ints) -> NDArray[np.int16]:
    """Packed samples `(windows, time, channels)` to int16 with a block exponent a channel."""
    y = unpack(words)
    span = y.max(axis=1, keepdims=True) - y.min(axis=1, keepdims=True)
    values, _ = _block(y, (1,))
    return np.where(span < DEAD_SPAN, 0, values).astype(np.int16)


def acc_units(y: Ints, counts_per_g: int) -> Ints:
    """Filtered acceleration in units of 2^-20 counts to 2^-20 g, saturating at int32."""
    one_g = counts_per_g << FRACTION_BITS
    return np.clip(((y << ACC_G_BITS) + one_g // 2) // one_g, -ACC_MAX, ACC_MAX)


def acc_window(units: Ints) -> tuple[NDArray[np.int16], Ints]:
    """Acceleration `(windows, time, 3)` in 2^-20 g to int16, and the exponent `(windows,)`."""
    values, shift = _block(units, (1, 2))
    return values, shift[:, 0, 0]


def windows_of(words: Ints, units: Ints | None) -> Windows:
    """Windows from packed PPG and, where there is any, acceleration."""
    ppg = ppg_window(words)
    if units is None:
        return Windows(ppg)
    acc, shift = acc_window(units)
    return Windows(np.concatenate([ppg, acc], axis=2), shift)
