"""Whether two traces are of one moment, whatever their rates, units, filters and clocks.

A filter, a derivative, a mean of channels or another rate changes the shape of a trace and shifts
it. How its rate wavers from second to second within a band of an octave stays as it was. A minute
of it, in three bands, is as good as a fingerprint: LEAST stands between what copies keep and what
the nearest two people have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

CENTRES_HZ = (1.0, 1.5, 2.2)
OCTAVES = 0.25  # standard deviation of a band
FINE_HZ = 8  # of the band-passed traces
HZ = 2  # of their rates; a row has every second one, so that rows begin each half second
EDGE_S = 2  # what is left out at both ends
SLOW_S = 9  # slower changes are left out: anybody's heart speeds up when he runs
COUNT = 32  # seconds of a row
EVERY = 8  # seconds from one row that is looked for to the next
# Mean correlation of the bands over 1, 2, 4 and 8 rows in a row; the nearest two people of 102
# recordings have 0.89, 0.71, 0.50 and 0.33.
LEAST = (0.97, 0.76, 0.58, 0.42)
SPREAD_HZ = 0.01  # of a band; less is a rhythm that two people may share
FAINT = 1e-4  # of the power of the strongest band: the dying away of what came before
PRESENT = 0.9  # of the seconds of a row in which its band is not faint
AT_ONCE = 96  # rows that are looked for, so that a day takes no more memory than an hour

Rates = NDArray[np.float32]


@dataclass(frozen=True)
class Wavering:
    """How the rates of a recording waver, second by second.

    Attributes:
        rates: `(channels, bands, times)` Hz, HZ times a second, without slow changes.
        inverse: `(channels, bands, rows)` one over the length of each row of COUNT seconds; 0
            where nothing wavers.
    """

    rates: Rates
    inverse: Rates


def wavering(ppg: NDArray[np.float32], hz: float) -> Wavering:
    """Work out how rates waver.

    Args:
        ppg: `(samples, channels)`.

    Returns:
        Without rows where the recording is too short.
    """
    traces = ppg.T.astype(np.float64)
    if len(traces) > 1:  # a copy may hold the mean of its channels
        traces = np.vstack([traces, traces.mean(axis=0)])
    if len(ppg) < (COUNT + 2 * EDGE_S) * hz:
        rates = np.zeros((len(traces), len(CENTRES_HZ), 0), np.float32)
    else:
        rates = np.stack([_rates(trace, hz) for trace in traces])
    spread = _rows(np.nan_to_num(rates)).std(axis=-1)
    told = (spread > SPREAD_HZ) & (np.isfinite(_rows(rates)).mean(axis=-1) >= PRESENT)
    inverse = np.where(told, 1 / (np.maximum(spread, SPREAD_HZ) * COUNT**0.5), 0)
    return Wavering(np.nan_to_num(rates), inverse.astype(np.float32))


def _rates(trace: NDArray[np.float64], hz: float) -> Rates:
    """`(bands, times)` of a trace `(samples,)`; NaN where a band holds next to nothing."""
    padded = scipy.fft.next_fast_len(len(trace) + round(4 * hz), real=True)
    spectrum = scipy.fft.rfft(scipy.signal.detrend(trace), padded)
    fine = round(padded / hz * FINE_HZ)
    bins = min(len(spectrum), fine // 2)
    at_hz = np.maximum(np.arange(bins) * hz / padded, 1e-9)
    turned = []
    for centre_hz in CENTRES_HZ:
        passed = np.exp(-0.5 * (np.log2(at_hz / centre_hz) / OCTAVES) ** 2)
        analytic = scipy.fft.ifft(spectrum[:bins] * passed, fine)
        # Without the ends, where a filter knows half of what it needs.
        analytic = analytic[EDGE_S * FINE_HZ : int((len(trace) / hz - EDGE_S) * FINE_HZ)]
        turns = np.cumsum(analytic[1:] * analytic[:-1].conj())
        # Over two seconds, so that a weak moment counts for little.
        turned.append((turns[2 * FINE_HZ :] - turns[: -2 * FINE_HZ])[:: FINE_HZ // HZ])
    bands = np.stack(turned)
    rate_hz = np.angle(bands) * FINE_HZ / (2 * np.pi)
    rate_hz -= scipy.ndimage.uniform_filter1d(rate_hz, SLOW_S * HZ, axis=1, mode="nearest")
    power = np.abs(bands)
    rate_hz[power <= FAINT * np.median(power, axis=1).max()] = np.nan
    return rate_hz.astype(np.float32)


def likeness(left: Wavering, right: Wavering) -> float:
    """How much alike half a minute to four minutes of both are: from 1 on of one moment."""
    sought = _rows(right.rates)[:, :, :: EVERY * HZ]
    sought = sought - sought.mean(axis=-1, keepdims=True)
    sought *= right.inverse[:, :, :: EVERY * HZ, None]
    same = len(left.rates) == len(right.rates)  # then channels stand in one order, or their mean
    most = 0.0
    for channel, (rates, inverse) in enumerate(zip(left.rates, left.inverse, strict=True)):
        rows = np.ascontiguousarray(_rows(rates)) * inverse[:, :, None]
        for other in sought[channel : channel + 1] if same else sought:
            for begin in range(0, sought.shape[2], AT_ONCE):
                asked = other[:, begin : begin + AT_ONCE].transpose(0, 2, 1)
                alike = np.mean(rows @ asked, axis=0)  # (rows, asked)
                most = max(most, *_in_a_row(alike))
    return most


def _in_a_row(alike: Rates) -> Iterator[float]:
    """The most by which 1, 2, 4 and 8 rows in a row are alike, of what is the least."""
    later, sought_later = COUNT * HZ, COUNT // EVERY
    for least in LEAST:
        yield float(alike.max(initial=0)) / least
        if len(alike) <= later or alike.shape[1] <= sought_later:
            return
        alike = np.float32(0.5) * (alike[later:, sought_later:] + alike[:-later, :-sought_later])
        later, sought_later = 2 * later, 2 * sought_later


def _rows(rates: Rates) -> Rates:
    """`(..., rows, COUNT)`."""
    length = COUNT * HZ - 1
    if rates.shape[-1] < length:
        return np.zeros((*rates.shape[:-1], 0, COUNT), np.float32)
    return np.lib.stride_tricks.sliding_window_view(rates, length, axis=-1)[..., ::HZ]
