"""From windows to the network's int8 input: `ppg.frontend.normalise_*` in 32-bit integers.

Words of a channel get one exponent, the largest E: with m the mantissa and e the exponent,
`x[t] = floor(m 2^5 / 2^(E - e))`, 16 bits. Over the T samples of a window, exactly:

    d[t] = T x[t] - sum(x)        V = T sum(x^2) - sum(x)^2 = T^2 variance

PPG, with `R(V, f) = f / sqrt(V) 2^32` of `integers.inverse_root`: one channel alone gives

    q[t] = round(d[t] R(V, 1 / scale) / 2^32)                  0 where the channel is dead

several are brought to one deviation, added up and brought to it again:

    z_c[t] = round(d_c[t] R(V_c, 2^10) / 2^32)                 m[t] = sum_c z_c[t]
    q[t] = round(m[t] R(T W, T / scale) / 2^32)                W = max(sum_t m[t]^2, T)

The floor of T keeps channels that cancel each other from being blown up to noise. Acceleration has
one E for all axes and is scaled by a power of its strength, P = ACC_POWER, in logarithms:

    U = E - log2(counts per g)       L = max(log2(sum_axes V) + 2 U, floor)
    q[t] = round(d[t] 2^(U - L P / 2 + gain) / 2^32)

where `floor` and `gain` hold T, the scale, the fraction bits and the least movement. At the end q
is clipped at `round(+-PPG_CLIP / scale)`, moved by the zero point and clipped to int8. `round` is
floor(x + 1/2).

How filtered samples wait in the ring, and in a window: int16 words.

A word has a mantissa of 11 bits, sign included, and an exponent of 5, so that a 12-bit and a
24-bit sensor lose equally little (one part in 2^10 of each sample; the network's input has 8 bits
for the whole range), and a blow to the wrist does not saturate. With y in units of 2^-F counts:

    e = max(0, bits(y) - 10)      word = 32 min(floor(y / 2^e + 1/2), 1023) + e

where bits(y) is that of -1 - y for y < 0. A window holds the words as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.device.filtering import ACC_FRACTION_BITS, PPG_FRACTION_BITS
from deploy.device.integers import UNIT, Scale, log2, scale_of
from deploy.device.settings import DEAD_SHARE, FrontEnd
from ppg.frontend import ACC_FLOOR_G, ACC_POWER, PPG_CLIP
from ppgnas.errors import ExportError

EXPONENT_BITS = 5
MANTISSA_BITS = 10
LARGEST_MANTISSA = 2**MANTISSA_BITS - 1
DEAD_DEVIATION = 2 ** (PPG_FRACTION_BITS + EXPONENT_BITS) // DEAD_SHARE
"""Of a dead PPG channel in a window, in units of 2^-5 of a word with exponent 0."""


MIXED = Scale(2**30, 20)
"""The deviation of one of several PPG channels before they are added up: 2^10."""

FACTOR_LIMIT = 30 * UNIT  # largest logarithm of a factor of acceleration


@dataclass(frozen=True)
class Normaliser:
    """Constants of one network's input; logarithms in units of 2^-16.

    Attributes:
        alone, mixed: factors of the deviation of one PPG channel, and of several together.
        acc_floor: of L.
        acc_gain: beside the strength of a movement.
        half_power: P / 2.
        log2_counts_per_g: of the acceleration sensor.
    """

    steps: int
    alone: Scale
    mixed: Scale
    low: int
    high: int
    zero_point: int
    acc_floor: int
    acc_gain: int
    half_power: int
    log2_counts_per_g: int


def normaliser(front_end: FrontEnd, *, scale: float, zero_point: int) -> Normaliser:
    """Prepare the constants.

    Args:
        front_end: gives the length of a window.
        scale, zero_point: of the network's input tensor.

    Raises:
        ExportError: a scale beyond what the shifts can express.
    """
    steps = front_end.window_steps
    if not 2.0**-12 <= scale <= 1.0:
        raise ExportError(
            f"the network's input has scale {scale:g}; the integer front end takes "
            f"{2.0**-12:g} to 1: calibrate the activation ranges again"
        )
    limit = round(PPG_CLIP / scale)
    unit = ACC_FRACTION_BITS + EXPONENT_BITS  # x counts 2^(E - unit)
    # L is log2 of the squared strength in g less `offset`.
    offset = -2 * (math.log2(steps) + unit)
    gain = 32 - math.log2(steps * scale) - unit - ACC_POWER / 2 * offset
    return Normaliser(
        steps=steps,
        alone=scale_of(1 / scale),
        mixed=scale_of(steps / scale),
        low=max(-128, zero_point - limit),
        high=min(127, zero_point + limit),
        zero_point=zero_point,
        acc_floor=round((2 * math.log2(ACC_FLOOR_G) - offset) * UNIT),
        acc_gain=round(gain * UNIT),
        half_power=round(ACC_POWER / 2 * UNIT),
        log2_counts_per_g=int(log2(front_end.counts_per_g)),
    )
