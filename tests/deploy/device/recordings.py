"""Whole recordings through the integer front end, many samples at a time.

A recording holds physical values; the sensor's counts are made again from them: PPG with 24 bits
over the recording's range, acceleration with 16 bits likewise. Windows start where the recording's
labels say. The network's first sample of a window is then in general not on the grid
of the device, which starts at the first sample; the rule interpolates from the stream of
`STREAM_HZ` at the label's times, as `ppg.windows` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from deploy.device.filtering import BandPass, band_pass
from deploy.device.integers import Ints
from deploy.device.normalising import normaliser
from deploy.device.rule import (
    Windows,
    filter_lanes,
    interpolate,
    normalise,
    pack,
    resample,
)
from deploy.device.settings import FrontEnd, exact_hz
from ppg.recording import Recording
from ppg.windows import STREAM_HZ
from ppgnas.errors import DataError
from ppgnas.task import WINDOW_S

PPG_BITS = 24
_STREAM_HZ = Fraction(STREAM_HZ)


def ppg_counts(recording: Recording, *, bits: int = PPG_BITS) -> NDArray[np.int32]:
    """`(samples, channels)` counts of a sensor of `bits` bits that just holds the recording."""
    largest = float(np.abs(recording.ppg).max())
    power = 0 if largest == 0 else bits - 1 - int(np.frexp(largest)[1])
    counts = np.rint(np.ldexp(recording.ppg.astype(np.float64), power))
    return np.clip(counts, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int32)


def sensor_counts_per_g(recording: Recording) -> int:
    """The finest power of two, up to 8192, with which int16 holds the recording's acceleration."""
    largest = 0.0 if recording.acc is None else float(np.abs(recording.acc).max())
    return max(1, 2 ** min(13, 14 - int(np.frexp(largest)[1]) + 1)) if largest > 0 else 4096


def acc_counts(recording: Recording, *, counts_per_g: int) -> NDArray[np.int16]:
    """`(samples, 3)` counts of an accelerometer, saturating.

    Raises:
        DataError: the recording has no acceleration.
    """
    if recording.acc is None:
        raise DataError(f"{recording.dataset}/{recording.name} has no acceleration")
    counts = np.rint(recording.acc.astype(np.float64) * counts_per_g)
    return np.clip(counts, -32768, 32767).astype(np.int16)


def window_starts(recording: Recording) -> list[Fraction]:
    """Start of each usable window in s, exact to a microsecond."""
    starts = recording.window_start_s[recording.usable]
    return [Fraction(float(start)).limit_denominator(10**6) for start in starts]


def int16_windows(
    recordings: Sequence[Recording],
    *,
    rate_hz: int,
    acceleration: bool,
) -> list[Windows]:
    """Usable windows of each recording, as the device makes them.

    Args:
        recordings: those of equal rates are filtered side by side, which makes many recordings
            nearly as fast as the longest of them.
        rate_hz: of the network.
        acceleration: whether the network reads it.
    """
    streams = [_streams([(ppg_counts(r), exact_hz(r.ppg_hz)) for r in recordings], slope=True)]
    if acceleration:
        raw = [
            (acc_counts(r, counts_per_g=sensor_counts_per_g(r)), exact_hz(float(r.acc_hz or 0)))
            for r in recordings
        ]
        streams.append(_streams(raw, slope=False))
    found = []
    for number, recording in enumerate(recordings):
        starts = window_starts(recording)
        parts = [_cut(stream[number], starts, rate_hz) for stream in streams]
        found.append(Windows(pack(np.concatenate(parts, axis=2))))
    return found


def network_inputs(
    recordings: Sequence[Recording],
    *,
    rate_hz: int,
    acceleration: bool,
    scale: float,
    zero_point: int,
) -> NDArray[np.int8]:
    """The network's input for every usable window, in the order of `ppg.windows.windows_of`.

    Args:
        recordings: see `int16_windows`; those without a usable window add nothing.
        rate_hz: of the network.
        acceleration: whether it reads acceleration.
        scale, zero_point: of its input tensor.

    Returns:
        int8 `(windows, 1, time, channels)`, as `QuantizedNet.quantize_input` gives it.
    """
    cut = int16_windows(recordings, rate_hz=rate_hz, acceleration=acceleration)
    stored = []
    for recording, windows in zip(recordings, cut, strict=True):
        # The rates of the sensors do not matter here; what is normalised has the network's.
        acc_hz = _STREAM_HZ if acceleration else None
        counts = sensor_counts_per_g(recording)
        end = FrontEnd(_STREAM_HZ, acc_hz, rate_hz, counts_per_g=counts)
        by = normaliser(end, scale=scale, zero_point=zero_point)
        stored.append(normalise(windows, by, ppg_channels=recording.ppg.shape[1]))
    return np.concatenate(stored)[:, None]


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


def _cut(stream: Ints, starts: list[Fraction], rate_hz: int) -> Ints:
    steps, every = int(WINDOW_S * rate_hz), Fraction(1, rate_hz)
    rows = [sample_at(stream, _STREAM_HZ, at, every_s=every, count=steps) for at in starts]
    empty = np.empty((0, steps, stream.shape[1]), np.int64)
    return np.stack(rows) if rows else empty


def _streams(
    signals: Sequence[tuple[NDArray[np.integer], Fraction]], *, slope: bool
) -> list[Ints]:
    """Each signal `(samples, lanes)` filtered and brought to `STREAM_HZ`, in the given order."""
    streams: dict[int, Ints] = {}
    for hz in sorted({hz for _, hz in signals}):
        numbers = [n for n, (_, other) in enumerate(signals) if other == hz]
        by = band_pass(hz, slope=slope)
        together = _filter_together([signals[n][0] for n in numbers], by)
        for number, filtered in zip(numbers, together, strict=True):
            streams[number] = resample(filtered, hz, _STREAM_HZ)
    return [streams[number] for number in range(len(signals))]


def _filter_together(signals: Sequence[NDArray[np.integer]], by: BandPass) -> list[Ints]:
    """Shorter signals hold their last value; the filter is causal, so nothing else changes."""
    longest = max(len(signal) for signal in signals)
    padded = [np.pad(s, ((0, longest - len(s)), (0, 0)), mode="edge") for s in signals]
    filtered = filter_lanes(np.concatenate(padded, axis=1), by)
    ends = np.cumsum([signal.shape[1] for signal in signals])
    return [
        filtered[: len(signal), end - signal.shape[1] : end]
        for signal, end in zip(signals, ends, strict=True)
    ]
