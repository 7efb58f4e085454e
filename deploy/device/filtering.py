"""The band-pass of `ppg.frontend` in integers.

Two second-order sections in direct form I, after the subtraction of the first sample: because the
second section differentiates twice, that is the steady state that `ppg.frontend` starts in. With
`x` the raw samples, `F = FRACTION_BITS`, and states of 0 before the first sample:

    u[n] = x[n] - x[0]
    s[n] = u[n] + 2 u[n-1] + u[n-2]    or  u[n] - u[n-2] (slope)     exact
    v[n] = (gain * s[n] * 2^F) + R(1, v)
    w[n] = v[n] - 2 v[n-1] + v[n-2] + R(2, w)                        units of 2^-F counts
    R(k, y) = whole1 y[n-1] + (fine1 y[n-1]) + whole2 y[n-2] + (fine2 y[n-2])

Products in parentheses are rounded as `integers.multiply_shift` says.

Each recursive coefficient is a whole number plus a remainder of at most 1/2, which is held in 31
bits below its own binary point: poles near the unit circle (a low edge of 0.4 Hz at 1 kHz) stay
in place to one part in 10^9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import signal

from deploy.device.integers import Scale, scale_of
from ppg.frontend import band_sections
from ppgnas.errors import ExportError

FRACTION_BITS = 20
PRE_SHIFT = 24
"""Left shift of `s` before the gain, so that the gain's own right shift is 32 or more."""
MAX_SHIFT = 62
FINE_MAX = 2**31 - 1
_MAX_GAIN = 64.0  # of any inner signal over the input; keeps every sum far from 2^63


@dataclass(frozen=True)
class Coefficient:
    """`whole + fine * 2^-shift`, with `|fine| < 2^31`."""

    whole: int
    fine: int
    shift: int

    @property
    def value(self) -> float:
        """The number that is computed with."""
        return self.whole + math.ldexp(self.fine, -self.shift)


@dataclass(frozen=True)
class BandPass:
    """Integer coefficients for one sample rate.

    Attributes:
        gain: of the first section, `2^FRACTION_BITS` included.
        before: what the first section does to `u[n-1]` and `u[n-2]` before the gain.
        recursive: per section the factors of `y[n-1]` and `y[n-2]`.
    """

    gain: Scale
    before: tuple[int, int]
    recursive: tuple[tuple[Coefficient, Coefficient], tuple[Coefficient, Coefficient]]


def coefficient_of(value: float) -> Coefficient:
    """Split into the nearest whole number and a remainder of 31 bits."""
    whole = round(value)
    rest = value - whole  # at most 1/2
    shift = MAX_SHIFT if rest == 0 else max(32, min(MAX_SHIFT, 31 - math.frexp(rest)[1]))
    fine = round(math.ldexp(rest, shift))
    return Coefficient(whole, max(-FINE_MAX, min(FINE_MAX, fine)), shift)


def band_pass(hz: Fraction, *, slope: bool) -> BandPass:
    """Coefficients for a sample rate.

    Args:
        hz: the rate.
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
    first, second = sections[:, 4:]
    chosen = BandPass(
        scale_of(math.ldexp(gain, FRACTION_BITS)),
        before,
        (
            (coefficient_of(-first[0]), coefficient_of(-first[1])),
            (coefficient_of(-second[0]), coefficient_of(-second[1])),
        ),
    )
    impulse = np.zeros(int(30 * hz))
    impulse[0] = 1.0
    for part in (sections[:1], sections):
        if np.abs(signal.sosfilt(part, impulse)).sum() > _MAX_GAIN:
            raise ExportError(f"the band-pass at {hz} Hz amplifies more than {_MAX_GAIN:g} times")
    return chosen


def hold_samples(hz: Fraction) -> int:
    """Invalid samples in a row that end a signal: 1/4 s. Fewer are filtered as the last valid one.

    From the last of them on the filter gives 0, and with the next valid sample it starts anew: a
    new level of light would ring for seconds.
    """
    return max(1, int(hz / 4))
