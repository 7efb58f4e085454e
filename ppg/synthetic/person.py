"""The traits of one synthetic person: heart, vessels, gait and how the device sits.

Ranges are those of healthy adults at rest and on a treadmill:

- highest heart rate 208 - 0.7 age (Tanaka et al., J Am Coll Cardiol 37, 2001);
- resting rate 50-80 BPM, breathing 11-17 a minute at rest;
- on-kinetics faster than off-kinetics (time constants of tens of seconds);
- respiratory sinus arrhythmia that fades with age;
- step rates of 1.65-2.05 Hz walking and 2.45-2.95 Hz running.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Person:
    """What stays the same throughout one person's recording.

    Attributes:
        age_years: sets the highest heart rate and how pronounced the dicrotic wave is.
        resting_bpm, highest_bpm: bounds of the heart rate.
        on_s, off_s: time constants of the heart rate when effort rises and falls.
        fitness: scales the share of the heart-rate reserve that an effort needs; near 1.
        breathing_hz: at rest.
        arrhythmia: relative depth of respiratory sinus arrhythmia at rest.
        jitter_s: spread of single beats at rest, beyond breathing.
        transit_s: from the R peak to the foot of the pulse at the wrist.
        dicrotic: height of the dicrotic wave relative to the systolic peak at 60 BPM.
        tidal: height of the tidal (late systolic) wave, higher in stiff arteries.
        perfusion: pulse amplitude as a share of the steady light.
        walk_step_hz, run_step_hz: comfortable step rates.
        walk_gait, run_gait: `(harmonics, 3)` acceleration in g at multiples of the stride rate,
            complex: size and phase per axis of the device.
        swing_rad: `(2,)` forearm rotation while walking, in pitch and roll.
        artefact_axes: `(channels, 3)` direction in which a channel feels acceleration.
        artefact_gain: `(channels,)` pulse amplitudes per g.
        artefact_delay_s, artefact_hz, artefact_q: delay and resonance of tissue and strap.
        artefact_bend: share of the quadratic part.
    """

    age_years: float
    resting_bpm: float
    highest_bpm: float
    on_s: float
    off_s: float
    fitness: float
    breathing_hz: float
    arrhythmia: float
    jitter_s: float
    premature_share: float
    transit_s: float
    dicrotic: float
    tidal: float
    perfusion: float
    walk_step_hz: float
    run_step_hz: float
    walk_gait: NDArray[np.complex128]
    run_gait: NDArray[np.complex128]
    swing_rad: NDArray[np.float64]
    artefact_axes: NDArray[np.float64]
    artefact_gain: NDArray[np.float64]
    artefact_delay_s: float
    artefact_hz: float
    artefact_q: float
    artefact_bend: float
    acc_hz: float


CHANNELS = 2  # of the light
# Acceleration in g at 1, 2, .. times the stride rate. The arm swings once per stride; each foot
# strikes once, so that even harmonics (the step rate and its multiples) carry the impacts.
WALK_HARMONICS_G = (0.10, 0.15, 0.04, 0.07, 0.02, 0.03)
RUN_HARMONICS_G = (0.40, 1.15, 0.18, 0.38, 0.10, 0.14)


def draw_person(rng: np.random.Generator) -> Person:
    """Draw the traits of one person."""
    age_years = float(rng.uniform(18, 65))
    youth = (65 - age_years) / 47  # 1 at 18 years, 0 at 65
    mount = rng.standard_normal(3)
    mount /= np.linalg.norm(mount)
    axes = mount + 0.45 * rng.standard_normal((CHANNELS, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    shared_gain = rng.lognormal(np.log(ARTEFACT_GAIN), 0.2)
    return Person(
        age_years=age_years,
        resting_bpm=float(rng.uniform(50, 80)),
        highest_bpm=208 - 0.7 * age_years,
        on_s=float(rng.uniform(25, 45)),
        off_s=float(rng.uniform(40, 80)),
        fitness=float(rng.lognormal(0, 0.15)),
        breathing_hz=float(rng.uniform(0.18, 0.28)),
        arrhythmia=float((0.02 + 0.05 * youth) * rng.lognormal(0, 0.25)),
        jitter_s=float(rng.uniform(0.004, 0.010)),
        premature_share=float(rng.uniform(0.002, 0.012)) if rng.random() < 0.2 else 0.0,
        transit_s=float(rng.uniform(0.16, 0.24)),
        dicrotic=float((0.16 + 0.18 * youth) * rng.lognormal(0, 0.12)),
        tidal=float(0.20 + 0.30 * (1 - youth) + rng.normal(0, 0.04)),
        perfusion=float(rng.lognormal(np.log(0.010), 0.4)),
        walk_step_hz=float(rng.uniform(1.65, 2.05)),
        run_step_hz=float(rng.uniform(2.45, 2.95)),
        walk_gait=_gait(rng, WALK_HARMONICS_G),
        run_gait=_gait(rng, RUN_HARMONICS_G),
        swing_rad=rng.uniform(0.05, 0.30, 2),
        artefact_axes=axes,
        artefact_gain=shared_gain * rng.lognormal(0, 0.35, CHANNELS),
        artefact_delay_s=float(rng.uniform(0.02, 0.15)),
        artefact_hz=float(rng.uniform(1.6, 3.5)),
        artefact_q=float(rng.uniform(0.6, 1.4)),
        artefact_bend=float(rng.uniform(-0.35, 0.35)),
        acc_hz=float(rng.choice([32.0, 50.0])),
    )


# Pulse amplitudes per g. Chosen so that a spectral peak errs by 12-25 BPM over all windows, nearly
# as on wrist recordings of treadmill exercise (17-30 BPM on IEEE SPC 2015, BAMI-1 and BAMI-2), and
# networks that were trained for minutes read through it.
ARTEFACT_GAIN = 3.5


def _gait(rng: np.random.Generator, sizes_g: tuple[float, ...]) -> NDArray[np.complex128]:
    """Draw size and phase of each harmonic on each axis: `(harmonics, 3)`."""
    shape = (len(sizes_g), 3)
    direction = rng.standard_normal(shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    size = np.asarray(sizes_g)[:, None] * rng.lognormal(0, 0.2, (len(sizes_g), 1))
    phase = np.exp(1j * rng.uniform(0, 2 * np.pi, shape))
    return np.asarray(size * direction * phase, dtype=np.complex128)
