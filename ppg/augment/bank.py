"""Training windows, drawn at random with augmentation.

One draw: a window of a random person, shifted by up to 1 s with the label interpolated, played
0.83 to 1.2 times as fast with the label scaled, and disturbed (`ppg.augment.streams`).

Three windows in ten are composed of two: the pulse of one, played at a heart rate drawn evenly
over all rates, and the rest of another with its acceleration, played at a speed of its own. In
recordings of exercise, hard movement means a high rate; a network that learns so reads 150 BPM
from an arm that moves at 75. In composed windows movement tells nothing about the rate but how it
disturbs the PPG. Most of the accuracy on new people and new sensors comes from here.

The labels give the heart's phase, and with it a PPG is cut in two (`pulse_part`): it is turned
back by k times that phase, low-passed and turned forward again, for the first harmonics k. What
survives moves with the heart; the rest is artefact, respiration and noise, with the acceleration
that belongs to it. The filters look both ways: this is for training recordings, which have labels,
never for a device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.augment.streams import (
    Augmentation,
    Drawn,
    Streams,
    gather,
    person_weights,
    pick,
    speeds,
    unit,
)
from ppg.frontend import FRONT_END, PPG_FLOOR, normalise_ppg
from ppg.label_lag import aligned
from ppg.readout.classes import LAST_BPM
from ppg.recording import Recording
from ppg.references import at_task
from ppg.windows import STREAM_HZ
from ppgnas.task import TASK, Task

HARMONICS = 3
HALF_WIDTH_HZ = 0.15  # 9 BPM to both sides of the label


def pulse_part(
    recording: Recording, ppg: NDArray[np.float32], *, hz: float
) -> NDArray[np.float32]:
    """What follows the labelled heart rate in `ppg`.

    Args:
        recording: has the labels; at least one window must be usable. Between the centres of
            usable windows the rate is interpolated, so the result holds in those windows alone.
        ppg: `(samples, channels)` filtered PPG of the whole recording.

    Returns:
        `(samples, channels)`; `ppg` minus this is the rest.
    """
    keep = np.flatnonzero(recording.usable)
    centre_s = recording.window_start_s[keep] + recording.task.window_s / 2
    rate_hz = np.interp(np.arange(len(ppg)) / hz, centre_s, recording.hr_bpm[keep]) / 60
    phase = 2 * np.pi * np.cumsum(rate_hz) / hz
    sections = scipy.signal.butter(2, HALF_WIDTH_HZ, fs=hz, output="sos")
    pulse = np.zeros(ppg.shape)
    for harmonic in range(1, HARMONICS + 1):
        for turn in (np.cos(harmonic * phase)[:, None], np.sin(harmonic * phase)[:, None]):
            pulse += 2 * turn * scipy.signal.sosfiltfilt(sections, ppg * turn, axis=0)
    return pulse.astype(np.float32)


RECIPE = "aligned-1"  # another name whenever networks trained before saw other windows
# What a training that goes on must share with its beginning, whatever its options.
PREPARATION = {"front_end": FRONT_END, "recipe": RECIPE}
RARITY_BIN_BPM = 10.0
BALANCE = 0.5  # 0 draws heart rates as they come, 1 all equally often
COMPOSED_BPM = (45.0, 195.0)
COMPOSED_STRETCH = 2.0  # largest change of speed of either part
REST_SPREAD = 0.7  # log-normal, of the rest's strength against what it was in its own window
REST_MAX = 6.0  # times the pulse
PULSE_FLOOR = 0.1  # of the trace: a window whose pulse is weaker does not say how strong it was


class TrainingBank:
    """All training signals in arrays, from which batches are gathered.

    Labels are first moved to where they fit their recording's signal best (`ppg.label_lag`).

    Args:
        recordings: of training people; each must have acceleration where `acceleration` is set.
        acceleration: whether batches have the three axes. Without, the acceleration of recordings
            that have it still makes artefacts.
    """

    def __init__(
        self, recordings: Sequence[Recording], *, acceleration: bool, task: Task = TASK
    ) -> None:
        windows = (at_task(aligned(each), task) for each in recordings)
        moved = [each for each in windows if each.usable.any()]
        self.task = task
        self._streams = Streams.of(moved, acceleration=acceleration)
        self.acceleration = acceleration
        self.people = tuple(sorted({r.person for r in recordings}))
        self.also_in = tuple(sorted({alias for r in recordings for alias in r.also_in}))
        own = np.split(self._streams.ppg, self._streams.ends[:-1])
        self._pulse = np.concatenate(
            [pulse_part(r, ppg, hz=STREAM_HZ) for r, ppg in zip(moved, own, strict=True)]
        )
        self._label = np.concatenate([r.hr_bpm[r.usable] for r in moved])
        self._slope = np.concatenate([_slopes(r)[r.usable] for r in moved])
        weights = person_weights(moved, [at_task(each, task) for each in recordings])
        self._cumulative_people = np.cumsum(weights / weights.sum())
        weights *= _rarity(self._label, weights) ** BALANCE
        self._cumulative = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return len(self._label)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the signals and labels that are drawn from."""
        digest = hashlib.sha256()
        signals = self._streams
        for values in (signals.ppg, signals.acc, signals.start, self._label):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

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
        drawn, hr_bpm = self.drawn(rng, count, rate_hz=rate_hz, augmentation=augmentation)
        return drawn.windows, hr_bpm

    def drawn(
        self,
        rng: np.random.Generator,
        count: int,
        *,
        rate_hz: int,
        augmentation: Augmentation | None = None,
        past_s: float = 0.0,
    ) -> tuple[Drawn, NDArray[np.float64]]:
        """The same before it is normalised, each window after `past_s` of what came before it."""
        how = Augmentation() if augmentation is None else augmentation
        chosen = pick(rng, self._cumulative, count)
        composed = round(how.composed * count)  # the first ones; the order means nothing
        label = self._label[chosen]
        factor = speeds(rng, how.stretch, count)
        low_bpm, high_bpm = self.task.lowest_bpm + 2, self.task.highest_bpm - 2
        slowest_bpm, fastest_bpm = (min(max(bpm, low_bpm), high_bpm) for bpm in COMPOSED_BPM)
        target_bpm = rng.uniform(slowest_bpm, fastest_bpm, composed)
        factor[:composed] = np.clip(
            target_bpm / label[:composed], 1 / COMPOSED_STRETCH, COMPOSED_STRETCH
        )
        # A stretch that leaves the classes is drawn back to what fits.
        factor = np.clip(factor, low_bpm / label, high_bpm / label)
        shift_s = rng.uniform(-how.shift_s, how.shift_s, count)
        place = partial(self._streams.place, rate_hz=rate_hz, past_s=past_s)
        position, factor, moved_s = place(chosen, factor, shift_s)
        hr_bpm = (label + self._slope[chosen] * np.clip(moved_s, -2, 2)) * factor

        weights = self._streams.mixtures(rng, count, mix=how.mix_channels)
        trace = np.empty(position.shape, np.float32)
        trace[composed:] = normalise_ppg(
            gather(self._streams.ppg, position[composed:]), weights[composed:]
        )
        pulse = _mix(unit(gather(self._pulse, position[:composed])), weights[:composed])
        donor = pick(rng, self._cumulative_people, composed)
        speed = speeds(rng, COMPOSED_STRETCH, composed)
        moving = position.copy()  # where the acceleration is read
        moving[:composed], _, _ = place(donor, speed, np.zeros(composed))
        rest = self._rests(rng, moving[:composed], mix=how.mix_channels)
        trace[:composed] = unit(unit(pulse) + rest)
        return self._streams.disturbed(rng, trace, moving, how, rate_hz=rate_hz), hr_bpm

    def _rests(
        self, rng: np.random.Generator, position: NDArray[np.float64], *, mix: bool
    ) -> NDArray[np.float32]:
        """Traces `(windows, time)` without their pulse, to be added to a pulse of unit spread.

        Each is about as strong against the new pulse as it was against its own.
        """
        whole, pulse = gather(self._streams.ppg, position), gather(self._pulse, position)
        scale = np.maximum(whole.std(axis=1, keepdims=True), PPG_FLOOR)
        weights = self._streams.mixtures(rng, len(position), mix=mix)
        rest, own = _mix((whole - pulse) / scale, weights), _mix(pulse / scale, weights)
        strength = rest.std(axis=1) / np.maximum(own.std(axis=1), PULSE_FLOOR)
        strength *= np.exp(REST_SPREAD * rng.standard_normal(len(position)))
        strength = np.minimum(strength, REST_MAX)[:, None].astype(np.float32)
        return np.asarray(strength * unit(rest))


def _mix(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("wtc,wc->wt", values, weights))


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
    good = recording.valid[2:] & recording.valid[:-2] & (gap <= 2 * recording.task.stride_s + 1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope[1:-1] = np.where(good, (hr[2:] - hr[:-2]) / gap, 0.0)
    return np.nan_to_num(slope)
