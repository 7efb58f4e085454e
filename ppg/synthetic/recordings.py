"""Synthetic wrist recordings of exercise: the embedded default data.

Each person draws traits (`person`), a session of rest, walking, running and recovery with beats
(`heart`), a pulse wave (`pulse`), motion and its artefact (`motion`), and a sensor with its faults
(`sensor`). Labels come from the
simulated beats. Results on these recordings say how the tool works, not how well a network reads
real wrists; `Recording.synthetic` marks them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.recording import Recording
from ppg.synthetic.heart import ACTIVITIES, Heart, Segment, at, draw_session, simulate_heart
from ppg.synthetic.motion import Motion, artefact, simulate_motion
from ppg.synthetic.noise import PPG_HZ, Series
from ppg.synthetic.person import Person, draw_person
from ppg.synthetic.pulse import simulate_pulse
from ppg.synthetic.sensor import sense_acc, sense_ppg
from ppgnas.errors import DataError
from ppgnas.task import STRIDE_S, WINDOW_S

DATASET = "synthetic"
# Many people for a few minutes teach more than few for long: their movement differs. Of 64 a
# search reports on 13 and ranks on 8. Making them takes about a second of one core.
PEOPLE = 64
MINUTES = 3.0
MIN_MINUTES = 0.5


@dataclass(frozen=True)
class Truth:
    """What a recording was made of; for tests and studies, never for training.

    Attributes:
        person, segments, heart, motion: the simulated person, session, heart and arm.
        time_s: `(samples,)` time axis of the PPG.
        pulse: `(samples,)` clean pulse wave in units of the pulse height.
        artefact: `(samples, channels)` motion artefact in the same unit.
        lost: `(samples,)` True while the sensor is off the skin.
    """

    person: Person
    segments: tuple[Segment, ...]
    heart: Heart
    motion: Motion
    time_s: Series
    pulse: Series
    artefact: NDArray[np.float64]
    lost: NDArray[np.bool_]


def synthesize(
    *, people: int = PEOPLE, minutes: float = MINUTES, seed: int = 0
) -> list[Recording]:
    """Make one recording per person.

    Person i depends on `seed`, i and `minutes` alone, not on how many people are asked for.

    Args:
        people: at least 1.
        minutes: length of each recording, at least 0.5.
        seed: 0 or more.

    Returns:
        `people` recordings of the data set "synthetic": 2 PPG channels at 64 Hz in counts,
        acceleration at 32 or 50 Hz in g, a label every 2 s.

    Raises:
        DataError: an argument is out of range.
    """
    if people < 1:
        raise DataError(f"synthetic data: people is {people}; allowed: 1 or more.")
    return [synthesize_person(i, minutes=minutes, seed=seed)[0] for i in range(people)]


def synthesize_person(
    number: int, *, minutes: float = MINUTES, seed: int = 0
) -> tuple[Recording, Truth]:
    """Make the recording of person `number` (from 0) and tell what it was made of.

    Raises:
        DataError: an argument is out of range.
    """
    if not (math.isfinite(minutes) and minutes >= MIN_MINUTES):
        raise DataError(
            f"synthetic data: minutes is {minutes}; allowed: {MIN_MINUTES} or more, so that each "
            f"activity holds a few seconds."
        )
    if seed < 0 or number < 0:
        raise DataError(f"synthetic data: seed is {seed}, person {number}; allowed: 0 or more.")
    # The streams are keyed by number, as SeedSequence(seed).spawn gives them.
    streams = np.random.SeedSequence(seed, spawn_key=(number,)).spawn(6)
    rng = [np.random.default_rng(stream) for stream in streams]
    samples = round(minutes * 60 * PPG_HZ)
    time_s = np.arange(samples) / PPG_HZ
    person = draw_person(rng[0])
    segments = draw_session(rng[1], person, samples / PPG_HZ)
    heart = simulate_heart(rng[2], person, segments=segments)
    pulse, baseline = simulate_pulse(rng[3], person, heart, time_s=time_s)
    motion = simulate_motion(rng[4], person, heart, segments=segments, time_s=time_s)
    disturbance = artefact(rng[4], person, motion, time_s=time_s)
    ppg, lost = sense_ppg(
        rng[5], person, pulse=pulse, baseline=baseline, artefact=disturbance, time_s=time_s
    )
    acc = sense_acc(rng[5], person, acc_g=motion.acc_g)
    truth = Truth(person, segments, heart, motion, time_s, pulse, disturbance, lost)
    return _recording(f"s{seed}p{number:02d}", ppg, acc, truth), truth


def _recording(
    name: str, ppg: NDArray[np.float32], acc: NDArray[np.float32], truth: Truth
) -> Recording:
    duration_s = min(len(ppg) / PPG_HZ, len(acc) / truth.person.acc_hz)
    windows = int((duration_s - WINDOW_S) // STRIDE_S) + 1
    start_s: Series = np.arange(windows, dtype=np.float64) * STRIDE_S
    # Windows that touch an episode without contact: no pulse to read, so no fair label.
    gone_s = np.r_[0.0, np.cumsum(truth.lost)] / PPG_HZ
    first = np.rint(start_s * PPG_HZ).astype(np.int64)
    last = np.minimum(first + round(WINDOW_S * PPG_HZ), len(ppg))
    segment = at(truth.segments, start_s + WINDOW_S / 2)
    return Recording(
        subject=name,
        dataset=DATASET,
        name=name,
        ppg=ppg,
        ppg_hz=PPG_HZ,
        acc=acc,
        acc_hz=truth.person.acc_hz,
        window_start_s=start_s,
        hr_bpm=truth.heart.mean_bpm(start_s, length_s=WINDOW_S),
        valid=gone_s[last] == gone_s[first],
        activity=np.array([s.activity for s in truth.segments], dtype=np.int64)[segment],
        activity_names=ACTIVITIES,
        synthetic=True,
    )
