"""Training windows, drawn at random with augmentation.

One draw: a window of a random person (people weigh the square root of their windows, so a long
recording does not drown the others), shifted by up to 1 s with the label interpolated, played
0.83 to 1.2 times as fast with the label scaled, PPG channels mixed at random, acceleration axes
rotated, gains and noise varied; artefacts made from the acceleration are added, and calm windows
are given another window's movement.

Three windows in ten are composed of two: the pulse of one (`ppg.augment.separation`), played at a
heart rate drawn evenly over all rates, and the rest of another with its acceleration, played at a
speed of its own. In recordings of exercise, hard movement means a high rate; a network that learns
so reads 150 BPM from an arm that moves at 75. In composed windows movement tells nothing about the
rate but how it disturbs the PPG. Every trace then passes another sensor (`ppg.augment.sensor`).
Most of the accuracy on new people and new sensors comes from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.augment.motion import artefacts, rotations
from ppg.augment.sensor import bend, polarity, tilt
from ppg.augment.separation import pulse_part
from ppg.frontend import FRONT_END, PPG_CLIP, PPG_FLOOR, normalise_acc, normalise_ppg, stream
from ppg.label_lag import aligned
from ppg.readout.classes import FIRST_BPM, LAST_BPM
from ppg.recording import Recording
from ppg.windows import STREAM_HZ
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

RECIPE = "aligned-1"  # another name whenever networks trained before saw other windows
# What a training that goes on must share with its beginning, whatever its options.
PREPARATION = {"front_end": FRONT_END, "recipe": RECIPE}
CALM_G = 0.04  # root-mean-square movement below which the PPG holds no artefact of its own
ARTEFACT_MAX = 2.0  # in standard deviations of the PPG
RARITY_BIN_BPM = 10.0
BALANCE = 0.5  # 0 draws heart rates as they come, 1 all equally often
COMPOSED_BPM = (45.0, 195.0)
COMPOSED_STRETCH = 2.0  # largest change of speed of either part
REST_SPREAD = 0.7  # log-normal, of the rest's strength against what it was in its own window
REST_MAX = 6.0  # times the pulse
PULSE_FLOOR = 0.1  # of the trace: a window whose pulse is weaker does not say how strong it was


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


class TrainingBank:
    """All training signals in two arrays, from which batches are gathered.

    Labels are first moved to where they fit their recording's signal best (`ppg.label_lag`).

    Args:
        recordings: of training people; each must have acceleration where `acceleration` is set.
        acceleration: whether batches have the three axes. Without, the acceleration of recordings
            that have it still makes artefacts.
    """

    def __init__(self, recordings: Sequence[Recording], *, acceleration: bool) -> None:
        channels = max(r.ppg.shape[1] for r in recordings)
        rows = []
        offset = 0
        people = sorted({r.person for r in recordings})
        person_windows = {
            p: sum(int(r.usable.sum()) for r in recordings if r.person == p) for p in people
        }
        for recording in map(aligned, recordings):
            keep = np.flatnonzero(recording.usable)
            if len(keep) == 0:
                continue
            signals = stream(recording, hz=STREAM_HZ)
            count = len(signals.ppg)
            # fewer channels than the widest recording: repeat them, the mixture is the same
            order = np.arange(channels) % signals.ppg.shape[1]
            share = 1 / np.sqrt(person_windows[recording.person])
            rows.append(
                (
                    signals.ppg[:, order],
                    pulse_part(recording, signals.ppg, hz=STREAM_HZ)[:, order],
                    np.zeros((count, 3), np.float32) if signals.acc is None else signals.acc,
                    *_bounds(recording, recording.window_start_s[keep], offset, count),
                    offset + recording.window_start_s[keep] * STREAM_HZ,
                    recording.hr_bpm[keep],
                    _slopes(recording)[keep],
                    np.full(len(keep), share),
                )
            )
            offset += count
        if not rows:
            raise DataError("no usable training window; check hr_valid and hr_start_s")
        self.acceleration = acceleration
        self.people = tuple(people)
        self.also_in = tuple(sorted({alias for r in recordings for alias in r.also_in}))
        self._ppg, self._pulse, self._acc, *windows = map(np.concatenate, zip(*rows, strict=True))
        self._first, self._last, self._start, self._label, self._slope, weights = windows
        self._cumulative_people = np.cumsum(weights / weights.sum())
        weights *= _rarity(self._label, weights) ** BALANCE
        self._cumulative = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return len(self._label)

    def draw(
        self,
        rng: np.random.Generator,
        count: int,
        *,
        rate_hz: int,
        augmentation: Augmentation | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Draw a batch.

        Returns:
            `x (count, channels, time)` and `hr_bpm (count,)`.
        """
        how = Augmentation() if augmentation is None else augmentation
        pick = _pick(rng, self._cumulative, count)
        composed = round(how.composed * count)  # the first ones; the order means nothing
        label = self._label[pick]
        factor = _speeds(rng, how.stretch, count)
        target_bpm = rng.uniform(*COMPOSED_BPM, composed)
        factor[:composed] = np.clip(
            target_bpm / label[:composed], 1 / COMPOSED_STRETCH, COMPOSED_STRETCH
        )
        # A stretch that leaves the classes is drawn back to what fits.
        factor = np.clip(factor, (FIRST_BPM + 2) / label, (LAST_BPM - 2) / label)
        shift_s = rng.uniform(-how.shift_s, how.shift_s, count)
        position, factor, moved_s = self._place(pick, factor, shift_s, rate_hz=rate_hz)
        hr_bpm = (label + self._slope[pick] * np.clip(moved_s, -2, 2)) * factor

        weights = self._mixtures(rng, count, mix=how.mix_channels)
        trace = np.empty(position.shape, np.float32)
        trace[composed:] = normalise_ppg(
            _gather(self._ppg, position[composed:]), weights[composed:]
        )
        pulse = _mix(_unit(_gather(self._pulse, position[:composed])), weights[:composed])
        donor = _pick(rng, self._cumulative_people, composed)
        speed = _speeds(rng, COMPOSED_STRETCH, composed)
        moving = position.copy()  # where the acceleration is read
        moving[:composed], _, _ = self._place(donor, speed, np.zeros(composed), rate_hz=rate_hz)
        rest = self._rests(rng, moving[:composed], mix=how.mix_channels)
        trace[:composed] = _unit(_unit(pulse) + rest)
        sigma = how.noise * rng.random((count, 1), dtype=np.float32) ** 2
        trace = trace + sigma * rng.standard_normal(trace.shape, dtype=np.float32)
        acc = _gather(self._acc, moving)
        calm = np.sqrt((acc**2).mean(axis=(1, 2))) < CALM_G
        moved = np.flatnonzero(calm & (rng.random(count) < how.foreign_motion))
        acc[moved] = acc[rng.integers(0, count, len(moved))]
        disturbed = np.flatnonzero(rng.random(count) < how.artefact)
        strength = ARTEFACT_MAX * rng.random((len(disturbed), 1), dtype=np.float32) ** 2
        trace[disturbed] += strength * artefacts(rng, acc[disturbed])
        trace = _vary_sensor(rng, trace, how, rate_hz=rate_hz)
        if not self.acceleration:
            return trace[:, None].astype(np.float32), hr_bpm
        if how.rotate_acc:
            acc = np.einsum("wtc,wcd->wtd", acc, rotations(rng, count))
        gain = np.exp(rng.uniform(-how.acc_gain, how.acc_gain, (count, 1, 1)))
        sigma = how.acc_noise_g * rng.random((count, 1, 1), dtype=np.float32) ** 2
        acc = acc * gain.astype(np.float32)
        acc = acc + sigma * rng.standard_normal(acc.shape, dtype=np.float32)
        axes = normalise_acc(acc).transpose(0, 2, 1)
        return np.concatenate([trace[:, None], axes], axis=1, dtype=np.float32), hr_bpm

    def _place(
        self,
        pick: NDArray[np.int64],
        factor: NDArray[np.float64],
        shift_s: NDArray[np.float64],
        *,
        rate_hz: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Where to read windows that are shifted and played `factor` times as fast.

        Returns:
            positions `(windows, time)` in the concatenated streams, the factors that fit the
            recordings, and how far each centre has really moved, in seconds.
        """
        factor = np.minimum(factor, (self._last - self._first)[pick] / STREAM_HZ / WINDOW_S)
        centre = self._start[pick] + (shift_s + WINDOW_S / 2) * STREAM_HZ
        begin = centre - factor * WINDOW_S / 2 * STREAM_HZ
        latest = self._last[pick] - factor * WINDOW_S * STREAM_HZ
        begin = np.maximum(np.minimum(begin, latest), self._first[pick])
        moved_s = (begin - centre) / STREAM_HZ + factor * WINDOW_S / 2 + shift_s
        step = factor * STREAM_HZ / rate_hz
        samples = int(WINDOW_S * rate_hz)
        return begin[:, None] + np.arange(samples) * step[:, None], factor, moved_s

    def _mixtures(self, rng: np.random.Generator, count: int, *, mix: bool) -> NDArray[np.float32]:
        """`(windows, channels)` share of each PPG channel."""
        channels = self._ppg.shape[1]
        if not mix:
            return np.full((count, channels), 1 / channels, np.float32)
        return rng.dirichlet(np.full(channels, 0.7), count).astype(np.float32)

    def _rests(
        self, rng: np.random.Generator, position: NDArray[np.float64], *, mix: bool
    ) -> NDArray[np.float32]:
        """Traces `(windows, time)` without their pulse, to be added to a pulse of unit spread.

        Each is about as strong against the new pulse as it was against its own.
        """
        whole, pulse = _gather(self._ppg, position), _gather(self._pulse, position)
        scale = np.maximum(whole.std(axis=1, keepdims=True), PPG_FLOOR)
        weights = self._mixtures(rng, len(position), mix=mix)
        rest, own = _mix((whole - pulse) / scale, weights), _mix(pulse / scale, weights)
        strength = rest.std(axis=1) / np.maximum(own.std(axis=1), PULSE_FLOOR)
        strength *= np.exp(REST_SPREAD * rng.standard_normal(len(position)))
        strength = np.minimum(strength, REST_MAX)[:, None].astype(np.float32)
        return np.asarray(strength * _unit(rest))


def _bounds(
    recording: Recording, start_s: NDArray[np.float64], offset: int, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last sample that each window may be moved or stretched to: up to the gaps."""
    edges = np.array(recording.gaps).reshape(-1, 2) * STREAM_HZ
    at = start_s[:, None] * STREAM_HZ
    first = np.where(edges[:, 1] <= at, edges[:, 1], 0.0).max(axis=1, initial=0.0)
    last = np.where(edges[:, 0] > at, edges[:, 0], np.inf).min(axis=1, initial=np.inf)
    return offset + np.ceil(first), offset + np.minimum(np.floor(last), count) - 2


def _pick(
    rng: np.random.Generator, cumulative: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    return np.minimum(np.searchsorted(cumulative, rng.random(count)), len(cumulative) - 1)


def _speeds(rng: np.random.Generator, largest: float, count: int) -> NDArray[np.float64]:
    """Factors between `1 / largest` and `largest`, evenly in the logarithm."""
    spread = np.log(largest)
    return np.exp(rng.uniform(-spread, spread, count))


def _gather(source: NDArray[np.float32], position: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values `(windows, time, channels)` of a stream between its samples."""
    left = position.astype(np.int64)
    fraction = (position - left).astype(np.float32)[..., None]
    values = source[left]
    values += fraction * (source[left + 1] - values)
    return values


def _mix(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("wtc,wc->wt", values, weights))


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean 0 and standard deviation 1 over time (axis 1)."""
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), PPG_FLOOR))


def _vary_sensor(
    rng: np.random.Generator, trace: NDArray[np.float32], how: Augmentation, *, rate_hz: int
) -> NDArray[np.float32]:
    """Another sensor, and the normalisation of a window after it."""
    trace = bend(rng, _unit(trace), largest=how.bend)
    trace = tilt(rng, trace, rate_hz=rate_hz, largest=how.tilt)
    trace = polarity(rng, trace, share=how.polarity)
    return np.clip(_unit(trace), -PPG_CLIP, PPG_CLIP)


def _rarity(hr_bpm: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How seldom each window's heart rate is drawn: 1 / density over bins of `RARITY_BIN_BPM`."""
    edges = np.arange(0, LAST_BPM + 2 * RARITY_BIN_BPM, RARITY_BIN_BPM)
    density, _ = np.histogram(hr_bpm, edges, weights=weights)
    # neighbours share, so that a bin of three windows is not drawn all the time
    smooth = np.convolve(density, [0.25, 0.5, 0.25], mode="same") + 0.02 * density.max()
    return np.asarray(1 / smooth[np.minimum(np.digitize(hr_bpm, edges), len(smooth)) - 1])


def _slopes(recording: Recording) -> NDArray[np.float64]:
    """Change of the label per second at each window; 0 where a neighbour is missing."""
    slope = np.zeros(len(recording.hr_bpm))
    if len(slope) < 3:
        return slope
    start, hr = recording.window_start_s, recording.hr_bpm
    gap = start[2:] - start[:-2]
    good = recording.valid[2:] & recording.valid[:-2] & (gap <= 2 * STRIDE_S + 1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope[1:-1] = np.where(good, (hr[2:] - hr[:-2]) / gap, 0.0)
    return np.nan_to_num(slope)
