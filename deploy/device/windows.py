"""How filtered samples wait in the ring, and in a window: int16 words.

A word has a mantissa of 11 bits, sign included, and an exponent of 5, so that a 12-bit and a
24-bit sensor lose equally little (one part in 2^10 of each sample; the network's input has 8 bits
for the whole range), and a blow to the wrist does not saturate. With y in units of 2^-F counts:

    e = max(0, bits(y) - 10)      word = 32 min(floor(y / 2^e + 1/2), 1023) + e

where bits(y) is that of -1 - y for y < 0. A window holds the words as they are.
"""

from __future__ import annotations

from deploy.device.filtering import PPG_FRACTION_BITS
from deploy.device.settings import DEAD_SHARE

EXPONENT_BITS = 5
MANTISSA_BITS = 10
LARGEST_MANTISSA = 2**MANTISSA_BITS - 1
DEAD_DEVIATION = 2 ** (PPG_FRACTION_BITS + EXPONENT_BITS) // DEAD_SHARE
"""Of a dead PPG channel in a window, in units of 2^-5 of a word with exponent 0."""
