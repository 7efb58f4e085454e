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


def ratio(from_hz: Fraction, to_hz: Fraction) -> tuple[int, int]:
    """`(N, D)`: an output sample is N / D input samples."""
    step = from_hz / to_hz
    return step.numerator, step.denominator
