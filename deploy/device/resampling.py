"""Linear interpolation between sample rates with exact rational time.

Output sample n stands at `n * N / D` input samples, `N / D = from_hz / to_hz` in lowest terms; its
left neighbour is `floor(n * N / D)` and `part = (n * N) mod D`:

    y[n] = x[left]                                                             part = 0
    y[n] = x[left] + (2 (x[left+1] - x[left]) * floor(part 2^31 / D) / 2^32)      otherwise

The product in parentheses is rounded as `integers.multiply_shift` says.

The device keeps `part` alone and adds N - D or -D to it, so nothing grows and nothing drifts.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from deploy.device.integers import Ints, multiply_shift


def ratio(from_hz: Fraction, to_hz: Fraction) -> tuple[int, int]:
    """`(N, D)`: an output sample is N / D input samples."""
    step = from_hz / to_hz
    return step.numerator, step.denominator


def interpolate(x: Ints, left: Ints, part: Ints, whole: int) -> Ints:
    """Values between samples.

    Args:
        x: `(samples, lanes)`.
        left: `(outputs,)` index of the sample at or before each output.
        part: `(outputs,)` distance from it, in units of `1 / whole` samples; 0 <= part < whole.
        whole: D.

    Returns:
        `(outputs, lanes)`.
    """
    weight = ((part << 31) // whole)[:, None]
    right = np.where(part > 0, left + 1, left)
    return x[left] + multiply_shift(2 * (x[right] - x[left]), weight, 32)


def resample(x: Ints, from_hz: Fraction, to_hz: Fraction) -> Ints:
    """All samples at another rate that `x` covers, both clocks starting together.

    Args:
        x: `(samples, lanes)` at `from_hz`.

    Returns:
        `(outputs, lanes)` at `to_hz`.
    """
    step, whole = ratio(from_hz, to_hz)
    count = (len(x) - 1) * whole // step + 1
    position = np.arange(count, dtype=np.int64) * step
    return interpolate(x, position // whole, position % whole, whole)


def sample_at(x: Ints, hz: Fraction, at_s: Fraction, *, every_s: Fraction, count: int) -> Ints:
    """`count` samples from the time `at_s` on, clamped at the ends like `ppg.frontend`.

    Args:
        x: `(samples, lanes)` at `hz`.
        at_s: time of the first.
        every_s: time between them.

    Returns:
        `(count, lanes)`.
    """
    first, step = at_s * hz, every_s * hz
    whole = int(np.lcm(first.denominator, step.denominator))
    position = int(first * whole) + np.arange(count, dtype=np.int64) * int(step * whole)
    position = np.clip(position, 0, (len(x) - 1) * whole)
    return interpolate(x, position // whole, position % whole, whole)
