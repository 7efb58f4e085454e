"""Segments at random: a person first, then one of theirs; and what is done to them.

Pairs of PPG and acceleration are cut from one clock. What is done to one side leaves its rate as
it is: no signal is turned in time, and the two are never stretched apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppg.augment.motion import rotations
from ppg.augment.streams import pick
from ppg.frontend import normalise_acc, normalise_ppg
from ppg.segments.cut import HZ, SAMPLES
from ppg.segments.shards import Shards

ADJACENT_S = 30  # of a second view of the same moment


@dataclass(frozen=True)
class Changes:
    """How often each change is made to a side; all zero leaves segments as they are.

    The shares are those of Abbaspourazad et al. 2024 (arXiv 2312.05409) as far as a change leaves
    the rate in place; strengths are ours.
    """

    cut_out: float = 0.4
    magnitude: float = 0.25
    noise: float = 0.25
    gain: float = 0.5  # of the acceleration, before it is compressed
    rotate: float = 1.0
    mix_channels: bool = True


PLAIN = Changes(0, 0, 0, 0, 0, mix_channels=False)


class Pairs(NamedTuple):
    """Segments of both signals at the same times.

    Attributes:
        ppg: `(count, 1, time)`.
        acc: `(count, 3, time)`.
        sitting, start_s: `(count,)` whose each is, and when.
        hr_bpm: `(count,)` mean heart rate, NaN where it is not known.
    """

    ppg: NDArray[np.float32]
    acc: NDArray[np.float32]
    sitting: NDArray[np.int64]
    start_s: NDArray[np.float64]
    hr_bpm: NDArray[np.float32]


class SegmentBank:
    """Segments of some people, read from disk as they are drawn.

    Args:
        shards: of everybody.
        rows: segments that may be drawn, at least one.
    """

    def __init__(self, shards: Shards, rows: NDArray[np.int64]) -> None:
        self.shards = shards
        self.rows = rows
        person = shards.person[rows]
        # Each person equally often, whatever they gave.
        weights = 1 / np.bincount(person)[person]
        self._cumulative = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator, count: int, changes: Changes) -> Pairs:
        """Pairs of random people."""
        rows = self.rows[pick(rng, self._cumulative, count)]
        return self.pairs(rows, changes, rng)

    def draw_views(
        self, rng: np.random.Generator, count: int, changes: Changes
    ) -> tuple[Pairs, Pairs]:
        """Two views of random moments: the second up to `ADJACENT_S` beside the first."""
        shards = self.shards
        rows = self.rows[pick(rng, self._cumulative, count)]
        beside = rows + rng.integers(-1, 2, count) * rng.integers(1, 4, count)
        beside = np.clip(beside, 0, len(shards) - 1)
        near = (shards.sitting[beside] == shards.sitting[rows]) & (
            np.abs(shards.start[beside] - shards.start[rows]) <= ADJACENT_S * HZ
        )
        return (
            self.pairs(rows, changes, rng),
            self.pairs(np.where(near, beside, rows), changes, rng),
        )

    def pairs(
        self,
        rows: NDArray[np.int64],
        changes: Changes = PLAIN,
        rng: np.random.Generator | None = None,
    ) -> Pairs:
        """The segments of some rows of the shards, changed where a generator is given."""
        rng = np.random.default_rng(0) if rng is None else rng
        shards = self.shards
        ppg = np.zeros((len(rows), SAMPLES), np.float32)
        acc = np.zeros((len(rows), SAMPLES, 3), np.float32)
        for sitting in np.unique(shards.sitting[rows]):
            signals = shards.signals(int(sitting))
            channels = signals.shape[1] - 3
            for place in np.flatnonzero(shards.sitting[rows] == sitting):
                first = int(shards.start[rows[place]])
                part = signals[first : first + SAMPLES].astype(np.float32)
                weights = None
                if changes.mix_channels:
                    weights = rng.dirichlet(np.ones(channels))[None].astype(np.float32)
                ppg[place] = normalise_ppg(part[None, :, :channels], weights)[0]
                acc[place] = part[:, channels:]
        acc = _changed_acc(acc, changes, rng)
        return Pairs(
            _changed(ppg[:, None], changes, rng),
            _changed(normalise_acc(acc).transpose(0, 2, 1), changes, rng),
            shards.sitting[rows],
            shards.start[rows] / HZ,
            shards.hr_bpm[rows],
        )


def _changed_acc(
    acc: NDArray[np.float32], changes: Changes, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Another wrist: turned, and with another gain."""
    count = len(acc)
    if changes.rotate:
        turned = rng.random(count) < changes.rotate
        turn = np.where(turned[:, None, None], rotations(rng, count), np.eye(3, dtype=np.float32))
        acc = np.einsum("wtc,wcd->wtd", acc, turn)
    if changes.gain:
        gain = np.exp(rng.uniform(-0.3, 0.3, count) * (rng.random(count) < changes.gain))
        acc = acc * gain[:, None, None].astype(np.float32)
    return acc


def _changed(
    x: NDArray[np.float32], changes: Changes, rng: np.random.Generator
) -> NDArray[np.float32]:
    """`(count, channels, time)` with stretches cut out, slow gains and noise."""
    count, _, samples = x.shape
    x = x.copy()
    grid = np.linspace(0, 1, samples)
    for place in range(count):
        if rng.random() < changes.magnitude:
            knots = rng.normal(1, 0.25, 6)
            x[place] *= np.interp(grid, np.linspace(0, 1, 6), knots).astype(np.float32)
        if rng.random() < changes.noise:
            strength = np.float32(rng.uniform(0, 0.25))
            x[place] += strength * rng.standard_normal(x[place].shape).astype(np.float32)
        if rng.random() < changes.cut_out:
            length = int(rng.uniform(0.05, 0.25) * samples)
            first = int(rng.integers(0, samples - length + 1))
            x[place, :, first : first + length] = 0
    return x
