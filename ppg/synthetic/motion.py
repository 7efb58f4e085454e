"""Arm motion of a synthetic person: cadence, wrist acceleration, and what reaches the PPG.

The arm swings once per stride, each step strikes once: acceleration has lines at multiples of
half the step rate. Gravity turns with the forearm. Cadence is sometimes locked near the heart
rate, as in cardiac-locomotor coupling (Niizeki et al., J Appl Physiol 74, 1993): the case in
which the pulse and the steps cannot be told apart by frequency alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.synthetic.heart import RECOVERY, REST, RUN, WALK, Heart, Segment, at
from ppg.synthetic.noise import PPG_HZ, Series, bump, episodes, follow, wander
from ppg.synthetic.person import Person

LOCKED_SHARE = 0.3
STEP_RANGE_HZ = {WALK: (1.4, 2.4), RUN: (2.2, 3.3)}
# Movement that no accelerometer sees, relative to that which one does.
UNSEEN_SHARE = 0.08
# From this RMS on, harder movement hardly adds to the artefact: tissue and strap come to a stop.
STIFF_G = 0.25
_LIMIT = 6.0  # pulse heights: the strap can only move so far
_FIDGETS_PER_MINUTE = {REST: 0.8, WALK: 2.0, RUN: 1.0, RECOVERY: 1.5}


@dataclass(frozen=True)
class Motion:
    """Motion on the PPG's time axis.

    Attributes:
        acc_g: `(samples, 3)` what a perfect accelerometer would read, gravity included.
        step_hz: `(samples,)` step rate, 0 while standing.
        locked: `(samples,)` True where the cadence follows the heart rate.
    """

    acc_g: NDArray[np.float64]
    step_hz: Series
    locked: NDArray[np.bool_]


def simulate_motion(
    rng: np.random.Generator,
    person: Person,
    heart: Heart,
    *,
    segments: tuple[Segment, ...],
    time_s: Series,
) -> Motion:
    """Simulate cadence and acceleration over `segments`."""
    samples = len(time_s)
    index = at(segments, time_s)
    activity = np.array([segment.activity for segment in segments])
    step_hz, locked = _cadence(rng, person, heart, segments=segments, time_s=time_s)
    stride_rad = np.pi * np.cumsum(step_hz) / PPG_HZ
    stride_rad += wander(rng, samples, time_constant_s=0.8, sd=0.12)

    acc_g = np.zeros((samples, 3))
    gait_level = np.zeros(samples)
    for kind, gait in ((WALK, person.walk_gait), (RUN, person.run_gait)):
        vigour = np.where(activity == kind, rng.lognormal(0, 0.2, len(segments)), 0.0)
        level = follow(vigour[index], time_constant_s=1.0)
        level *= np.exp(wander(rng, samples, time_constant_s=1.5, sd=0.12))
        gait_level += level
        turn = np.exp(1j * stride_rad)
        harmonic = np.ones_like(turn)
        for size in gait:  # (3,) complex
            harmonic = harmonic * turn
            acc_g += level[:, None] * np.real(harmonic[:, None] * size)
    stepping = np.isin(activity, (WALK, RUN))[index]

    acc_g += _gravity(
        rng, person, index=index, swing=gait_level * np.sin(stride_rad + rng.uniform(0, 2 * np.pi))
    )
    acc_g += _fidgets(rng, segments, time_s=time_s)
    return Motion(acc_g=acc_g, step_hz=np.where(stepping, step_hz, 0.0), locked=locked & stepping)


def _cadence(
    rng: np.random.Generator,
    person: Person,
    heart: Heart,
    *,
    segments: tuple[Segment, ...],
    time_s: Series,
) -> tuple[Series, NDArray[np.bool_]]:
    """`(samples,)` step rate in Hz, and True where it is locked to the heart rate."""
    index = at(segments, time_s)
    heart_hz = np.interp(time_s, heart.time_s, heart.rate_bpm) / 60
    step_hz = np.full(len(time_s), person.walk_step_hz)
    locked = np.zeros(len(time_s), dtype=np.bool_)
    for number, segment in enumerate(segments):
        here = index == number
        own_hz = person.run_step_hz if segment.activity == RUN else person.walk_step_hz
        step_hz[here] = own_hz + rng.normal(0, 0.06)
        offset = 1 + rng.uniform(-0.05, 0.05)
        if rng.random() < LOCKED_SHARE and segment.activity in STEP_RANGE_HZ:
            low, high = STEP_RANGE_HZ[segment.activity]
            wanted = heart_hz[here] * offset
            # One cannot run at any rate: outside the range the lock is lost.
            step_hz[here] = np.clip(wanted, low, high)
            locked[here] = (wanted >= low) & (wanted <= high)
    drift = wander(rng, len(time_s), time_constant_s=5, sd=0.012)
    return follow(step_hz, time_constant_s=0.7) * np.exp(drift), locked


def _gravity(
    rng: np.random.Generator, person: Person, *, index: NDArray[np.int64], swing: Series
) -> NDArray[np.float64]:
    """`(samples, 3)` gravity in g in a device that turns with posture and swing."""
    samples, segments = len(index), int(index.max()) + 1
    angles = []
    for axis, spread in enumerate((0.6, 0.9)):
        posture = rng.normal(0, spread, segments)[index]
        angle = follow(posture, time_constant_s=0.8)
        angle += wander(rng, samples, time_constant_s=12, sd=0.10)
        angles.append(angle + person.swing_rad[axis] * swing)
    pitch, roll = angles
    return np.stack(
        [-np.sin(pitch), np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)], axis=1
    )


def _fidgets(
    rng: np.random.Generator, segments: tuple[Segment, ...], *, time_s: Series
) -> NDArray[np.float64]:
    """`(samples, 3)` short gestures in g: scratching, reaching, adjusting the strap."""
    band = scipy.signal.butter(2, (0.5, 4.0), btype="bandpass", fs=PPG_HZ, output="sos")
    shaking = scipy.signal.sosfilt(band, rng.standard_normal((len(time_s), 3)), axis=0)
    shaking /= shaking.std() + 1e-12
    envelope = np.zeros(len(time_s))
    for segment in segments:
        for start_s, end_s in episodes(
            rng,
            segment.end_s - segment.start_s,
            per_minute=_FIDGETS_PER_MINUTE[segment.activity],
            shortest_s=0.6,
            longest_s=2.5,
        ):
            size_g = rng.uniform(0.05, 0.25)
            envelope += size_g * bump(
                time_s, segment.start_s + start_s, segment.start_s + end_s, edge_s=0.3
            )
    return np.asarray(envelope[:, None] * shaking, dtype=np.float64)


def artefact(
    rng: np.random.Generator, person: Person, motion: Motion, *, time_s: Series
) -> NDArray[np.float64]:
    """`(samples, channels)` motion artefact in units of the person's pulse height.

    Acceleration without its slow part, seen along one direction per channel, passes through the
    person's tissue and strap (delay and resonance), is bent and saturates. The tightness of the
    strap changes slowly. A part that no accelerometer sees (tendons, muscle) is added.
    """
    channels = len(person.artefact_gain)
    slow = scipy.signal.butter(2, 0.4, btype="highpass", fs=PPG_HZ, output="sos")
    moving = scipy.signal.sosfilt(slow, motion.acc_g - motion.acc_g[0], axis=0)  # (samples, 3)
    felt = moving @ person.artefact_axes.T  # (samples, channels)
    omega = 2 * np.pi * person.artefact_hz
    tissue = scipy.signal.bilinear([omega**2], [1, omega / person.artefact_q, omega**2], fs=PPG_HZ)
    felt = scipy.signal.lfilter(*tissue, felt, axis=0)
    level = follow(np.sqrt(np.mean(moving**2, axis=1)), time_constant_s=0.5)
    gives = 1 / (1 + level / STIFF_G)
    loose = np.exp(wander(rng, len(time_s), time_constant_s=20, sd=0.3))
    muscle = scipy.signal.butter(2, (0.6, 3.5), btype="bandpass", fs=PPG_HZ, output="sos")
    result = np.empty((len(time_s), channels))
    for channel in range(channels):
        late = np.interp(time_s - person.artefact_delay_s, time_s, felt[:, channel])
        bent = late + person.artefact_bend * late * np.abs(late)
        own = scipy.signal.sosfilt(muscle, rng.standard_normal(len(time_s)))
        unseen = UNSEEN_SHARE * level * own / own.std()
        driven = person.artefact_gain[channel] * loose * gives * (bent + unseen)
        result[:, channel] = _LIMIT * np.tanh(driven / _LIMIT)
    return result
