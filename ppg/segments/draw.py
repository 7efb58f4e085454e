"""Segments at random: a person first, then one of theirs; and what is done to them.

Pairs of PPG and acceleration are cut from one clock. What is done to one side leaves its rate as
it is: no signal is turned in time, and the two are never stretched apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppg.augment.sensor import rotations
from ppg.augment.streams import pick
from ppg.frontend import normalise_acc, normalise_ppg
from ppg.segments.cut import HZ, SAMPLES
from ppg.segments.shards import Shards

APART_S = 1.0
"""Of two views of a moment, at most: what comes and goes within seconds tells moments apart, and
the phase of a pulse, which acceleration does not show, does not."""
KNOTS = 6  # of a slow gain


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
        rows: segments that may be drawn, at least one.
    """

    def __init__(self, shards: Shards, rows: NDArray[np.int64]) -> None:
        self.shards = shards
        self.rows = rows
        person = shards.person[rows]
        # Each person equally often, whatever they gave.
        weights = 1 / np.bincount(person)[person]
        self._cumulative = np.cumsum(weights / weights.sum())
        self._of_person = {who: rows[person == who] for who in np.unique(person)}
        self._person = shards.person

    def draw(
        self, rng: np.random.Generator, count: int, changes: Changes, *, together: int = 1
    ) -> Pairs:
        """Pairs of random people.

        Args:
            rng, count, changes: random numbers, how many, and what is done to them.
            together: of each person that is drawn. Those who learn to tell moments apart have
                little to learn from other people, whose sensor, wrist and pace differ anyway.
        """
        return self.pairs(self._rows(rng, count, together), changes, rng)

    def draw_views(
        self, rng: np.random.Generator, count: int, changes: Changes, *, together: int = 1
    ) -> tuple[Pairs, Pairs]:
        """Two views of random moments, the second up to `APART_S` beside the first; see `draw`."""
        rows = self._rows(rng, count, together)
        shift = rng.integers(-round(APART_S * HZ), round(APART_S * HZ) + 1, count)
        return self.pairs(rows, changes, rng), self.pairs(rows, changes, rng, shift=shift)

    def _rows(self, rng: np.random.Generator, count: int, together: int) -> NDArray[np.int64]:
        rows = self.rows[pick(rng, self._cumulative, -(-count // together))]
        if together == 1:
            return rows
        own = [rng.choice(self._of_person[self._person[row]], together) for row in rows]
        return np.concatenate(own)[:count]

    def pairs(
        self,
        rows: NDArray[np.int64],
        changes: Changes = PLAIN,
        rng: np.random.Generator | None = None,
        *,
        shift: NDArray[np.int64] | None = None,
    ) -> Pairs:
        """The segments of some rows of the shards, changed where a generator is given.

        Args:
            rows: `(count,)`.
            shift: `(count,)` samples by which each begins later, as far as its recording goes.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        shards = self.shards
        start = shards.start[rows].copy()
        parts: dict[int, list[int]] = {}
        found = []
        for place, sitting in enumerate(shards.sitting[rows].tolist()):
            signals = shards.signals(sitting)
            if shift is not None:
                start[place] = np.clip(start[place] + shift[place], 0, len(signals) - SAMPLES)
            found.append(signals[start[place] : start[place] + SAMPLES])
            parts.setdefault(signals.shape[1] - 3, []).append(place)
        ppg = np.zeros((len(rows), 1, SAMPLES), np.float32)
        acc = np.stack([part[:, -3:] for part in found]).astype(np.float32)
        for channels, places in parts.items():  # recordings of one and of several PPG channels
            own = np.stack([found[place][:, :channels] for place in places]).astype(np.float32)
            weights = None
            if changes.mix_channels:
                weights = rng.dirichlet(np.ones(channels), len(places)).astype(np.float32)
            ppg[places, 0] = normalise_ppg(own, weights)
        acc = _changed_acc(acc, changes, rng)
        return Pairs(
            _changed(ppg, changes, rng),
            _changed(normalise_acc(acc).transpose(0, 2, 1), changes, rng),
            shards.sitting[rows],
            start / HZ,
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
        acc = acc @ turn
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
    slow = np.flatnonzero(rng.random(count) < changes.magnitude)
    knots = rng.normal(1, 0.25, (len(slow), KNOTS)).astype(np.float32)
    x[slow] *= (knots @ _lines(samples))[:, None]
    noisy = np.flatnonzero(rng.random(count) < changes.noise)
    strength = rng.uniform(0, 0.25, (len(noisy), 1, 1)).astype(np.float32)
    x[noisy] += strength * rng.standard_normal(x[noisy].shape, np.float32)
    cut = rng.random(count) < changes.cut_out
    length = (rng.uniform(0.05, 0.25, count) * samples).astype(np.int64)
    first = rng.integers(0, samples - length + 1)
    for place in np.flatnonzero(cut):
        x[place, :, first[place] : first[place] + length[place]] = 0
    return x


@lru_cache(maxsize=4)
def _lines(samples: int) -> NDArray[np.float32]:
    """`(knots, samples)` weights of a line through evenly spaced knots."""
    at = np.linspace(0, KNOTS - 1, samples)
    away = np.abs(at - np.arange(KNOTS)[:, None])
    lines: NDArray[np.float32] = np.maximum(1 - away, 0).astype(np.float32)
    return lines
