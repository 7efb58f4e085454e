"""Softmax weights finer than those of a reading: a gradient is small where the network is right.

As `deploy.device.weights`, but `E = floor(2^40 2^-x)` with x in units of 2^-24, from a table of 64
steps, linear between two:

    exp2(x) = 2^-x * 2^31 = (T[i] - floor((T[i] - T[i+1]) f / 2^18)) >> (x >> 24)
    i = (x >> 18) mod 64, f = x mod 2^18, T[j] = round(2^31 2^(-j/64))       2e-5 off at most
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints

WEIGHT_BITS = 40
EXPONENT_BITS = 24
_STEPS = 64
EXP2 = tuple(round(2.0 ** (31 - j / _STEPS)) for j in range(_STEPS + 1))


def exp2(x: Ints, *, up: int = 0) -> Ints:
    """`2^-x * 2^(31 + up)` of `x >= 0` in units of 2^-24."""
    table = np.array(EXP2, np.int64)
    step, between = (x >> 18) & (_STEPS - 1), x & (2**18 - 1)
    value = table[step] - (((table[step] - table[step + 1]) * between) >> 18)
    result: Ints = (value << up) >> np.minimum(x >> 24, 62)
    return result


def weights(logits: NDArray[np.int8], exponent: int) -> Ints:
    """E of each class, `(windows, classes)`; the largest is 2^40."""
    wide = logits.astype(np.int64)
    below = wide.max(axis=1, keepdims=True) - wide
    return exp2(below * exponent, up=WEIGHT_BITS - 31)
