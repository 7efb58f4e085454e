"""From logits to weights of classes, in 32 bits: powers of two and logarithms without tables.

With l the int8 logits, s their scale and k = max(l) - l, a class weighs `exp(-s k)`, that is
`2^-x` with `x = k c`, `c = round(s log2(e) 2^20)`:

    E = exp2(floor(x / 2^4))                  units of 2^-31, `integers.exp2`

The evidence of a window for the smoother is a power of `p + floor`, up to a factor that is common
to all classes. With S the sum of floor(E / 2^8) over the classes:

    F = max(1, floor(floor S))                e = floor(E / 2) + F          units of 2^-30
    v = exp2(floor((log2(2^30 + F) - log2(e)) g / 2^16))                    units of 2^-31

where `floor S` carries the 2^7 between both units, logarithms are those of `integers.log2`, a
difference below 0 counts as 0, and g = round(exponent 2^16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import UNIT, Ints, Scale, exp2, log2, scale_of
from ppgnas.errors import ExportError

WEIGHT_BITS = 31
SUM_SHIFT = 8
_EXPONENT_BITS = 20


def exponent_of(scale: float, *, bits: int = _EXPONENT_BITS) -> int:
    """c of a logit scale, in units of `2^-bits`.

    Raises:
        ExportError: a scale with which logits are all alike or all apart.
    """
    if not 2.0**-16 <= scale <= 8.0:
        raise ExportError(
            f"the network's logits have scale {scale:g}; the decoder takes {2.0**-16:g} to 8: "
            "calibrate the activation ranges again"
        )
    return round(math.ldexp(scale * math.log2(math.e), bits))


def weights(logits: NDArray[np.int8], exponent: int) -> Ints:
    """E of each class, `(windows, classes)`; the largest is 2^31."""
    wide = logits.astype(np.int64)
    below = wide.max(axis=1, keepdims=True) - wide
    return exp2((below * exponent) >> 4)


@dataclass(frozen=True)
class Evidence:
    """How a window's probabilities p speak for classes: `(p + floor)^exponent`.

    Attributes:
        floor: times 2^7.
        exponent: g, in units of 2^-16.
    """

    floor: Scale
    exponent: int


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
    return Evidence(scale_of(floor * 2 ** (SUM_SHIFT - 1)), round(exponent * UNIT))


def evidence(e: Ints, by: Evidence) -> Ints:
    """`(windows, classes)` in units of 2^-31, from `weights`."""
    total = (e >> SUM_SHIFT).sum(axis=1, keepdims=True)
    added = np.maximum((total * by.floor.mantissa) >> by.floor.shift, 1)
    missing = log2((1 << (WEIGHT_BITS - 1)) + added) - log2((e >> 1) + added)
    return exp2((np.maximum(missing, 0) * by.exponent) >> 16)


def classes(count: int) -> Ints:
    """`(count,)` indices."""
    return np.arange(count, dtype=np.int64)
