"""Training windows, drawn at random with augmentation.

One draw: a window of a random person (people weigh the square root of their windows, so a long
recording does not drown the others), shifted by up to 1 s with the label interpolated, played
0.83 to 1.2 times as fast with the label scaled, PPG channels mixed at random, acceleration axes
rotated, gains and noise varied; artefacts made from the acceleration are added, and calm windows
are given another window's movement. Most of the accuracy on new people comes from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import PPG_CLIP, PPG_FLOOR, normalise_acc, normalise_ppg, stream
from ppg.recording import STRIDE_S, WINDOW_S, Recording
from ppg.targets import FIRST_BPM, LAST_BPM
from ppg.windows import STREAM_HZ
from ppgnas.errors import DataError

CALM_G = 0.04  # root-mean-square movement below which the PPG holds no artefact of its own
ARTEFACT_MAX = 2.0  # in standard deviations of the PPG
ARTEFACT_TAPS = 5
RARITY_BIN_BPM = 10.0
BALANCE = 0.5  # 0 draws heart rates as they come, 1 all equally often


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


PLAIN = Augmentation(1.0, 0.0, 0.0, 0.0, 0.0, False, False, 0.0, 0.0)


class TrainingBank:
    """All training signals in two arrays, from which batches are gathered.

    Args:
        recordings: of training people; each must have acceleration where `acceleration` is set.
        acceleration: whether batches have the three axes.
    """

    def __init__(self, recordings: Sequence[Recording], *, acceleration: bool) -> None:
        channels = max(r.ppg.shape[1] for r in recordings)
        ppg, acc, first, last, start, label, slope = [], [], [], [], [], [], []
        weight = []
        offset = 0
        people = sorted({r.person for r in recordings})
        person_windows = {
            p: sum(int(r.usable.sum()) for r in recordings if r.person == p) for p in people
        }
        for recording in recordings:
            keep = np.flatnonzero(recording.usable)
            if len(keep) == 0:
                continue
            signals = stream(recording, hz=STREAM_HZ)
            count = len(signals.ppg)
            # fewer channels than the widest recording: repeat them, the mixture is the same
            order = np.arange(channels) % signals.ppg.shape[1]
            ppg.append(signals.ppg[:, order])
            acc.append(np.zeros((count, 3), np.float32) if signals.acc is None else signals.acc)
            first.append(np.full(len(keep), offset))
            last.append(np.full(len(keep), offset + count - 2))
            start.append(offset + recording.window_start_s[keep] * STREAM_HZ)
            label.append(recording.hr_bpm[keep])
            slope.append(_slopes(recording)[keep])
            share = 1 / np.sqrt(person_windows[recording.person])
            weight.append(np.full(len(keep), share))
            offset += count
        if not label:
            raise DataError("no usable training window; check hr_valid and hr_start_s")
        self.acceleration = acceleration
        self.people = tuple(people)
        self._ppg = np.concatenate(ppg)
        self._acc = np.concatenate(acc)
        self._first, self._last = np.concatenate(first), np.concatenate(last)
        self._start, self._label = np.concatenate(start), np.concatenate(label)
        self._slope = np.concatenate(slope)
        weights = np.concatenate(weight)
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
        pick = np.minimum(np.searchsorted(self._cumulative, rng.random(count)), len(self) - 1)
        samples = int(WINDOW_S * rate_hz)
        spread = np.log(how.stretch)
        factor = np.exp(rng.uniform(-spread, spread, count)) if spread > 0 else np.ones(count)
        label = self._label[pick]
        # A stretch that leaves the classes or the recording is drawn back to what fits.
        factor = np.clip(factor, (FIRST_BPM + 2) / label, (LAST_BPM - 2) / label)
        span = (self._last - self._first)[pick] / STREAM_HZ
        factor = np.minimum(factor, span / WINDOW_S)
        shift_s = rng.uniform(-how.shift_s, how.shift_s, count)
        centre = self._start[pick] + (shift_s + WINDOW_S / 2) * STREAM_HZ
        begin = centre - factor * WINDOW_S / 2 * STREAM_HZ
        latest = self._last[pick] - factor * WINDOW_S * STREAM_HZ
        begin = np.maximum(np.minimum(begin, latest), self._first[pick])
        moved_s = (begin - centre) / STREAM_HZ + factor * WINDOW_S / 2 + shift_s
        hr_bpm = (label + self._slope[pick] * np.clip(moved_s, -2, 2)) * factor

        step = factor * STREAM_HZ / rate_hz
        position = begin[:, None] + np.arange(samples) * step[:, None]  # (count, time)
        left = position.astype(np.int64)
        fraction = (position - left).astype(np.float32)[..., None]
        ppg = self._ppg[left]
        ppg += fraction * (self._ppg[left + 1] - ppg)
        weights = None
        if how.mix_channels:
            weights = rng.dirichlet(np.full(ppg.shape[2], 0.7), count).astype(np.float32)
        trace = normalise_ppg(ppg, weights)
        if how.noise > 0:
            sigma = how.noise * rng.random((count, 1), dtype=np.float32) ** 2
            trace = trace + sigma * rng.standard_normal(trace.shape, dtype=np.float32)
        if not self.acceleration:
            return trace[:, None].astype(np.float32), hr_bpm
        acc = self._acc[left]
        acc += fraction * (self._acc[left + 1] - acc)
        if how.foreign_motion > 0:
            calm = np.sqrt((acc**2).mean(axis=(1, 2))) < CALM_G
            moved = np.flatnonzero(calm & (rng.random(count) < how.foreign_motion))
            acc[moved] = acc[rng.integers(0, count, len(moved))]
        if how.artefact > 0:
            disturbed = np.flatnonzero(rng.random(count) < how.artefact)
            strength = ARTEFACT_MAX * rng.random((len(disturbed), 1), dtype=np.float32) ** 2
            trace[disturbed] += strength * _artefacts(rng, acc[disturbed])
            spread = np.maximum(trace.std(axis=1, keepdims=True), PPG_FLOOR)
            trace = np.clip(trace / spread, -PPG_CLIP, PPG_CLIP)
        if how.rotate_acc:
            acc = np.einsum("wtc,wcd->wtd", acc, _rotations(rng, count))
        if how.acc_gain > 0:
            gain = np.exp(rng.uniform(-how.acc_gain, how.acc_gain, (count, 1, 1)))
            acc = acc * gain.astype(np.float32)
        if how.acc_noise_g > 0:
            sigma = how.acc_noise_g * rng.random((count, 1, 1), dtype=np.float32) ** 2
            acc = acc + sigma * rng.standard_normal(acc.shape, dtype=np.float32)
        axes = normalise_acc(acc).transpose(0, 2, 1)
        return np.concatenate([trace[:, None], axes], axis=1, dtype=np.float32), hr_bpm


def _artefacts(rng: np.random.Generator, acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """What movement might do to a sensor: `(windows, time)` traces of unit spread.

    A random direction of the acceleration, through a random short causal filter, bent by a random
    share of its square (tissue and contact are not linear, which gives harmonics).
    """
    count, samples, _ = acc.shape
    direction = rng.standard_normal((count, 3)).astype(np.float32)
    along = np.einsum("wtc,wc->wt", acc, direction)
    along /= np.maximum(along.std(axis=1, keepdims=True), PPG_FLOOR)
    bend = rng.uniform(-0.5, 0.5, (count, 1)).astype(np.float32)
    along = along + bend * (along**2 - 1)
    taps = rng.standard_normal((count, ARTEFACT_TAPS)).astype(np.float32)
    out = np.zeros_like(along)
    for tap in range(ARTEFACT_TAPS):
        delay = 2 * tap
        out[:, delay:] += taps[:, tap : tap + 1] * along[:, : samples - delay]
    out -= out.mean(axis=1, keepdims=True)
    return out / np.maximum(out.std(axis=1, keepdims=True), PPG_FLOOR)


def _rarity(hr_bpm: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How seldom each window's heart rate is drawn: 1 / density over bins of `RARITY_BIN_BPM`."""
    edges = np.arange(0, LAST_BPM + 2 * RARITY_BIN_BPM, RARITY_BIN_BPM)
    density, _ = np.histogram(hr_bpm, edges, weights=weights)
    # neighbours share, so that a bin of three windows is not drawn all the time
    smooth = np.convolve(density, [0.25, 0.5, 0.25], mode="same") + 0.02 * density.max()
    return 1 / smooth[np.minimum(np.digitize(hr_bpm, edges), len(smooth)) - 1]


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


def _rotations(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """`(count, 3, 3)` rotations, uniform over all of them (unit quaternions)."""
    q = rng.standard_normal((count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1).astype(np.float32)
