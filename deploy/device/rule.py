"""The front end in numpy: the rule that the C follows bit for bit.

Formulas stand in `deploy.device.filtering`, `windows` and `normalising`. Rates are changed by
linear interpolation with exact rational time. Output sample n stands at `n * N / D` input samples,
`N / D = from_hz / to_hz` in lowest terms; its left neighbour is `floor(n * N / D)` and
`part = (n * N) mod D`:

    y[n] = x[left]                                                             part = 0
    y[n] = x[left] + (2 (x[left+1] - x[left]) * floor(part 2^31 / D) / 2^32)      otherwise

The product in parentheses is rounded as `integers.multiply_shift` says. The device keeps `part`
alone and adds N - D or -D to it, so nothing grows and nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deploy.device.filtering import FRACTION_BITS, PRE_SHIFT, BandPass, Coefficient, band_pass
from deploy.device.integers import (
    Ints,
    bit_length,
    inverse_deviation,
    multiply_shift,
)
from deploy.device.normalising import LARGEST_ACC_SHIFT, MIXED_FLOOR, Z_SHIFT, Normaliser
from deploy.device.settings import ACC_G_BITS, FrontEnd
from deploy.device.windows import DEAD_SPAN, MANTISSA_BITS
from ppg.windows import STREAM_HZ
from ppgnas.task import Mode

EXPONENT_BITS = 5
INT16_MAX = 32767
ACC_MAX = 2**31 - 1


def round_shift(x: ArrayLike, shift: ArrayLike) -> Ints:
    """`floor(x / 2^shift + 1/2)`, for shift 1 to 62."""
    by = np.asarray(shift, np.int64)
    return (np.asarray(x, np.int64) + (np.int64(1) << (by - 1))) >> by


def _feedback(y1: Ints, y2: Ints, factors: tuple[Coefficient, Coefficient]) -> Ints:
    one, two = factors
    return (
        one.whole * y1
        + multiply_shift(y1, one.fine, one.shift)
        + two.whole * y2
        + multiply_shift(y2, two.fine, two.shift)
    )


def filter_lanes(samples: NDArray[np.integer], coefficients: BandPass) -> Ints:
    """Filter independent signals side by side.

    Args:
        samples: `(samples, lanes)` raw int32 counts; all lanes at the rate of `coefficients`.
        coefficients: see `band_pass`.

    Returns:
        `(samples, lanes)` in units of `2^-FRACTION_BITS` counts.
    """
    raw = np.asarray(samples, np.int64)
    lanes = raw.shape[1]
    u = np.concatenate([np.zeros((2, lanes), np.int64), raw - raw[:1]])
    gain = coefficients.gain
    # |s| <= 2^34, so nothing is lost on the left.
    one, two = coefficients.before
    s = (u[2:] + one * u[1:-1] + two * u[:-2]) << PRE_SHIFT
    driven = multiply_shift(s, gain.mantissa, gain.shift + PRE_SHIFT)
    v1 = v2 = w1 = w2 = np.zeros(lanes, np.int64)
    out = np.empty_like(raw)
    for index, drive in enumerate(driven):
        v = drive + _feedback(v1, v2, coefficients.recursive[0])
        w = v - 2 * v1 + v2 + _feedback(w1, w2, coefficients.recursive[1])
        v1, v2, w1, w2 = v, v1, w, w1
        out[index] = w
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


@dataclass(frozen=True)
class Windows:
    """Int16 windows of the device.

    Attributes:
        samples: `(windows, time, channels)`: PPG, each channel with a block exponent of its own
            that nobody needs, then three axes in `2^(acc_shift - 20)` g.
        acc_shift: `(windows,)` 0 to 16; None without acceleration.
        ppg_shift: `(windows, channels)` the exponents of the PPG, where they count: of blocks.
        invalid_steps: `(windows,)` time steps between or on invalid samples; None: all are valid.
    """

    samples: NDArray[np.int16]
    acc_shift: Ints | None = None
    invalid_steps: Ints | None = None
    ppg_shift: Ints | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def words(self) -> NDArray[np.int16]:
        """`(windows, words)` as the C holds them: samples, exponents, invalid steps."""
        invalid = np.zeros(len(self)) if self.invalid_steps is None else self.invalid_steps
        ppg = np.zeros((len(self), 0)) if self.ppg_shift is None else self.ppg_shift
        last = [invalid] if self.acc_shift is None else [self.acc_shift, invalid]
        columns = [self.samples.reshape(len(self), -1), ppg, *(word[:, None] for word in last)]
        return np.concatenate(columns, axis=1).astype(np.int16)


def pack(y: Ints) -> Ints:
    """PPG values, `|y| < 2^57`, to 32-bit words."""
    exponent = np.maximum(bit_length(np.abs(y)) - MANTISSA_BITS, 0)
    return ((y >> exponent) << EXPONENT_BITS) + exponent


def unpack(words: Ints) -> Ints:
    """Values of packed words."""
    return np.asarray((words >> EXPONENT_BITS) << (words & (2**EXPONENT_BITS - 1)), np.int64)


def _block(y: Ints, axes: tuple[int, ...]) -> tuple[NDArray[np.int16], Ints]:
    """Values with one exponent along `axes`, and the exponent."""
    shift = np.maximum(bit_length(np.abs(y).max(axis=axes, keepdims=True)) - 15, 0)
    rounded = (y + ((np.int64(1) << shift) >> 1)) >> shift
    return np.minimum(rounded, INT16_MAX).astype(np.int16), shift


def ppg_window(words: Ints) -> tuple[NDArray[np.int16], Ints]:
    """Packed samples `(windows, time, channels)` to int16, and the exponents of each channel."""
    y = unpack(words)
    span = y.max(axis=1, keepdims=True) - y.min(axis=1, keepdims=True)
    values, shift = _block(y, (1,))
    return np.where(span < DEAD_SPAN, 0, values).astype(np.int16), shift[:, 0]


def acc_units(y: Ints, counts_per_g: int) -> Ints:
    """Filtered acceleration in units of 2^-20 counts to 2^-20 g, saturating at int32."""
    one_g = counts_per_g << FRACTION_BITS
    units = ((y << ACC_G_BITS) + one_g // 2) // one_g
    return np.asarray(np.clip(units, -ACC_MAX, ACC_MAX), np.int64)


def acc_window(units: Ints) -> tuple[NDArray[np.int16], Ints]:
    """Acceleration `(windows, time, 3)` in 2^-20 g to int16, and the exponent `(windows,)`."""
    values, shift = _block(units, (1, 2))
    return values, shift[:, 0, 0]


def windows_of(words: Ints, units: Ints | None, mode: Mode = "window") -> Windows:
    """Windows or blocks from packed PPG and, where there is any, acceleration."""
    ppg, exponents = ppg_window(words)
    ppg_shift = exponents if mode == "streaming" else None
    if units is None:
        return Windows(ppg, ppg_shift=ppg_shift)
    acc, shift = acc_window(units)
    return Windows(np.concatenate([ppg, acc], axis=2), shift, ppg_shift=ppg_shift)


def stream_windows(
    front_end: FrontEnd, ppg: NDArray[np.integer], acc: NDArray[np.integer] | None = None
) -> Windows:
    """Every window, or block, that the device takes from raw samples: from 0 s, every 2 s.

    Args:
        front_end: sensors and rate.
        ppg: `(samples, channels)` int32 counts at `front_end.ppg_hz`.
        acc: `(samples, 3)` int16 counts at `front_end.acc_hz`; None without acceleration.

    """
    words = pack(_at_network_rate(front_end, ppg, front_end.ppg_hz, slope=True))
    units = None
    shortest = len(words)
    if front_end.acc_hz is not None and acc is not None:
        filtered = _at_network_rate(front_end, acc, front_end.acc_hz, slope=False)
        units = acc_units(filtered, front_end.counts_per_g)
        shortest = min(shortest, len(units))
    count = max(0, (shortest - front_end.steps) // front_end.stride_steps + 1)
    at = np.arange(count)[:, None] * front_end.stride_steps + np.arange(front_end.steps)
    return windows_of(words[at], None if units is None else units[at], front_end.mode)


def _at_network_rate(
    front_end: FrontEnd, raw: NDArray[np.integer], hz: Fraction, *, slope: bool
) -> Ints:
    filtered = filter_lanes(raw, band_pass(hz, slope=slope))
    to_hz = Fraction(front_end.rate_hz)
    if front_end.two_stages:
        filtered, hz = resample(filtered, hz, Fraction(STREAM_HZ)), Fraction(STREAM_HZ)
    return resample(filtered, hz, to_hz)


def normalise(windows: Windows, by: Normaliser, *, ppg_channels: int) -> NDArray[np.int8]:
    """Int16 windows to int8 `(windows, time, 1 or 4)`."""
    centred = _centre(windows.samples.astype(np.int64))
    parts = [_ppg(centred[..., :ppg_channels], by)]
    if windows.acc_shift is not None:
        shift = np.clip(windows.acc_shift, 0, LARGEST_ACC_SHIFT)[:, None, None]
        parts.append(_acc(centred[..., ppg_channels:], shift, by))
    moved = np.clip(np.concatenate(parts, axis=2) + by.zero_point, by.low, by.high)
    return moved.astype(np.int8)


def _centre(x: Ints) -> Ints:
    return np.asarray(x * x.shape[1] - x.sum(axis=1, keepdims=True), np.int64)


def _ppg(d: Ints, by: Normaliser) -> Ints:
    squares = (d * d).sum(axis=1, keepdims=True)
    mantissa, half = inverse_deviation(np.maximum(squares, 1), by.steps)
    z = round_shift(d * mantissa, Z_SHIFT - half)
    mixed = z.sum(axis=2, keepdims=True)  # a dead channel has d = 0
    total = (mixed * mixed).sum(axis=1, keepdims=True)
    mantissa, half = inverse_deviation(np.maximum(total, by.steps * MIXED_FLOOR**2), by.steps)
    factor = (mantissa * by.inverse_scale.mantissa) >> 31
    return round_shift(mixed * factor, 56 - 31 + by.inverse_scale.shift - half)


def _acc(d: Ints, up: Ints, by: Normaliser) -> Ints:
    return compressed(d, (d * d).sum(axis=(1, 2), keepdims=True), up, by)


def compressed(d: Ints, squares: Ints, up: Ints, by: Normaliser) -> Ints:
    """Acceleration over its spread to the power P, see `deploy.device.normalising`.

    Args:
        d: `(windows, time, 3)`.
        squares: `(windows, 1, 1)` V, before its floor.
        up: `(windows, 1, 1)` h.
    """
    squares = np.maximum(squares, by.acc_floor >> (2 * up))
    octave = bit_length(squares) - 1
    # 30 bits below the leading one: 6 choose the step, 24 stand between two of them.
    fraction = ((squares << (61 - octave)) >> 31) & (2**30 - 1)
    table = np.array(by.power, np.int64)
    step, between = fraction >> 24, fraction & (2**24 - 1)
    power = table[step] - (((table[step] - table[step + 1]) * between) >> 24)
    index = octave + 2 * up - by.first_octave
    mantissa = np.array([s.mantissa for s in by.octaves], np.int64)[index]
    shift = np.array([s.shift for s in by.octaves], np.int64)[index]
    return round_shift(d * ((power * mantissa) >> 31), shift - up)
