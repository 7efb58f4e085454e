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

from deploy.device.filtering import FRACTION_BITS
from deploy.device.settings import DEAD_SHARE

MANTISSA_BITS = 26
DEAD_SPAN = 2**FRACTION_BITS // DEAD_SHARE
