"""The clean pulse wave of a synthetic person.

A beat is a sum of three bell curves over the beat's phase (as in the ECG model of McSharry et
al., IEEE TBME 50, 2003): the systolic peak, the tidal wave and the dicrotic wave behind the
notch. They are placed by the left-ventricular ejection time, 413 ms - 1.7 ms per BPM (Weissler
et al., Circulation 37, 1968), so that a fast beat loses diastole rather than systole.
"""

from __future__ import annotations

import numpy as np

from ppg.synthetic.heart import Heart
from ppg.synthetic.noise import Series, wander
from ppg.synthetic.person import Person


def waveform(phase: Series, rate_bpm: Series, *, dicrotic: float, tidal: float) -> Series:
    """Pulse height, about 0 to 1, at a phase of the beat.

    Args:
        phase: `(samples,)` 0 at the foot of a beat to 1 at the next.
        rate_bpm: `(samples,)` heart rate, which sets the shape.
        dicrotic: height of the dicrotic wave at 60 BPM; it fades as the rate rises.
    """
    interval_s = 60 / rate_bpm
    ejection = (0.413 - 0.0017 * rate_bpm) / interval_s  # share of the beat
    fade = np.exp(-(rate_bpm - 60) / 90)
    wave = _bell(phase, 0.45 * ejection, rise=0.19 * ejection, fall=0.25 * ejection)
    wave += tidal * _bell(phase, 0.82 * ejection, rise=0.22 * ejection, fall=0.22 * ejection)
    # The dicrotic wave rises behind the notch and runs off through diastole.
    centre = ejection + 0.15 / np.sqrt(interval_s)
    wave += dicrotic * fade * _bell(phase, centre, rise=0.065, fall=0.13)
    return wave


def _bell(phase: Series, centre: Series, *, rise: Series | float, fall: Series | float) -> Series:
    """A skewed bell curve that closes smoothly over the beat (von Mises if not skewed).

    The width passes from `rise` before the centre to `fall` behind it.
    """
    angle = 2 * np.pi * (phase - centre)
    width = (rise + fall) / 2 + (fall - rise) / 2 * np.sin(angle)
    bell = np.exp((np.cos(angle) - 1) / (2 * np.pi * width) ** 2)
    return np.asarray(bell, dtype=np.float64)


def simulate_pulse(
    rng: np.random.Generator, person: Person, heart: Heart, *, time_s: Series
) -> tuple[Series, Series]:
    """Pulse wave and breathing baseline at the wrist, in units of the person's pulse height.

    Returns:
        pulse: `(samples,)` with beat-to-beat, respiratory and slow changes of amplitude.
        baseline: `(samples,)` respiratory baseline (venous return).
    """
    number = np.arange(len(heart.beat_s))
    passed = np.interp(time_s - person.transit_s, heart.beat_s, number)
    phase = passed % 1
    # The shape follows the beat's own interval rather than the smooth rate.
    interval_s = np.diff(heart.beat_s)
    beat = np.clip(passed.astype(np.int64), 0, len(interval_s) - 1)
    rate_bpm = np.clip(60 / interval_s[beat], 40, 210)
    wave = waveform(phase, rate_bpm, dicrotic=person.dicrotic, tidal=person.tidal)

    strength = np.exp(0.06 * rng.standard_normal(len(number)))
    strength *= np.where(heart.premature, 0.5, 1.0)  # little time to fill
    breath = np.interp(time_s, heart.time_s, heart.breath_rad)
    vasomotion = wander(rng, len(time_s), time_constant_s=25, sd=0.22)
    amplitude = np.interp(passed, number, strength) * np.exp(vasomotion)
    amplitude *= 1 - rng.uniform(0.04, 0.12) * np.sin(breath)
    baseline = rng.uniform(0.1, 0.4) * np.sin(breath + rng.uniform(0, 2 * np.pi))
    return amplitude * wave, baseline
