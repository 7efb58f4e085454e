"""Int16 windows out of filtered samples.

PPG samples wait in the ring as 32-bit words of a 27-bit mantissa and a 5-bit exponent, so that a
12-bit and a 24-bit sensor lose equally little (one part in 2^25), and a blow to the wrist does
not saturate. With y in units of 2^-20 counts:

    e = max(0, bits(|y|) - 26)      word = 32 * floor(y / 2^e) + e

A window takes each PPG channel with one block exponent, so that its largest value has 15 bits; a
channel whose values span less than 1/16 of a count is dead and becomes 0:

    h = max(0, bits(max |y|) - 15)      value = min(32767, floor(y / 2^h + 1/2)),  or y for h = 0

Acceleration is kept as int16 in 1/4096 g:

    value = clip(floor((4096 y + d / 2) / d), -32768, 32767)        d = counts per g * 2^20
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.device.filtering import FRACTION_BITS
from deploy.device.integers import Ints, bit_length
from deploy.device.settings import ACC_UNITS_PER_G, DEAD_SHARE

MANTISSA_BITS = 26
EXPONENT_BITS = 5
DEAD_SPAN = 2**FRACTION_BITS // DEAD_SHARE
INT16_MIN, INT16_MAX = -32768, 32767


def pack(y: Ints) -> Ints:
    """PPG values, `|y| < 2^57`, to 32-bit words."""
    exponent = np.maximum(bit_length(np.abs(y)) - MANTISSA_BITS, 0)
    return ((y >> exponent) << EXPONENT_BITS) + exponent


def unpack(words: Ints) -> Ints:
    """Values of packed words."""
    return (words >> EXPONENT_BITS) << (words & (2**EXPONENT_BITS - 1))


def ppg_window(words: Ints) -> NDArray[np.int16]:
    """Packed samples `(windows, time, channels)` to int16 with a block exponent a channel."""
    y = unpack(words)
    span = y.max(axis=1, keepdims=True) - y.min(axis=1, keepdims=True)
    up = np.maximum(bit_length(np.abs(y).max(axis=1, keepdims=True)) - 15, 0)
    rounded = (y + ((np.int64(1) << up) >> 1)) >> up
    values = np.where(span < DEAD_SPAN, 0, np.minimum(rounded, INT16_MAX))
    return values.astype(np.int16)


def acc_units(y: Ints, counts_per_g: int) -> NDArray[np.int16]:
    """Filtered acceleration in units of 2^-20 counts to 1/4096 g, saturating."""
    one_g = counts_per_g << FRACTION_BITS
    values = (ACC_UNITS_PER_G * y + one_g // 2) // one_g
    return np.clip(values, INT16_MIN, INT16_MAX).astype(np.int16)
