"""The band-pass of `ppg.frontend` in 32-bit integers.

Two second-order sections after the subtraction of the first sample: because the second section
differentiates twice, that is the steady state that `ppg.frontend` starts in. With `x` the raw
samples held within 29 bits, F the fraction bits, and states of 0 before the first sample:

    u[n] = x[n] - x[0]
    s[n] = clip(u[n] + 2 u[n-1] + u[n-2], +-limit)    or  u[n] - u[n-2] (slope)     exact
    v[n] = section(gain s[n] 2^F)      w[n] = section(v[n] - 2 v[n-1] + v[n-2])     2^-F counts

A section keeps what its rounding leaves, and takes the second difference of that to the next two
samples, so that no error is left at the low frequencies where its poles amplify:

    Y = 2^30 input + 2 e[n-1] - e[n-2] + a1 y[n-1] + a2 y[n-2]      a in units of 2^-30
    y[n] = floor(Y / 2^30)                                          e[n] = Y mod 2^30

With `limit` no value leaves 30 bits, whatever comes in: `band_pass` adds up impulse responses. A
PPG step of 2^23 counts between samples is within it at 64 Hz, less at higher rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.frontend import band_sections
from ppgnas.errors import ExportError

COEFFICIENT_BITS = 30
PPG_FRACTION_BITS = 5
"""A 32nd of a count is far below the noise of a sensor that rounds to whole counts."""
ACC_FRACTION_BITS = 12
LARGEST_SAMPLE = 2**28 - 1
_MARGIN = 2.0**10  # for what sections round, which is below 32


@dataclass(frozen=True)
class BandPass:
    """Integer coefficients for one sample rate.

    Attributes:
        gain: of the first section, in units of 2^-30.
        before: what the first section does to `u[n-1]` and `u[n-2]`.
        limit: of s, in counts.
        recursive: per section a1 and a2, in units of 2^-30.
    """

    fraction_bits: int
    gain: int
    before: tuple[int, int]
    limit: int
    recursive: tuple[tuple[int, int], tuple[int, int]]


def band_pass(hz: Fraction, *, slope: bool) -> BandPass:
    """Coefficients for a sample rate.

    Args:
        slope: differentiate as well, as `ppg.frontend` does with the PPG.

    Raises:
        ExportError: the filter of `ppg.frontend` is no longer a low-pass and a high-pass section
            of second order each.
    """
    sections = band_sections(float(hz), slope=slope)
    gain = float(sections[0, 0])
    before = (0, -1) if slope else (2, 1)
    expected = np.array([[gain, before[0] * gain, before[1] * gain], [1, -2, 1]])
    if sections.shape != (2, 6) or not np.allclose(sections[:, :3], expected, rtol=1e-9):
        raise ExportError(
            f"the band-pass of ppg.frontend at {hz} Hz has the numerators "
            f"{sections[:, :3].tolist()}; the integer front end is written for "
            f"gain * (1, {before[0]}, {before[1]}) and (1, -2, 1): extend deploy.device.filtering"
        )
    bits = PPG_FRACTION_BITS if slope else ACC_FRACTION_BITS
    first, second = (tuple(map(_coefficient, -section[4:])) for section in sections)
    return BandPass(
        bits,
        _coefficient(gain),
        before,
        int((2**30 - _MARGIN) / _largest_gain(sections, float(hz))) >> bits,
        ((first[0], first[1]), (second[0], second[1])),
    )


def _coefficient(value: float) -> int:
    return round(math.ldexp(value, COEFFICIENT_BITS))


def _largest_gain(sections: NDArray[np.float64], hz: float) -> float:
    """Of s: itself, v, w, and half of the second difference of v, which may have 31 bits."""
    impulse = np.zeros(int(30 * hz))
    impulse[0] = 1.0
    v = scipy.signal.lfilter(sections[0, :1], sections[0, 3:], impulse)
    difference = scipy.signal.lfilter([1, -2, 1], [1.0], v)
    w = scipy.signal.lfilter([1.0], sections[1, 3:], difference)
    return max(1.0, *(float(np.abs(x).sum()) for x in (v, w, difference / 2)))


def hold_samples(hz: Fraction) -> int:
    """Invalid samples in a row that end a signal: 1/4 s. Fewer are filtered as the last valid one.

    From the last of them on the filter gives 0, and with the next valid sample it starts anew: a
    new level of light would ring for seconds.
    """
    return max(1, int(hz / 4))
