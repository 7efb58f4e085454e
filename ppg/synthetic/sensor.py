"""From light at the skin to what two PPG channels and an accelerometer store.

Steady light, ambient drift, episodes of saturation and of lost contact, noise, quantisation.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.synthetic.noise import PPG_HZ, Series, bump, episodes, wander
from ppg.synthetic.person import Person

FULL_SCALE = 65535.0  # 16-bit converter
LOST_PER_MINUTE = 0.25
SATURATIONS_PER_MINUTE = 0.15  # and channel
ACC_LIMIT_G = 8.0
ACC_STEP_G = 1 / 512


def sense_ppg(
    rng: np.random.Generator,
    person: Person,
    *,
    pulse: Series,
    baseline: Series,
    artefact: NDArray[np.float64],
    time_s: Series,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the converter stores.

    Args:
        person: gives the perfusion.
        pulse, baseline: `(samples,)` in units of the pulse height.
        artefact: `(samples, channels)` in the same unit.
        time_s: `(samples,)`.

    Returns:
        ppg: `(samples, channels)` counts.
        lost: `(samples,)` True while the sensor is off the skin.
    """
    samples, channels = artefact.shape
    duration_s = samples / PPG_HZ
    off_skin = episodes(rng, duration_s, per_minute=LOST_PER_MINUTE, shortest_s=2, longest_s=6)
    contact = np.ones(samples)
    for start_s, end_s in off_skin:
        contact *= 1 - bump(time_s, start_s, end_s, edge_s=0.15)
    settling = np.zeros(samples)
    for _, end_s in off_skin:  # the amplifier settles after the contact is back
        after = np.clip(time_s - end_s, 0, None)
        settling += np.where(after > 0, np.exp(-after / 0.5), 0.0)
    ambient = wander(rng, samples, time_constant_s=10, sd=1.0)

    ppg = np.empty((samples, channels))
    for channel in range(channels):
        light = rng.uniform(0.3, 0.7) * FULL_SCALE
        height = person.perfusion * light * rng.lognormal(0, 0.15)
        drift = wander(rng, samples, time_constant_s=30, sd=1.0)
        skin = light + height * (pulse + baseline + artefact[:, channel] + drift + 0.5 * ambient)
        skin += settling * 3 * height * rng.choice([-1.0, 1.0])
        air = 0.05 * light + height * (1.5 * ambient + 0.3 * rng.standard_normal(samples))
        noise = height * rng.uniform(0.02, 0.07) * rng.standard_normal(samples)
        seen = contact * skin + (1 - contact) * air + noise
        for start_s, end_s in episodes(
            rng, duration_s, per_minute=SATURATIONS_PER_MINUTE, shortest_s=3, longest_s=9
        ):
            # The offset compensation is off: the upper part of the wave meets the rail.
            held = (time_s >= start_s) & (time_s < end_s)
            if held.any():
                rail = float(np.quantile(seen[held], rng.uniform(0.4, 0.85)))
                seen = np.where(held, np.minimum(seen, rail), seen)
        ppg[:, channel] = seen
    counts = np.clip(np.rint(ppg), 0, FULL_SCALE)
    return counts.astype(np.float32), np.asarray(contact < 1)


def sense_acc(
    rng: np.random.Generator, person: Person, *, acc_g: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Resample `(samples, 3)` to the accelerometer's rate; add offset, noise, range and steps."""
    ratio = Fraction(person.acc_hz / PPG_HZ).limit_denominator(1000)
    resampled = scipy.signal.resample_poly(
        acc_g, ratio.numerator, ratio.denominator, axis=0, padtype="line"
    )
    read = resampled + rng.normal(0, 0.015, 3) + rng.normal(0, 0.004, resampled.shape)
    steps = np.rint(np.clip(read, -ACC_LIMIT_G, ACC_LIMIT_G) / ACC_STEP_G)
    return np.asarray(steps * ACC_STEP_G, dtype=np.float32)
