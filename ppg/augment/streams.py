"""Filtered signals that windows are read from at random, and what every such window goes through.

Labels play no role here. A window is moved and stretched (`Streams.place`), its channels are mixed
(`Streams.mixtures`), and whatever trace comes of it is disturbed (`Streams.disturbed`): artefacts
made from the acceleration are added, calm windows are given another window's movement,
acceleration axes are rotated, gains and noise varied. Every trace then passes another sensor
(`ppg.augment.sensor`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ppg.augment.sensor import artefacts, bend, polarity, rotations, tilt
from ppg.frontend import PPG_CLIP, PPG_FLOOR, normalise_acc, stream
from ppg.passes import by_block
from ppg.recording import Recording
from ppg.windows import STREAM_HZ
from ppgnas.errors import DataError
from ppgnas.task import TASK, Task

CALM_G = 0.04  # root-mean-square movement below which the PPG holds no artefact of its own
ARTEFACT_MAX = 2.0  # in standard deviations of the PPG


@dataclass(frozen=True)
class Augmentation:
    """Strengths; all zero (and `stretch` 1) draws plain windows."""

    stretch: float = 1.2  # largest factor; the smallest is 1 / stretch
    shift_s: float = 1.0
    noise: float = 0.25  # largest standard deviation of white noise on the normalised PPG
    acc_gain: float = 0.3  # largest log gain
    acc_noise_g: float = 0.02
    mix_channels: bool = True
    rotate_acc: bool = True
    artefact: float = 0.7  # share of windows that get an artefact made from their acceleration
    foreign_motion: float = 0.6  # share of calm windows that get another window's movement
    composed: float = 0.3  # share of windows whose pulse and rest come from different windows
    bend: float = 0.3  # see `ppg.augment.sensor` for these three
    tilt: float = 0.7
    polarity: float = 0.5


@dataclass(frozen=True, eq=False)
class Drawn:
    """Signals of a batch before they are normalised: windows, each after the past it is read with.

    Attributes:
        trace: `(windows, time)` of the PPG.
        acc: `(windows, time, 3)` in g, or None where networks read PPG alone.
    """

    trace: NDArray[np.float32]
    acc: NDArray[np.float32] | None
    rate_hz: int
    task: Task = TASK

    @cached_property
    def windows(self) -> NDArray[np.float32]:
        """The last of it, `(windows, channels, time)`: what reads windows is shown these."""
        samples = self.task.window_s * self.rate_hz
        acc = None if self.acc is None else normalise_acc(self.acc[:, -samples:])
        return _channels(_unit_and_clipped(self.trace[:, -samples:]), acc)

    @cached_property
    def stretches(self) -> NDArray[np.float32]:
        """All of it, by block, `(windows, channels, time)`: what a streaming network is shown."""
        at = self.task, self.rate_hz
        trace = by_block(self.trace[..., None], *at, lambda x: _unit_and_clipped(x[..., 0]))
        return _channels(
            trace, None if self.acc is None else by_block(self.acc, *at, normalise_acc)
        )


def _unit_and_clipped(trace: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(unit(trace), -PPG_CLIP, PPG_CLIP)


def _channels(trace: NDArray[np.float32], acc: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if acc is None:
        return trace[:, None].astype(np.float32)
    return np.concatenate([trace[:, None], acc.transpose(0, 2, 1)], axis=1, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Streams:
    """Signals of several recordings one after another, and their usable windows.

    Attributes:
        ppg: `(samples, channels)` at `STREAM_HZ`.
        acc: `(samples, 3)` in g; 0 where a recording has none.
        first, last: `(windows,)` samples that each window may be moved or stretched to.
        start: `(windows,)` where each begins, in samples.
        ends: `(recordings,)` number of samples up to the end of each.
        acceleration: whether windows have the three axes. Without, they still make artefacts.
    """

    ppg: NDArray[np.float32]
    acc: NDArray[np.float32]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    start: NDArray[np.float64]
    ends: NDArray[np.int64]
    acceleration: bool
    task: Task = TASK

    @classmethod
    def of(cls, recordings: Sequence[Recording], *, acceleration: bool) -> Streams:
        """The signals of recordings of one task that have a usable window each.

        Raises:
            DataError: there are none.
        """
        if not recordings:
            raise DataError("no usable training window; check hr_valid and hr_start_s")
        channels = max(r.ppg.shape[1] for r in recordings)
        rows = []
        offset = 0
        for recording in recordings:
            signals = stream(recording, hz=STREAM_HZ)
            count = len(signals.ppg)
            start_s = recording.window_start_s[recording.usable]
            # fewer channels than the widest recording: repeat them, the mixture is the same
            order = np.arange(channels) % signals.ppg.shape[1]
            rows.append(
                (
                    signals.ppg[:, order],
                    np.zeros((count, 3), np.float32) if signals.acc is None else signals.acc,
                    *_bounds(recording, start_s, offset, count),
                    offset + start_s * STREAM_HZ,
                )
            )
            offset += count
        ends = np.cumsum([len(ppg) for ppg, *_ in rows])
        ppg, acc, first, last, start = map(np.concatenate, zip(*rows, strict=True))
        return cls(ppg, acc, first, last, start, ends, acceleration, recordings[0].task)

    def place(
        self,
        pick: NDArray[np.int64],
        factor: NDArray[np.float64],
        shift_s: NDArray[np.float64],
        *,
        rate_hz: int,
        past_s: float = 0.0,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Where to read windows that are shifted and played `factor` times as fast.

        Before each lie `past_s` more, played as fast. What was not measured, before the start of a
        recording or in a gap, is filled with what comes after it, read backwards.

        Returns:
            positions `(windows, time)` in the concatenated streams, the factors that fit the
            recordings, and how far each centre has really moved, in seconds.
        """
        window_s = self.task.window_s
        factor = np.minimum(factor, (self.last - self.first)[pick] / STREAM_HZ / window_s)
        centre = self.start[pick] + (shift_s + window_s / 2) * STREAM_HZ
        begin = centre - factor * window_s / 2 * STREAM_HZ
        latest = self.last[pick] - factor * window_s * STREAM_HZ
        begin = np.maximum(np.minimum(begin, latest), self.first[pick])
        moved_s = (begin - centre) / STREAM_HZ + factor * window_s / 2 + shift_s
        step = factor * STREAM_HZ / rate_hz
        samples = window_s * rate_hz
        position = begin[:, None] + np.arange(samples) * step[:, None]
        if past_s:
            before = begin[:, None] + np.arange(-int(past_s * rate_hz), 0) * step[:, None]
            first, last = self.first[pick][:, None], self.last[pick][:, None]
            before = np.minimum(first + abs(before - first), last)
            position = np.concatenate([before, position], axis=1)
        return position, factor, moved_s

    def mixtures(self, rng: np.random.Generator, count: int, *, mix: bool) -> NDArray[np.float32]:
        """`(windows, channels)` share of each PPG channel."""
        channels = self.ppg.shape[1]
        if not mix:
            return np.full((count, channels), 1 / channels, np.float32)
        return rng.dirichlet(np.full(channels, 0.7), count).astype(np.float32)

    def disturbed(
        self,
        rng: np.random.Generator,
        trace: NDArray[np.float32],
        moving: NDArray[np.float64],
        how: Augmentation,
        *,
        rate_hz: int,
    ) -> Drawn:
        """What is shown of traces.

        Args:
            trace: `(windows, time)` of unit spread.
            moving: `(windows, time)` where the acceleration of each is read.
        """
        count = len(trace)
        sigma = how.noise * rng.random((count, 1), dtype=np.float32) ** 2
        trace = trace + sigma * rng.standard_normal(trace.shape, dtype=np.float32)
        acc = gather(self.acc, moving)
        calm = np.sqrt((acc**2).mean(axis=(1, 2))) < CALM_G
        moved = np.flatnonzero(calm & (rng.random(count) < how.foreign_motion))
        acc[moved] = acc[rng.integers(0, count, len(moved))]
        disturbed = np.flatnonzero(rng.random(count) < how.artefact)
        strength = ARTEFACT_MAX * rng.random((len(disturbed), 1), dtype=np.float32) ** 2
        trace[disturbed] += strength * artefacts(rng, acc[disturbed])
        trace = _vary_sensor(rng, trace, how, rate_hz=rate_hz)
        if not self.acceleration:
            return Drawn(trace, None, rate_hz, self.task)
        if how.rotate_acc:
            acc = np.einsum("wtc,wcd->wtd", acc, rotations(rng, count))
        gain = np.exp(rng.uniform(-how.acc_gain, how.acc_gain, (count, 1, 1)))
        sigma = how.acc_noise_g * rng.random((count, 1, 1), dtype=np.float32) ** 2
        acc = acc * gain.astype(np.float32)
        acc = acc + sigma * rng.standard_normal(acc.shape, dtype=np.float32)
        return Drawn(trace, acc, rate_hz, self.task)


def person_weights(
    recordings: Sequence[Recording], counted: Sequence[Recording]
) -> NDArray[np.float64]:
    """`(windows,)` weight of each usable window.

    People weigh the square root of their windows, so a long recording does not drown the others.

    Args:
        recordings: whose windows are drawn.
        counted: whose windows decide how many a person has.
    """
    windows: dict[str, int] = {}
    for each in counted:
        windows[each.person] = windows.get(each.person, 0) + int(each.usable.sum())
    return np.concatenate(
        [np.full(r.usable.sum(), 1 / np.sqrt(windows[r.person])) for r in recordings]
    )


def _bounds(
    recording: Recording, start_s: NDArray[np.float64], offset: int, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last sample that each window may be moved or stretched to: up to the gaps."""
    edges = np.array(recording.gaps).reshape(-1, 2) * STREAM_HZ
    at = start_s[:, None] * STREAM_HZ
    first = np.where(edges[:, 1] <= at, edges[:, 1], 0.0).max(axis=1, initial=0.0)
    last = np.where(edges[:, 0] > at, edges[:, 0], np.inf).min(axis=1, initial=np.inf)
    return offset + np.ceil(first), offset + np.minimum(np.floor(last), count) - 2


def pick(
    rng: np.random.Generator, cumulative: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    """Numbers of windows, drawn by their cumulative weights, whose last is 1."""
    return np.minimum(np.searchsorted(cumulative, rng.random(count)), len(cumulative) - 1)


def speeds(rng: np.random.Generator, largest: float, count: int) -> NDArray[np.float64]:
    """Factors between `1 / largest` and `largest`, evenly in the logarithm."""
    spread = np.log(largest)
    return np.exp(rng.uniform(-spread, spread, count))


def gather(source: NDArray[np.float32], position: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values `(windows, time, channels)` of a stream between its samples."""
    left = position.astype(np.int64)
    fraction = (position - left).astype(np.float32)[..., None]
    values = source[left]
    values += fraction * (source[left + 1] - values)
    return values


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean 0 and standard deviation 1 over time (axis 1)."""
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), PPG_FLOOR))


def _vary_sensor(
    rng: np.random.Generator, trace: NDArray[np.float32], how: Augmentation, *, rate_hz: int
) -> NDArray[np.float32]:
    """Another sensor."""
    trace = bend(rng, unit(trace), largest=how.bend)
    trace = tilt(rng, trace, rate_hz=rate_hz, largest=how.tilt)
    return polarity(rng, trace, share=how.polarity)
