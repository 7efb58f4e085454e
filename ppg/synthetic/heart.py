"""Effort, breathing and heart beats of a synthetic person.

The heart rate follows the effort with first-order kinetics, faster on than off. Beats come from
integral pulse frequency modulation (a beat falls whenever the integrated rate passes a whole
number; Berger et al., IEEE TBME 33, 1986) with respiratory sinus arrhythmia, slower 0.1 Hz waves
and jitter, all of which shrink as the heart rate rises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.synthetic.noise import PPG_HZ, Series, follow, wander
from ppg.synthetic.person import Person

ACTIVITIES = ("rest", "walk", "run", "recovery")
REST, WALK, RUN, RECOVERY = range(4)
# Heart rate is simulated this long before and after the recording, so that its edges hold beats.
MARGIN_S = 4.0
# One walks before one runs, and comes to rest after it.
_ORDERS = (
    (REST, WALK, RUN, RECOVERY),
    (REST, WALK, RUN, WALK, RECOVERY),
    (REST, WALK, RECOVERY, WALK, RUN, RECOVERY),
)
# How long an activity lasts relative to the others: a run is long enough for the heart to follow.
_LENGTH = {REST: 0.6, WALK: 0.9, RUN: 1.7, RECOVERY: 0.8}
# Share of the heart-rate reserve that an effort asks for (low, high).
_EFFORT = {REST: (0.0, 0.04), WALK: (0.18, 0.45), RUN: (0.66, 0.94), RECOVERY: (0.04, 0.15)}


@dataclass(frozen=True)
class Segment:
    """One activity: `start_s` to `end_s`, asking for the share `effort` of the reserve."""

    activity: int
    start_s: float
    end_s: float
    effort: float


@dataclass(frozen=True)
class Heart:
    """Heart and breathing on the time axis `time_s` `(samples,)`, which includes the margin.

    Attributes:
        time_s: seconds since the recording began; below 0 in the margin.
        rate_bpm: smooth heart rate, before beat-to-beat variability.
        breath_rad: breathing phase; inspiration around pi / 2.
        beat_s: `(beats,)` times of the R peaks.
        premature: `(beats,)` True for a premature beat.
    """

    time_s: Series
    rate_bpm: Series
    breath_rad: Series
    breathing_hz: Series
    beat_s: Series
    premature: NDArray[np.bool_]

    def mean_bpm(self, start_s: Series, *, length_s: float) -> Series:
        """Mean heart rate from the beats: intervals, with fractions at the edges, per minute.

        Args:
            start_s: `(windows,)` window starts.

        Returns:
            `(windows,)` beats per minute.
        """
        number = np.arange(len(self.beat_s))
        first = np.interp(start_s, self.beat_s, number)
        last = np.interp(start_s + length_s, self.beat_s, number)
        return np.asarray((last - first) * 60 / length_s, dtype=np.float64)


def draw_session(
    rng: np.random.Generator, person: Person, duration_s: float
) -> tuple[Segment, ...]:
    """Draw the activities of a session: rest first, then walking, running and recovery.

    Every session holds all four activities; about one round per six minutes.
    """
    rounds = max(1, round(duration_s / 360))
    order = [a for _ in range(rounds) for a in _ORDERS[rng.integers(len(_ORDERS))]]
    weights = rng.uniform(0.7, 1.3, len(order)) * [_LENGTH[activity] for activity in order]
    edges = np.r_[0.0, np.cumsum(weights)] * (duration_s / weights.sum())
    segments = []
    for index, activity in enumerate(order):
        effort = float(rng.uniform(*_EFFORT[activity]))
        if activity in (WALK, RUN):
            effort = min(effort * person.fitness, 0.95)
        segments.append(Segment(activity, float(edges[index]), float(edges[index + 1]), effort))
    return tuple(segments)


def at(segments: tuple[Segment, ...], time_s: Series) -> NDArray[np.int64]:
    """`(samples,)` index of the segment at each time; the first and last reach outwards."""
    starts = np.array([segment.start_s for segment in segments[1:]])
    return np.searchsorted(starts, time_s, side="right").astype(np.int64)


def simulate_heart(
    rng: np.random.Generator, person: Person, *, segments: tuple[Segment, ...]
) -> Heart:
    """Simulate heart rate, breathing and beats over `segments`."""
    duration_s = segments[-1].end_s
    first, last = round(-MARGIN_S * PPG_HZ), round((duration_s + MARGIN_S) * PPG_HZ)
    time_s: Series = np.arange(first, last, dtype=np.float64) / PPG_HZ
    samples = len(time_s)
    rate_bpm = _rate(rng, person, segments=segments, time_s=time_s)
    reserve = np.clip(
        (rate_bpm - person.resting_bpm) / (person.highest_bpm - person.resting_bpm), 0, 1
    )

    # Breathing rises to about 40 a minute at full effort and is never quite regular.
    breathing_hz = person.breathing_hz + (0.65 - person.breathing_hz) * reserve
    irregular = wander(rng, samples, time_constant_s=8, sd=0.06)
    breathing_hz = breathing_hz * np.exp(irregular)
    breath_rad = 2 * np.pi * np.cumsum(breathing_hz) / PPG_HZ + rng.uniform(0, 2 * np.pi)

    # Vagal tone withdraws with effort; a small mechanical arrhythmia remains.
    tone = np.exp(-(rate_bpm - person.resting_bpm) / 25)
    deep = person.arrhythmia * np.clip(tone, 0, 1.2) + 0.003
    slow_rad = 2 * np.pi * 0.1 * time_s + wander(rng, samples, time_constant_s=20, sd=1.0)
    modulation = deep * np.sin(breath_rad) + 0.4 * deep * np.sin(slow_rad)
    beats = np.cumsum(rate_bpm / 60 * (1 + modulation)) / PPG_HZ
    whole = np.arange(np.ceil(beats[0]), np.floor(beats[-1]) + 1)
    beat_s = np.interp(whole, beats, time_s)
    jitter = person.jitter_s * np.clip(np.interp(beat_s, time_s, tone), 0.1, 1.2)
    beat_s = beat_s + jitter * rng.standard_normal(len(beat_s))

    # A premature beat comes early; the pause after it makes up for it, so that only one moves.
    premature = rng.random(len(beat_s)) < person.premature_share
    premature[0] = False
    early = 0.28 * np.diff(beat_s, prepend=beat_s[0])
    beat_s = beat_s - np.where(premature, early, 0.0)
    return Heart(time_s, rate_bpm, breath_rad, breathing_hz, beat_s, premature)


def _rate(
    rng: np.random.Generator, person: Person, *, segments: tuple[Segment, ...], time_s: Series
) -> Series:
    """`(samples,)` smooth heart rate in BPM: kinetics towards the effort, drift and wander."""
    index = at(segments, time_s)
    efforts = np.array([segment.effort for segment in segments])
    starts = np.array([segment.start_s for segment in segments])
    running = np.array([segment.activity == RUN for segment in segments])
    reserve_bpm = person.highest_bpm - person.resting_bpm
    target = person.resting_bpm + reserve_bpm * efforts[index]
    # Cardiovascular drift while running: a few BPM a minute.
    target = target + running[index] * (time_s - starts[index]) / 60 * rng.uniform(1, 5)

    coarse_hz = 4.0  # the recursion is slow in Python and the rate is slower than this
    coarse_s = np.arange(time_s[0], time_s[-1] + 1 / coarse_hz, 1 / coarse_hz)
    goal = np.interp(coarse_s, time_s, target)
    coarse = np.empty(len(coarse_s))
    now = float(goal[0] + rng.uniform(0, 12))  # nobody sits down fully rested
    for step, wanted in enumerate(goal):
        constant_s = person.on_s if wanted > now else person.off_s
        now += (float(wanted) - now) / (constant_s * coarse_hz)
        coarse[step] = now
    slow = wander(rng, len(time_s), time_constant_s=15, sd=2.4)
    rate = np.interp(time_s, coarse_s, coarse) + follow(slow, time_constant_s=3)
    return np.asarray(np.clip(rate, 42, person.highest_bpm), dtype=np.float64)
