"""The front end in numpy: the rule that the C follows bit for bit.

Formulas stand in `deploy.device.filtering`, `windows` and `normalising`. Rates are changed by
linear interpolation with exact rational time. Output sample n stands at `n * N / D` input samples,
`N / D = from_hz / to_hz` in lowest terms; its left neighbour is `floor(n * N / D)` and
`part = (n * N) mod D`:

    y[n] = x[left]                                                             part = 0
    y[n] = x[left] + floor((x[left+1] - x[left]) share / 2^31 + 1/2)           otherwise

`share = part floor(2^31 / D)` needs no division. The device keeps `part` alone and adds N - D or
-D to it, so nothing grows and nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from deploy.device.filtering import COEFFICIENT_BITS, LARGEST_SAMPLE, BandPass, band_pass
from deploy.device.integers import UNIT, Ints, bit_length, exp2, inverse_root, log2, multiply_round
from deploy.device.normalising import (
    DEAD_DEVIATION,
    EXPONENT_BITS,
    FACTOR_LIMIT,
    LARGEST_MANTISSA,
    MANTISSA_BITS,
    MIXED,
    Normaliser,
)
from deploy.device.settings import FrontEnd
from ppg.windows import STREAM_HZ

_ONE = 1 << COEFFICIENT_BITS


class _Section:
    """One recursive section and what it remembers; `(lanes,)` each."""

    def __init__(self, lanes: int, factors: tuple[int, int]) -> None:
        self.y1 = self.y2 = self.e1 = self.e2 = np.zeros(lanes, np.int64)
        self.factors = factors

    def step(self, driven: Ints) -> Ints:
        """The next output for an input in units of 2^-30."""
        one, two = self.factors
        total = driven + 2 * self.e1 - self.e2 + one * self.y1 + two * self.y2
        self.y1, self.y2 = total >> COEFFICIENT_BITS, self.y1
        self.e1, self.e2 = total & (_ONE - 1), self.e1
        return self.y1


def filter_lanes(samples: NDArray[np.integer], coefficients: BandPass) -> Ints:
    """Filter independent signals side by side.

    Args:
        samples: `(samples, lanes)` raw int32 counts; all lanes at the rate of `coefficients`.
        coefficients: see `band_pass`.

    Returns:
        `(samples, lanes)` in units of `2^-fraction_bits` counts.
    """
    raw = np.clip(np.asarray(samples, np.int64), -LARGEST_SAMPLE, LARGEST_SAMPLE)
    lanes = raw.shape[1]
    u = np.concatenate([np.zeros((2, lanes), np.int64), raw - raw[:1]])
    one, two = coefficients.before
    s = np.clip(u[2:] + one * u[1:-1] + two * u[:-2], -coefficients.limit, coefficients.limit)
    low, high = (_Section(lanes, factors) for factors in coefficients.recursive)
    out = np.empty_like(raw)
    for index, driven in enumerate((s << coefficients.fraction_bits) * coefficients.gain):
        before, last = low.y2, low.y1
        bent = low.step(driven) - 2 * last + before
        out[index] = high.step(bent << COEFFICIENT_BITS)
    return out


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

    Returns:
        `(outputs, lanes)`.
    """
    return between(x, left, part * (2**31 // whole))


def between(x: Ints, left: Ints, share: Ints) -> Ints:
    """`(outputs, lanes)` at `share / 2^31` of the way from `x[left]` to the sample after it."""
    right = np.where(share > 0, left + 1, left)
    return x[left] + multiply_round(x[right] - x[left], share[:, None], 31)


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


@dataclass(frozen=True)
class Windows:
    """Windows of the device.

    Attributes:
        samples: `(windows, time, channels)` packed words: each PPG channel, then three axes.
        invalid_steps: `(windows,)` time steps between or on invalid samples; None: all are valid.
    """

    samples: NDArray[np.int16]
    invalid_steps: Ints | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def words(self) -> NDArray[np.int16]:
        """`(windows, words)` as the C holds them: samples, then invalid steps."""
        invalid = np.zeros(len(self)) if self.invalid_steps is None else self.invalid_steps
        columns = [self.samples.reshape(len(self), -1), invalid[:, None]]
        return np.concatenate(columns, axis=1).astype(np.int16)


def pack(y: Ints) -> NDArray[np.int16]:
    """Filtered values, `|y| < 2^31`, to 16-bit words."""
    exponent = np.maximum(bit_length(np.where(y < 0, ~y, y)) - MANTISSA_BITS, 0)
    mantissa = (y + ((np.int64(1) << exponent) >> 1)) >> exponent
    words = (np.minimum(mantissa, LARGEST_MANTISSA) << EXPONENT_BITS) + exponent
    return np.asarray(words, np.int16)


def stream_windows(
    front_end: FrontEnd, ppg: NDArray[np.integer], acc: NDArray[np.integer] | None = None
) -> Windows:
    """Every window, or block, that the device takes from raw samples: from 0 s, every 2 s.

    Args:
        ppg: `(samples, channels)` int32 counts at `front_end.ppg_hz`.
        acc: `(samples, 3)` int16 counts at `front_end.acc_hz`; None without acceleration.
    """
    parts = [pack(_at_network_rate(front_end, ppg, front_end.ppg_hz, slope=True))]
    if front_end.acc_hz is not None and acc is not None:
        parts.append(pack(_at_network_rate(front_end, acc, front_end.acc_hz, slope=False)))
    shortest = min(len(part) for part in parts)
    count = max(0, (shortest - front_end.steps) // front_end.stride_steps + 1)
    at = np.arange(count)[:, None] * front_end.stride_steps + np.arange(front_end.steps)
    return Windows(np.concatenate([part[at] for part in parts], axis=2))


def _at_network_rate(
    front_end: FrontEnd, raw: NDArray[np.integer], hz: Fraction, *, slope: bool
) -> Ints:
    filtered = filter_lanes(raw, band_pass(hz, slope=slope))
    to_hz = Fraction(front_end.rate_hz)
    if front_end.two_stages:
        filtered, hz = resample(filtered, hz, Fraction(STREAM_HZ)), Fraction(STREAM_HZ)
    return resample(filtered, hz, to_hz)


def normalise(windows: Windows, by: Normaliser, *, ppg_channels: int) -> NDArray[np.int8]:
    """Packed windows to int8 `(windows, time, 1 or 4)`."""
    words = windows.samples
    parts = [_ppg(words[..., :ppg_channels], by)]
    if words.shape[2] > ppg_channels:
        parts.append(_acc(words[..., ppg_channels:], by))
    moved = np.clip(np.concatenate(parts, axis=2) + by.zero_point, by.low, by.high)
    return moved.astype(np.int8)


def exponents(words: NDArray[np.int16]) -> Ints:
    """Exponent of each word."""
    return np.asarray(words.astype(np.int64) & (2**EXPONENT_BITS - 1), np.int64)


def values(words: NDArray[np.int16], exponent: Ints) -> Ints:
    """Words in units of 2^-5 of an exponent that none of theirs is above."""
    own = exponents(words)
    return (words.astype(np.int64) - own) >> (exponent - own)


def _block(words: NDArray[np.int16], axes: tuple[int, ...]) -> tuple[Ints, Ints, Ints]:
    """Values less their mean times T, T^2 times the variance of channels, the exponent E."""
    largest = exponents(words).max(axis=axes, keepdims=True)
    x = values(words, largest)
    steps, total = words.shape[1], x.sum(axis=1, keepdims=True)
    squares = steps * (x * x).sum(axis=1, keepdims=True) - total * total
    return x * steps - total, squares, largest


def _ppg(words: NDArray[np.int16], by: Normaliser) -> Ints:
    d, squares, exponent = _block(words, (1,))
    dead = is_dead(squares, exponent, by)
    if words.shape[2] == 1:
        factor = np.where(dead, 0, inverse_root(np.maximum(squares, 1), by.alone))
        return multiply_round(d, factor, 32)
    factor = np.where(dead, 0, inverse_root(np.maximum(squares, 1), MIXED))
    mixed = multiply_round(d, factor, 32).sum(axis=2, keepdims=True)
    power = np.maximum((mixed * mixed).sum(axis=1, keepdims=True), by.steps)
    return multiply_round(mixed, inverse_root(power * by.steps, by.mixed), 32)


def is_dead(squares: Ints, exponent: Ints, by: Normaliser) -> NDArray[np.bool_]:
    """Whether PPG channels with these V carry nothing."""
    return np.asarray((exponent == 0) & (squares < (by.steps * DEAD_DEVIATION) ** 2))


def _acc(words: NDArray[np.int16], by: Normaliser) -> Ints:
    d, squares, exponent = _block(words, (1, 2))
    return multiply_round(d, acc_factor(squares.sum(axis=2, keepdims=True), exponent, by), 32)


def acc_factor(squares: Ints, exponent: Ints, by: Normaliser) -> Ints:
    """What centred acceleration is multiplied by, times 2^32.

    Args:
        squares: V, summed over the axes.
    """
    unit = (exponent << 16) - by.log2_counts_per_g  # of a value in g, but for a constant
    strength = np.maximum(log2(np.maximum(squares, 1)) + 2 * unit, by.acc_floor)
    gain = by.acc_gain + unit - ((strength * by.half_power) >> 16)
    return exp2(FACTOR_LIMIT + UNIT - np.clip(gain, 0, FACTOR_LIMIT))
