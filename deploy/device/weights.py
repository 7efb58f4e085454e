"""Class weights of a window in integers: `exp` and powers from two small tables.

With l the int8 logits, s their scale and k = max(l) - l, a class weighs `exp(-s k)`, that is
`2^-x` with `x = k c`, `c = round(s log2(e) 2^24)` in units of 2^-24:

    exp2(x) = 2^-x * 2^31 = (T[i] - floor((T[i] - T[i+1]) f / 2^18)) >> (x >> 24)
    i = (x >> 18) mod 64, f = x mod 2^18, T[j] = round(2^31 2^(-j/64))

The line between two of the 64 steps is off by less than 2e-5. A weight is kept as
`E = floor(2^40 2^-x)`, with the same table and 9 bits more.

The evidence of a window for the smoother is a power of `p + floor`, up to a factor that is common
to all classes; with S the sum of E, F = floor * S, a = E + F, n = bits(a) and N = bits(2^40 + F):

    v = floor(U(a) exp2((N - n) g) / 2^31)          units of 2^-31, g = round(exponent 2^24)

where U(a) = (a / 2^n)^exponent * 2^31 comes from a second table of 64 steps, like `exp2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints, bit_length
from ppgnas.errors import ExportError
from ppgnas.task import CLASSES

TABLE_STEPS = 64
WEIGHT_BITS = 40
ONE = 2**24
EXP2 = tuple(round(2.0 ** (31 - j / TABLE_STEPS)) for j in range(TABLE_STEPS + 1))


def exponent_of(scale: float) -> int:
    """c of a logit scale.

    Raises:
        ExportError: a scale with which 180 logits are all alike or all apart.
    """
    if not 2.0**-16 <= scale <= 8.0:
        raise ExportError(
            f"the network's logits have scale {scale:g}; the decoder takes {2.0**-16:g} to 8: "
            "calibrate the activation ranges again"
        )
    return round(scale * math.log2(math.e) * ONE)


def _line(table: tuple[int, ...], step: Ints, between: Ints, bits: int) -> Ints:
    values = np.array(table, np.int64)
    return values[step] - (((values[step] - values[step + 1]) * between) >> bits)


def exp2(x: Ints, *, up: int = 0) -> Ints:
    """`2^-x * 2^(31 + up)` of `x >= 0` in units of 2^-24."""
    whole = np.minimum(x >> 24, 62)
    result: Ints = (_line(EXP2, (x >> 18) & 63, x & (2**18 - 1), 18) << up) >> whole
    return result


def weights(logits: NDArray[np.int8], exponent: int) -> Ints:
    """E of each class, `(windows, classes)`; the largest is 2^40."""
    wide = logits.astype(np.int64)
    below = wide.max(axis=1, keepdims=True) - wide
    return exp2(below * exponent, up=WEIGHT_BITS - 31)


@dataclass(frozen=True)
class Evidence:
    """How a window's probabilities p speak for classes: `(p + floor)^exponent`.

    Attributes:
        floor: in units of 2^-40.
        exponent: g, in units of 2^-24.
        power: `(65,)` of `((1 + j / 64) / 2)^exponent * 2^31`.
    """

    floor: int
    exponent: int
    power: tuple[int, ...]


def evidence_of(floor: float, exponent: float) -> Evidence:
    """Constants of the evidence.

    Args:
        floor: added to each class's probability.
        exponent: 1 for independent windows, less for overlapping ones.

    Raises:
        ExportError: a floor or an exponent out of range.
    """
    if not 1e-10 <= floor <= 0.01:
        raise ExportError(f"evidence: the floor is {floor}; allowed: 1e-10 to 0.01")
    if not 0 < exponent <= 2:
        raise ExportError(f"evidence: the exponent is {exponent}; allowed: above 0, at most 2")
    power = tuple(
        round(2**31 * ((1 + j / TABLE_STEPS) / 2) ** exponent) for j in range(TABLE_STEPS + 1)
    )
    return Evidence(round(floor * 2**WEIGHT_BITS), round(exponent * ONE), power)


def evidence(e: Ints, by: Evidence) -> Ints:
    """`(windows, classes)` in units of 2^-31, from `weights`."""
    added = ((e.sum(axis=1, keepdims=True) >> 20) * by.floor) >> 20
    raised = e + added  # below 2^42
    bits = bit_length(raised)
    fraction = (raised << (63 - bits)) >> 38  # the leading one at bit 24
    part = _line(by.power, (fraction >> 18) & 63, fraction & (2**18 - 1), 18)
    missing = bit_length((np.int64(1) << WEIGHT_BITS) + added) - bits
    return (part * exp2(missing * by.exponent)) >> 31


def classes() -> Ints:
    """`(classes,)` indices."""
    return np.arange(CLASSES, dtype=np.int64)
